#include "query/slot_list.h"

void slot_list_add(struct buffer *out, uint32_t *last, uint32_t slot)
{
	buffer_add_varint(out, slot - *last); /* modulo 2^32: from UINT32_MAX it is slot + 1 */
	*last = slot;
}

bool slot_list_read(struct text bytes, slot_vector *slots)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	uint64_t           slot   = UINT64_MAX;
	while (read_left(&reader) > 0) {
		uint64_t distance = read_varint(&reader);
		if (reader.failed || distance == 0 || distance > UINT32_MAX ||
		    slot + distance >= UINT32_MAX)
			return false;
		slot += distance;
		VECTOR_ADD(slots, (uint32_t)slot);
	}
	return true;
}
