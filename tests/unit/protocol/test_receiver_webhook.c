/* The check of webhook signatures: both kinds, every refusal, the bounds of the tolerance, several keys, and its place
 * among the other checks. */
#include "base/compiler.h"
#include "unit/protocol/receiver_try.h"
#include "unit/protocol/webhook_vectors.h"

#include <highwater/sign.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALERT "Live.CallbackAfterCreateRoomReachingThreshold"
#define QUERY "SdkAppid=1400000001&CallbackCommand=" ALERT
#define BODY                                                                                                           \
	"{\"CallbackCommand\":\"" ALERT                                                                                \
	"\",\"Operator_Account\":\"a\",\"EventTime\":1739966441121,\"CurRoomCount\":400,\"MaxRoomCount\":500}"
#define ID "evt_8c409588f4a37d1f0000010000000001"
#define TIME_S 1669872112
#define TIMESTAMP "1669872112"
#define OTHER_SECRET "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOLERANCE_S 300

static const uint32_t own[] = {1400000001};

struct fixture {
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	struct receiver_rules options;
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(HW_WEBHOOK_KEYS_MAX)];
	struct receiver_call request; /* right, as signed by fixture_init */
	struct hw_receiver_event outcome;
};

/* Texts of keys with spaces between. */
static size_t keys_of(const char *texts, struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX])
{
	struct str rest = str_c(texts);
	size_t count = 0;
	struct str text;
	bool more;

	do {
		more = str_cut(&rest, ' ', &text);
		assert_true(count < HW_WEBHOOK_KEYS_MAX);
		if (hw_webhook_key_parse(text.ptr, text.len, &keys[count++], NULL, 0))
			fail_msg("no key: %s", texts);
	} while (more);
	return count;
}

/* A receiver that trusts some keys, and a request of a sender that signs with some. */
static void fixture_init(struct fixture *fixture, const char *trusted, const char *signing)
{
	const struct hw_webhook_message message = {ID, strlen(ID), TIME_S, BODY, strlen(BODY)};
	struct hw_webhook_key signers[HW_WEBHOOK_KEYS_MAX];
	size_t signer_count = keys_of(signing, signers);

	*fixture = (struct fixture){0};
	fixture->options = (struct receiver_rules){
		.sdkappids = own,
		.sdkappid_count = ARRAY_LEN(own),
		.trust = {fixture->keys, keys_of(trusted, fixture->keys), TOLERANCE_S},
	};
	assert_true(hw_webhook_sign(&message, signers, signer_count, fixture->signature, sizeof(fixture->signature)) >
		    0);
	fixture->request = (struct receiver_call){.method = STR("POST"),
						  .path = STR("/hook"),
						  .query = STR(QUERY),
						  .body = STR(BODY),
						  .webhook_id = STR(ID),
						  .webhook_timestamp = STR(TIMESTAMP),
						  .webhook_signature = str_c(fixture->signature),
						  .now_ms = (int64_t)TIME_S * 1000};
}

static void expect(struct fixture *fixture, enum hw_receiver_result result, const char *words)
{
	const struct hw_receiver_event *outcome = &fixture->outcome;

	receiver_try(&fixture->options, &fixture->request, &fixture->outcome);
	if (outcome->result != result)
		fail_msg("result %d (%s), expected %d (%s)", outcome->result, outcome->reason, result, words);
	if (!strstr(outcome->reason, words))
		fail_msg("\"%s\" does not say \"%s\"", outcome->reason, words);
	if (fixture->signature[0])
		assert_null(strstr(outcome->reason, fixture->signature));
	if (result != HW_RECEIVER_OK)
		assert_int_equal(outcome->webhook_kind, HW_WEBHOOK_NONE);
}

static void expect_passed(struct fixture *fixture, enum hw_webhook_kind kind)
{
	expect(fixture, HW_RECEIVER_OK, "");
	assert_string_equal(fixture->outcome.reason, "");
	assert_int_equal(fixture->outcome.webhook_kind, kind);
}

static void expect_refused(struct fixture *fixture, int result)
{
	expect(fixture, HW_RECEIVER_WEBHOOK, hw_webhook_result_text(result));
}

/* ---- what passes ---- */

