/* Helpers of the wire modules; see wire.h. */
#include "protocol/wire.h"

#include <stdio.h>
#include <string.h>

int wire_refuse(char *reason, size_t reason_size, const char *format, ...)
{
	va_list args;

	if (reason_size == 0)
		return -1;
	va_start(args, format);
	(void)vsnprintf(reason, reason_size, format, args); /* a reason too long is cut */
	va_end(args);
	return -1;
}

int wire_take(struct buf *buf, char *out, size_t out_size)
{
	int len = -1;

	if (buf_ok(buf) && buf->len < out_size) {
		memcpy(out, buf_c(buf), buf->len + 1);
		len = (int)buf->len;
	}
	buf_fini(buf);
	return len;
}

void wire_append_text(struct buf *buf, const char *text, size_t size)
{
	struct str s = {text, strnlen(text, size)};
	struct buf clean;

	if (str_is_utf8(s)) {
		buf_append_json_string(buf, s);
		return;
	}
	buf_init(&clean, s.len);
	for (size_t i = 0; i < s.len; i++)
		buf_append_char(&clean, (unsigned char)s.ptr[i] < 0x80 ? s.ptr[i] : '?');
	buf_append_json_string(buf, buf_str(&clean));
	buf_fini(&clean);
}

json_t *wire_read_object(struct str body, char *reason, size_t reason_size)
{
	struct error err;
	json_t *root;

	if (body.len > WIRE_BODY_BYTES_MAX) {
		(void)wire_refuse(reason, reason_size, "the body is longer than %d bytes",
				  WIRE_BODY_BYTES_MAX); /* below */
		return NULL;
	}
	if (json_read(body, &root, &err)) {
		(void)wire_refuse(reason, reason_size, "%s", err.text); /* below */
		return NULL;
	}
	if (!json_is_object(root)) {
		(void)wire_refuse(reason, reason_size, "the body is JSON, but not an object"); /* below */
		json_decref(root);
		return NULL;
	}
	return root;
}
