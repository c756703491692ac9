/* The request of one attempt; see request.h.
 *
 * The body is the vendor's and was fixed when the event happened. What is Highwater's own travels in headers: the names
 * webhook-id, webhook-timestamp and webhook-signature are those of the Standard Webhooks specification. */
#include "hook/request.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void request_event_id(uint64_t store_id, int64_t callback_id, char out[REQUEST_EVENT_ID_BYTES + 1])
{
	(void)snprintf(out, REQUEST_EVENT_ID_BYTES + 1, "evt_%016" PRIx64 "%016" PRIx64, store_id,
		       (uint64_t)callback_id); /* sized for it */
}

int request_event_id_parse(struct str text, uint64_t store_id, int64_t *callback_id_out)
{
	char again[REQUEST_EVENT_ID_BYTES + 1];
	uint64_t id = 0;

	if (text.len != REQUEST_EVENT_ID_BYTES)
		return -1;
	for (size_t i = REQUEST_EVENT_ID_BYTES - 16; i < text.len; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;

		if (!at)
			return -1;
		id = id << 4 | (uint64_t)(at - digits);
	}
	if (id > INT64_MAX)
		return -1;
	request_event_id(store_id, (int64_t)id, again);
	if (!str_eq(text, str_c(again)))
		return -1;
	*callback_id_out = (int64_t)id;
	return 0;
}

/* ---- signatures ---- */

static void request_signer_add(struct request_signer *signer, const struct app_keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++) {
		struct str text = secret_reveal(app_key_at(keys, i));
		int rc = hw_webhook_key_parse(text.ptr, text.len, &signer->keys[signer->count], NULL, 0);

		assert(rc == 0); /* app_config_check has read it */
		signer->expire_ms[signer->count++] = keys->list[i].expire_ms;
	}
}

void request_signer_init(struct request_signer *signer, const struct app_config *config)
{
	signer->count = 0;
	request_signer_add(signer, &config->secrets);
	request_signer_add(signer, &config->signers);
}

void request_signer_wipe(struct request_signer *signer)
{
	for (size_t i = 0; i < signer->count; i++)
		hw_webhook_key_wipe(&signer->keys[i]);
	signer->count = 0;
}

/* ---- headers ---- */

static void PRINTF_LIKE(2, 3) request_add_header(struct request *out, const char *format, ...)
{
	size_t left = sizeof(out->header_text) - out->header_text_len;
	char *text = out->header_text + out->header_text_len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, left, format, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < left && out->header_count < REQUEST_HEADER_COUNT_MAX); /* sized for all */
	out->headers[out->header_count++] = text;
	out->header_text_len += (size_t)len + 1;
}

static void request_add_signature(const struct request_sender *sender, const char *event_id, struct str body,
				  struct request *out)
{
	struct hw_webhook_message message = {.id = event_id,
					     .id_len = REQUEST_EVENT_ID_BYTES,
					     .time_s = sender->now_ms / 1000,
					     .body = body.ptr,
					     .body_len = body.len};
	struct hw_webhook_key keys[REQUEST_SIGNATURE_KEYS_MAX];
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(REQUEST_SIGNATURE_KEYS_MAX)];
	size_t count = 0;
	int len;

	for (size_t i = 0; i < sender->signer->count; i++)
		if (!sender->signer->expire_ms[i] || sender->now_ms <= sender->signer->expire_ms[i])
			keys[count++] = sender->signer->keys[i];
	if (count == 0)
		return;
	len = hw_webhook_sign(&message, keys, count, signature, sizeof(signature));
	mem_wipe(keys, sizeof(keys));
	assert(len > 0); /* our ids, bodies and keys are within its bounds */
	request_add_header(out, "webhook-signature: %s", signature);
}

static void request_build_headers(const struct request_sender *sender, const struct store_callback *callback,
				  struct request *out)
{
	char event_id[REQUEST_EVENT_ID_BYTES + 1];

	out->header_count = 0;
	out->header_text_len = 0;
	request_event_id(sender->store_id, callback->id, event_id);
	request_add_header(out, "Content-Type: application/json");
	request_add_header(out, "User-Agent: Highwater/%s", HW_VERSION);
	request_add_header(out, "webhook-id: %s", event_id);
	request_add_header(out, "webhook-timestamp: %" PRId64, sender->now_ms / 1000);
	request_add_signature(sender, event_id, callback->body, out);
	request_add_header(out, "Highwater-Attempt: %" PRIu32, callback->attempts + 1);
	request_add_header(out, "Highwater-Sequence: %" PRIu64, app_id_sequence(callback->id));
	if (callback->command == HW_CALLBACK_THRESHOLD && callback->threshold)
		request_add_header(out, "Highwater-Threshold: %u", callback->threshold);
	else if (callback->command == HW_CALLBACK_THRESHOLD)
		request_add_header(out, "Highwater-Test: 1");
	if (callback->replays)
		request_add_header(out, "Highwater-Replay: %" PRIu32, callback->replays);
}

int request_build(const struct request_sender *sender, const struct store_callback *callback, struct request *out,
		  char reason_out[DELIVERY_ERROR_BYTES_MAX + 1])
{
	const struct app_config *config = sender->config;
	char client_ip[HW_IP_BYTES_MAX + 1];
	bool with_token = config->token_set && config->token_enabled;
	struct hw_callback_url url = {
		.base = config->callback_url,
		.sdkappid = callback->sdkappid,
		.command = callback->command,
		.client_ip = client_ip,
		.platform = callback->platform,
		.token = with_token ? secret_reveal(app_token(config)).ptr : NULL,
		.token_len = with_token ? secret_reveal(app_token(config)).len : 0,
		.request_time_s = sender->now_ms / 1000,
	};

	if (!config->callback_set || !app_callback_on(config, callback->command)) {
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1, "not sent: %s",
			       config->callback_set ? "the switch of this callback is off"
						    : "no callback URL is configured");
		return -1;
	}
	(void)str_copy(client_ip, sizeof(client_ip), callback->client_ip); /* checked when it was stored */
	if (hw_callback_url_build(&url, out->url, sizeof(out->url)) < 0) {
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1, "not sent: the callback URL is too long");
		return -1;
	}
	request_build_headers(sender, callback, out);
	return 0;
}