static void test_webhook_passes_both_kinds_and_tells_which(void **state)
{
	static const struct {
		const char *trusted;
		const char *signing;
		enum hw_webhook_kind kind;
	} cases[] = {
		{VECTOR_SECRET, VECTOR_SECRET, HW_WEBHOOK_SECRET},
		{VECTOR_PUBLIC, VECTOR_PRIVATE, HW_WEBHOOK_PUBLIC},
		{VECTOR_PRIVATE, VECTOR_PRIVATE, HW_WEBHOOK_PUBLIC},
		{VECTOR_SECRET " " VECTOR_PUBLIC, VECTOR_PRIVATE " " VECTOR_SECRET, HW_WEBHOOK_SECRET},
		{VECTOR_PUBLIC " " VECTOR_SECRET, VECTOR_SECRET " " VECTOR_PRIVATE, HW_WEBHOOK_PUBLIC},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fixture_init(&fixture, cases[i].trusted, cases[i].signing);
		expect_passed(&fixture, cases[i].kind);
	}
}

/* Made by others: it is right, so the next check, which this body fails, is reached. */
static void test_webhook_passes_the_published_signatures(void **state)
{
	static const char *const signatures[] = {VECTOR_V1, VECTOR_V1A, VECTOR_V1 " " VECTOR_V1A};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		fixture_init(&fixture, VECTOR_PUBLIC " " VECTOR_SECRET, VECTOR_SECRET);
		fixture.request.webhook_id = STR(VECTOR_ID);
		fixture.request.webhook_timestamp = STR(VECTOR_TIMESTAMP);
		fixture.request.webhook_signature = str_c(signatures[i]);
		fixture.request.body = STR(VECTOR_BODY);
		fixture.request.now_ms = (int64_t)VECTOR_TIME * 1000;
		receiver_try(&fixture.options, &fixture.request, &fixture.outcome);
		assert_int_equal(fixture.outcome.result, HW_RECEIVER_BODY);
	}
}

static void test_webhook_passes_with_any_key_of_each_side(void **state)
{
	static const struct {
		const char *trusted;
		const char *signing;
		bool passes;
	} cases[] = {
		{OTHER_SECRET " " VECTOR_SECRET, VECTOR_SECRET, true}, /* the receiver knows the new one already */
		{VECTOR_SECRET, OTHER_SECRET " " VECTOR_SECRET, true}, /* the sender does */
		{OTHER_SECRET " " VECTOR_SECRET, VECTOR_SECRET " " OTHER_SECRET, true},
		{VECTOR_SEED_PUBLIC " " VECTOR_PUBLIC, VECTOR_PRIVATE, true},
		{OTHER_SECRET " " VECTOR_PUBLIC, VECTOR_SECRET " " VECTOR_PRIVATE, true},
		{OTHER_SECRET, VECTOR_SECRET, false},
		{VECTOR_SEED_PUBLIC, VECTOR_PRIVATE, false},
		{OTHER_SECRET " " VECTOR_SEED_PUBLIC, VECTOR_SECRET " " VECTOR_PRIVATE, false},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fixture_init(&fixture, cases[i].trusted, cases[i].signing);
		if (cases[i].passes)
			expect(&fixture, HW_RECEIVER_OK, "");
		else
			expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
	}
}

static void test_webhook_passes_within_the_tolerance(void **state)
{
	static const struct {
		int64_t now_ms; /* from the time of signing */
		int64_t tolerance_s;
		int result;
	} cases[] = {
		{0, 300, HW_WEBHOOK_OK},	   {300000, 300, HW_WEBHOOK_OK},
		{300999, 300, HW_WEBHOOK_OK},	   {301000, 300, HW_WEBHOOK_STALE},
		{-300000, 300, HW_WEBHOOK_OK},	   {-300001, 300, HW_WEBHOOK_FUTURE},
		{-301000, 300, HW_WEBHOOK_FUTURE}, {1000, 1, HW_WEBHOOK_OK},
		{2000, 1, HW_WEBHOOK_STALE},	   {-2000, 1, HW_WEBHOOK_FUTURE},
		{3600000, 3600, HW_WEBHOOK_OK},	   {3601000, 3600, HW_WEBHOOK_STALE},
		{86400000, 300, HW_WEBHOOK_STALE}, {-86400000, 300, HW_WEBHOOK_FUTURE},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char seconds[64];

		fixture_init(&fixture, VECTOR_SECRET, VECTOR_SECRET);
		fixture.request.now_ms += cases[i].now_ms;
		fixture.options.trust.tolerance_s = cases[i].tolerance_s;
		if (cases[i].result == HW_WEBHOOK_OK) {
			expect_passed(&fixture, HW_WEBHOOK_SECRET);
			continue;
		}
		expect_refused(&fixture, cases[i].result);
		(void)snprintf(seconds, sizeof(seconds), "more than %" PRId64 " seconds away",
			       cases[i].tolerance_s); /* fits */
		assert_non_null(strstr(fixture.outcome.reason, seconds));
	}
}

