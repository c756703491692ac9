/* The callback's URL: checking the configured one, building the request's, reading the request's query; see
 * highwater/callback.h.
 *
 * The check is narrower than RFC 3986, so that no two URL parsers on the way can see two different hosts: the host
 * holds only letters, digits, "-", "." and "_", or is an IPv6 address in brackets; there is no user part, no backslash
 * before the path, no fragment. Whether an address may be called is decided when the connection is made, not here. */
#include "base/buf.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <highwater/callback.h>
#include <highwater/query.h>
#include <highwater/sign.h>
#include <string.h>

#define URL_HOST_BYTES_MAX 253

/* ---- check ---- */

static bool url_is_ipv6(struct str host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	return str_copy(text, sizeof(text), host) && inet_pton(AF_INET6, text, &address) == 1;
}

static bool url_is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A name or an IPv4 address: labels of letters, digits, "-" and "_", a dot at the end allowed. */
static bool url_is_host_name(struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		if (c == '.' && (i == 0 || host.ptr[i - 1] == '.'))
			return false;
		if (!url_is_alnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

/* `port` with its colon, or nothing. */
static const char *url_check_port(struct str port)
{
	struct str digits = str_slice(port, 1, port.len);
	uint64_t number;

	if (port.len == 0)
		return NULL;
	if (port.ptr[0] != ':')
		return "the URL has rubbish between its host and its path";
	if (digits.len > 5 || str_to_u64(digits, 65535, &number) || number == 0)
		return "the port of the URL must be 1 to 65535";
	return NULL;
}

static const char *url_check_authority(struct str authority)
{
	bool bracket = authority.len && authority.ptr[0] == '[';
	ptrdiff_t end = str_find_char(authority, bracket ? ']' : ':');
	struct str host;

	if (str_find_char(authority, '@') >= 0)
		return "the URL must not hold a user or password";
	if (bracket) {
		if (end < 0 || !url_is_ipv6(str_slice(authority, 1, (size_t)end - 1)))
			return "the URL has no valid IPv6 address in its brackets";
		return url_check_port(str_slice(authority, (size_t)end + 1, authority.len));
	}
	host = str_slice(authority, 0, end < 0 ? authority.len : (size_t)end);
	if (host.len == 0)
		return "the URL has no host";
	if (host.len > URL_HOST_BYTES_MAX || !url_is_host_name(host))
		return "the host of the URL is not a valid name or address";
	return url_check_port(str_slice(authority, host.len, authority.len));
}

const char *hw_callback_url_check(const char *url, size_t len)
{
	struct str rest = {url, len};
	size_t authority_len = 0;

	if (len == 0)
		return "the URL is empty";
	if (len > HW_CALLBACK_URL_BYTES_MAX)
		return "the URL is longer than 1024 bytes";
	for (size_t i = 0; i < len; i++)
		if (url[i] <= 0x20 || url[i] > 0x7e)
			return "the URL may hold only printable ASCII without spaces";
	if (str_eq_nocase(str_slice(rest, 0, 7), STR("http://")))
		rest = str_slice(rest, 7, len);
	else if (str_eq_nocase(str_slice(rest, 0, 8), STR("https://")))
		rest = str_slice(rest, 8, len);
	else
		return "the URL must begin with http:// or https://";
	if (str_find_char(rest, '#') >= 0)
		return "the URL must not hold a fragment (#)";
	while (authority_len < rest.len && rest.ptr[authority_len] != '/' && rest.ptr[authority_len] != '?')
		authority_len++;
	return url_check_authority(str_slice(rest, 0, authority_len));
}

/* ---- build ---- */

/* Percent-encodes what a query value may not hold as it is; ":" (IPv6) may stay (RFC 3986, 3.4). */
static void url_append_value(struct buf *buf, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (url_is_alnum(*value) || strchr("-._~:", c)) {
			buf_append_char(buf, *value);
		} else {
			const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

			buf_append(buf, escape, sizeof(escape));
		}
	}
}

/* What goes between the configured URL and our first parameter. A later "?" is part of a value. */
static const char *url_separator(struct str base)
{
	ptrdiff_t question = str_find_char(base, '?');

	if (question < 0)
		return "?";
	return (size_t)question == base.len - 1 || base.ptr[base.len - 1] == '&' ? "" : "&";
}

int hw_callback_url_build(const struct hw_callback_url *url, char *out, size_t out_size)
{
	char sign[HW_SIGN_HEX_BYTES + 1];
	struct buf text;

	buf_init(&text, HW_CALLBACK_REQUEST_URL_BYTES_MAX);
	buf_append_c(&text, url->base);
	buf_append_c(&text, url_separator(str_c(url->base)));
	buf_append_c(&text, "SdkAppid=");
	buf_append_u64(&text, url->sdkappid);
	buf_append_c(&text, "&CallbackCommand=");
	url_append_value(&text, hw_callback_word(url->command));
	buf_append_c(&text, "&contenttype=json&ClientIP=");
	url_append_value(&text, url->client_ip);
	buf_append_c(&text, "&OptPlatform=");
	url_append_value(&text, hw_platform_word(url->platform));
	if (url->token && url->token_len) {
		hw_sign(url->token, url->token_len, url->request_time_s, sign);
		buf_append_c(&text, "&Sign=");
		buf_append_c(&text, sign);
		buf_append_c(&text, "&RequestTime=");
		buf_append_i64(&text, url->request_time_s);
	}
	return wire_take(&text, out, out_size);
}

/* ---- read the query ---- */

/* A place for the sentence that says what is wrong. */
struct url_reason {
	char *text;
	size_t size;
};

static struct str url_param(const struct hw_query *query, const char *name)
{
	const struct hw_param *param = hw_query_get(query, name);

	return param ? (struct str){param->value, param->value_len} : (struct str){0};
}

/* The three spellings in use. More than one may be there, since the configured URL may hold one of its own; they must
 * then agree. */
static int url_read_sdkappid(const struct hw_query *query, uint32_t *out, struct url_reason reason)
{
	static const char *const names[] = {"SdkAppid", "SdkAppId", "sdkappid"};
	uint64_t found = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t number;

		if (!hw_query_get(query, names[i]))
			continue;
		if (str_to_u64(url_param(query, names[i]), HW_SDKAPPID_MAX, &number) || number == 0)
			return wire_refuse(reason.text, reason.size, "%s in the URL is not an SDKAppID", names[i]);
		if (found && found != number)
			return wire_refuse(reason.text, reason.size, "the URL holds two different SDKAppIDs");
		found = number;
	}
	if (!found)
		return wire_refuse(reason.text, reason.size, "SdkAppid is missing in the URL");
	*out = (uint32_t)found;
	return 0;
}

