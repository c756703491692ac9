#pragma once
/* The HTTP request of one attempt: pure. */
#include "live/app.h"
#include "store/store.h"

#define REQUEST_EVENT_ID_BYTES 36 /* "evt_" and 32 hexadecimal digits */
#define REQUEST_HEADER_COUNT_MAX 7

struct request {
	char url[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];
	char header_text[REQUEST_HEADER_COUNT_MAX][80];
	const char *headers[REQUEST_HEADER_COUNT_MAX]; /* point into header_text */
	size_t header_count;
};

/* The id of an event, the same at every attempt and after every restart: the store's id and the callback's. */
void request_event_id(uint64_t store_id, int64_t callback_id, char out[REQUEST_EVENT_ID_BYTES + 1]);

/* Builds URL and headers of attempt number callback->attempts + 1 at wall-clock second `now_s` with the app's present
 * configuration. Returns 0, or -1 with a reason for people when the configuration says not to send now: no URL, or the
 * command's switch is off. */
MUST_CHECK int request_build(const struct app_config *config, const struct store_callback *callback, uint64_t store_id,
			     int64_t now_s, struct request *out, char reason_out[DELIVERY_ERROR_BYTES_MAX + 1]);
