/* Verification of one callback; see check.h.
 *
 * The order is cheapest and least telling first, and nothing of the body is parsed before the sender has shown the
 * token and signed with a key, as far as they are set. SdkAppid is routing, not proof: it only keeps another app's
 * callbacks out of this record.
 *
 * The vendor's Sign covers the token and the time, neither body nor address. Who sees one may send other bodies for a
 * minute: that is the protocol's limit, for which callbacks travel over TLS. A webhook signature covers webhook-id,
 * webhook-timestamp and body. Neither covers the rest of the URL or the other headers: what the record's line takes
 * from there is the sender's word only. */
#include "receive/check.h"
#include "base/compiler.h"

#include <highwater/sign.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	int status;
	int code;
} check_table[] = {[CHECK_PASSED] = {200, HW_OK},
#define CHECK_ROW(name, http_status, error_code) [name] = {(http_status), (error_code)},
		   CHECK_REFUSALS(CHECK_ROW)
#undef CHECK_ROW
};

int check_result_status(enum check_result result)
{
	return check_table[result].status;
}

int check_result_code(enum check_result result)
{
	return check_table[result].code;
}

static void PRINTF_LIKE(3, 4) check_refuse(struct check_outcome *out, enum check_result result, const char *format, ...)
{
	va_list args;

	out->result = result;
	va_start(args, format);
	(void)vsnprintf(out->reason, sizeof(out->reason), format, args); /* a text too long is cut */
	va_end(args);
}

/* The wire functions take a pointer that is never NULL. */
static const char *check_ptr(struct str s)
{
	return s.ptr ? s.ptr : "";
}

/* ---- the steps; each returns true when the request passes it ---- */

static bool check_target(const struct check_options *options, const struct check_request *request,
			 struct check_outcome *out)
{
	char reason[160];

	if (!str_eq(request->method, STR("POST"))) {
		check_refuse(out, CHECK_METHOD, "the method must be POST");
		return false;
	}
	if (options->path.len && !str_eq(request->path, options->path)) {
		check_refuse(out, CHECK_PATH, "callbacks are not received at this path");
		return false;
	}
	if (hw_callback_query_parse(check_ptr(request->query), request->query.len, &out->query, reason,
				    sizeof(reason))) {
		check_refuse(out, CHECK_QUERY, "query of the URL: %s", reason);
		return false;
	}
	return true;
}

static bool check_sdkappid(const struct check_options *options, struct check_outcome *out)
{
	for (size_t i = 0; i < options->sdkappid_count; i++)
		if (out->query.sdkappid == options->sdkappids[i])
			return true;
	check_refuse(out, CHECK_SDKAPPID, "SdkAppid %" PRIu32 " is not served here", out->query.sdkappid);
	return false;
}

static bool check_sign(const struct check_options *options, const struct check_request *request,
		       struct check_outcome *out)
{
	const struct hw_callback_query *query = &out->query;
	struct str token = secret_reveal(options->token);
	struct str sign = str_c(query->sign);
	int64_t now_s = request->now_ms / 1000;

	if (token.len == 0)
		return true;
	if (!query->has_sign) {
		check_refuse(out, CHECK_SIGN, "Sign is missing in the URL");
		return false;
	}
	out->is_signed = hw_sign_verify(token.ptr, token.len, sign.ptr, sign.len, query->request_time_s, now_s,
					HW_SIGN_TOLERANCE_S);
	if (out->is_signed)
		return true;
	/* who knows the token may know that only a clock is wrong */
	if (hw_sign_verify(token.ptr, token.len, sign.ptr, sign.len, query->request_time_s, query->request_time_s, 0))
		check_refuse(out, CHECK_SIGN, "RequestTime is more than %d seconds away from the time here",
			     HW_SIGN_TOLERANCE_S);
	else
		check_refuse(out, CHECK_SIGN, "Sign is wrong");
	return false;
}

static bool check_size(const struct check_request *request, struct check_outcome *out)
{
	if (request->body.len <= CHECK_BODY_BYTES_MAX)
		return true;
	check_refuse(out, CHECK_SIZE, "request body is larger than %d bytes", CHECK_BODY_BYTES_MAX);
	return false;
}

static bool check_webhook(const struct check_options *options, const struct check_request *request,
			  struct check_outcome *out)
{
	const struct hw_webhook_trust *trust = &options->trust;
	const struct hw_webhook_request webhook = {.id = request->webhook_id.ptr,
						   .id_len = request->webhook_id.len,
						   .timestamp = request->webhook_timestamp.ptr,
						   .timestamp_len = request->webhook_timestamp.len,
						   .signature = request->webhook_signature.ptr,
						   .signature_len = request->webhook_signature.len,
						   .body = request->body.ptr,
						   .body_len = request->body.len};
	size_t key;
	int result;

	if (trust->key_count == 0)
		return true;
	result = hw_webhook_verify(&webhook, trust, request->now_ms / 1000, &key);
	if (result == HW_WEBHOOK_OK)
		out->webhook_kind = trust->keys[key].kind;
	else if (result == HW_WEBHOOK_STALE || result == HW_WEBHOOK_FUTURE)
		check_refuse(out, CHECK_WEBHOOK, "%s: it is more than %" PRId64 " seconds away from the time here",
			     hw_webhook_result_text(result), trust->tolerance_s);
	else
		check_refuse(out, CHECK_WEBHOOK, "%s", hw_webhook_result_text(result));
	return result == HW_WEBHOOK_OK;
}

