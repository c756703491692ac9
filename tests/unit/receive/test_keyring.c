/* Keys from a file's lines and a variable's words: what is taken, and each refusal with its place and without the key. */
#include "base/compiler.h"
#include "receive/keyring.h"
#include "unit/protocol/webhook_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OTHER_SECRET "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FOUR OTHER_SECRET "\n" OTHER_SECRET "\n" OTHER_SECRET "\n" OTHER_SECRET "\n"

typedef int (*reader)(struct str text, struct keyring *out, struct error *err);

/* What the keyring should hold: the texts of keys with spaces between, in order. */
static void expect_keys(const struct keyring *keyring, const char *wanted)
{
	char found[HW_WEBHOOK_KEYS_MAX * (HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1) + 1] = "";

	for (size_t i = 0; i < keyring->count; i++) {
		char text[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1];

		assert_true(hw_webhook_key_text(&keyring->keys[i], text, sizeof(text)) > 0);
		(void)strcat(strcat(found, i ? " " : ""), text); /* fits: at most so many */
	}
	assert_string_equal(found, wanted);
}

static void read_ok(reader read, const char *text, struct keyring *out)
{
	struct error err;

	if (read(str_c(text), out, &err))
		fail_msg("%s: %s", text, err.text);
}

static void read_fails(reader read, const char *text, const char *words)
{
	static const struct keyring none;
	struct keyring keyring;
	struct error err;

	memset(&keyring, 'x', sizeof(keyring));
	assert_int_equal(read(str_c(text), &keyring, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	for (const char *key = text; (key = strstr(key, "wh")); key += 2)
		if (strlen(key) >= 12) {
			char part[13] = "";

			memcpy(part, key, sizeof(part) - 1);
			assert_null(strstr(err.text, part));
		}
	assert_memory_equal(&keyring, &none, sizeof(none));
}

static void test_keyring_reads_lines(void **state)
{
	static const struct {
		const char *text;
		const char *keys;
	} cases[] = {
		{VECTOR_SECRET, VECTOR_SECRET},
		{VECTOR_SECRET "\n", VECTOR_SECRET},
		{VECTOR_SECRET "\r\n" VECTOR_PUBLIC "\r\n", VECTOR_SECRET " " VECTOR_PUBLIC},
		{"# the new one\n" VECTOR_PUBLIC "\n\n  \n  # the old one\n  " VECTOR_SECRET "  \n#" OTHER_SECRET,
		 VECTOR_PUBLIC " " VECTOR_SECRET},
		{FOUR FOUR, OTHER_SECRET " " OTHER_SECRET " " OTHER_SECRET " " OTHER_SECRET " " OTHER_SECRET
					 " " OTHER_SECRET " " OTHER_SECRET " " OTHER_SECRET},
	};
	struct keyring keyring;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_ok(keyring_read_lines, cases[i].text, &keyring);
		expect_keys(&keyring, cases[i].keys);
	}
}

static void test_keyring_reads_words(void **state)
{
	static const struct {
		const char *text;
		const char *keys;
	} cases[] = {
		{VECTOR_SECRET, VECTOR_SECRET},
		{VECTOR_SECRET " " VECTOR_PUBLIC, VECTOR_SECRET " " VECTOR_PUBLIC},
		{VECTOR_SECRET "," VECTOR_PUBLIC, VECTOR_SECRET " " VECTOR_PUBLIC},
		{" , " VECTOR_PUBLIC " ,," VECTOR_SECRET ", ", VECTOR_PUBLIC " " VECTOR_SECRET},
	};
	struct keyring keyring;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_ok(keyring_read_words, cases[i].text, &keyring);
		expect_keys(&keyring, cases[i].keys);
	}
}

/* Nothing here can sign, so the private half is nowhere in the keyring. */
static void test_keyring_keeps_the_public_half_of_private_keys(void **state)
{
	struct hw_webhook_key private_key;
	struct keyring keyring;

	(void)state;
	read_ok(keyring_read_lines, VECTOR_SECRET "\n" VECTOR_PRIVATE "\n" VECTOR_SEED "\n" VECTOR_PUBLIC, &keyring);
	expect_keys(&keyring, VECTOR_SECRET " " VECTOR_PUBLIC " " VECTOR_SEED_PUBLIC " " VECTOR_PUBLIC);
	assert_false(keyring.was_private[0]);
	assert_true(keyring.was_private[1]);
	assert_true(keyring.was_private[2]);
	assert_false(keyring.was_private[3]);
	assert_int_equal(hw_webhook_key_parse(VECTOR_PRIVATE, strlen(VECTOR_PRIVATE), &private_key, NULL, 0), 0);
	assert_null(memmem(&keyring, sizeof(keyring), private_key.bytes, HW_WEBHOOK_SEED_BYTES));
}

static void test_keyring_refuses_with_the_line(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "holds no key"},
		{"\n\r\n  \n# " VECTOR_SECRET "\n", "holds no key"},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "line 1: a key must begin with whsec_, whsk_ or whpk_"},
		{VECTOR_SECRET "\n\n# old\nWHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "line 4: a key must begin with"},
		{"\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "line 2: what follows the prefix of the key is not base64"},
		{VECTOR_SECRET " # new", "line 1: what follows the prefix of the key is not base64"},
		{VECTOR_SECRET "," OTHER_SECRET, "line 1: what follows the prefix of the key is not base64"},
		{"whsec_AAAA", "line 1: a secret (whsec_) must have 24 to 64 bytes"},
		{"whpk_AAAA", "line 1: a public key (whpk_) must have 32 bytes"},
		{"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "anybody could sign"},
		{FOUR FOUR "\n\n" OTHER_SECRET, "line 11: more than 8 keys"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		read_fails(keyring_read_lines, cases[i].text, cases[i].words);
}

static void test_keyring_refuses_with_the_number_of_the_word(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "holds no key"},
		{" , ,", "holds no key"},
		{"secret", "key 1: a key must begin with"},
		{VECTOR_SECRET ", whsec_AAAA", "key 2: a secret (whsec_) must have 24 to 64 bytes"},
		{VECTOR_SECRET "\n" OTHER_SECRET, "key 1: what follows the prefix of the key is not base64"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		read_fails(keyring_read_words, cases[i].text, cases[i].words);
}

static void test_keyring_wipe_leaves_nothing(void **state)
{
	static const struct keyring none;
	struct keyring keyring;

	(void)state;
	read_ok(keyring_read_lines, VECTOR_SECRET "\n" VECTOR_PRIVATE, &keyring);
	keyring_wipe(&keyring);
	assert_memory_equal(&keyring, &none, sizeof(none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyring_reads_lines),
		cmocka_unit_test(test_keyring_reads_words),
		cmocka_unit_test(test_keyring_keeps_the_public_half_of_private_keys),
		cmocka_unit_test(test_keyring_refuses_with_the_line),
		cmocka_unit_test(test_keyring_refuses_with_the_number_of_the_word),
		cmocka_unit_test(test_keyring_wipe_leaves_nothing),
	};

	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
