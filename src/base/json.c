/* Strict JSON reading; see json.h. */
#include "base/json.h"

#include <string.h>

/* True when brackets nest deeper than the limit; strings are skipped. jansson has a limit of its own (2048), but
 * reaching it costs a tree of that depth. */
static bool json_too_deep(struct str text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}

int json_read(struct str text, json_t **root_out, struct error *err)
{
	json_error_t reason;
	json_t *root;

	if (text.len == 0)
		return error_set(err, ERR_INVALID, "empty, where JSON was expected");
	if (json_too_deep(text))
		return error_set(err, ERR_INVALID, "JSON nested deeper than %d levels", JSON_DEPTH_MAX);
	root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
	if (!root) {
		/* the reason may quote the input: keep what can be shown */
		for (char *c = reason.text; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				*c = '?';
		return error_set(err, ERR_INVALID, "not valid JSON at line %d, column %d: %.120s", reason.line,
				 reason.column, reason.text);
	}
	*root_out = root;
	return 0;
}

static const json_t *json_lookup(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

struct str json_str(const json_t *string)
{
	return (struct str){json_string_value(string), json_string_length(string)};
}

enum json_found json_field_str(const json_t *object, const char *key, struct str *out)
{
	const json_t *value = json_lookup(object, key);

	if (!value)
		return JSON_ABSENT;
	if (!json_is_string(value))
		return JSON_WRONG;
	*out = json_str(value);
	return JSON_FOUND;
}

enum json_found json_field_i64(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const json_t *value = json_lookup(object, key);

	if (!value)
		return JSON_ABSENT;
	if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
		return JSON_WRONG;
	*out = json_integer_value(value);
	return JSON_FOUND;
}

enum json_found json_field_loose_u64(const json_t *object, const char *key, uint64_t max, uint64_t *out)
{
	const json_t *value = json_lookup(object, key);

	if (!value)
		return JSON_ABSENT;
	if (json_is_string(value))
		return str_to_u64(json_str(value), max, out) ? JSON_WRONG : JSON_FOUND;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
		return JSON_WRONG;
	*out = (uint64_t)json_integer_value(value);
	return JSON_FOUND;
}

enum json_found json_field_bool(const json_t *object, const char *key, bool *out)
{
	const json_t *value = json_lookup(object, key);

	if (!value)
		return JSON_ABSENT;
	if (!json_is_boolean(value))
		return JSON_WRONG;
	*out = json_is_true(value);
	return JSON_FOUND;
}

/* Borrowed mutable view of a member; jansson's getters take const and give non-const, as here. */
static enum json_found json_field_container(const json_t *object, const char *key, json_type type, json_t **out)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return JSON_ABSENT;
	if (json_typeof(value) != type)
		return JSON_WRONG;
	*out = value;
	return JSON_FOUND;
}

enum json_found json_field_object(const json_t *object, const char *key, json_t **out)
{
	return json_field_container(object, key, JSON_OBJECT, out);
}

enum json_found json_field_array(const json_t *object, const char *key, json_t **out)
{
	return json_field_container(object, key, JSON_ARRAY, out);
}

int json_array_i64(const json_t *array, int64_t *out, size_t count)
{
	if (!json_is_array(array) || json_array_size(array) != count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const json_t *number = json_array_get(array, i);

		if (!json_is_integer(number))
			return -1;
		out[i] = json_integer_value(number);
	}
	return 0;
}

/* ---- for a terminal ---- */

/* The code point at the beginning of UTF-8 that a terminal would obey, with its length; 0 for all others: DEL, the C1
 * controls, what turns the direction of writing. */
static unsigned json_unsafe_point(struct str text, size_t *len_out)
{
	const unsigned char *c = (const unsigned char *)text.ptr;
	unsigned point = 0;

	*len_out = 1;
	if (c[0] == 0x7f)
		return 0x7f;
	if (c[0] == 0xc2 && text.len > 1 && c[1] >= 0x80 && c[1] <= 0x9f) {
		*len_out = 2;
		return c[1];
	}
	if (c[0] != 0xe2 || text.len < 3)
		return 0;
	*len_out = 3;
	point = 0x2000u | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
	return (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
			       (point >= 0x2066 && point <= 0x2069)
		       ? point
		       : 0;
}

void json_escape_unsafe(struct buf *out, size_t start)
{
	struct buf json;
	size_t len = 1;
	size_t i = start;

	while (i < out->len && !json_unsafe_point(str_slice(buf_str(out), i, out->len), &len))
		i++;
	if (i >= out->len)
		return; /* nearly always */
	buf_init(&json, out->len - i);
	buf_append(&json, out->ptr + i, out->len - i);
	out->len = i;
	for (i = 0; i < json.len; i += len) {
		unsigned point = json_unsafe_point(str_slice(buf_str(&json), i, json.len), &len);

		if (point)
			buf_printf(out, "\\u%04x", point);
		else
			buf_append_char(out, json.ptr[i]);
		len = point ? len : 1;
	}
	buf_fini(&json);
}
