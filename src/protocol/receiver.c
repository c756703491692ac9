/* A receiver's whole check of a callback; see receiver.h.
 *
 * The order is cheapest and least telling first, and nothing of the body is parsed before the sender has shown the
 * token and signed with a key, as far as they are set. SdkAppid is routing, not proof: it chooses which tokens and keys
 * count, and keeps another app's callbacks out.
 *
 * The vendor's Sign covers the token and the time, neither body nor address. Who sees one may send other bodies for a
 * minute: that is the protocol's limit, for which callbacks travel over TLS. A webhook signature covers webhook-id,
 * webhook-timestamp and body. Neither covers the rest of the URL or the other headers.
 *
 * Apps are few and known before the first check: a sorted array. */
#include "base/compiler.h"
#include "base/mem.h"
#include "protocol/digest.h"
#include "protocol/wire.h"

#include <highwater/receiver.h>
#include <highwater/sign.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVER_PATH_BYTES_MAX 1024
#define RECEIVER_TOLERANCE_S_MAX 86400

struct receiver_token {
	char bytes[HW_TOKEN_BYTES_MAX];
	size_t len;
};

struct receiver_app {
	uint32_t sdkappid;
	size_t token_count;
	size_t key_count;
	struct receiver_token tokens[HW_RECEIVER_TOKENS_MAX]; /* secret, as the next */
	struct hw_webhook_key keys[HW_RECEIVER_KEYS_MAX];
};

struct hw_receiver {
	struct receiver_app **apps; /* sorted by sdkappid */
	size_t app_count;
	char path[RECEIVER_PATH_BYTES_MAX + 1]; /* "" for any */
	int64_t sign_s;
	int64_t webhook_s;
};

static const struct {
	int status;
	int code;
	const char *word;
} receiver_table[HW_RECEIVER_RESULT_COUNT] = {[HW_RECEIVER_OK] = {200, HW_OK, "ok"},
#define RECEIVER_ROW(name, http_status, error_code, text) [name] = {(http_status), (error_code), (text)},
					      HW_RECEIVER_REFUSALS(RECEIVER_ROW)
#undef RECEIVER_ROW
};

const char *hw_receiver_result_word(enum hw_receiver_result result)
{
	return receiver_table[result].word;
}

/* ---- what callbacks must prove ---- */

struct hw_receiver *hw_receiver_new(void)
{
	struct hw_receiver *receiver = mem_zalloc(sizeof(*receiver));

	receiver->sign_s = HW_SIGN_TOLERANCE_S;
	receiver->webhook_s = HW_WEBHOOK_TOLERANCE_S;
	return receiver;
}

void hw_receiver_free(struct hw_receiver *receiver)
{
	if (!receiver)
		return;
	for (size_t i = 0; i < receiver->app_count; i++) {
		mem_wipe(receiver->apps[i], sizeof(*receiver->apps[i]));
		mem_free(receiver->apps[i]);
	}
	mem_free(receiver->apps);
	mem_free(receiver);
}

