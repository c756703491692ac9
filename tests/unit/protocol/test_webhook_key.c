/* Keys of Standard Webhooks: text, bytes, the public one of a private one. */
#include "base/compiler.h"
#include "webhook_vectors.h"

#include <highwater/webhook.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct hw_webhook_key parse(const char *text)
{
	struct hw_webhook_key key;
	char reason[128] = "";

	if (hw_webhook_key_parse(text, strlen(text), &key, reason, sizeof(reason)))
		fail_msg("%s: %s", text, reason);
	return key;
}

static void test_key_text_is_read_and_written_again(void **state)
{
	static const struct {
		const char *text;
		enum hw_webhook_kind kind;
		size_t len;
		const char *again;
	} rows[] = {
		{VECTOR_SECRET, HW_WEBHOOK_SECRET, 24, VECTOR_SECRET},
		{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", HW_WEBHOOK_SECRET, 25,
		 "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},
		{"whsec_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
		 HW_WEBHOOK_SECRET, 64,
		 "whsec_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="},
		{VECTOR_PRIVATE, HW_WEBHOOK_PRIVATE, 64, VECTOR_PRIVATE},
		{"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=", HW_WEBHOOK_PRIVATE, 64, VECTOR_PRIVATE},
		{VECTOR_PUBLIC, HW_WEBHOOK_PUBLIC, 32, VECTOR_PUBLIC},
	};
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_key key = parse(rows[i].text);
		size_t len = strlen(rows[i].again);

		assert_int_equal(key.kind, rows[i].kind);
		assert_int_equal(key.len, rows[i].len);
		assert_int_equal(hw_webhook_key_text(&key, text, len + 1), len);
		assert_string_equal(text, rows[i].again);
		assert_int_equal(hw_webhook_key_text(&key, text, len), -1);
	}
}

static void test_key_text_is_refused_with_a_reason(void **state)
{
#define NO_PREFIX "a key must begin with whsec_, whsk_ or whpk_"
#define NO_BASE64 "what follows the prefix of the key is not base64 (A to Z, a to z, 0 to 9, + and /, with its =)"
#define BAD_SECRET "a secret (whsec_) must have 24 to 64 bytes"
#define BAD_PRIVATE "a private key (whsk_) must have 32 bytes, or 64 with its public key"
#define BAD_PUBLIC "a public key (whpk_) must have 32 bytes"
	static const struct {
		const char *text;
		const char *reason;
	} rows[] = {
		{"", NO_PREFIX},
		{"whsec", NO_PREFIX},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NO_PREFIX},
		{"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NO_PREFIX},
		{" " VECTOR_SECRET, NO_PREFIX},
		{VECTOR_SECRET "\n", NO_BASE64},
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", NO_BASE64},
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", NO_BASE64},
		{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NO_BASE64},
		{"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir5=", NO_BASE64}, /* bits behind the end */
		{"whsec_", BAD_SECRET},
		{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", BAD_SECRET}, /* 23 */
		/* 65 and 66 */
		{"whsec_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvgo=",
		 BAD_SECRET},
		{"whsec_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvgoo",
		 BAD_SECRET},
		{"whsec_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvgooo==",
		 "a key is at most 94 characters long"},
		{"whsk_", BAD_PRIVATE},
		{"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", BAD_PRIVATE},
		{"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfV", BAD_PRIVATE}, /* 33 */
		/* a bit of the public half, and of the seed, changed */
		{"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvw==",
		 "the second half of the private key (whsk_) is not the public key of its first"},
		{"whsk_7Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
		 "the second half of the private key (whsk_) is not the public key of its first"},
		{"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", BAD_PUBLIC},
		{"whpk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
		 BAD_PUBLIC},
		{"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		 "with this public key (whpk_) anybody could sign"},
	};
	struct hw_webhook_key untouched = {.kind = HW_WEBHOOK_NONE, .len = 77};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);

		if (hw_webhook_key_parse(rows[i].text, len, &untouched, reason, sizeof(reason)) != -1 ||
		    strcmp(reason, rows[i].reason) != 0)
			fail_msg("%s: %s", rows[i].text, reason);
		assert_int_equal(hw_webhook_key_parse(rows[i].text, len, &untouched, NULL, 0), -1);
		assert_int_equal(untouched.len, 77);
	}
	assert_int_equal(hw_webhook_key_parse(VECTOR_SECRET "\0", strlen(VECTOR_SECRET) + 1, &untouched, NULL, 0), -1);
	assert_int_equal(hw_webhook_key_parse(NULL, 0, &untouched, NULL, 0), -1);
}

