/* Base64; see base64.h. */
#include "protocol/base64.h"

/* 64 digits and the padding */
static const char *const base64_digits[] = {
	[BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
	[BASE64_WIRE] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_",
};

/* Value plus one of the digits that both alphabets share; 0 for any other byte. */
static const unsigned char base64_values[256] = {
	['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,	['G'] = 7,  ['H'] = 8,	['I'] = 9,
	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
	['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
	['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
};

size_t base64_encode(enum base64_alphabet alphabet, const void *bytes, size_t len, char *out)
{
	const char *digits = base64_digits[alphabet];
	const unsigned char *in = bytes;
	size_t at = 0;

	for (size_t i = 0; i < len; i += 3) {
		unsigned group = (unsigned)in[i] << 16;

		if (i + 1 < len)
			group |= (unsigned)in[i + 1] << 8;
		if (i + 2 < len)
			group |= in[i + 2];
		out[at++] = digits[group >> 18];
		out[at++] = digits[group >> 12 & 63];
		out[at++] = i + 1 < len ? digits[group >> 6 & 63] : digits[64];
		out[at++] = i + 2 < len ? digits[group & 63] : digits[64];
	}
	out[at] = '\0';
	return at;
}

/* Value of a digit plus one; 0 for any other byte. */
static unsigned base64_value(const char *digits, char c)
{
	if (c == digits[62])
		return 63;
	if (c == digits[63])
		return 64;
	return base64_values[(unsigned char)c];
}

int base64_decode(enum base64_alphabet alphabet, struct str text, unsigned char *out, size_t out_size, size_t *len_out)
{
	const char *alphabet_digits = base64_digits[alphabet];
	size_t digits = text.len;
	unsigned group = 0;
	unsigned bits = 0; /* in `group`, not yet written */
	size_t at = 0;

	if (text.len % 4)
		return -1;
	while (digits && text.len - digits < 2 && text.ptr[digits - 1] == alphabet_digits[64])
		digits--;
	for (size_t i = 0; i < digits; i++) {
		unsigned value = base64_value(alphabet_digits, text.ptr[i]);

		if (value == 0)
			return -1;
		group = (group << 6 | (value - 1)) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		if (at == out_size)
			return -1;
		bits -= 8;
		out[at++] = (unsigned char)(group >> bits & 0xff);
	}
	/* What is left over belongs to the padding and is zero in the canonical form. */
	if (group & ((1U << bits) - 1))
		return -1;
	*len_out = at;
	return 0;
}
