/* Standard Webhooks signatures: the published vectors, rotation, and each thing that is refused. */
#include "base/compiler.h"
#include "base/str.h"
#include "webhook_vectors.h"

#include <highwater/webhook.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OTHER_SECRET "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER_V1 "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
#define SIGNATURE_SIZE HW_WEBHOOK_SIGNATURE_SIZE(HW_WEBHOOK_KEYS_MAX)

static struct hw_webhook_key key_of(const char *text)
{
	struct hw_webhook_key key;
	char reason[128] = "";

	if (hw_webhook_key_parse(text, strlen(text), &key, reason, sizeof(reason)))
		fail_msg("%s: %s", text, reason);
	return key;
}

/* Texts of keys, separated by spaces. */
static size_t keys_of(const char *texts, struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX])
{
	char copy[1024];
	size_t count = 0;
	char *save;

	assert_true(str_copy(copy, sizeof(copy), str_c(texts)));
	for (char *text = strtok_r(copy, " ", &save); text; text = strtok_r(NULL, " ", &save)) {
		assert_true(count < HW_WEBHOOK_KEYS_MAX);
		keys[count++] = key_of(text);
	}
	return count;
}

static struct hw_webhook_message vector_message(void)
{
	return (struct hw_webhook_message){VECTOR_ID, strlen(VECTOR_ID), VECTOR_TIME, VECTOR_BODY, strlen(VECTOR_BODY)};
}

static struct hw_webhook_request vector_request(const char *signature)
{
	return (struct hw_webhook_request){.id = VECTOR_ID,
					   .id_len = strlen(VECTOR_ID),
					   .timestamp = VECTOR_TIMESTAMP,
					   .timestamp_len = strlen(VECTOR_TIMESTAMP),
					   .signature = signature,
					   .signature_len = strlen(signature),
					   .body = VECTOR_BODY,
					   .body_len = strlen(VECTOR_BODY)};
}

/* Verifies with these keys, at any time. */
static int verify(const struct hw_webhook_request *request, const char *key_texts)
{
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	struct hw_webhook_trust trust = {keys, keys_of(key_texts, keys), INT64_MAX};

	return hw_webhook_verify(request, &trust, VECTOR_TIME, NULL);
}

static void expect(const char *what, int got, int want)
{
	if (got != want)
		fail_msg("%s: %s, not %s", what, hw_webhook_result_text(got), hw_webhook_result_text(want));
}

/* ---- signing ---- */

static void test_sign_gives_the_published_vectors(void **state)
{
	static const struct {
		const char *keys;
		const char *signature;
	} rows[] = {
		{VECTOR_SECRET, VECTOR_V1},
		{VECTOR_PRIVATE, VECTOR_V1A},
		{VECTOR_SEED, VECTOR_SEED_V1A},
		{VECTOR_SECRET " " VECTOR_PRIVATE, VECTOR_V1 " " VECTOR_V1A},
		{VECTOR_SEED " " VECTOR_SECRET " " VECTOR_PRIVATE, VECTOR_SEED_V1A " " VECTOR_V1 " " VECTOR_V1A},
	};
	const struct hw_webhook_message message = vector_message();
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	char out[SIGNATURE_SIZE];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t count = keys_of(rows[i].keys, keys);
		size_t len = strlen(rows[i].signature);

		memset(out, 'x', sizeof(out));
		assert_int_equal(hw_webhook_sign(&message, keys, count, out, len), -1);
		assert_int_equal(out[0], 'x');
		assert_int_equal(hw_webhook_sign(&message, keys, count, out, len + 1), len);
		assert_string_equal(out, rows[i].signature);
		assert_true(len < HW_WEBHOOK_SIGNATURE_SIZE(count));
	}
}