static bool check_body(const struct check_request *request, struct check_outcome *out)
{
	struct str body = request->body;
	struct hw_alert alert;
	char command[64];
	char reason[160];

	if (hw_packet_command(check_ptr(body), body.len, command, reason, sizeof(reason))) {
		check_refuse(out, CHECK_BODY, "request body: %s", reason);
		return false;
	}
	if (!str_eq(str_c(command), str_c(out->query.command))) {
		check_refuse(out, CHECK_COMMAND, "CallbackCommand is not the same in the URL and in the body");
		return false;
	}
	if (out->query.command_known && out->query.command_id == HW_CALLBACK_THRESHOLD &&
	    hw_alert_parse(check_ptr(body), body.len, &alert, reason, sizeof(reason))) {
		check_refuse(out, CHECK_PACKET, "request body: %s", reason);
		return false;
	}
	return true;
}

void check_callback(const struct check_options *options, const struct check_request *request, struct check_outcome *out)
{
	*out = (struct check_outcome){.result = CHECK_PASSED};
	(void)(check_target(options, request, out) && check_sdkappid(options, out) &&
	       check_sign(options, request, out) && check_size(request, out) && check_webhook(options, request, out) &&
	       check_body(request, out)); /* each step wrote its result */
}

/* ---- the line ---- */

static void check_append_key(struct buf *line, const char *key)
{
	buf_append_char(line, line->len > 1 ? ',' : '{'); /* the first key opens the object */
	buf_append_char(line, '"');
	buf_append_c(line, key);
	buf_append_c(line, "\":");
}

static void check_append_text(struct buf *line, const char *key, struct str value)
{
	check_append_key(line, key);
	buf_append_json_string(line, str_is_printable_ascii(value) ? value : (struct str){0});
}

/* A header that should be a number; whatever else it holds is nobody's loss. */
static void check_append_count(struct buf *line, const char *key, struct str header)
{
	uint64_t value;

	if (str_to_u64(header, INT64_MAX, &value))
		return;
	check_append_key(line, key);
	buf_append_u64(line, value);
}

/* Copies valid JSON without the white space between its tokens: numbers and strings stay as the sender wrote them, and
 * what is left has no line break, because strings may not hold a raw one. */
static void check_append_json(struct buf *line, struct str json)
{
	bool in_string = false;
	size_t start = 0; /* first byte not yet copied */

	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];

		if (in_string) {
			if (c == '\\')
				i++; /* the escaped byte opens and closes nothing */
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			buf_append_str(line, str_slice(json, start, i - start));
			start = i + 1;
		}
	}
	buf_append_str(line, str_slice(json, start, json.len));
}

/* What the signature that was verified is called in webhook-signature. */
static struct str check_webhook_word(enum hw_webhook_kind kind)
{
	if (kind == HW_WEBHOOK_NONE)
		return (struct str){0};
	return kind == HW_WEBHOOK_SECRET ? STR("v1") : STR("v1a");
}

void check_append_line(const struct check_request *request, const struct check_outcome *outcome, struct buf *line)
{
	const struct hw_callback_query *query = &outcome->query;

	assert(outcome->result == CHECK_PASSED && line->len == 0);
	check_append_key(line, "ReceivedTime");
	buf_append_i64(line, request->now_ms);
	check_append_key(line, "SdkAppid");
	buf_append_u64(line, query->sdkappid);
	check_append_key(line, "CallbackCommand");
	buf_append_json_string(line, str_c(query->command)); /* equals the body's, so it is UTF-8 */
	check_append_text(line, "ClientIP", str_c(query->client_ip));
	check_append_text(line, "OptPlatform", str_c(hw_platform_word(query->platform)));
	check_append_key(line, "Signed");
	buf_append_c(line, outcome->is_signed ? "true" : "false");
	if (request->webhook_id.len && request->webhook_id.len <= CHECK_WEBHOOK_ID_BYTES_MAX &&
	    str_is_printable_ascii(request->webhook_id))
		check_append_text(line, "WebhookId", request->webhook_id);
	check_append_count(line, "Attempt", request->attempt);
	check_append_count(line, "Sequence", request->sequence);
	check_append_count(line, "Threshold", request->threshold);
	check_append_text(line, "Peer", request->peer);
	check_append_key(line, "Body");
	check_append_json(line, request->body);
	check_append_text(line, "Signature", check_webhook_word(outcome->webhook_kind));
	if (str_eq(request->test, STR("1"))) {
		check_append_key(line, "Test");
		buf_append_c(line, "true");
	}
	check_append_count(line, "Replay", request->replay);
	buf_append_c(line, "}\n");
}

void check_append_fail(struct buf *out, int code, const char *text)
{
	struct hw_callback_reply reply = {.ok = false, .error_code = code};
	char json[2048]; /* 255 bytes of text, each escaped to six, and the form around it */
	int len;

	(void)str_copy(reply.error_info, sizeof(reply.error_info), str_c(text)); /* cut, as promised */
	len = hw_reply_build(&reply, json, sizeof(json));
	assert(len > 0);
	buf_append(out, json, (size_t)len);
}