static void test_webhook_is_not_asked_for_without_keys(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, VECTOR_SECRET, OTHER_SECRET);
	fixture.options.trust = (struct hw_webhook_trust){0};
	expect_passed(&fixture, HW_WEBHOOK_NONE);
	fixture.request.webhook_id = fixture.request.webhook_timestamp = fixture.request.webhook_signature =
		(struct str){0};
	expect_passed(&fixture, HW_WEBHOOK_NONE);
}

/* ---- what is refused ---- */

static char long_id[HW_WEBHOOK_ID_BYTES_MAX + 2]; /* a byte too long */

static void test_webhook_refuses_with_each_reason(void **state)
{
	static const struct {
		const char *id; /* each NULL as it should be */
		const char *timestamp;
		const char *signature;
		int result;
	} cases[] = {
		{"", NULL, NULL, HW_WEBHOOK_NO_ID},
		{NULL, "", NULL, HW_WEBHOOK_NO_TIMESTAMP},
		{NULL, NULL, "", HW_WEBHOOK_NO_SIGNATURE},
		{"", "", "", HW_WEBHOOK_NO_ID},
		{"evt.1", NULL, NULL, HW_WEBHOOK_BAD_ID},
		{"evt 1", NULL, NULL, HW_WEBHOOK_BAD_ID},
		{"caf\xc3\xa9", NULL, NULL, HW_WEBHOOK_BAD_ID},
		{long_id, NULL, NULL, HW_WEBHOOK_BAD_ID},
		{NULL, "soon", NULL, HW_WEBHOOK_BAD_TIMESTAMP},
		{NULL, "-" TIMESTAMP, NULL, HW_WEBHOOK_BAD_TIMESTAMP},
		{NULL, "0" TIMESTAMP, NULL, HW_WEBHOOK_BAD_TIMESTAMP},
		{NULL, TIMESTAMP ".0", NULL, HW_WEBHOOK_BAD_TIMESTAMP},
		{NULL, "9223372036854775808", NULL, HW_WEBHOOK_BAD_TIMESTAMP},
		{NULL, NULL, "v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a v1,a",
		 HW_WEBHOOK_BAD_SIGNATURE},
		{NULL, NULL, "v1,\xff", HW_WEBHOOK_BAD_SIGNATURE},
		{NULL, "0", NULL, HW_WEBHOOK_STALE},
		{NULL, "9223372036854775807", NULL, HW_WEBHOOK_FUTURE},
		{NULL, NULL, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", HW_WEBHOOK_NO_VERSION},
		{NULL, NULL, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", HW_WEBHOOK_NO_VERSION},
		{NULL, NULL, VECTOR_V1A, HW_WEBHOOK_NO_VERSION},
		{NULL, NULL, VECTOR_V1, HW_WEBHOOK_NO_MATCH},
		{"evt_2", NULL, NULL, HW_WEBHOOK_NO_MATCH},
		{NULL, "1669872113", NULL, HW_WEBHOOK_NO_MATCH},
	};
	struct fixture fixture;

	(void)state;
	memset(long_id, 'x', sizeof(long_id) - 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fixture_init(&fixture, VECTOR_SECRET, VECTOR_SECRET);
		if (cases[i].id)
			fixture.request.webhook_id = str_c(cases[i].id);
		if (cases[i].timestamp)
			fixture.request.webhook_timestamp = str_c(cases[i].timestamp);
		if (cases[i].signature)
			fixture.request.webhook_signature = str_c(cases[i].signature);
		expect_refused(&fixture, cases[i].result);
	}
}

/* Whichever byte is changed, in whichever way JSON stays JSON or not: nothing of it is looked at before the signature. */
static void test_webhook_refuses_a_body_with_any_byte_changed(void **state)
{
	static const struct {
		const char *trusted;
		const char *signing;
	} kinds[] = {{VECTOR_SECRET, VECTOR_SECRET}, {VECTOR_PUBLIC, VECTOR_PRIVATE}};
	char body[sizeof(BODY) + 1] = BODY " ";
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		fixture_init(&fixture, kinds[i].trusted, kinds[i].signing);
		for (size_t at = 0; at < sizeof(BODY) - 1; at++) {
			body[at] ^= 1;
			fixture.request.body = (struct str){body, sizeof(BODY) - 1};
			expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
			body[at] ^= 1;
		}
		expect_passed(&fixture, fixture.keys[0].kind);
		fixture.request.body = (struct str){body, sizeof(BODY) - 2};
		expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
		fixture.request.body = (struct str){body, sizeof(BODY)};
		expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
		fixture.request.body = (struct str){0};
		expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
	}
}

/* A public key is no secret: what is made with its bytes as a secret must not pass. */
static void test_webhook_refuses_a_key_used_as_the_other_kind(void **state)
{
	const struct hw_webhook_message message = {ID, strlen(ID), TIME_S, BODY, strlen(BODY)};
	struct hw_webhook_key secret;
	struct fixture fixture;
	char renamed[sizeof("v1a,") + sizeof(fixture.signature)] = "v1a,";

	(void)state;
	fixture_init(&fixture, VECTOR_PUBLIC, VECTOR_PRIVATE);
	assert_int_equal(
		hw_webhook_key_make(HW_WEBHOOK_SECRET, fixture.keys[0].bytes, HW_WEBHOOK_PUBLIC_BYTES, &secret), 0);
	assert_true(hw_webhook_sign(&message, &secret, 1, fixture.signature, sizeof(fixture.signature)) > 0);
	fixture.request.webhook_signature = str_c(fixture.signature);
	expect_refused(&fixture, HW_WEBHOOK_NO_VERSION);
	assert_true(str_copy(renamed + 4, sizeof(renamed) - 4, str_c(fixture.signature + 3))); /* what follows "v1," */
	fixture.request.webhook_signature = str_c(renamed);
	expect_refused(&fixture, HW_WEBHOOK_NO_VERSION);
}

static void test_webhook_id_of_the_longest_length_is_taken(void **state)
{
	const struct hw_webhook_message message = {long_id, HW_WEBHOOK_ID_BYTES_MAX, TIME_S, BODY, strlen(BODY)};
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, VECTOR_SECRET, VECTOR_SECRET);
	memset(long_id, 'x', sizeof(long_id) - 1);
	assert_true(hw_webhook_sign(&message, fixture.keys, 1, fixture.signature, sizeof(fixture.signature)) > 0);
	fixture.request.webhook_id = (struct str){long_id, HW_WEBHOOK_ID_BYTES_MAX};
	fixture.request.webhook_signature = str_c(fixture.signature);
	expect_passed(&fixture, HW_WEBHOOK_SECRET);
}

