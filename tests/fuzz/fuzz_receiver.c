/* A whole request as a receiver gets it: whatever it is, it is taken or refused with a status, a code and a sentence. */
#include "fuzz.h"

#include <highwater/receiver.h>

/* Cuts off what stands before the next NUL. */
static const char *fuzz_cut(const char **at, size_t *left, size_t *len_out)
{
	const char *start = *at;
	const char *end = *left ? memchr(start, '\0', *left) : NULL;

	*len_out = end ? (size_t)(end - start) : *left;
	*at += *len_out + (end != NULL);
	*left -= *len_out + (end != NULL);
	return *len_out ? start : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hw_receiver *receiver;
	const char *at = (const char *)data;
	struct hw_receiver_request request = {0};
	struct hw_receiver_event event;
	char reply[HW_REPLY_BYTES_MAX];

	if (!receiver) { /* one app with nothing, one with a token, one with a key */
		receiver = hw_receiver_new();
		fuzz_hold(hw_receiver_add_app(receiver, 1, NULL, 0) == 0 &&
			  hw_receiver_add_app(receiver, 2, NULL, 0) == 0 &&
			  hw_receiver_add_app(receiver, 3, NULL, 0) == 0 &&
			  hw_receiver_add_token(receiver, 2, "xxxxyyyy", 8, NULL, 0) == 0 &&
			  hw_receiver_add_key(receiver, 3, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 50,
					      NULL, 0) == 0);
	}
	request.method = "POST";
	request.method_len = 4;
	request.query = fuzz_cut(&at, &size, &request.query_len);
	request.webhook_id = fuzz_cut(&at, &size, &request.webhook_id_len);
	request.webhook_timestamp = fuzz_cut(&at, &size, &request.webhook_timestamp_len);
	request.webhook_signature = fuzz_cut(&at, &size, &request.webhook_signature_len);
	request.body = at;
	request.body_len = size;
	if (hw_receiver_check(receiver, &request, 1669872112, &event) == HW_RECEIVER_OK) {
		fuzz_hold(event.http_status == 200 && event.error_code == 0 && event.reason[0] == '\0');
		fuzz_hold(strlen(event.event_key) == HW_EVENT_KEY_BYTES);
		fuzz_hold(event.query.sdkappid >= 1 && event.query.sdkappid <= 3);
		fuzz_hold((event.query.sdkappid == 2) == event.is_signed);
		fuzz_hold((event.query.sdkappid == 3) == (event.webhook_kind == HW_WEBHOOK_SECRET));
	} else {
		fuzz_hold(event.http_status >= 400 && event.http_status < 500 && event.error_code != 0);
		fuzz_hold(event.reason[0] != '\0' && event.event_key[0] == '\0');
	}
	fuzz_hold(hw_receiver_reply(&event, reply, sizeof(reply)) > 0);
	return 0;
}