/* Where the app stands, or would stand. */
static size_t receiver_place(const struct hw_receiver *receiver, uint32_t sdkappid)
{
	size_t low = 0;
	size_t high = receiver->app_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (receiver->apps[middle]->sdkappid < sdkappid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct receiver_app *receiver_find(const struct hw_receiver *receiver, uint32_t sdkappid)
{
	size_t place = receiver_place(receiver, sdkappid);

	return place < receiver->app_count && receiver->apps[place]->sdkappid == sdkappid ? receiver->apps[place]
											  : NULL;
}

static bool receiver_takes_all(const struct hw_receiver *receiver)
{
	return receiver->app_count == 1 && receiver->apps[0]->sdkappid == 0;
}

int hw_receiver_add_app(struct hw_receiver *receiver, uint32_t sdkappid, char *reason, size_t reason_size)
{
	size_t place = receiver_place(receiver, sdkappid);

	if (sdkappid > HW_SDKAPPID_MAX)
		return wire_refuse(reason, reason_size, "an SDKAppID is at most %u", HW_SDKAPPID_MAX);
	if (receiver_find(receiver, sdkappid))
		return 0;
	if (receiver->app_count && (sdkappid == 0 || receiver_takes_all(receiver)))
		return wire_refuse(reason, reason_size, "app 0 stands for all apps, and cannot be beside others");
	if (receiver->app_count == HW_RECEIVER_APPS_MAX)
		return wire_refuse(reason, reason_size, "more than %d apps", HW_RECEIVER_APPS_MAX);
	receiver->apps = mem_realloc(receiver->apps, (receiver->app_count + 1) * sizeof(struct receiver_app *));
	memmove(&receiver->apps[place + 1], &receiver->apps[place],
		(receiver->app_count - place) * sizeof(struct receiver_app *));
	receiver->apps[place] = mem_zalloc(sizeof(struct receiver_app));
	receiver->apps[place]->sdkappid = sdkappid;
	receiver->app_count++;
	return 0;
}

int hw_receiver_add_token(struct hw_receiver *receiver, uint32_t sdkappid, const char *token, size_t token_len,
			  char *reason, size_t reason_size)
{
	struct receiver_app *app = receiver_find(receiver, sdkappid);

	if (!app)
		return wire_refuse(reason, reason_size, "app %" PRIu32 " was not added", sdkappid);
	if (token_len < 1 || token_len > HW_TOKEN_BYTES_MAX || !str_is_printable_ascii((struct str){token, token_len}))
		return wire_refuse(reason, reason_size, "a token is 1 to %d bytes of printable ASCII",
				   HW_TOKEN_BYTES_MAX);
	if (app->token_count == HW_RECEIVER_TOKENS_MAX)
		return wire_refuse(reason, reason_size, "more than %d tokens of an app", HW_RECEIVER_TOKENS_MAX);
	memcpy(app->tokens[app->token_count].bytes, token, token_len);
	app->tokens[app->token_count++].len = token_len;
	return 0;
}

int hw_receiver_add_key(struct hw_receiver *receiver, uint32_t sdkappid, const char *key, size_t key_len, char *reason,
			size_t reason_size)
{
	struct receiver_app *app = receiver_find(receiver, sdkappid);
	struct hw_webhook_key parsed;
	int result = 0;

	if (!app)
		return wire_refuse(reason, reason_size, "app %" PRIu32 " was not added", sdkappid);
	if (app->key_count == HW_RECEIVER_KEYS_MAX)
		return wire_refuse(reason, reason_size, "more than %d keys of an app", HW_RECEIVER_KEYS_MAX);
	if (hw_webhook_key_parse(key, key_len, &parsed, reason, reason_size))
		return -1;
	if (parsed.kind != HW_WEBHOOK_PRIVATE)
		app->keys[app->key_count++] = parsed;
	else if (hw_webhook_key_public(&parsed, &app->keys[app->key_count]) == 0)
		app->key_count++; /* what verifies is enough */
	else
		result = wire_refuse(reason, reason_size, "the private key has no public key");
	hw_webhook_key_wipe(&parsed);
	return result;
}

int hw_receiver_set_path(struct hw_receiver *receiver, const char *path, char *reason, size_t reason_size)
{
	struct str s = str_c(path);

	if (s.len > RECEIVER_PATH_BYTES_MAX)
		return wire_refuse(reason, reason_size, "the path has more than %d bytes", RECEIVER_PATH_BYTES_MAX);
	if (s.len && (s.ptr[0] != '/' || str_find_char(s, '?') >= 0))
		return wire_refuse(reason, reason_size, "the path must begin with \"/\" and hold no query");
	memcpy(receiver->path, path, s.len + 1);
	return 0;
}

int hw_receiver_set_tolerance(struct hw_receiver *receiver, int64_t sign_s, int64_t webhook_s, char *reason,
			      size_t reason_size)
{
	if (sign_s < 0 || sign_s > RECEIVER_TOLERANCE_S_MAX || webhook_s < 0 || webhook_s > RECEIVER_TOLERANCE_S_MAX)
		return wire_refuse(reason, reason_size, "a tolerance is 0 to %d seconds", RECEIVER_TOLERANCE_S_MAX);
	receiver->sign_s = sign_s;
	receiver->webhook_s = webhook_s;
	return 0;
}

/* ---- the steps; each returns true when the request passes it ---- */

struct receiver_check {
	const struct hw_receiver *receiver;
	const struct receiver_app *app; /* from receiver_check_sdkappid on */
	const struct hw_receiver_request *request;
	int64_t now_s;
	struct hw_receiver_event *event;
};

static bool PRINTF_LIKE(3, 4)
	receiver_refuse(struct receiver_check *check, enum hw_receiver_result result, const char *format, ...)
{
	struct hw_receiver_event *event = check->event;
	va_list args;

	event->result = result;
	va_start(args, format);
	(void)vsnprintf(event->reason, sizeof(event->reason), format, args); /* a text too long is cut */
	va_end(args);
	return false;
}

/* The wire functions take a pointer that is never NULL. */
static const char *receiver_ptr(const char *ptr)
{
	return ptr ? ptr : "";
}

static bool receiver_check_target(struct receiver_check *check)
{
	const struct hw_receiver_request *request = check->request;
	struct str path = str_c(check->receiver->path);
	char reason[160];

	if (!str_eq((struct str){request->method, request->method_len}, STR("POST")))
		return receiver_refuse(check, HW_RECEIVER_METHOD, "the method must be POST");
	if (path.len && !str_eq((struct str){request->path, request->path_len}, path))
		return receiver_refuse(check, HW_RECEIVER_PATH, "callbacks are not received at this path");
	if (hw_callback_query_parse(receiver_ptr(request->query), request->query_len, &check->event->query, reason,
				    sizeof(reason)))
		return receiver_refuse(check, HW_RECEIVER_QUERY, "query of the URL: %s", reason);
	return true;
}

static bool receiver_check_sdkappid(struct receiver_check *check)
{
	uint32_t sdkappid = check->event->query.sdkappid;

	check->app = receiver_find(check->receiver, receiver_takes_all(check->receiver) ? 0 : sdkappid);
	if (check->app)
		return true;
	return receiver_refuse(check, HW_RECEIVER_SDKAPPID, "SdkAppid %" PRIu32 " is not served here", sdkappid);
}

/* Is the Sign right, up to `tolerance_s` of `now_s`? */
static bool receiver_sign_fits(const struct hw_callback_query *query, const struct receiver_token *token, int64_t now_s,
			       int64_t tolerance_s)
{
	return hw_sign_verify(token->bytes, token->len, query->sign, strlen(query->sign), query->request_time_s, now_s,
			      tolerance_s);
}

static bool receiver_check_sign(struct receiver_check *check)
{
	const struct hw_callback_query *query = &check->event->query;
	const struct receiver_app *app = check->app;

	if (app->token_count == 0)
		return true;
	if (!query->has_sign)
		return receiver_refuse(check, HW_RECEIVER_SIGN, "Sign is missing in the URL");
	for (size_t i = 0; i < app->token_count; i++) {
		if (!receiver_sign_fits(query, &app->tokens[i], check->now_s, check->receiver->sign_s))
			continue;
		check->event->is_signed = true;
		check->event->token_index = i;
		return true;
	}
	/* who knows the token may know that only a clock is wrong */
	for (size_t i = 0; i < app->token_count; i++)
		if (receiver_sign_fits(query, &app->tokens[i], query->request_time_s, 0))
			return receiver_refuse(check, HW_RECEIVER_SIGN,
					       "RequestTime is more than %" PRId64 " seconds away from the time here",
					       check->receiver->sign_s);
	return receiver_refuse(check, HW_RECEIVER_SIGN, "Sign is wrong");
}

static bool receiver_check_size(struct receiver_check *check)
{
	return check->request->body_len <= HW_PACKET_BYTES_MAX ||
	       receiver_refuse(check, HW_RECEIVER_SIZE, "request body is larger than %d bytes", HW_PACKET_BYTES_MAX);
}

static bool receiver_check_webhook(struct receiver_check *check)
{
	const struct hw_receiver_request *request = check->request;
	const struct hw_webhook_trust trust = {check->app->keys, check->app->key_count, check->receiver->webhook_s};
	const struct hw_webhook_request webhook = {.id = request->webhook_id,
						   .id_len = request->webhook_id_len,
						   .timestamp = request->webhook_timestamp,
						   .timestamp_len = request->webhook_timestamp_len,
						   .signature = request->webhook_signature,
						   .signature_len = request->webhook_signature_len,
						   .body = request->body,
						   .body_len = request->body_len};
	size_t key;
	int result;

	if (trust.key_count == 0)
		return true;
	result = hw_webhook_verify(&webhook, &trust, check->now_s, &key);
	if (result == HW_WEBHOOK_OK) {
		check->event->webhook_kind = trust.keys[key].kind;
		check->event->key_index = key;
		return true;
	}
	if (result == HW_WEBHOOK_STALE || result == HW_WEBHOOK_FUTURE)
		return receiver_refuse(check, HW_RECEIVER_WEBHOOK,
				       "%s: it is more than %" PRId64 " seconds away from the time here",
				       hw_webhook_result_text(result), trust.tolerance_s);
	return receiver_refuse(check, HW_RECEIVER_WEBHOOK, "%s", hw_webhook_result_text(result));
}

static bool receiver_check_body(struct receiver_check *check)
{
	const char *body = receiver_ptr(check->request->body);
	struct hw_receiver_event *event = check->event;
	size_t len = check->request->body_len;
	char command[64];
	char reason[160];

	if (hw_packet_command(body, len, command, reason, sizeof(reason)))
		return receiver_refuse(check, HW_RECEIVER_BODY, "request body: %s", reason);
	if (strcmp(command, event->query.command) != 0)
		return receiver_refuse(check, HW_RECEIVER_COMMAND,
				       "CallbackCommand is not the same in the URL and in the body");
	event->has_alert = event->query.command_known && event->query.command_id == HW_CALLBACK_THRESHOLD;
	if (event->has_alert && hw_alert_parse(body, len, &event->alert, reason, sizeof(reason))) {
		event->has_alert = false;
		return receiver_refuse(check, HW_RECEIVER_PACKET, "request body: %s", reason);
	}
	return true;
}

/* ---- the event ---- */

/* "1400000001 id " or "1400000001 body ", then that: SHA-256 in hexadecimal digits. */
static void receiver_name_event(struct receiver_check *check)
{
	const struct hw_receiver_request *request = check->request;
	struct str text = request->webhook_id_len ? (struct str){request->webhook_id, request->webhook_id_len}
						  : (struct str){request->body, request->body_len};
	unsigned char digest[DIGEST_BYTES];
	char head[32];
	int len = snprintf(head, sizeof(head), "%" PRIu32 " %s ", check->event->query.sdkappid,
			   request->webhook_id_len ? "id" : "body"); /* fits */

	digest_sha256((struct str){head, (size_t)len}, text, digest);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		(void)snprintf(check->event->event_key + 2 * i, 3, "%02x", digest[i]); /* fits */
}

int hw_receiver_check(const struct hw_receiver *receiver, const struct hw_receiver_request *request, int64_t now_s,
		      struct hw_receiver_event *out)
{
	struct receiver_check check = {.receiver = receiver, .request = request, .now_s = now_s, .event = out};

	*out = (struct hw_receiver_event){.result = HW_RECEIVER_OK};
	if (receiver_check_target(&check) && receiver_check_sdkappid(&check) && receiver_check_sign(&check) &&
	    receiver_check_size(&check) && receiver_check_webhook(&check) && receiver_check_body(&check))
		receiver_name_event(&check);
	out->http_status = receiver_table[out->result].status;
	out->error_code = receiver_table[out->result].code;
	return (int)out->result;
}

int hw_receiver_reply(const struct hw_receiver_event *event, char *out, size_t out_size)
{
	struct hw_callback_reply reply = {.ok = event->result == HW_RECEIVER_OK, .error_code = event->error_code};

	(void)snprintf(reply.error_info, sizeof(reply.error_info), "%s", event->reason); /* of one size */
	return hw_reply_build(&reply, out, out_size);
}
