#pragma once
/* Query strings: "a=1&b=2" with percent-encoding. */
#include <highwater/common.h>

HW_BEGIN

#define HW_QUERY_PARAMS_MAX 32

struct hw_param {
	const char *name; /* NUL-terminated, inside the query's own buffer */
	size_t name_len;
	const char *value;
	size_t value_len;
};

struct hw_query {
	struct hw_param params[HW_QUERY_PARAMS_MAX];
	size_t count;
};

enum hw_query_error {
	HW_QUERY_FINE = 0,
	HW_QUERY_BAD_ESCAPE = -1, /* % without two hexadecimal digits */
	HW_QUERY_BAD_BYTE = -2,	  /* NUL or a control character, raw or decoded */
	HW_QUERY_TOO_MANY = -3,	  /* more than HW_QUERY_PARAMS_MAX */
	HW_QUERY_DUPLICATE = -4,  /* one name twice (after decoding) */
	HW_QUERY_TOO_LONG = -5,	  /* does not fit into `buffer` */
};

/* Parses `text` (without "?"). Names and values are decoded (%41 and + as space is NOT applied: the vendor's base64
 * alphabet never holds +, and receivers differ) into `buffer`, which must outlive `out` and hold at least len + 2 *
 * params bytes; len * 2 + 2 always suffices. Empty parts ("a=1&&b=2") are skipped; a name without "=" has the empty
 * value. Returns enum hw_query_error. */
HW_API HW_CHECK int hw_query_parse(const char *text, size_t len, char *buffer, size_t buffer_size,
				   struct hw_query *out);

/* The parameter of that exact name, or NULL. */
HW_API const struct hw_param *hw_query_get(const struct hw_query *query, const char *name);

/* A static sentence for an enum hw_query_error. */
HW_API const char *hw_query_error_text(int error);

HW_END
