#include "engine/apply/exceptions.h"

#include <stdlib.h>

void exceptions_init(struct exceptions *exceptions)
{
	*exceptions = (struct exceptions){.bitmap = roaring_bitmap_create()};
	if (exceptions->bitmap == NULL)
		abort();
}

void exceptions_done(struct exceptions *exceptions)
{
	if (exceptions->bitmap != NULL)
		roaring_bitmap_free(exceptions->bitmap);
	free(exceptions->late);
	*exceptions = (struct exceptions){0};
}

static void toggle(roaring_bitmap_t *bitmap, uint32_t slot)
{
	if (!roaring_bitmap_add_checked(bitmap, slot))
		roaring_bitmap_remove(bitmap, slot);
}

const roaring_bitmap_t *exceptions_bitmap(struct exceptions *exceptions)
{
	for (uint32_t i = 0; i < exceptions->late_count; i++)
		toggle(exceptions->bitmap, exceptions->late[i]);
	exceptions->late_count = 0;
	return exceptions->bitmap;
}

void exceptions_toggle(struct exceptions *exceptions, uint32_t slot)
{
	if (exceptions->late == NULL) {
		exceptions->late = malloc(EXCEPTIONS_LATE * sizeof *exceptions->late);
		if (exceptions->late == NULL)
			abort();
	}
	if (exceptions->late_count == EXCEPTIONS_LATE)
		exceptions_bitmap(exceptions);
	exceptions->late[exceptions->late_count++] = slot;
}
