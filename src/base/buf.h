#pragma once
/* A growing byte buffer with a hard maximum.
 *
 * An append that would pass the maximum writes nothing, or the first part of what it is composed of, and sets
 * `overflow`, which sticks: build the whole text, then look once with buf_ok. Threads: one at a time. */
#include "base/str.h"
#include <stdarg.h>

struct buf {
	char *ptr; /* NUL-terminated once anything was appended */
	size_t len;
	size_t capacity;
	size_t bytes_max; /* most bytes `len` may reach */
	bool overflow;
};

void buf_init(struct buf *buf, size_t bytes_max);
void buf_fini(struct buf *buf);
/* Empties it and forgets an overflow; keeps the memory. */
void buf_reset(struct buf *buf);
bool buf_ok(const struct buf *buf);
struct str buf_str(const struct buf *buf);
/* The text as a C string ("" when empty); borrowed until the next append. */
const char *buf_c(const struct buf *buf);

void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_str(struct buf *buf, struct str s);
void buf_append_c(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t value);
void buf_append_i64(struct buf *buf, int64_t value);
/* Lower-case hexadecimal of the bytes. */
void buf_append_hex(struct buf *buf, const void *bytes, size_t len);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* A JSON string with its quotes. Escapes the quote, the backslash and control characters; other bytes, which must be
 * well-formed UTF-8, go as they are. */
void buf_append_json_string(struct buf *buf, struct str s);
