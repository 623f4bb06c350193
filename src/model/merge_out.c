#include "model/merge_out.h"

void merge_out_encode(struct person user, struct buffer *out)
{
	buffer_add_u32(out, user.partition);
	buffer_add_u32(out, user.slot);
}

enum status merge_out_decode(struct text body, struct person *ret_user, struct error *err)
{
	struct byte_reader reader = byte_reader_of(body.data, body.length);
	struct person      user   = {.partition = read_u32(&reader)};
	user.slot                 = read_u32(&reader);
	if (reader.failed || read_left(&reader) > 0 || user.slot == SLOT_NONE)
		return error_set(err, STATUS_CORRUPT, "the body of a merge is damaged");
	*ret_user = user;
	return STATUS_OK;
}
