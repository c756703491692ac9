/* The console's files over HTTP; see console.h.
 *
 * A path is looked up as it was sent: what is not in the list, byte by byte, is not there, so no trick with dots or
 * escapes leads anywhere. Browsers keep the files and ask each time whether they have changed (no-cache and ETag), so a
 * new program never meets an old page.
 *
 * The headers allow a page to load what comes from here and nothing else: no inline script or style, no frame around
 * it, no form that goes elsewhere. */
#include "api/console.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <zlib.h>

#define CONSOLE_PREFIX "/console/"
#define CONSOLE_TEXT STR("text/plain; charset=utf-8")
#define CONSOLE_BYTES_MAX (4 * 1024 * 1024)
#define CONSOLE_GZIP_BITS (15 + 16) /* the largest window, and gzip's frame */

static const struct {
	const char *name;
	const char *value;
} console_headers[] = {
	{"content-security-policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	 "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"x-content-type-options", "nosniff"},
	{"referrer-policy", "no-referrer"},
	{"cross-origin-opener-policy", "same-origin"},
	{"cross-origin-resource-policy", "same-origin"},
	{"cache-control", "no-cache"},
};

/* ---- what the request takes ---- */

/* True for "q=0", "q=0.0" and the like among the parameters. */
static bool console_is_refused(struct str parameters)
{
	while (parameters.len) {
		struct str item;
		size_t zeros = 0;

		(void)str_cut(&parameters, ';', &item); /* the loop looks at the rest */
		item = str_trim(item);
		if (!str_eq_nocase(str_slice(item, 0, 2), STR("q=")))
			continue;
		item = str_slice(item, 2, item.len);
		while (zeros < item.len && (item.ptr[zeros] == '0' || item.ptr[zeros] == '.'))
			zeros++;
		return zeros == item.len;
	}
	return false;
}

bool console_takes_gzip(struct str accept_encoding)
{
	bool takes_any = false;

	while (accept_encoding.len) {
		struct str parameters;
		struct str coding;

		(void)str_cut(&accept_encoding, ',', &parameters); /* the loop looks at the rest */
		(void)str_cut(&parameters, ';', &coding);	   /* there may be none */
		coding = str_trim(coding);
		if (str_eq_nocase(coding, STR("gzip")))
			return !console_is_refused(parameters);
		if (str_eq(coding, STR("*")))
			takes_any = !console_is_refused(parameters);
	}
	return takes_any;
}

bool console_is_known(struct str if_none_match, struct str etag)
{
	while (if_none_match.len) {
		struct str item;

		(void)str_cut(&if_none_match, ',', &item); /* the loop looks at the rest */
		item = str_trim(item);
		if (str_eq(item, STR("*")))
			return true;
		if (str_starts_with(item, STR("W/")))
			item = str_slice(item, 2, item.len);
		if (item.len < 2 || item.ptr[0] != '"' || item.ptr[item.len - 1] != '"')
			continue;
		item = str_slice(item, 1, item.len - 2);
		if (!str_starts_with(item, etag))
			continue;
		item = str_slice(item, etag.len, item.len);
		if (item.len == 0 || str_eq(item, STR("-gzip")))
			return true;
	}
	return false;
}

/* ---- answers ---- */

static void console_add_headers(struct http_call *call)
{
	for (size_t i = 0; i < ARRAY_LEN(console_headers); i++)
		http_call_add_header(call, str_c(console_headers[i].name), str_c(console_headers[i].value));
}

/* The content itself, to be freed. What is packed was packed by our own build: it cannot be bad. */
static unsigned char *console_unpack(const struct console_file *file)
{
	unsigned char *content = mem_zalloc(file->len + 1);			/* an empty file too */
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)file->packed, /* the library only reads it */
			   .avail_in = (uInt)file->packed_len,
			   .next_out = content,
			   .avail_out = (uInt)file->len + 1};
	int rc;

	assert(file->len <= CONSOLE_BYTES_MAX);
	rc = inflateInit2(&stream, CONSOLE_GZIP_BITS);
	assert(rc == Z_OK);
	rc = inflate(&stream, Z_FINISH);
	assert(rc == Z_STREAM_END && stream.total_out == file->len);
	(void)inflateEnd(&stream); /* cannot fail now */
	return content;
}

static void console_send(struct http_call *call, const struct console_file *file)
{
	bool gzip = console_takes_gzip(http_call_header(call, STR("accept-encoding")));
	bool known = console_is_known(http_call_header(call, STR("if-none-match")), str_c(file->etag));
	struct str type = str_c(file->type);
	unsigned char *content;
	char etag[80];

	(void)snprintf(etag, sizeof(etag), "\"%s%s\"", file->etag, gzip ? "-gzip" : ""); /* sized for it */
	http_call_add_header(call, STR("etag"), str_c(etag));
	http_call_add_header(call, STR("vary"), STR("accept-encoding"));
	if (known) {
		http_call_reply(call, 304, type, (struct str){0});
		return;
	}
	if (gzip) {
		http_call_add_header(call, STR("content-encoding"), STR("gzip"));
		http_call_reply(call, 200, type, (struct str){(const char *)file->packed, file->packed_len});
		return;
	}
	content = console_unpack(file);
	http_call_reply(call, 200, type, (struct str){(const char *)content, file->len});
	mem_free(content);
}

static const struct console_file *console_find(struct str name)
{
	if (name.len == 0)
		name = STR("index.html");
	for (size_t i = 0; i < console_file_count; i++)
		if (str_eq(name, str_c(console_files[i].name)))
			return &console_files[i];
	return NULL;
}

bool console_handle(struct http_call *call)
{
	struct str path = http_call_path(call);
	struct str prefix = STR(CONSOLE_PREFIX);
	bool bare = str_eq(path, str_slice(prefix, 0, prefix.len - 1));
	const struct console_file *file;

	if (!bare && !str_starts_with(path, prefix))
		return false;
	console_add_headers(call);
	if (!str_eq(http_call_method(call), STR("GET")) && !str_eq(http_call_method(call), STR("HEAD"))) {
		http_call_add_header(call, STR("allow"), STR("GET, HEAD"));
		http_call_reply(call, 405, CONSOLE_TEXT, STR("the method must be GET or HEAD\n"));
		return true;
	}
	if (bare) {
		http_call_add_header(call, STR("location"), prefix);
		http_call_reply(call, 308, CONSOLE_TEXT, STR("the console is at " CONSOLE_PREFIX "\n"));
		return true;
	}
	file = console_find(str_slice(path, prefix.len, path.len));
	if (file)
		console_send(call, file);
	else
		http_call_reply(call, 404, CONSOLE_TEXT, STR("the console has no such file\n"));
	return true;
}
