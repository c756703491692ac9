/* The request of one attempt: URL, headers, signatures, and the ids of events. */
#include "hook/request.h"
#include "live/key.h"
#include "unit/protocol/webhook_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STORE_ID 0xab
#define TIME_S INT64_C(1739966441)
#define EVENT_ID "evt_00000000000000ab0000020000000005"
#define BODY "{\"CallbackCommand\":\"x\"}"

static struct app_config make_config(void)
{
	struct app_config config;

	app_config_init(&config);
	config.sdkappid = 1400000001;
	config.callback_set = true;
	config.callback_commands = 1u << HW_CALLBACK_THRESHOLD;
	(void)strcpy(config.callback_url, "https://example.com/cb?x=1");
	return config;
}

static const struct store_callback alert_row = {.id = 0x20000000005,
						.sdkappid = 1400000001,
						.command = HW_CALLBACK_THRESHOLD,
						.threshold = 85,
						.platform = HW_PLATFORM_ANDROID,
						.client_ip = {"203.0.113.9", 11},
						.body = {BODY, sizeof(BODY) - 1},
						.attempts = 4};

/* Builds at TIME_S and 999 ms; -1 with the reason in `reason_out`. */
static int build(const struct app_config *config, const struct store_callback *row, struct request *out,
		 char reason_out[DELIVERY_ERROR_BYTES_MAX + 1])
{
	static struct request_signer signer;
	const struct request_sender sender = {
		.config = config, .signer = &signer, .store_id = STORE_ID, .now_ms = TIME_S * 1000 + 999};
	int rc;

	request_signer_init(&signer, config);
	rc = request_build(&sender, row, out, reason_out);
	request_signer_wipe(&signer);
	return rc;
}

static void must_build(const struct app_config *config, const struct store_callback *row, struct request *out)
{
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];

	assert_int_equal(build(config, row, out, reason), 0);
}

/* The value of a header, or NULL. There is never a second one. */
static const char *header(const struct request *request, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < request->header_count; i++) {
		const char *line = request->headers[i];

		if (strncmp(line, name, strlen(name)) != 0 || strncmp(line + strlen(name), ": ", 2) != 0)
			continue;
		assert_null(found);
		found = line + strlen(name) + 2;
	}
	return found;
}

/* ---- URL and headers ---- */

static void test_request_url_and_headers(void **state)
{
	static const char *const want[] = {
		"Content-Type: application/json", ("User-Agent: Highwater/" HW_VERSION),
		"webhook-id: " EVENT_ID,	  "webhook-timestamp: 1739966441",
		"Highwater-Attempt: 5",		  "Highwater-Sequence: 5",
		"Highwater-Threshold: 85",
	};
	struct app_config config = make_config();
	struct request request;

	(void)state;
	must_build(&config, &alert_row, &request);
	assert_string_equal(request.url, "https://example.com/cb?x=1&SdkAppid=1400000001&CallbackCommand="
					 "Live.CallbackAfterCreateRoomReachingThreshold&contenttype=json&"
					 "ClientIP=203.0.113.9&OptPlatform=Android");
	assert_int_equal(request.header_count, ARRAY_LEN(want)); /* no signature: the app has no secret */
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(request.headers[i], want[i]);
}

static void test_request_headers_of_alerts_tests_and_replays(void **state)
{
	static const struct {
		enum hw_callback command;
		uint8_t threshold;
		uint32_t replays;
		const char *want_threshold, *want_test, *want_replay;
	} rows[] = {
		{HW_CALLBACK_THRESHOLD, 1, 0, "1", NULL, NULL},
		{HW_CALLBACK_THRESHOLD, 100, 0, "100", NULL, NULL},
		{HW_CALLBACK_THRESHOLD, 0, 0, NULL, "1", NULL},
		{HW_CALLBACK_THRESHOLD, 0, 2, NULL, "1", "2"}, /* a test that is replayed */
		{HW_CALLBACK_THRESHOLD, 70, 1, "70", NULL, "1"},
		{HW_CALLBACK_THRESHOLD, 70, UINT32_MAX, "70", NULL, "4294967295"},
		{HW_CALLBACK_ROOM_CREATED, 0, 0, NULL, NULL, NULL},
		{HW_CALLBACK_ROOM_CREATED, 0, 3, NULL, NULL, "3"},
	};
	struct app_config config = make_config();

	(void)state;
	config.callback_commands = ~0u;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_callback row = alert_row;
		const char *const want[] = {rows[i].want_threshold, rows[i].want_test, rows[i].want_replay};
		static const char *const names[] = {"Highwater-Threshold", "Highwater-Test", "Highwater-Replay"};
		struct request request;

		row.command = rows[i].command;
		row.threshold = rows[i].threshold;
		row.replays = rows[i].replays;
		must_build(&config, &row, &request);
		for (unsigned j = 0; j < 3; j++) {
			const char *got = header(&request, names[j]);

			if (want[j] ? !got || strcmp(got, want[j]) != 0 : got != NULL)
				fail_msg("row %zu, %s: %s", i, names[j], got ? got : "none");
		}
	}
}

