#include "base/decimal.h"

#include <math.h>

#include "base/json_internal.h"

enum { DECIMALS = 6, DOUBLE_BITS = 53 };

bool decimal_of(double number, int64_t *ret_millionths)
{
	if (!(fabs(number) <= DECIMAL_LIMIT))
		return false;

	/* Of most: the product is off by at most 1/8, so that a whole number within 1/4 of it is the
	 * nearest; adding and taking away 1.5 × 2^52 rounds to one. */
	if (fabs(number) < 0x1p31) {
		double scaled = number * (double)DECIMAL_ONE;
		double whole  = (scaled + 0x1.8p52) - 0x1.8p52;
		if (fabs(scaled - whole) < 0.25) {
			*ret_millionths = (int64_t)whole;
			return true;
		}
	}

	/* number = mantissa × 2^exponent, both whole. */
	int     exponent;
	int64_t mantissa = (int64_t)ldexp(frexp(fabs(number), &exponent), DOUBLE_BITS);
	exponent -= DOUBLE_BITS;

	/* At most 53 + 20 bits. The limit is below 2^53, so that what is to be cut off are -exponent
	 * bits (or none); beyond 74 less than a half is left. */
	unsigned __int128 product = (unsigned __int128)mantissa * DECIMAL_ONE;
	unsigned          shift   = (unsigned)-exponent;
	int64_t           result  = 0;
	if (shift == 0) {
		result = (int64_t)product;
	} else if (shift <= 74) {
		unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
		unsigned __int128 rest = product & ((half << 1) - 1);
		result                 = (int64_t)(product >> shift);
		if (rest > half || (rest == half && result % 2 != 0))
			result++;
	}
	*ret_millionths = number < 0 ? -result : result;
	return true;
}

bool decimal_fits(double number)
{
	if (!isfinite(number))
		return false;
	char digits[JSON_DIGITS_MAX];
	int  point;
	int  count = (int)json_shortest_digits(number, digits, &point);
	return number == 0 || count - point <= DECIMALS;
}

double decimal_to_double(__int128 millionths)
{
	unsigned __int128 magnitude =
		millionths < 0 ? -(unsigned __int128)millionths : (unsigned __int128)millionths;
	double result;
	if (magnitude < (unsigned __int128)1 << DOUBLE_BITS) {
		/* Both are exact, so the quotient is the nearest. */
		result = (double)(int64_t)magnitude / (double)DECIMAL_ONE;
	} else {
		/* A quotient of more than 100 bits whose last bit stands for all that follow: its
		 * conversion rounds once, and right. */
		uint64_t high = (uint64_t)(magnitude >> 64);
		int shift = high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)magnitude);
		unsigned __int128 scaled   = magnitude << shift;
		unsigned __int128 quotient = scaled / (uint64_t)DECIMAL_ONE;
		if (scaled % (uint64_t)DECIMAL_ONE != 0)
			quotient |= 1;
		result = ldexp((double)quotient, -shift);
	}
	return millionths < 0 ? -result : result;
}
