#pragma once
/* The HTTP request of one attempt: pure. */
#include "live/app.h"
#include "store/store.h"

#include <highwater/webhook.h>

#define REQUEST_EVENT_ID_BYTES 36 /* "evt_" and 32 hexadecimal digits */
#define REQUEST_HEADER_COUNT_MAX 10
#define REQUEST_SIGNATURE_KEYS_MAX (2 * APP_KEY_COUNT_MAX)
#define REQUEST_HEADER_TEXT_BYTES (1024 + HW_WEBHOOK_SIGNATURE_SIZE(REQUEST_SIGNATURE_KEYS_MAX))

/* What an app's requests are signed with, read from the configuration once, since reading a private key costs as much
 * as signing. */
struct request_signer {
	size_t count;
	struct hw_webhook_key keys[REQUEST_SIGNATURE_KEYS_MAX]; /* secret */
	int64_t expire_ms[REQUEST_SIGNATURE_KEYS_MAX];		/* 0: never */
};

void request_signer_init(struct request_signer *signer, const struct app_config *config);
/* Overwrites the keys. */
void request_signer_wipe(struct request_signer *signer);

struct request {
	char url[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];
	char header_text[REQUEST_HEADER_TEXT_BYTES];
	size_t header_text_len;
	const char *headers[REQUEST_HEADER_COUNT_MAX]; /* point into header_text */
	size_t header_count;
};

/* The id of an event, the same at every attempt and after every restart: the store's id and the callback's. */
void request_event_id(uint64_t store_id, int64_t callback_id, char out[REQUEST_EVENT_ID_BYTES + 1]);
/* Reads one back. Returns 0, or -1 when it is no id of this store. */
MUST_CHECK int request_event_id_parse(struct str text, uint64_t store_id, int64_t *callback_id_out);

/* Who sends, and when. */
struct request_sender {
	const struct app_config *config;
	const struct request_signer *signer;
	uint64_t store_id;
	int64_t now_ms; /* wall clock */
};

/* Builds URL and headers of attempt number callback->attempts + 1 with the app's present configuration. Returns 0, or -1
 * with a reason for people when the configuration says not to send now: no URL, or the command's switch is off. */
MUST_CHECK int request_build(const struct request_sender *sender, const struct store_callback *callback,
			     struct request *out, char reason_out[DELIVERY_ERROR_BYTES_MAX + 1]);