static void test_request_signs_the_url_only_with_a_token_that_is_on(void **state)
{
	struct app_config config = make_config();
	char sign[HW_SIGN_HEX_BYTES + 1];
	char want[128];
	struct request request;

	(void)state;
	memcpy(config.token, "secret", 6);
	config.token_len = 6;
	config.token_enabled = true; /* but not set */
	must_build(&config, &alert_row, &request);
	assert_null(strstr(request.url, "Sign="));
	config.token_set = true;
	config.token_enabled = false;
	must_build(&config, &alert_row, &request);
	assert_null(strstr(request.url, "Sign="));
	config.token_enabled = true;
	must_build(&config, &alert_row, &request);
	hw_sign("secret", 6, TIME_S, sign);
	(void)snprintf(want, sizeof(want), "&Sign=%s&RequestTime=1739966441", sign); /* fits */
	assert_non_null(strstr(request.url, want));
	assert_null(strstr(request.url, "secret"));
}

static void test_request_says_why_it_is_not_sent(void **state)
{
	struct app_config config = make_config();
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	(void)state;
	config.callback_commands = ~(1u << HW_CALLBACK_THRESHOLD);
	assert_int_equal(build(&config, &alert_row, &request, reason), -1);
	assert_non_null(strstr(reason, "switch of this callback is off"));
	config.callback_set = false;
	assert_int_equal(build(&config, &alert_row, &request, reason), -1);
	assert_non_null(strstr(reason, "no callback URL"));
}

/* ---- signatures ---- */

static void parse_key(const char *text, struct hw_webhook_key *out)
{
	assert_int_equal(hw_webhook_key_parse(text, strlen(text), out, NULL, 0), 0);
}

/* What a receiver that has this key says of the request. */
static int verify(const struct request *request, const char *key_text)
{
	struct hw_webhook_key key;
	const struct hw_webhook_trust trust = {.keys = &key, .key_count = 1, .tolerance_s = 0};
	const char *id = header(request, "webhook-id");
	const char *timestamp = header(request, "webhook-timestamp");
	const char *signature = header(request, "webhook-signature");
	const struct hw_webhook_request got = {.id = id,
					       .id_len = strlen(id),
					       .timestamp = timestamp,
					       .timestamp_len = strlen(timestamp),
					       .signature = signature,
					       .signature_len = signature ? strlen(signature) : 0,
					       .body = BODY,
					       .body_len = sizeof(BODY) - 1};

	parse_key(key_text, &key);
	return hw_webhook_verify(&got, &trust, TIME_S, NULL);
}

static unsigned count_signatures(const struct request *request)
{
	const char *at = header(request, "webhook-signature");
	unsigned count = at != NULL;

	for (; at && *at; at++)
		count += *at == ' ';
	return count;
}

