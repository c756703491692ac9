/* hw_webhook_key_parse, hw_webhook_verify, hw_webhook_sign. The input is taken as the text of a key, as each header of a
 * request, and, cut in two, as id and body of a message that is signed and verified. */
#include "fuzz.h"

#include <highwater/webhook.h>

#define FUZZ_TIME 1614265330

static const unsigned char fuzz_seed[HW_WEBHOOK_SEED_BYTES] = "a seed that no input knows";

static void fuzz_key(const char *text, size_t len)
{
	struct hw_webhook_key key;
	struct hw_webhook_key back;
	char again[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	char reason[128] = "";
	int again_len;

	if (hw_webhook_key_parse(text, len, &key, reason, sizeof(reason))) {
		fuzz_hold(reason[0]);
		return;
	}
	again_len = hw_webhook_key_text(&key, again, sizeof(again));
	if (again_len != (int)len) { /* a seed: what is written has the public key behind it */
		fuzz_hold(key.kind == HW_WEBHOOK_PRIVATE && again_len > (int)len);
		len -= 2; /* the digit that goes on, and the = */
	}
	fuzz_hold(memcmp(again, text, len) == 0);
	fuzz_hold(hw_webhook_key_parse(again, (size_t)again_len, &back, NULL, 0) == 0);
	fuzz_hold(back.kind == key.kind && back.len == key.len && memcmp(back.bytes, key.bytes, key.len) == 0);
	fuzz_hold(hw_webhook_key_public(&key, &back) == (key.kind == HW_WEBHOOK_SECRET ? -1 : 0));
}

/* None of the corpus is signed with these keys: nothing may pass, whichever header the input is. */
static void fuzz_headers(const struct hw_webhook_trust *trust, const char *text, size_t len)
{
	for (size_t i = 0; i < 3; i++) {
		struct hw_webhook_request request = {"msg", 3, "1614265330", 10, "v1,x v1a,y", 10, "{}", 2};
		size_t key = 77;
		int result;

		if (i == 0)
			request.id = text, request.id_len = len;
		else if (i == 1)
			request.timestamp = text, request.timestamp_len = len;
		else
			request.signature = text, request.signature_len = len;
		result = hw_webhook_verify(&request, trust, FUZZ_TIME, &key);
		fuzz_hold(result > HW_WEBHOOK_NO_KEY && result <= HW_WEBHOOK_NO_MATCH && key == 77);
	}
}

/* What can be signed verifies, with each key alone, and no longer with another body. */
static void fuzz_message(const struct hw_webhook_key *keys, size_t key_count, const char *text, size_t len)
{
	size_t id_len = len ? (unsigned char)text[0] % (len + 1) : 0;
	struct hw_webhook_message message = {text, id_len, FUZZ_TIME, text + id_len, len - id_len};
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(HW_WEBHOOK_KEYS_MAX)];
	int signature_len = hw_webhook_sign(&message, keys, key_count, signature, sizeof(signature));
	struct hw_webhook_request request = {text, id_len, "1614265330", 10, signature, 0, text + id_len, len - id_len};

	for (size_t i = 0; i < key_count && signature_len > 0; i++) {
		struct hw_webhook_trust trust = {&keys[i], 1, 0};

		request.signature_len = (size_t)signature_len;
		request.body_len = len - id_len;
		fuzz_hold(hw_webhook_verify(&request, &trust, FUZZ_TIME, NULL) == HW_WEBHOOK_OK);
		if (request.body_len == 0)
			continue;
		request.body_len--;
		fuzz_hold(hw_webhook_verify(&request, &trust, FUZZ_TIME, NULL) == HW_WEBHOOK_NO_MATCH);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hw_webhook_key keys[2];
	struct hw_webhook_trust trust = {keys, 2, HW_WEBHOOK_TOLERANCE_S};
	char *exact = malloc(size ? size : 1);

	if (keys[0].kind == HW_WEBHOOK_NONE) {
		fuzz_hold(hw_webhook_key_make(HW_WEBHOOK_SECRET, fuzz_seed, sizeof(fuzz_seed), &keys[0]) == 0);
		fuzz_hold(hw_webhook_key_make(HW_WEBHOOK_PRIVATE, fuzz_seed, sizeof(fuzz_seed), &keys[1]) == 0);
	}
	memcpy(exact, data, size);
	fuzz_key(exact, size);
	fuzz_headers(&trust, exact, size);
	fuzz_message(keys, 2, exact, size);
	free(exact);
	return 0;
}
