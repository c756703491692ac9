/* Query strings; see highwater/query.h.
 *
 * Strict on purpose: what two readers could understand differently (a name twice, a NUL, a broken escape) is refused
 * here, so that no proxy or log sees another request than the handler does. */
#include "base/str.h"

#include <highwater/query.h>
#include <string.h>

static int query_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Where decoded text goes. */
struct query_writer {
	char *at;
	size_t left;
};

/* Decodes `text` and a NUL into the writer. Returns enum hw_query_error; on HW_QUERY_FINE `out` views the result. */
static int query_decode(struct query_writer *writer, struct str text, struct str *out)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '%') {
			int high = text.len - i > 2 ? query_hex(text.ptr[i + 1]) : -1;
			int low = text.len - i > 2 ? query_hex(text.ptr[i + 2]) : -1;

			if (high < 0 || low < 0)
				return HW_QUERY_BAD_ESCAPE;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return HW_QUERY_BAD_BYTE;
		if (writer->left - len < 2) /* this byte and the NUL */
			return HW_QUERY_TOO_LONG;
		writer->at[len++] = (char)c;
	}
	if (writer->left == 0)
		return HW_QUERY_TOO_LONG;
	writer->at[len] = '\0';
	*out = (struct str){writer->at, len};
	writer->at += len + 1;
	writer->left -= len + 1;
	return HW_QUERY_FINE;
}

/* Decodes one "name=value" and appends it. */
static int query_add(struct query_writer *writer, struct str part, struct hw_query *out)
{
	ptrdiff_t equals = str_find_char(part, '=');
	size_t name_len = equals < 0 ? part.len : (size_t)equals;
	struct str name;
	struct str value;
	int rc;

	if (out->count == HW_QUERY_PARAMS_MAX)
		return HW_QUERY_TOO_MANY;
	rc = query_decode(writer, str_slice(part, 0, name_len), &name);
	if (rc == HW_QUERY_FINE)
		rc = query_decode(writer, str_slice(part, name_len + 1, part.len), &value);
	if (rc != HW_QUERY_FINE)
		return rc;
	if (hw_query_get(out, name.ptr))
		return HW_QUERY_DUPLICATE;
	out->params[out->count++] = (struct hw_param){name.ptr, name.len, value.ptr, value.len};
	return HW_QUERY_FINE;
}

int hw_query_parse(const char *text, size_t len, char *buffer, size_t buffer_size, struct hw_query *out)
{
	struct query_writer writer = {buffer, buffer_size};
	struct str rest = {text, len};
	int rc = HW_QUERY_FINE;

	out->count = 0;
	while (rest.len && rc == HW_QUERY_FINE) {
		ptrdiff_t end = str_find_char(rest, '&');
		struct str part = str_slice(rest, 0, end < 0 ? rest.len : (size_t)end);

		rest = str_slice(rest, part.len + 1, rest.len);
		if (part.len)
			rc = query_add(&writer, part, out);
	}
	if (rc != HW_QUERY_FINE)
		out->count = 0;
	return rc;
}

const struct hw_param *hw_query_get(const struct hw_query *query, const char *name)
{
	for (size_t i = 0; i < query->count; i++)
		if (strcmp(query->params[i].name, name) == 0)
			return &query->params[i];
	return NULL;
}

const char *hw_query_error_text(int error)
{
	switch (error) {
	case HW_QUERY_FINE:
		return "fine";
	case HW_QUERY_BAD_ESCAPE:
		return "a % in the query is not followed by two hexadecimal digits";
	case HW_QUERY_BAD_BYTE:
		return "the query holds a control character";
	case HW_QUERY_TOO_MANY:
		return "the query has more than 32 parameters";
	case HW_QUERY_DUPLICATE:
		return "the query holds a parameter twice";
	case HW_QUERY_TOO_LONG:
		return "the query is too long";
	default:
		return "unknown query error";
	}
}