static void test_request_is_signed_with_each_key_of_both_kinds(void **state)
{
	static const struct {
		const char *secrets[2];
		const char *signers[2];
		unsigned count;
		int v1, v1a, seed; /* what receivers with those keys say */
	} rows[] = {
		{{VECTOR_SECRET}, {NULL}, 1, HW_WEBHOOK_OK, HW_WEBHOOK_NO_VERSION, HW_WEBHOOK_NO_VERSION},
		{{NULL}, {VECTOR_PRIVATE}, 1, HW_WEBHOOK_NO_VERSION, HW_WEBHOOK_OK, HW_WEBHOOK_NO_MATCH},
		{{VECTOR_SECRET}, {VECTOR_PRIVATE}, 2, HW_WEBHOOK_OK, HW_WEBHOOK_OK, HW_WEBHOOK_NO_MATCH},
		{{VECTOR_SECRET, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		 {VECTOR_PRIVATE, VECTOR_SEED},
		 4,
		 HW_WEBHOOK_OK,
		 HW_WEBHOOK_OK,
		 HW_WEBHOOK_OK},
		{{NULL}, {NULL}, 0, HW_WEBHOOK_NO_SIGNATURE, HW_WEBHOOK_NO_SIGNATURE, HW_WEBHOOK_NO_SIGNATURE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = make_config();
		struct request request;

		for (unsigned j = 0; j < 2; j++) {
			if (rows[i].secrets[j])
				app_key_add(&config.secrets, str_c(rows[i].secrets[j]), 0);
			if (rows[i].signers[j])
				app_key_add(&config.signers, str_c(rows[i].signers[j]), 0);
		}
		must_build(&config, &alert_row, &request);
		assert_int_equal(count_signatures(&request), rows[i].count);
		assert_int_equal(verify(&request, VECTOR_SECRET), rows[i].v1);
		assert_int_equal(verify(&request, VECTOR_PUBLIC), rows[i].v1a);
		assert_int_equal(verify(&request, VECTOR_SEED_PUBLIC), rows[i].seed);
	}
}

static void test_request_leaves_out_keys_that_have_ended(void **state)
{
	const int64_t now_ms = TIME_S * 1000 + 999;
	const struct {
		int64_t secret_end_ms, signer_end_ms; /* 0: never */
		unsigned count;
	} rows[] = {
		{0, 0, 2},	    {now_ms, now_ms, 2}, /* usable up to it */
		{now_ms - 1, 0, 1}, {0, now_ms - 1, 1},	 {now_ms - 1, now_ms + 1, 1}, {1, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = make_config();
		struct request request;

		app_key_add(&config.secrets, STR(VECTOR_SECRET), 0);
		app_key_add(&config.signers, STR(VECTOR_SEED), 0);
		config.secrets.list[0].expire_ms = rows[i].secret_end_ms;
		config.signers.list[0].expire_ms = rows[i].signer_end_ms;
		must_build(&config, &alert_row, &request);
		assert_int_equal(count_signatures(&request), rows[i].count);
		if (rows[i].count == 0)
			assert_null(header(&request, "webhook-signature"));
		assert_int_equal(verify(&request, VECTOR_SECRET) == HW_WEBHOOK_OK,
				 !rows[i].secret_end_ms || rows[i].secret_end_ms >= now_ms);
		assert_int_equal(verify(&request, VECTOR_SEED_PUBLIC) == HW_WEBHOOK_OK,
				 !rows[i].signer_end_ms || rows[i].signer_end_ms >= now_ms);
	}
}

static void test_request_signature_covers_the_body(void **state)
{
	struct app_config config = make_config();
	struct store_callback row = alert_row;
	struct request request;

	(void)state;
	app_key_add(&config.secrets, STR(VECTOR_SECRET), 0);
	row.body = STR(BODY " ");
	must_build(&config, &row, &request);
	assert_int_equal(verify(&request, VECTOR_SECRET), HW_WEBHOOK_NO_MATCH);
}

static void test_request_signer_is_overwritten(void **state)
{
	struct app_config config = make_config();
	struct request_signer signer;
	static const struct hw_webhook_key nothing;

	(void)state;
	app_key_add(&config.secrets, STR(VECTOR_SECRET), 0);
	app_key_add(&config.signers, STR(VECTOR_SEED), 0);
	memset(&signer, 0, sizeof(signer));
	request_signer_init(&signer, &config);
	assert_int_equal(signer.count, 2);
	request_signer_wipe(&signer);
	assert_int_equal(signer.count, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_memory_equal(signer.keys[i].bytes, nothing.bytes, sizeof(nothing.bytes));
}

/* Everything that a request can hold, as long as it can be. */
static void test_request_of_the_longest_fits(void **state)
{
	struct app_config config = make_config();
	struct store_callback row = alert_row;
	struct request request;

	(void)state;
	memset(config.callback_url + 20, 'p', HW_CALLBACK_URL_BYTES_MAX - 20);
	config.callback_url[HW_CALLBACK_URL_BYTES_MAX] = '\0';
	memset(config.token, 't', HW_TOKEN_BYTES_MAX);
	config.token_len = HW_TOKEN_BYTES_MAX;
	config.token_set = config.token_enabled = true;
	config.sdkappid = HW_SDKAPPID_MAX;
	for (unsigned i = 0; i < APP_KEY_COUNT_MAX; i++) {
		app_key_add(&config.secrets, STR(VECTOR_SECRET), 0);
		app_key_add(&config.signers, STR(VECTOR_PRIVATE), 0);
	}
	row.client_ip = STR("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	row.id = INT64_MAX;
	row.attempts = UINT32_MAX - 1;
	row.replays = UINT32_MAX;
	must_build(&config, &row, &request);
	assert_true(request.header_count <= REQUEST_HEADER_COUNT_MAX);
	assert_int_equal(count_signatures(&request), REQUEST_SIGNATURE_KEYS_MAX);
	assert_int_equal(verify(&request, VECTOR_SECRET), HW_WEBHOOK_OK);
}

/* ---- ids of events ---- */

static void test_request_event_id_is_stable_and_unique(void **state)
{
	char a[REQUEST_EVENT_ID_BYTES + 1];
	char b[REQUEST_EVENT_ID_BYTES + 1];

	(void)state;
	request_event_id(UINT64_MAX, INT64_MAX, a);
	assert_string_equal(a, "evt_ffffffffffffffff7fffffffffffffff");
	request_event_id(1, 2, a);
	request_event_id(1, 2, b);
	assert_string_equal(a, b);
	request_event_id(2, 1, b);
	assert_string_not_equal(a, b);
}

static void test_request_event_id_is_read_back(void **state)
{
	static const int64_t ids[] = {0, 1, 0x20000000005, INT64_MAX, 0x0123456789abcdef};
	static const uint64_t stores[] = {0, 1, 0xab, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		for (size_t j = 0; j < ARRAY_LEN(stores); j++) {
			char text[REQUEST_EVENT_ID_BYTES + 1];
			int64_t id = -1;

			request_event_id(stores[j], ids[i], text);
			assert_int_equal(request_event_id_parse(str_c(text), stores[j], &id), 0);
			assert_true(id == ids[i]);
			assert_int_equal(request_event_id_parse(str_c(text), stores[j] ^ 1, &id), -1);
		}
	}
}

static void test_request_event_id_of_a_wrong_form_is_refused(void **state)
{
	static const struct str rows[] = {
		{"", 0},
		{NULL, 0},
		{"evt_00000000000000ab000002000000000", 35},
		{"evt_00000000000000ab00000200000000055", 37},
		{" evt_00000000000000ab000002000000000", 36},
		{"EVT_00000000000000ab0000020000000005", 36},
		{"msg_00000000000000ab0000020000000005", 36},
		{"evt-00000000000000ab0000020000000005", 36},
		{"evt_00000000000000AB0000020000000005", 36}, /* one way to write it, so that it can be compared */
		{"evt_00000000000000ab000002000000000A", 36},
		{"evt_00000000000000ab000002000000000g", 36},
		{"evt_00000000000000ab00000200000000 5", 36},
		{"evt_00000000000000ab000002000000000\0", 36},
		{"evt_00000000000000ab+000020000000005", 36},
		{"evt_00000000000000ab8000020000000005", 36}, /* above INT64_MAX */
		{"evt_00000000000000abffffffffffffffff", 36},
		{"evt_00000000000000ac0000020000000005", 36}, /* of another store */
		{"evt_zz000000000000ab0000020000000005", 36},
		{"000000000000000000ab0000020000000005", 36},
	};
	int64_t id = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (request_event_id_parse(rows[i], STORE_ID, &id) != -1)
			fail_msg("row %zu", i);
	assert_int_equal(id, 77);
	assert_int_equal(request_event_id_parse(STR(EVENT_ID), STORE_ID, &id), 0);
	assert_true(id == alert_row.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_url_and_headers),
		cmocka_unit_test(test_request_headers_of_alerts_tests_and_replays),
		cmocka_unit_test(test_request_signs_the_url_only_with_a_token_that_is_on),
		cmocka_unit_test(test_request_says_why_it_is_not_sent),
		cmocka_unit_test(test_request_is_signed_with_each_key_of_both_kinds),
		cmocka_unit_test(test_request_leaves_out_keys_that_have_ended),
		cmocka_unit_test(test_request_signature_covers_the_body),
		cmocka_unit_test(test_request_signer_is_overwritten),
		cmocka_unit_test(test_request_of_the_longest_fits),
		cmocka_unit_test(test_request_event_id_is_stable_and_unique),
		cmocka_unit_test(test_request_event_id_is_read_back),
		cmocka_unit_test(test_request_event_id_of_a_wrong_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
