#pragma once
/* A receiver made of plain rules for one look at one request, as the tests of hw_receiver_check want it. */
#include "base/secret.h"

#include <highwater/receiver.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct receiver_rules {
	const uint32_t *sdkappids;
	size_t sdkappid_count;
	struct str path;
	struct secret token; /* of all of them, as the keys */
	struct hw_webhook_trust trust;
};

struct receiver_call {
	struct str method;
	struct str path;
	struct str query;
	struct str body;
	struct str webhook_id;
	struct str webhook_timestamp;
	struct str webhook_signature;
	int64_t now_ms;
};

static inline void receiver_add_keys(struct hw_receiver *receiver, uint32_t sdkappid,
				     const struct receiver_rules *rules)
{
	struct str token = secret_reveal(rules->token);
	char reason[160];

	if (hw_receiver_add_app(receiver, sdkappid, reason, sizeof(reason)))
		fail_msg("%s", reason);
	if (token.len && hw_receiver_add_token(receiver, sdkappid, token.ptr, token.len, reason, sizeof(reason)))
		fail_msg("%s", reason);
	for (size_t i = 0; i < rules->trust.key_count; i++) {
		char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
		int len = hw_webhook_key_text(&rules->trust.keys[i], text, sizeof(text));

		assert_true(len > 0);
		if (hw_receiver_add_key(receiver, sdkappid, text, (size_t)len, reason, sizeof(reason)))
			fail_msg("%s", reason);
	}
}

static inline void receiver_try(const struct receiver_rules *rules, const struct receiver_call *call,
				struct hw_receiver_event *event)
{
	struct hw_receiver *receiver = hw_receiver_new();
	const struct hw_receiver_request request = {
		.method = call->method.ptr,
		.method_len = call->method.len,
		.path = call->path.ptr,
		.path_len = call->path.len,
		.query = call->query.ptr,
		.query_len = call->query.len,
		.webhook_id = call->webhook_id.ptr,
		.webhook_id_len = call->webhook_id.len,
		.webhook_timestamp = call->webhook_timestamp.ptr,
		.webhook_timestamp_len = call->webhook_timestamp.len,
		.webhook_signature = call->webhook_signature.ptr,
		.webhook_signature_len = call->webhook_signature.len,
		.body = call->body.ptr,
		.body_len = call->body.len,
	};
	int result;
	int64_t tolerance_s = rules->trust.key_count ? rules->trust.tolerance_s : HW_WEBHOOK_TOLERANCE_S;

	for (size_t i = 0; i < rules->sdkappid_count; i++)
		receiver_add_keys(receiver, rules->sdkappids[i], rules);
	assert_int_equal(hw_receiver_set_path(receiver, rules->path.len ? rules->path.ptr : "", NULL, 0), 0);
	assert_int_equal(hw_receiver_set_tolerance(receiver, HW_SIGN_TOLERANCE_S, tolerance_s, NULL, 0), 0);
	result = hw_receiver_check(receiver, &request, call->now_ms / 1000, event);
	assert_int_equal(result, event->result);
	hw_receiver_free(receiver);
}
