#pragma once
/* A view of bytes that somebody else owns: pointer and length, no NUL promised. Threads: any. */
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

/* View of a C string; NULL gives the empty view. */
struct str str_c(const char *text);

bool str_eq(struct str a, struct str b);
/* ASCII letters compare without case. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_with(struct str s, struct str prefix);
/* Orders by bytes, then by length; for sorting. */
int str_compare(struct str a, struct str b);

/* Position of the first `c`, or -1. */
ptrdiff_t str_find_char(struct str s, char c);

/* The part of `s` from `start`, at most `len` bytes; both are clamped. */
struct str str_slice(struct str s, size_t start, size_t len);

/* Cuts the first item of a list: `item_out` is what stands before the first `c`, `rest` what stands after it. Returns
 * false when there is no `c`, so that this was the last item: it is all of `rest`, which is then empty. */
bool str_cut(struct str *rest, char c, struct str *item_out);

/* Without spaces (0x20) at both ends. */
struct str str_trim(struct str s);

/* Decimal digits only, no sign, no space, at most UINT64_MAX and `max`. Returns 0, or -1 with `out` untouched. */
MUST_CHECK int str_to_u64(struct str s, uint64_t max, uint64_t *out);

/* Equality whose time does not depend on where the bytes differ; for signatures and tokens. The length may leak. */
bool str_eq_secret(struct str a, struct str b);

/* True when every byte is printable ASCII (0x20 to 0x7e). */
bool str_is_printable_ascii(struct str s);

/* Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
bool str_is_utf8(struct str s);

/* Copies into `out` (`size` bytes, NUL included), cutting what does not fit. Returns true when all of it fitted. */
bool str_copy(char *out, size_t size, struct str s);
