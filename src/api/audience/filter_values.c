#include "api/audience/filter_values.h"

#include <stdlib.h>

#include "model/value.h"

const struct text filter_values_everybody = TEXT("{\"op\":\"exists\",\"trait\":\"$identified\"}");

/* ---- Counting ---- */

static int by_text(const void *a, const void *b)
{
	const struct filter_value *one = a, *other = b;
	return text_compare(one->text, other->text);
}

static int by_count(const void *a, const void *b)
{
	const struct filter_value *one = a, *other = b;
	if (one->count != other->count)
		return one->count < other->count ? 1 : -1;
	return text_compare(one->text, other->text);
}

/* How many strings a value is; each is put into `into` (NULL: not). */
static size_t take_apart(const struct value *value, uint64_t count, struct filter_value *into)
{
	size_t             strings = 0;
	struct text        item;
	struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
	if (value->type == VALUE_STRING) {
		if (into != NULL)
			into[0] = (struct filter_value){value->text, count};
		return 1;
	}
	for (; value->type == VALUE_STRING_SET && value_set_next(&set, &item); strings++)
		if (into != NULL)
			into[strings] = (struct filter_value){item, count};
	return strings;
}

/* Sorted by text, equal ones as one. */
static size_t merge(struct filter_value *list, size_t count)
{
	size_t merged = 0;
	qsort(list, count, sizeof *list, by_text);
	for (size_t i = 0; i < count; i++) {
		if (merged > 0 && text_equal(list[merged - 1].text, list[i].text))
			list[merged - 1].count += list[i].count;
		else
			list[merged++] = list[i];
	}
	return merged;
}

void filter_values_of(const struct query_groups *groups, struct arena *arena,
                      struct filter_values *ret_values)
{
	struct filter_value *list;
	size_t               count = 0;
	for (uint32_t i = 0; i < groups->count; i++)
		count += take_apart(&groups->groups[i].value, 0, NULL);
	list  = ARENA_ARRAY(arena, struct filter_value, count);
	count = 0;
	for (uint32_t i = 0; i < groups->count; i++)
		count += take_apart(&groups->groups[i].value, groups->groups[i].size, list + count);
	count = merge(list, count);
	qsort(list, count, sizeof *list, by_count);
	for (size_t i = 0; i < count; i++)
		list[i].text = arena_text(arena, list[i].text);
	*ret_values = (struct filter_values){true, count, list};
}

/* ---- Writing ---- */

static void write_value(struct json_writer *w, struct text value, const struct filter_label *label,
                        bool known, uint64_t count)
{
	json_begin_object(w);
	json_member_string(w, "value", value);
	json_add_key(w, TEXT("label"));
	json_begin_object(w);
	json_member_string(w, "ko", label->ko);
	json_member_string(w, "en", label->en);
	json_end_object(w);
	if (known)
		json_member_int(w, "count", (int64_t)count);
	else
		json_member_null(w, "count");
	json_end_object(w);
}

static uint64_t count_of(const struct filter_values *values, struct text value)
{
	for (size_t i = 0; i < values->count; i++)
		if (text_equal(values->list[i].text, value))
			return values->list[i].count;
	return 0;
}

static bool is_choice(const struct filter *filter, struct text value)
{
	for (unsigned i = 0; i < filter->choice_count; i++)
		if (text_equal(filter->choices[i].value, value))
			return true;
	return false;
}

void filter_values_write(struct json_writer *w, const struct filter *filter,
                         const struct filter_values *values)
{
	json_begin_array(w);
	for (unsigned i = 0; i < filter->choice_count; i++)
		write_value(w, filter->choices[i].value, &filter->choices[i].label, values->known,
		            count_of(values, filter->choices[i].value));
	for (size_t i = 0, written = 0; i < values->count && written < FILTER_VALUES_MAX; i++) {
		const struct filter_value *value = &values->list[i];
		const struct filter_label  label = {value->text, value->text};
		if (filter->closed || is_choice(filter, value->text))
			continue;
		write_value(w, value->text, &label, true, value->count);
		written++;
	}
	json_end_array(w);
}
