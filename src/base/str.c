/* Views of bytes; see str.h. */
#include "base/str.h"

#include <string.h>

struct str str_c(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) /* not strncasecmp: it ends at a NUL and follows the locale */
		if (str_lower(a.ptr[i]) != str_lower(b.ptr[i]))
			return false;
	return true;
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

int str_compare(struct str a, struct str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return hit ? hit - s.ptr : -1;
}

struct str str_slice(struct str s, size_t start, size_t len)
{
	if (start > s.len)
		start = s.len;
	if (len > s.len - start)
		len = s.len - start;
	return (struct str){start ? s.ptr + start : s.ptr, len}; /* start > 0 only where there are bytes */
}

bool str_cut(struct str *rest, char c, struct str *item_out)
{
	ptrdiff_t at = str_find_char(*rest, c);

	*item_out = at < 0 ? *rest : str_slice(*rest, 0, (size_t)at);
	*rest = at < 0 ? (struct str){0} : str_slice(*rest, (size_t)at + 1, rest->len);
	return at >= 0;
}

struct str str_trim(struct str s)
{
	while (s.len && s.ptr[0] == ' ')
		s = str_slice(s, 1, s.len);
	while (s.len && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

int str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	if (value > max)
		return -1;
	*out = value;
	return 0;
}

bool str_eq_secret(struct str a, struct str b)
{
	unsigned char difference = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		difference |= (unsigned char)((unsigned char)a.ptr[i] ^ (unsigned char)b.ptr[i]);
	return difference == 0;
}

bool str_is_printable_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

/* Length of the well-formed sequence at the start of `bytes`, or 0. */
static size_t str_utf8_sequence(const unsigned char *bytes, size_t len)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t need;

	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf)
		need = 2;
	else if (bytes[0] >= 0xe0 && bytes[0] <= 0xef)
		need = 3;
	else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (len < need)
		return 0;
	if (bytes[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (bytes[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (bytes[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (bytes[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

bool str_is_utf8(struct str s)
{
	const unsigned char *bytes = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len;) {
		size_t step = str_utf8_sequence(bytes + i, s.len - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

bool str_copy(char *out, size_t size, struct str s)
{
	size_t len = s.len < size - 1 ? s.len : size - 1;

	if (len)
		memcpy(out, s.ptr, len);
	out[len] = '\0';
	return len == s.len;
}
