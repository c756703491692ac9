/* Byte buffer with a maximum; see buf.h. */
#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *buf, size_t bytes_max)
{
	*buf = (struct buf){.bytes_max = bytes_max};
}

void buf_fini(struct buf *buf)
{
	mem_free(buf->ptr);
	*buf = (struct buf){.bytes_max = buf->bytes_max};
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->overflow = false;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

bool buf_ok(const struct buf *buf)
{
	return !buf->overflow;
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){buf->ptr, buf->len};
}

const char *buf_c(const struct buf *buf)
{
	return buf->ptr ? buf->ptr : "";
}

/* Makes room for `len` more bytes and a NUL. Returns false, and marks the overflow, when that passes the maximum. */
static bool buf_reserve(struct buf *buf, size_t len)
{
	size_t capacity = buf->capacity ? buf->capacity : 128;

	if (buf->overflow || len > buf->bytes_max - buf->len) {
		buf->overflow = true;
		return false;
	}
	if (buf->capacity > buf->len + len)
		return true;
	while (capacity <= buf->len + len)
		capacity *= 2;
	buf->ptr = mem_realloc(buf->ptr, capacity);
	buf->capacity = capacity;
	return true;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->ptr + buf->len, bytes, len);
	buf->len += len;
	buf->ptr[buf->len] = '\0';
}

void buf_append_str(struct buf *buf, struct str s)
{
	buf_append(buf, s.ptr, s.len);
}

void buf_append_c(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_append_i64(struct buf *buf, int64_t value)
{
	if (value < 0)
		buf_append_char(buf, '-');
	buf_append_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_append_hex(struct buf *buf, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < len; i++) {
		char pair[2] = {digits[in[i] >> 4], digits[in[i] & 15]};

		buf_append(buf, pair, 2);
	}
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !buf_reserve(buf, (size_t)len)) {
		buf->overflow = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args); /* measured just above */
	va_end(args);
	buf->len += (size_t)len;
}

/* The two-character escape of `c`, or NULL when it has none. */
static const char *buf_json_short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

void buf_append_json_string(struct buf *buf, struct str s)
{
	size_t start = 0; /* first byte not yet copied */

	buf_append_char(buf, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		const char *escape;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_append(buf, s.ptr + start, i - start);
		start = i + 1;
		escape = buf_json_short_escape(c);
		if (escape)
			buf_append_c(buf, escape);
		else
			buf_printf(buf, "\\u%04x", c);
	}
	if (s.len > start)
		buf_append(buf, s.ptr + start, s.len - start);
	buf_append_char(buf, '"');
}
