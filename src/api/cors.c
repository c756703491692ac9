/* CORS of the client path; see cors.h.
 *
 * Origins are compared byte by byte with what browsers send, so the setting is normalised once, when it is read. What
 * could never match is refused there, since a page that is not let in says little about why: a path or a last slash,
 * user names, letters beyond ASCII (browsers send the xn-- form), and "null", which any page can make itself be. */
#include "api/cors.h"
#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define CORS_MAX_AGE_S "86400" /* browsers cut it to what they like */

struct cors {
	bool any;
	size_t count;
	char origins[CORS_ORIGIN_COUNT_MAX][CORS_ORIGIN_BYTES_MAX + 1];
};

/* ---- the setting ---- */

struct cors_parts {
	struct str scheme;
	struct str host;
	struct str port; /* empty when there is none */
};

static bool cors_is_made_of(struct str text, const char *marks)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == 0 || (!isalnum((unsigned char)text.ptr[i]) && !strchr(marks, text.ptr[i])))
			return false;
	return text.len > 0;
}

/* Cuts scheme://host[:port]; the parts are checked later. Returns 0, or -1 when it is not of that form. */
static int cors_cut(struct str text, struct cors_parts *out)
{
	struct str mark = STR("://");
	ptrdiff_t colon = str_find_char(text, ':');
	ptrdiff_t end;
	struct str rest;

	if (colon < 0 || !str_starts_with(str_slice(text, (size_t)colon, text.len), mark))
		return -1;
	out->scheme = str_slice(text, 0, (size_t)colon);
	rest = str_slice(text, (size_t)colon + mark.len, text.len);
	end = str_find_char(rest, rest.len && rest.ptr[0] == '[' ? ']' : ':');
	if (rest.len && rest.ptr[0] == '[')
		end = end < 0 ? 0 : end + 1;
	out->host = end < 0 ? rest : str_slice(rest, 0, (size_t)end);
	rest = str_slice(rest, out->host.len, rest.len);
	if (rest.len == 1 || (rest.len && rest.ptr[0] != ':'))
		return -1;
	out->port = str_slice(rest, 1, rest.len);
	return 0;
}

/* A name or IPv4 address as it is, an IPv6 address in its short form. Returns 0, or -1 when it is none. */
static int cors_append_host(struct str host, struct buf *out)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (host.len == 0 || host.ptr[0] != '[') {
		buf_append_str(out, host);
		return cors_is_made_of(host, "-._") ? 0 : -1;
	}
	if (!str_copy(address, sizeof(address), str_slice(host, 1, host.len - 2)) ||
	    inet_pton(AF_INET6, address, bytes) != 1 || !inet_ntop(AF_INET6, bytes, address, sizeof(address)))
		return -1;
	buf_printf(out, "[%s]", address);
	return 0;
}

/* The number, and 0 for the scheme's own port, which browsers leave out. */
static int cors_normal_port(const struct cors_parts *parts, uint64_t *port_out)
{
	uint64_t port = 0;

	if (parts->port.len && (str_to_u64(parts->port, 65535, &port) || port == 0))
		return -1;
	if ((port == 80 && str_eq_nocase(parts->scheme, STR("http"))) ||
	    (port == 443 && str_eq_nocase(parts->scheme, STR("https"))))
		port = 0;
	*port_out = port;
	return 0;
}

/* Writes the origin as browsers send it. Returns 0, or -1 when it is none. */
static int cors_write_origin(struct str text, struct buf *out)
{
	struct cors_parts parts;
	uint64_t port;

	if (cors_cut(text, &parts) || !cors_is_made_of(parts.scheme, "+-.") ||
	    !isalpha((unsigned char)parts.scheme.ptr[0]) || cors_normal_port(&parts, &port))
		return -1;
	buf_append_str(out, parts.scheme);
	buf_append_c(out, "://");
	if (cors_append_host(parts.host, out))
		return -1;
	if (port)
		buf_printf(out, ":%u", (unsigned)port);
	return buf_ok(out) ? 0 : -1;
}

static int cors_normal_origin(struct str text, char out[CORS_ORIGIN_BYTES_MAX + 1])
{
	struct buf origin;
	int result;

	buf_init(&origin, CORS_ORIGIN_BYTES_MAX);
	result = cors_write_origin(text, &origin);
	if (result == 0)
		(void)str_copy(out, CORS_ORIGIN_BYTES_MAX + 1, buf_str(&origin)); /* sized for it */
	buf_fini(&origin);
	for (char *c = out; result == 0 && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return result;
}

static int cors_add(struct cors *cors, struct str item, struct error *err)
{
	if (str_eq(item, STR("*")))
		return error_set(err, ERR_INVALID, "client.origins: \"*\" lets all in and stands alone");
	if (cors->count == CORS_ORIGIN_COUNT_MAX)
		return error_set(err, ERR_INVALID, "client.origins: more than %d origins", CORS_ORIGIN_COUNT_MAX);
	if (cors_normal_origin(item, cors->origins[cors->count]))
		return error_set(err, ERR_INVALID,
				 "client.origins: \"%.*s\" is no origin; write scheme://host or scheme://host:port, "
				 "without a path",
				 STR_ARG(str_slice(item, 0, 60)));
	cors->count++;
	return 0;
}

static int cors_read(struct cors *cors, struct str text, struct error *err)
{
	struct str item;
	bool more;

	cors->any = str_eq(text, STR("*"));
	if (cors->any || text.len == 0)
		return 0;
	do {
		more = str_cut(&text, ',', &item);
		if (cors_add(cors, str_trim(item), err))
			return -1;
	} while (more);
	return 0;
}

int cors_open(const char *origins, struct cors **cors_out, struct error *err)
{
	struct cors *cors = mem_zalloc(sizeof(*cors));

	if (cors_read(cors, str_trim(str_c(origins)), err)) {
		cors_close(&cors);
		return -1;
	}
	*cors_out = cors;
	return 0;
}

void cors_close(struct cors **cors)
{
	mem_free(*cors);
	*cors = NULL;
}

/* ---- the answers ---- */

bool cors_allows(const struct cors *cors, struct str origin)
{
	if (origin.len == 0)
		return false;
	for (size_t i = 0; i < cors->count; i++)
		if (str_eq(origin, str_c(cors->origins[i])))
			return true;
	return cors->any;
}

void cors_answer(const struct cors *cors, struct http_call *call)
{
	struct str origin = http_call_header(call, STR("origin"));

	if (!cors_allows(cors, origin))
		return;
	http_call_add_header(call, STR("access-control-allow-origin"), cors->any ? STR("*") : origin);
	if (!cors->any)
		http_call_add_header(call, STR("vary"), STR("origin"));
}

bool cors_preflight(const struct cors *cors, struct http_call *call)
{
	if (!str_eq(http_call_method(call), STR("OPTIONS")) ||
	    http_call_header(call, STR("access-control-request-method")).len == 0 ||
	    !cors_allows(cors, http_call_header(call, STR("origin"))))
		return false;
	cors_answer(cors, call);
	http_call_add_header(call, STR("access-control-allow-methods"), STR("POST"));
	http_call_add_header(call, STR("access-control-allow-headers"), STR("content-type"));
	http_call_add_header(call, STR("access-control-max-age"), STR(CORS_MAX_AGE_S));
	http_call_reply(call, 204, STR("text/plain"), (struct str){0});
	return true;
}