static void test_sign_refuses_what_is_out_of_bounds(void **state)
{
	static char long_id[HW_WEBHOOK_ID_BYTES_MAX + 1];
	const struct hw_webhook_key secret = key_of(VECTOR_SECRET);
	const struct hw_webhook_key public_key = key_of(VECTOR_PUBLIC);
	const struct hw_webhook_key none = {0};
	const struct hw_webhook_key empty = {.kind = HW_WEBHOOK_SECRET};
	struct hw_webhook_key many[HW_WEBHOOK_KEYS_MAX + 1];
	char *body = calloc(1, HW_WEBHOOK_BODY_BYTES_MAX + 1);
	const struct {
		const char *id;
		size_t id_len;
		int64_t time_s;
		size_t body_len;
		const struct hw_webhook_key *keys;
		size_t key_count;
		bool good;
	} rows[] = {
		{"a", 1, 0, 0, &secret, 1, true},
		{long_id, HW_WEBHOOK_ID_BYTES_MAX, INT64_MAX, HW_WEBHOOK_BODY_BYTES_MAX, many, HW_WEBHOOK_KEYS_MAX,
		 true},
		{long_id, HW_WEBHOOK_ID_BYTES_MAX + 1, 0, 0, &secret, 1, false},
		{"", 0, 0, 0, &secret, 1, false},
		{NULL, 0, 0, 0, &secret, 1, false},
		{"a.b", 3, 0, 0, &secret, 1, false},
		{"a b", 3, 0, 0, &secret, 1, false},
		{"a\n", 2, 0, 0, &secret, 1, false},
		{"a\0b", 3, 0, 0, &secret, 1, false},
		{"\xc3\xa9", 2, 0, 0, &secret, 1, false},
		{"a", 1, -1, 0, &secret, 1, false},
		{"a", 1, 0, HW_WEBHOOK_BODY_BYTES_MAX + 1, &secret, 1, false},
		{"a", 1, 0, 0, &secret, 0, false},
		{"a", 1, 0, 0, many, HW_WEBHOOK_KEYS_MAX + 1, false},
		{"a", 1, 0, 0, &public_key, 1, false},
		{"a", 1, 0, 0, &none, 1, false},
		{"a", 1, 0, 0, &empty, 1, false},
	};

	(void)state; /* none */
	assert_non_null(body);
	memset(long_id, '~', sizeof(long_id));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = key_of(VECTOR_SEED);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_message message = {rows[i].id, rows[i].id_len, rows[i].time_s, body,
						     rows[i].body_len};
		char out[SIGNATURE_SIZE] = "x";
		int len = hw_webhook_sign(&message, rows[i].keys, rows[i].key_count, out, sizeof(out));

		if ((len > 0) != rows[i].good || (!rows[i].good && out[0] != 'x'))
			fail_msg("row %zu: %d", i, len);
	}
	free(body);
}

/* ---- verifying ---- */