static int url_read_sign(const struct hw_query *query, struct hw_callback_query *out, struct url_reason reason)
{
	struct str time = url_param(query, "RequestTime");
	uint64_t time_s;

	out->has_sign = hw_query_get(query, "Sign") != NULL;
	if (!str_copy(out->sign, sizeof(out->sign), url_param(query, "Sign")))
		return wire_refuse(reason.text, reason.size, "Sign in the URL is longer than 64 digits");
	if (!hw_query_get(query, "RequestTime") && !out->has_sign)
		return 0;
	if (str_to_u64(time, INT64_MAX, &time_s))
		return wire_refuse(reason.text, reason.size,
				   "RequestTime in the URL is missing or not a number of seconds");
	out->request_time_s = (int64_t)time_s;
	return 0;
}

static int url_read(const struct hw_query *query, struct hw_callback_query *out, struct url_reason reason)
{
	struct str command = url_param(query, "CallbackCommand");
	struct str type = url_param(query, "contenttype");
	struct str platform = url_param(query, "OptPlatform");

	if (url_read_sdkappid(query, &out->sdkappid, reason))
		return -1;
	if (command.len == 0)
		return wire_refuse(reason.text, reason.size, "CallbackCommand is missing in the URL");
	if (!str_copy(out->command, sizeof(out->command), command))
		return wire_refuse(reason.text, reason.size, "CallbackCommand in the URL is too long");
	out->command_known = hw_callback_parse(command.ptr, command.len, &out->command_id) == 0;
	if (hw_query_get(query, "contenttype") && !str_eq_nocase(type, STR("json")))
		return wire_refuse(reason.text, reason.size, "contenttype in the URL is not json");
	if (!str_copy(out->client_ip, sizeof(out->client_ip), url_param(query, "ClientIP")))
		return wire_refuse(reason.text, reason.size, "ClientIP in the URL is too long");
	if (hw_platform_parse(platform.ptr, platform.len, &out->platform))
		out->platform = HW_PLATFORM_UNKNOWN;
	return url_read_sign(query, out, reason);
}

int hw_callback_query_parse(const char *query, size_t len, struct hw_callback_query *out, char *reason,
			    size_t reason_size)
{
	char buffer[HW_CALLBACK_REQUEST_URL_BYTES_MAX * 2 + 2];
	struct hw_callback_query read = {0};
	struct hw_query params;
	int rc;

	if (len > HW_CALLBACK_REQUEST_URL_BYTES_MAX)
		return wire_refuse(reason, reason_size, "%s", hw_query_error_text(HW_QUERY_TOO_LONG));
	rc = hw_query_parse(query, len, buffer, sizeof(buffer), &params);
	if (rc != HW_QUERY_FINE)
		return wire_refuse(reason, reason_size, "%s", hw_query_error_text(rc));
	if (url_read(&params, &read, (struct url_reason){reason, reason_size}))
		return -1;
	*out = read;
	return 0;
}
