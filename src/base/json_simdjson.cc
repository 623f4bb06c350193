// The one C++ file: simdjson's parser behind C functions, and std::to_chars.

#include "base/json_internal.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

namespace
{

// What json.h promises; json.c asserts that both are equal.
constexpr size_t DEPTH_MAX          = 65536;
constexpr size_t CAPACITY_MIN_BYTES = 64 * 1024;

} // namespace

struct json_simdjson {
	simdjson::dom::parser   parser;
	simdjson::dom::document document;
	size_t                  capacity = 0;

	// Doubling: simdjson's own growth is to the exact length, that is at every longer text.
	simdjson::error_code reserve(size_t length)
	{
		if (length <= capacity)
			return simdjson::SUCCESS;
		size_t wanted = capacity == 0 ? CAPACITY_MIN_BYTES : capacity;
		while (wanted < length)
			wanted *= 2;
		if (wanted > simdjson::SIMDJSON_MAXSIZE_BYTES)
			return simdjson::CAPACITY;
		simdjson::error_code error = parser.allocate(wanted, DEPTH_MAX);
		if (!error)
			error = document.allocate(wanted);
		capacity = error ? 0 : wanted;
		return error;
	}
};

json_simdjson *json_simdjson_new(void)
{
	json_simdjson *simdjson = new (std::nothrow) json_simdjson;
	if (simdjson == nullptr)
		std::abort();
	return simdjson;
}

void json_simdjson_free(json_simdjson *simdjson) { delete simdjson; }

json_simdjson_result json_simdjson_parse(json_simdjson *simdjson, const char *padded_text,
                                         size_t length, const char **ret_reason)
{
	simdjson::error_code error = simdjson->reserve(length);
	if (error == simdjson::MEMALLOC)
		std::abort();
	if (!error)
		error = simdjson->parser.parse_into_document(simdjson->document, padded_text, length, false)
		            .error();
	*ret_reason = simdjson::error_message(error);
	switch (error) {
	case simdjson::SUCCESS:
		return JSON_SIMDJSON_OK;
	case simdjson::NUMBER_ERROR:
		return JSON_SIMDJSON_NUMBER;
	case simdjson::STRING_ERROR:
		return JSON_SIMDJSON_STRING;
	case simdjson::UTF8_ERROR:
		return JSON_SIMDJSON_UTF8;
	default:
		return JSON_SIMDJSON_OTHER;
	}
}

uint64_t *json_simdjson_tape(json_simdjson *simdjson) { return simdjson->document.tape.get(); }

const uint8_t *json_simdjson_strings(const json_simdjson *simdjson)
{
	return simdjson->document.string_buf.get();
}

unsigned json_shortest_digits(double number, char ret_digits[JSON_DIGITS_MAX], int *ret_point)
{
	char text[32]; // d.ddddddddddddddddde-ddd
	auto written =
		std::to_chars(text, text + sizeof text, std::fabs(number), std::chars_format::scientific);

	const char *exponent = text;
	unsigned    count    = 0;
	for (; *exponent != 'e'; exponent++)
		if (*exponent != '.')
			ret_digits[count++] = *exponent;

	int power = 0;
	for (const char *digit = exponent + 2; digit < written.ptr; digit++)
		power = power * 10 + (*digit - '0');
	*ret_point = (exponent[1] == '-' ? -power : power) + 1;
	return count;
}