/* ---- among the other checks ---- */

static void test_webhook_and_sign_must_both_be_right(void **state)
{
	char query[256];
	char sign[HW_SIGN_HEX_BYTES + 1];
	struct fixture fixture;

	(void)state;
	hw_sign("token", 5, TIME_S, sign);
	(void)snprintf(query, sizeof(query), QUERY "&Sign=%s&RequestTime=" TIMESTAMP, sign); /* fits */
	fixture_init(&fixture, VECTOR_SECRET, VECTOR_SECRET);
	fixture.options.token = secret_of(STR("token"));
	expect(&fixture, HW_RECEIVER_SIGN, "Sign is missing");
	fixture.request.query = str_c(query);
	expect_passed(&fixture, HW_WEBHOOK_SECRET);
	assert_true(fixture.outcome.is_signed);
	fixture.request.webhook_signature = STR(VECTOR_V1);
	expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
	fixture.options.token = secret_of(STR("other"));
	expect(&fixture, HW_RECEIVER_SIGN, "Sign is wrong");
}

static void test_webhook_is_checked_after_the_size_and_before_the_body(void **state)
{
	static char large[HW_PACKET_BYTES_MAX + 1];
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, VECTOR_SECRET, OTHER_SECRET);
	fixture.request.query = STR("SdkAppid=7&CallbackCommand=" ALERT);
	fixture.request.body = (struct str){large, sizeof(large)};
	expect(&fixture, HW_RECEIVER_SDKAPPID, "");
	fixture.request.query = STR(QUERY);
	expect(&fixture, HW_RECEIVER_SIZE, "131072");
	fixture.request.body = (struct str){large, sizeof(large) - 1};
	expect_refused(&fixture, HW_WEBHOOK_NO_MATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_webhook_passes_both_kinds_and_tells_which),
		cmocka_unit_test(test_webhook_passes_the_published_signatures),
		cmocka_unit_test(test_webhook_passes_with_any_key_of_each_side),
		cmocka_unit_test(test_webhook_passes_within_the_tolerance),
		cmocka_unit_test(test_webhook_is_not_asked_for_without_keys),
		cmocka_unit_test(test_webhook_refuses_with_each_reason),
		cmocka_unit_test(test_webhook_refuses_a_body_with_any_byte_changed),
		cmocka_unit_test(test_webhook_refuses_a_key_used_as_the_other_kind),
		cmocka_unit_test(test_webhook_id_of_the_longest_length_is_taken),
		cmocka_unit_test(test_webhook_and_sign_must_both_be_right),
		cmocka_unit_test(test_webhook_is_checked_after_the_size_and_before_the_body),
	};

	return cmocka_run_group_tests_name("check_webhook", tests, NULL, NULL);
}