static void test_key_is_made_of_bytes(void **state)
{
	static const unsigned char bytes[HW_WEBHOOK_SECRET_BYTES_MAX + 1] =
		"a seed, or a secret, of bytes that are known";
	static const struct {
		enum hw_webhook_kind kind;
		size_t len;
		int want;
	} rows[] = {
		{HW_WEBHOOK_SECRET, 24, 0},   {HW_WEBHOOK_SECRET, 64, 0},  {HW_WEBHOOK_SECRET, 23, -1},
		{HW_WEBHOOK_SECRET, 65, -1},  {HW_WEBHOOK_PRIVATE, 32, 0}, {HW_WEBHOOK_PRIVATE, 31, -1},
		{HW_WEBHOOK_PRIVATE, 64, -1}, /* the second half is not its public key */
		{HW_WEBHOOK_PUBLIC, 32, 0},   {HW_WEBHOOK_PUBLIC, 33, -1}, {HW_WEBHOOK_NONE, 0, -1},
		{HW_WEBHOOK_NONE, 32, -1},    {HW_WEBHOOK_SECRET, 0, -1},  {HW_WEBHOOK_PUBLIC, 0, -1},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_key key = {.kind = HW_WEBHOOK_NONE, .len = 77};
		char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
		struct hw_webhook_key back;

		if (hw_webhook_key_make(rows[i].kind, bytes, rows[i].len, &key) != rows[i].want)
			fail_msg("row %zu", i);
		if (rows[i].want) {
			assert_int_equal(key.len, 77);
			continue;
		}
		assert_true(hw_webhook_key_text(&key, text, sizeof(text)) > 0);
		back = parse(text);
		assert_int_equal(back.kind, key.kind);
		assert_int_equal(back.len, key.len);
		assert_memory_equal(back.bytes, key.bytes, sizeof(key.bytes));
	}
	assert_int_equal(hw_webhook_key_make(HW_WEBHOOK_SECRET, NULL, 0, &(struct hw_webhook_key){0}), -1);
}

static void test_key_gives_its_public_key(void **state)
{
	static const struct {
		const char *text;
		const char *public_text; /* NULL: it has none */
	} rows[] = {
		{VECTOR_PRIVATE, VECTOR_PUBLIC},
		{VECTOR_SEED, VECTOR_SEED_PUBLIC},
		{VECTOR_PUBLIC, VECTOR_PUBLIC},
		{VECTOR_SECRET, NULL},
	};
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_webhook_key key = parse(rows[i].text);

		assert_int_equal(hw_webhook_key_public(&key, &key), rows[i].public_text ? 0 : -1);
		assert_true(hw_webhook_key_text(&key, text, sizeof(text)) > 0);
		assert_string_equal(text, rows[i].public_text ? rows[i].public_text : rows[i].text);
	}
}

static void test_key_that_is_none_gives_nothing(void **state)
{
	static const struct hw_webhook_key rows[] = {
		{.kind = HW_WEBHOOK_NONE},
		{.kind = HW_WEBHOOK_SECRET},
		{.kind = HW_WEBHOOK_PRIVATE, .len = 32},
		{.kind = HW_WEBHOOK_PUBLIC, .len = 64},
		{.kind = (enum hw_webhook_kind)9, .len = 32},
	};
	struct hw_webhook_key key = parse(VECTOR_PRIVATE);
	char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];
	struct hw_webhook_key out;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(hw_webhook_key_text(&rows[i], text, sizeof(text)), -1);
		assert_int_equal(hw_webhook_key_public(&rows[i], &out), -1);
	}
	hw_webhook_key_wipe(&key);
	assert_memory_equal(&key, &(struct hw_webhook_key){0}, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_text_is_read_and_written_again),
		cmocka_unit_test(test_key_text_is_refused_with_a_reason),
		cmocka_unit_test(test_key_is_made_of_bytes),
		cmocka_unit_test(test_key_gives_its_public_key),
		cmocka_unit_test(test_key_that_is_none_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
