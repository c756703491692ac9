/* The reply to a callback, both directions; see highwater/callback.h.
 *
 * The vendor's sample reply holds a comment, and receivers copy it. So comments and trailing commas are first removed,
 * outside strings, and what is left is read strictly. */
#include "protocol/wire.h"

#include <highwater/callback.h>
#include <string.h>

int hw_reply_build(const struct hw_callback_reply *reply, char *out, size_t out_size)
{
	struct buf text;

	buf_init(&text, HW_REPLY_BYTES_MAX);
	buf_append_c(&text, reply->ok ? "{\"ActionStatus\":\"OK\"" : "{\"ActionStatus\":\"FAIL\"");
	buf_append_c(&text, ",\"ErrorInfo\":");
	wire_append_text(&text, reply->error_info, sizeof(reply->error_info));
	buf_append_c(&text, ",\"ErrorCode\":");
	buf_append_i64(&text, reply->error_code);
	buf_append_char(&text, '}');
	return wire_take(&text, out, out_size);
}

/* ---- removing what JSON does not allow ---- */

/* Bytes of the string that begins at `at` (a quote), its end quote included if it has one. */
static size_t reply_string_len(struct str s, size_t at)
{
	size_t end = at + 1;

	while (end < s.len && s.ptr[end] != '"')
		end += s.ptr[end] == '\\' && s.len - end > 1 ? 2 : 1;
	return (end < s.len ? end + 1 : s.len) - at;
}

/* Finds the comment that begins at `at`. Returns 0 with its length, 0 when none does, or -1 when it has no end. */
static int reply_comment_len(struct str s, size_t at, size_t *len_out)
{
	struct str rest = str_slice(s, at, s.len);
	const char *end;

	*len_out = 0;
	if (str_starts_with(rest, STR("//"))) {
		ptrdiff_t line_end = str_find_char(rest, '\n');

		*len_out = line_end < 0 ? rest.len : (size_t)line_end;
	} else if (str_starts_with(rest, STR("/*"))) {
		end = memmem(rest.ptr + 2, rest.len - 2, "*/", 2);
		if (!end)
			return -1;
		*len_out = (size_t)(end - rest.ptr) + 2;
	}
	return 0;
}

static bool reply_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A comma that follows a value and stands before `closing` is forgotten. */
static void reply_drop_comma(struct buf *out, char closing)
{
	size_t comma = out->len;
	size_t before;

	if (closing != '}' && closing != ']')
		return;
	while (comma && reply_is_space(out->ptr[comma - 1]))
		comma--;
	if (comma == 0 || out->ptr[comma - 1] != ',')
		return;
	before = comma - 1;
	while (before && reply_is_space(out->ptr[before - 1]))
		before--;
	if (before && !strchr("{[,:", out->ptr[before - 1]))
		out->ptr[comma - 1] = ' ';
}

/* Appends `body` to `out` without comments and trailing commas; what remains is never longer. Returns 0, or -1 at once
 * for a comment without end: looking on behind each would take quadratic time. */
static int reply_strip(struct str body, struct buf *out)
{
	size_t len;

	for (size_t i = 0; i < body.len; i += len) {
		if (reply_comment_len(body, i, &len))
			return -1;
		if (len) {
			buf_append_char(out, ' ');
			continue;
		}
		len = body.ptr[i] == '"' ? reply_string_len(body, i) : 1;
		reply_drop_comma(out, body.ptr[i]);
		buf_append(out, body.ptr + i, len);
	}
	return 0;
}

/* ---- reading ---- */

/* Cuts to 255 bytes, not inside a character. */
static void reply_copy_info(struct hw_callback_reply *out, struct str info)
{
	size_t len = sizeof(out->error_info) - 1;

	if (info.len > len) {
		while (((unsigned char)info.ptr[len] & 0xc0) == 0x80) /* ends: it is UTF-8 */
			len--;
		info.len = len;
	}
	(void)str_copy(out->error_info, sizeof(out->error_info), info); /* cut just above */
}

static int reply_fields(const json_t *root, struct hw_callback_reply *out, char *reason, size_t reason_size)
{
	struct str status;
	struct str info = {0};
	uint64_t digits;

	if (json_field_str(root, "ActionStatus", &status) != JSON_FOUND)
		return wire_refuse(reason, reason_size, "ActionStatus is missing or not a string");
	out->ok = str_eq(status, STR("OK"));
	if (!out->ok && !str_eq(status, STR("FAIL")))
		return wire_refuse(reason, reason_size, "ActionStatus is neither OK nor FAIL");
	if (json_field_str(root, "ErrorInfo", &info) == JSON_WRONG)
		return wire_refuse(reason, reason_size, "ErrorInfo is not a string");
	reply_copy_info(out, info);
	if (json_field_i64(root, "ErrorCode", INT64_MIN, INT64_MAX, &out->error_code) != JSON_WRONG)
		return 0;
	if (json_field_loose_u64(root, "ErrorCode", INT64_MAX, &digits) != JSON_FOUND)
		return wire_refuse(reason, reason_size, "ErrorCode is not a number");
	out->error_code = (int64_t)digits;
	return 0;
}

int hw_reply_parse(const char *body, size_t len, struct hw_callback_reply *out, char *reason, size_t reason_size)
{
	struct hw_callback_reply read = {0};
	struct buf text;
	json_t *root = NULL;
	int rc;

	if (len > WIRE_BODY_BYTES_MAX)
		return wire_refuse(reason, reason_size, "the body is longer than %d bytes", WIRE_BODY_BYTES_MAX);
	buf_init(&text, len);
	if (reply_strip((struct str){body, len}, &text))
		(void)wire_refuse(reason, reason_size, "a comment in the body has no end"); /* below */
	else
		root = wire_read_object(buf_str(&text), reason, reason_size);
	buf_fini(&text);
	if (!root)
		return -1;
	rc = reply_fields(root, &read, reason, reason_size);
	if (rc == 0)
		*out = read;
	json_decref(root);
	return rc;
}
