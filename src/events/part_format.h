#ifndef SONNIM_EVENTS_PART_FORMAT_H
#define SONNIM_EVENTS_PART_FORMAT_H

/* The bytes of a part, as docs/formats/part.md describes them: structs as they lie in the file,
 * little-endian, without padding. Numbers of roles and encodings are never used again. */

#include <stdint.h>

#define PART_MAGIC "SONNIMPT"

enum { PART_VERSION = 2, PART_ALIGNMENT = 8, PRESENCE_RANK_ROWS = 512 };

struct part_header {
	char     magic[8];
	uint32_t version;
	uint32_t column_count;
	uint64_t header_bytes; /* this, the columns, their names, to a multiple of 8 */
	uint64_t file_bytes;
	uint64_t number;
	uint32_t partition;
	int32_t  month; /* of all its events; since January 1970 */
	uint32_t rows;
	uint32_t events; /* rows that are events; the others are calls, kept for their message ids */
	uint32_t persons;
	uint32_t slot_min;
	uint32_t slot_max;
	uint32_t bucket_shift;
	int64_t  time_min_ms;
	int64_t  time_max_ms;
	uint64_t position_min;
	uint64_t position_max;
	uint64_t schema;      /* of the settings that chose its columns */
	uint64_t message_key; /* of the hashes in the filter */
	uint64_t run;         /* parts of one run have no person in common but at their edges */
	uint64_t checksum;    /* XXH3 of the header_bytes with this field as 0 */
};
_Static_assert(sizeof(struct part_header) == 136, "docs/formats/part.md");

enum column_role {
	ROLE_PERSON_SLOT   = 1, /* persons: ascending */
	ROLE_PERSON_ROW    = 2, /* persons + 1: the first row of each, and the end */
	ROLE_PERSON_BUCKET = 3, /* first person whose (slot − slot_min) >> bucket_shift is at least i */
	ROLE_FILTER        = 4, /* of the message ids */
	ROLE_TIME          = 5, /* from here on: by rows */
	ROLE_RECEIVED      = 6, /* − time */
	ROLE_POSITION      = 7, /* of storing */
	ROLE_FLAGS         = 8, /* enum row_flag */
	ROLE_CALL          = 9, /* enum record_call */
	ROLE_SOURCE        = 10,
	ROLE_TIMESTAMP     = 11, /* time − timestamp; rows that have one */
	ROLE_SKEW          = 12, /* rows that have one */
	ROLE_NAME          = 13, /* events */
	ROLE_MESSAGE       = 14, /* rows that have one */
	ROLE_CONTEXT       = 15, /* rows whose context is not empty */
	ROLE_SEALED        = 16, /* rows that have one */
	ROLE_ORIGIN        = 17, /* rows that have an origin or a source */
	ROLE_SHAPE         = 18, /* rows with properties: their names, types and columns */
	ROLE_RESIDUAL      = 19, /* values that have no column; calls that are no events, whole */
	ROLE_PROPERTY      = 20, /* one of many: `name`, `type` */
	ROLE_MOVED         = 21, /* rows that a merge brought */
	ROLE_GUARD         = 22, /* checksums of all before it (part_guard.h): the last region */
	ROLE_COUNT
};

enum row_flag {
	ROW_EVENT      = 1,
	ROW_MARKED     = 2,
	ROW_IDENTIFIED = 4,
	ROW_ORIGIN     = 8,
	ROW_SOURCE     = 16,
	ROW_UUID       = 32,  /* the message id is a UUID in lower case: 16 bytes */
	ROW_RAW        = 64,  /* the properties lie in the residual column as they are */
	ROW_MOVED      = 128, /* accepted elsewhere */
};

enum column_encoding {
	ENCODING_INTS     = 1, /* base + unsigned numbers of `width` bytes: 0, 1, 2, 4, 8 */
	ENCODING_DECIMALS = 2, /* the same ÷ 10^scale: a double */
	ENCODING_DOUBLES  = 3, /* 8 bytes each */
	ENCODING_BITS     = 4, /* booleans, in words of 64 */
	ENCODING_DICT     = 5, /* numbers of `width` bytes: which of `distinct` texts, in their order */
	ENCODING_TEXTS    = 6, /* texts one after the other */
	ENCODING_FIXED    = 7, /* texts of `base` bytes each */
	ENCODING_BYTES    = 8, /* something of its own */
};

/* A column's region: presence, numbers, ends of texts, texts; each padded to a multiple of 8. */
struct part_column {
	uint64_t offset;         /* in the file */
	uint64_t checksum;       /* XXH3 of the region */
	uint64_t presence_bytes; /* 0: every row has a value. Else u32 ranks, one for 512 rows, padded;
	                            then words of 64 bits */
	uint64_t number_bytes;
	uint64_t end_bytes; /* where texts end: `end_width` bytes each */
	uint64_t text_bytes;
	int64_t  base;
	uint64_t min; /* of numbers: an i64, or the bits of a double */
	uint64_t max;
	uint32_t count; /* values */
	uint32_t distinct;
	uint32_t name_offset; /* in the names behind the columns */
	uint32_t name_bytes;
	uint8_t  role;
	uint8_t  type; /* enum value_type, of properties */
	uint8_t  encoding;
	uint8_t  width;
	uint8_t  end_width;
	uint8_t  scale;
	uint8_t  reserved[2];
};
_Static_assert(sizeof(struct part_column) == 96, "docs/formats/part.md");

#endif