static void test_verify_finds_the_signature_that_matches(void **state)
{
	static const struct {
		const char *signature;
		const char *keys;
		int want;
		size_t key;
	} rows[] = {
		{VECTOR_V1, VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		{VECTOR_V1A, VECTOR_PUBLIC, HW_WEBHOOK_OK, 0},
		{VECTOR_V1A, VECTOR_PRIVATE, HW_WEBHOOK_OK, 0},
		{VECTOR_SEED_V1A, VECTOR_SEED_PUBLIC, HW_WEBHOOK_OK, 0},
		/* the sender replaces its key: both signatures, either key */
		{OTHER_V1 " " VECTOR_V1, VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		{VECTOR_V1 " " OTHER_V1, VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		{VECTOR_SEED_V1A " " VECTOR_V1A, VECTOR_PUBLIC, HW_WEBHOOK_OK, 0},
		{VECTOR_SEED_V1A " " VECTOR_V1A, VECTOR_SEED_PUBLIC, HW_WEBHOOK_OK, 0},
		{VECTOR_V1 " " VECTOR_V1A, VECTOR_PUBLIC, HW_WEBHOOK_OK, 0},
		{VECTOR_V1 " " VECTOR_V1A, VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		/* the receiver holds both keys: which one matched is told */
		{VECTOR_V1, OTHER_SECRET " " VECTOR_SECRET, HW_WEBHOOK_OK, 1},
		{VECTOR_V1A, OTHER_SECRET " " VECTOR_SEED_PUBLIC " " VECTOR_PUBLIC, HW_WEBHOOK_OK, 2},
		{VECTOR_V1 " " VECTOR_V1A, VECTOR_PUBLIC " " VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		/* unknown versions and rubbish neither match nor disturb */
		{"v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= " VECTOR_V1, VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		{"v1,short , v1 v1, ,, x v1a,AAAA " VECTOR_V1A, VECTOR_PUBLIC, HW_WEBHOOK_OK, 0},
		{"  " VECTOR_V1 "  ", VECTOR_SECRET, HW_WEBHOOK_OK, 0},
		/* nobody's */
		{OTHER_V1, VECTOR_SECRET, HW_WEBHOOK_NO_MATCH, 77},
		{VECTOR_V1, OTHER_SECRET, HW_WEBHOOK_NO_MATCH, 77},
		{VECTOR_SEED_V1A, VECTOR_PUBLIC, HW_WEBHOOK_NO_MATCH, 77},
		{OTHER_V1 " " VECTOR_SEED_V1A " v2,x", VECTOR_SECRET " " VECTOR_PUBLIC, HW_WEBHOOK_NO_MATCH, 77},
		/* of no kind that the keys verify */
		{VECTOR_V1, VECTOR_PUBLIC, HW_WEBHOOK_NO_VERSION, 77},
		{VECTOR_V1A, VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{",g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"v1", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"v1,", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{"v1=g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{VECTOR_V1 "," VECTOR_V1, VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
		{" ", VECTOR_SECRET, HW_WEBHOOK_NO_VERSION, 77},
	};
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_request request = vector_request(rows[i].signature);
		struct hw_webhook_trust trust = {keys, keys_of(rows[i].keys, keys), HW_WEBHOOK_TOLERANCE_S};
		size_t key = 77;

		expect(rows[i].signature, hw_webhook_verify(&request, &trust, VECTOR_TIME, &key), rows[i].want);
		assert_int_equal(key, rows[i].key);
	}
}

static void test_verify_refuses_any_other_byte(void **state)
{
	static const struct {
		const char *signature;
		const char *key;
	} rows[] = {{VECTOR_V1, VECTOR_SECRET}, {VECTOR_V1A, VECTOR_PUBLIC}};
	static const char *const names[] = {"id", "timestamp", "body", "signature"};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(names); i++) {
		const char *signature = rows[i / ARRAY_LEN(names)].signature;
		const char *key = rows[i / ARRAY_LEN(names)].key;
		struct hw_webhook_request request = vector_request(signature);
		char id[] = VECTOR_ID;
		char timestamp[] = VECTOR_TIMESTAMP;
		char body[] = VECTOR_BODY;
		char header[128];
		char *const texts[] = {id, timestamp, body, header};
		char *text = texts[i % ARRAY_LEN(names)];

		assert_true(str_copy(header, sizeof(header), str_c(signature)));
		request.id = id;
		request.timestamp = timestamp;
		request.body = body;
		request.signature = header;
		expect(signature, verify(&request, key), HW_WEBHOOK_OK);
		for (size_t at = 0; text[at]; at++) {
			char right = text[at];

			text[at] = right == '1' ? '2' : '1';
			if (verify(&request, key) == HW_WEBHOOK_OK)
				fail_msg("%s of %s, byte %zu", names[i % ARRAY_LEN(names)], signature, at);
			text[at] = right;
		}
		request.body_len--;
		expect("body cut", verify(&request, key), HW_WEBHOOK_NO_MATCH);
	}
}

static void test_verify_reads_no_truncated_signature(void **state)
{
	static const char *const rows[][2] = {{VECTOR_V1, VECTOR_SECRET}, {VECTOR_V1A, VECTOR_PUBLIC}};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_request request = vector_request(rows[i][0]);

		while (--request.signature_len)
			expect(rows[i][0], verify(&request, rows[i][1]), HW_WEBHOOK_NO_VERSION);
		expect("none", verify(&request, rows[i][1]), HW_WEBHOOK_NO_SIGNATURE);
	}
}

static void test_verify_looks_at_the_time(void **state)
{
	static const struct {
		int64_t now_s;
		int64_t tolerance_s;
		int want;
	} rows[] = {
		{VECTOR_TIME + 300, 300, HW_WEBHOOK_OK},
		{VECTOR_TIME + 301, 300, HW_WEBHOOK_STALE},
		{VECTOR_TIME - 300, 300, HW_WEBHOOK_OK},
		{VECTOR_TIME - 301, 300, HW_WEBHOOK_FUTURE},
		{VECTOR_TIME, 0, HW_WEBHOOK_OK},
		{VECTOR_TIME + 1, 0, HW_WEBHOOK_STALE},
		{VECTOR_TIME - 1, 0, HW_WEBHOOK_FUTURE},
		{VECTOR_TIME, -1, HW_WEBHOOK_STALE},
		{VECTOR_TIME, INT64_MIN, HW_WEBHOOK_STALE},
		{INT64_MIN, INT64_MAX, HW_WEBHOOK_FUTURE},
		{INT64_MIN, INT64_MIN, HW_WEBHOOK_STALE},
		{INT64_MAX, INT64_MAX, HW_WEBHOOK_OK},
		{INT64_MAX, 300, HW_WEBHOOK_STALE},
		{0, 300, HW_WEBHOOK_FUTURE},
		{INT64_MIN + VECTOR_TIME, 300, HW_WEBHOOK_FUTURE},
	};
	const struct hw_webhook_key key = key_of(VECTOR_SECRET);
	const struct hw_webhook_request request = vector_request(VECTOR_V1);

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_trust trust = {&key, 1, rows[i].tolerance_s};
		int got = hw_webhook_verify(&request, &trust, rows[i].now_s, NULL);

		if (got != rows[i].want)
			fail_msg("row %zu: %s", i, hw_webhook_result_text(got));
	}
}

static void test_verify_takes_a_timestamp_of_one_form_only(void **state)
{
	static const struct {
		const char *timestamp;
		int want;
	} rows[] = {
		{"0", HW_WEBHOOK_NO_MATCH},
		{"9223372036854775807", HW_WEBHOOK_NO_MATCH},
		{"9223372036854775808", HW_WEBHOOK_BAD_TIMESTAMP},
		{"18446744073709551616", HW_WEBHOOK_BAD_TIMESTAMP},
		{"01614265330", HW_WEBHOOK_BAD_TIMESTAMP},
		{"00", HW_WEBHOOK_BAD_TIMESTAMP},
		{"+1614265330", HW_WEBHOOK_BAD_TIMESTAMP},
		{"-1", HW_WEBHOOK_BAD_TIMESTAMP},
		{" 1614265330", HW_WEBHOOK_BAD_TIMESTAMP},
		{"1614265330 ", HW_WEBHOOK_BAD_TIMESTAMP},
		{"1614265330.0", HW_WEBHOOK_BAD_TIMESTAMP},
		{"1614265330.msg", HW_WEBHOOK_BAD_TIMESTAMP},
		{"1.6e9", HW_WEBHOOK_BAD_TIMESTAMP},
		{"0x6037b8b2", HW_WEBHOOK_BAD_TIMESTAMP},
		{"2021-02-25T15:02:10Z", HW_WEBHOOK_BAD_TIMESTAMP},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_request request = vector_request(VECTOR_V1);

		request.timestamp = rows[i].timestamp;
		request.timestamp_len = strlen(rows[i].timestamp);
		expect(rows[i].timestamp, verify(&request, VECTOR_SECRET), rows[i].want);
	}
}

/* "a.b" with timestamp 1 would be signed as "a" with another timestamp and body. */
static void test_verify_takes_no_id_that_could_be_read_twice(void **state)
{
	static const struct {
		const char *id;
		size_t len;
		int want;
	} rows[] = {
		{"msg.p5jXN8AQM9LWM0D4loKWxJek", 28, HW_WEBHOOK_BAD_ID},
		{"a b", 3, HW_WEBHOOK_BAD_ID},
		{"a\tb", 3, HW_WEBHOOK_BAD_ID},
		{"a\0b", 3, HW_WEBHOOK_BAD_ID},
		{"a\r\nb", 4, HW_WEBHOOK_BAD_ID},
		{"\xc3\xa9", 2, HW_WEBHOOK_BAD_ID},
		{"evt_0f00f578bc0657900000010000000001", 36, HW_WEBHOOK_NO_MATCH},
	};
	char longest[HW_WEBHOOK_ID_BYTES_MAX + 1];
	struct hw_webhook_request request = vector_request(VECTOR_V1);

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		request.id = rows[i].id;
		request.id_len = rows[i].len;
		expect(rows[i].id, verify(&request, VECTOR_SECRET), rows[i].want);
	}
	memset(longest, 'a', sizeof(longest));
	request.id = longest;
	request.id_len = HW_WEBHOOK_ID_BYTES_MAX;
	expect("longest", verify(&request, VECTOR_SECRET), HW_WEBHOOK_NO_MATCH);
	request.id_len++;
	expect("longer", verify(&request, VECTOR_SECRET), HW_WEBHOOK_BAD_ID);
}

static void test_verify_says_what_is_missing(void **state)
{
	const struct hw_webhook_key key = key_of(VECTOR_SECRET);
	struct hw_webhook_request request = {.body = VECTOR_BODY, .body_len = strlen(VECTOR_BODY)};
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX + 1];
	struct hw_webhook_trust trust = {keys, 0, 300};
	size_t found = 77;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = key;
	expect("no key", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_KEY);
	trust.key_count = HW_WEBHOOK_KEYS_MAX + 1;
	expect("too many", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_KEY);
	keys[1] = (struct hw_webhook_key){.kind = HW_WEBHOOK_NONE};
	trust.key_count = 2; /* the second is an empty struct, with whose secret anybody could sign */
	expect("empty", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_KEY);
	keys[1].kind = HW_WEBHOOK_SECRET;
	expect("empty secret", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_KEY);
	trust.key_count = 1;
	expect("id", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_ID);
	request.id = VECTOR_ID;
	request.id_len = strlen(VECTOR_ID);
	expect("timestamp", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_TIMESTAMP);
	request.timestamp = VECTOR_TIMESTAMP;
	request.timestamp_len = strlen(VECTOR_TIMESTAMP);
	expect("signature", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_NO_SIGNATURE);
	assert_int_equal(found, 77);
	request.signature = VECTOR_V1;
	request.signature_len = strlen(VECTOR_V1);
	expect("nothing", hw_webhook_verify(&request, &trust, VECTOR_TIME, &found), HW_WEBHOOK_OK);
	assert_int_equal(found, 0);
}

static void test_verify_bounds_the_header(void **state)
{
	static char header[HW_WEBHOOK_SIGNATURE_BYTES_MAX + 2];
	struct hw_webhook_request request = vector_request(header);
	size_t len = 0;

	(void)state; /* none */
	for (size_t i = 1; i < HW_WEBHOOK_SIGNATURES_MAX; i++)
		len += (size_t)sprintf(header + len, "v9,x ");
	len += (size_t)sprintf(header + len, VECTOR_V1);
	request.signature_len = len;
	expect("16", verify(&request, VECTOR_SECRET), HW_WEBHOOK_OK);
	request.signature_len += (size_t)sprintf(header + len, " v9,x");
	expect("17", verify(&request, VECTOR_SECRET), HW_WEBHOOK_BAD_SIGNATURE);

	memset(header, ' ', sizeof(header));
	memcpy(header + HW_WEBHOOK_SIGNATURE_BYTES_MAX - strlen(VECTOR_V1), VECTOR_V1, strlen(VECTOR_V1));
	request.signature_len = HW_WEBHOOK_SIGNATURE_BYTES_MAX;
	expect("4096 bytes", verify(&request, VECTOR_SECRET), HW_WEBHOOK_OK);
	request.signature_len++;
	expect("4097 bytes", verify(&request, VECTOR_SECRET), HW_WEBHOOK_BAD_SIGNATURE);
}

static void test_verify_refuses_bytes_that_no_header_holds(void **state)
{
	static const struct {
		const char *signature;
		size_t len;
	} rows[] = {
		{VECTOR_V1 "\t" VECTOR_V1, 2 * sizeof(VECTOR_V1) - 1},
		{VECTOR_V1 "\0", sizeof(VECTOR_V1)},
		{VECTOR_V1 "\r\n", sizeof(VECTOR_V1) + 1},
		{VECTOR_V1 " \x80", sizeof(VECTOR_V1) + 1},
		{"\x7f " VECTOR_V1, sizeof(VECTOR_V1) + 1},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_request request = vector_request(VECTOR_V1);

		request.signature = rows[i].signature;
		request.signature_len = rows[i].len;
		expect(rows[i].signature, verify(&request, VECTOR_SECRET), HW_WEBHOOK_BAD_SIGNATURE);
	}
}

static void test_verify_takes_what_sign_makes_at_every_bound(void **state)
{
	static char id[HW_WEBHOOK_ID_BYTES_MAX];
	char *body = calloc(1, HW_WEBHOOK_BODY_BYTES_MAX + 1);
	struct hw_webhook_message messages[] = {
		{"0", 1, 0, NULL, 0},
		{id, sizeof(id), INT64_MAX, body, HW_WEBHOOK_BODY_BYTES_MAX},
		{"evt_1", 5, 1700000000, "\0.\n", 3},
	};
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	size_t count = keys_of(VECTOR_SECRET " " VECTOR_PRIVATE, keys);
	char signature[SIGNATURE_SIZE];
	char timestamp[24];

	(void)state; /* none */
	assert_non_null(body);
	memset(id, '!', sizeof(id));
	for (size_t i = 0; i < 2 * ARRAY_LEN(messages); i++) {
		const struct hw_webhook_message *message = &messages[i / 2];
		struct hw_webhook_trust trust = {&keys[i % 2], 1, 0};
		int len = hw_webhook_sign(message, keys, count, signature, sizeof(signature));
		struct hw_webhook_request request = {message->id, message->id_len, timestamp,	  0,
						     signature,	  (size_t)len,	   message->body, message->body_len};

		assert_true(len > 0);
		request.timestamp_len = (size_t)sprintf(timestamp, "%lld", (long long)message->time_s);
		expect(timestamp, hw_webhook_verify(&request, &trust, message->time_s, NULL), HW_WEBHOOK_OK);
		request.body = body;
		request.body_len = HW_WEBHOOK_BODY_BYTES_MAX + 1;
		expect("body", hw_webhook_verify(&request, &trust, message->time_s, NULL), HW_WEBHOOK_BODY_TOO_LONG);
	}
	free(body);
}

static void test_every_result_has_a_text(void **state)
{
	(void)state; /* none */
	for (int i = HW_WEBHOOK_OK; i <= HW_WEBHOOK_NO_MATCH; i++) {
		assert_string_not_equal(hw_webhook_result_text(i), "unknown webhook result");
		for (int j = HW_WEBHOOK_OK; j < i; j++)
			assert_string_not_equal(hw_webhook_result_text(i), hw_webhook_result_text(j));
	}
	assert_string_equal(hw_webhook_result_text(-1), "unknown webhook result");
	assert_string_equal(hw_webhook_result_text(HW_WEBHOOK_NO_MATCH + 1), "unknown webhook result");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_gives_the_published_vectors),
		cmocka_unit_test(test_sign_refuses_what_is_out_of_bounds),
		cmocka_unit_test(test_verify_finds_the_signature_that_matches),
		cmocka_unit_test(test_verify_refuses_any_other_byte),
		cmocka_unit_test(test_verify_reads_no_truncated_signature),
		cmocka_unit_test(test_verify_looks_at_the_time),
		cmocka_unit_test(test_verify_takes_a_timestamp_of_one_form_only),
		cmocka_unit_test(test_verify_takes_no_id_that_could_be_read_twice),
		cmocka_unit_test(test_verify_says_what_is_missing),
		cmocka_unit_test(test_verify_bounds_the_header),
		cmocka_unit_test(test_verify_refuses_bytes_that_no_header_holds),
		cmocka_unit_test(test_verify_takes_what_sign_makes_at_every_bound),
		cmocka_unit_test(test_every_result_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
