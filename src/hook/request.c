/* The request of one attempt; see request.h.
 *
 * The body is the vendor's and was fixed when the event happened. What is Highwater's own travels in headers: the names
 * webhook-id and webhook-timestamp are those of the Standard Webhooks specification. */
#include "hook/request.h"

#include <inttypes.h>
#include <stdio.h>

void request_event_id(uint64_t store_id, int64_t callback_id, char out[REQUEST_EVENT_ID_BYTES + 1])
{
	(void)snprintf(out, REQUEST_EVENT_ID_BYTES + 1, "evt_%016" PRIx64 "%016" PRIx64, store_id,
		       (uint64_t)callback_id); /* sized for it */
}

static void request_build_headers(const struct store_callback *callback, uint64_t store_id, int64_t now_s,
				  struct request *out)
{
	char event_id[REQUEST_EVENT_ID_BYTES + 1];
	const size_t size = sizeof(out->header_text[0]); /* fits each line below */

	request_event_id(store_id, callback->id, event_id);
	(void)snprintf(out->header_text[0], size, "Content-Type: application/json");
	(void)snprintf(out->header_text[1], size, "User-Agent: Highwater/%s", HW_VERSION);
	(void)snprintf(out->header_text[2], size, "webhook-id: %s", event_id);
	(void)snprintf(out->header_text[3], size, "webhook-timestamp: %" PRId64, now_s);
	(void)snprintf(out->header_text[4], size, "Highwater-Attempt: %" PRIu32, callback->attempts + 1);
	(void)snprintf(out->header_text[5], size, "Highwater-Sequence: %" PRIu64, app_id_sequence(callback->id));
	out->header_count = 6;
	if (callback->command == HW_CALLBACK_THRESHOLD)
		(void)snprintf(out->header_text[out->header_count++], size, "Highwater-Threshold: %u",
			       callback->threshold);
	for (size_t i = 0; i < out->header_count; i++)
		out->headers[i] = out->header_text[i];
}

int request_build(const struct app_config *config, const struct store_callback *callback, uint64_t store_id,
		  int64_t now_s, struct request *out, char reason_out[DELIVERY_ERROR_BYTES_MAX + 1])
{
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
		.request_time_s = now_s,
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
	request_build_headers(callback, store_id, now_s, out);
	return 0;
}
