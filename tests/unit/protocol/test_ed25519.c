/* Ed25519 against the vectors of RFC 8032, section 7.1, and what it must refuse. */
#include "protocol/ed25519.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct vector {
	const char *seed;
	const char *public_key;
	const char *text;
	const char *signature;
};

static const struct vector vectors[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
	 "d25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
	 "387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
	 "4a7c15e9716ed28dc027beceea1ec40a"},
};

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t len = strlen(hex) / 2;
	unsigned value;

	for (size_t i = 0; i < len; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
		out[i] = (unsigned char)value;
	}
	return len;
}

static void test_ed25519_gives_the_vectors_of_the_rfc(void **state)
{
	unsigned char seed[ED25519_KEY_BYTES];
	unsigned char want_key[ED25519_KEY_BYTES];
	unsigned char key[ED25519_KEY_BYTES];
	unsigned char want[ED25519_SIGNATURE_BYTES];
	unsigned char got[ED25519_SIGNATURE_BYTES];
	unsigned char text[2];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct str s = {(const char *)text, unhex(vectors[i].text, text)};

		unhex(vectors[i].seed, seed);
		unhex(vectors[i].public_key, want_key);
		unhex(vectors[i].signature, want);
		ed25519_public_key(seed, key);
		assert_memory_equal(key, want_key, sizeof(key));
		ed25519_sign(seed, s, got);
		assert_memory_equal(got, want, sizeof(got));
		assert_true(ed25519_verify(key, s, want));
	}
}

static void test_ed25519_refuses_any_other_signature_text_or_key(void **state)
{
	unsigned char key[ED25519_KEY_BYTES];
	unsigned char signature[ED25519_SIGNATURE_BYTES];

	(void)state; /* none */
	unhex(vectors[1].public_key, key);
	unhex(vectors[1].signature, signature);
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 0x10;
		assert_false(ed25519_verify(key, STR("\x72"), signature));
		signature[i] ^= 0x10;
	}
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] ^= 0x01;
		assert_false(ed25519_verify(key, STR("\x72"), signature));
		key[i] ^= 0x01;
	}
	assert_false(ed25519_verify(key, STR("\x73"), signature));
	assert_false(ed25519_verify(key, STR(""), signature));
	assert_true(ed25519_verify(key, STR("\x72"), signature));
}

/* S + L signs what S signs unless a verifier looks at its size. */
static void test_ed25519_refuses_a_scalar_that_is_not_reduced(void **state)
{
	unsigned char order[ED25519_KEY_BYTES];
	unsigned char key[ED25519_KEY_BYTES];
	unsigned char signature[ED25519_SIGNATURE_BYTES];
	unsigned carry = 0;

	(void)state; /* none */
	unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order);
	unhex(vectors[1].public_key, key);
	unhex(vectors[1].signature, signature);
	for (size_t i = 0; i < sizeof(order); i++) {
		carry += (unsigned)signature[32 + i] + order[i];
		signature[32 + i] = (unsigned char)(carry & 0xff);
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_false(ed25519_verify(key, STR("\x72"), signature));
}

/* With the neutral element as key the signature R = neutral, S = 0 is right for every text. */
static void test_ed25519_knows_the_keys_with_which_anybody_signs(void **state)
{
	static const unsigned char neutral[ED25519_KEY_BYTES] = {1};
	static const unsigned char forged[ED25519_SIGNATURE_BYTES] = {1};
	static const char *const weak[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	unsigned char key[ED25519_KEY_BYTES];

	(void)state;						       /* none */
	assert_true(ed25519_verify(neutral, STR("anything"), forged)); /* why the check is there */
	for (size_t i = 0; i < ARRAY_LEN(weak); i++) {
		unhex(weak[i], key);
		if (!ed25519_is_weak(key))
			fail_msg("%s", weak[i]);
		key[7] ^= 0x40;
		if (ed25519_is_weak(key))
			fail_msg("%s with a bit changed", weak[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		unhex(vectors[i].public_key, key);
		assert_false(ed25519_is_weak(key));
	}
}

/* Another connection's SSL_get_error on this thread would take it for its own. */
static void test_ed25519_leaves_no_openssl_error(void **state)
{
	static const unsigned char no_signature[ED25519_SIGNATURE_BYTES] = {0xff};
	static const unsigned char no_point[ED25519_KEY_BYTES] = {2}; /* no x belongs to this y */
	unsigned char key[ED25519_KEY_BYTES];

	(void)state; /* none */
	unhex(vectors[0].public_key, key);
	ERR_clear_error();
	assert_false(ed25519_verify(no_point, STR("a"), no_signature));
	assert_false(ed25519_verify(key, STR("a"), no_signature));
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ed25519_gives_the_vectors_of_the_rfc),
		cmocka_unit_test(test_ed25519_refuses_any_other_signature_text_or_key),
		cmocka_unit_test(test_ed25519_refuses_a_scalar_that_is_not_reduced),
		cmocka_unit_test(test_ed25519_knows_the_keys_with_which_anybody_signs),
		cmocka_unit_test(test_ed25519_leaves_no_openssl_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
