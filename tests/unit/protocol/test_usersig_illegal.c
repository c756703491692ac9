/* UserSig: every way to be unreadable, too long or not of one reading. */
#include "base/compiler.h"
#include "usersig_forge.h"

static void test_verify_refuses_a_bad_json(void **state)
{
	static const char *const rows[] = {
		"",
		"\n",
		"{",
		"[]",
		"null",
		"1",
		"\"TLS.ver\"",
		"{}",
		JSON "{}",
		JSON "x",
		"\xef\xbb\xbf" JSON,
		/* each field absent */
		"{\"TLS.identifier\":\"administrator\"," FACTS END,
		"{\"TLS.ver\":\"2.0\"," FACTS END,
		HEAD "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.time\":1700000000," END,
		HEAD FACTS "\"TLS.x\":1}",
		/* each of another type */
		"{\"TLS.ver\":2.0,\"TLS.identifier\":\"administrator\"," FACTS END,
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":1," FACTS END,
		HEAD "\"TLS.sdkappid\":\"1400000001\","
		     "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		HEAD "\"TLS.sdkappid\":1400000001.0,"
		     "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.time\":\"1700000000\",\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.time\":1700000000,\"TLS.expire\":true," END,
		HEAD FACTS "\"TLS.sig\":null}",
		HEAD FACTS "\"TLS.userbuf\":1," END,
		/* out of bounds */
		"{\"TLS.ver\":\"1.0\",\"TLS.identifier\":\"administrator\"," FACTS END,
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"\"," FACTS END,
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"012345678901234567890123456789012\"," FACTS END,
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\\u0000\"," FACTS END,
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\\n\"," FACTS END,
		HEAD "\"TLS.sdkappid\":0,"
		     "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		HEAD "\"TLS.sdkappid\":5694967297,"
		     "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.time\":-1,\"TLS.expire\":180," END,
		HEAD APP_FACT "\"TLS.time\":1700000000,\"TLS.expire\":-180," END,
		HEAD APP_FACT "\"TLS.time\":9223372036854775808,\"TLS.expire\":180," END,
		HEAD FACTS "\"TLS.sig\":\"\"}",
		HEAD FACTS "\"TLS.sig\":\"" MAC "=\"}",
		/* a key twice */
		HEAD "\"TLS.identifier\":\"administrator\"," FACTS END,
		/* duplicate after unescaping */
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"other\",\"\\u0054LS.identifier\":\"administrator\"," FACTS
			END,
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = verify_json(rows[i]);

		if (code != HW_SIG_ILLEGAL)
			fail_msg("%s: %d", rows[i], code);
	}
}

static void test_verify_refuses_a_userbuf_too_long(void **state)
{
	char fields[1024];
	char text[1024];
	char userbuf[690];

	(void)state; /* none */
	for (size_t len = 684; len <= 685; len++) {
		memset(userbuf, 'A', len);
		userbuf[len] = '\0';
		(void)snprintf(fields, sizeof(fields),
			       "\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
			       "\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.userbuf\":\"%s\"",
			       userbuf); /* fits */
		(void)snprintf(text, sizeof(text),
			       "TLS.identifier:administrator\nTLS.sdkappid:1400000001\n"
			       "TLS.time:1700000000\nTLS.expire:180\nTLS.userbuf:%s\n",
			       userbuf); /* fits */
		assert_int_equal(verify_json(signed_json(fields, text)), len == 684 ? HW_OK : HW_SIG_ILLEGAL);
	}
}

static void test_verify_refuses_a_signature_cut_at_any_length(void **state)
{
	(void)state; /* none */
	for (size_t len = 0; len < strlen(vendor_sig); len++) {
		char *copy = malloc(len + 1); /* exact, so that the sanitizer sees a read behind it */
		int code;

		assert_non_null(copy);
		memcpy(copy, vendor_sig, len);
		code = verify_at(copy, len, TIME);
		free(copy);
		if (code != HW_SIG_ILLEGAL)
			fail_msg("%zu characters: %d", len, code);
	}
}

static void test_verify_refuses_a_signature_with_any_character_changed(void **state)
{
	static const char others[] = "A9*-_=+/ \n%";
	char sig[sizeof(vendor_sig)];

	(void)state; /* none */
	for (size_t i = 0; i < strlen(vendor_sig); i++) {
		for (const char *other = others; *other; other++) {
			int code;

			if (vendor_sig[i] == *other)
				continue;
			memcpy(sig, vendor_sig, sizeof(sig));
			sig[i] = *other;
			code = verify_at(sig, strlen(sig), TIME);
			if (code == HW_OK || code == HW_SIG_EXPIRED)
				fail_msg("'%c' at %zu was accepted", *other, i);
		}
	}
}

static void test_verify_refuses_a_bad_stream(void **state)
{
	static const struct seal rows[] = {
		{.level = 6, .dictionary = true},   {.level = 6, .cut_bytes = 1},     {.level = 6, .cut_bytes = 4},
		{.level = 6, .cut_bytes = 20},	    {.level = 0, .cut_bytes = 1},     {.level = 6, .rubbish_bytes = 1},
		{.level = 6, .rubbish_bytes = 100}, {.level = 0, .rubbish_bytes = 1},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = verify_json_as(&rows[i], JSON, TIME);

		if (code != HW_SIG_ILLEGAL)
			fail_msg("row %zu: %d", i, code);
	}
	assert_int_equal(verify_at("____", 4, TIME), HW_SIG_ILLEGAL);
	assert_int_equal(verify_at("AAAA", 4, TIME), HW_SIG_ILLEGAL);
}

/* `spaces` behind the JSON make it as long as wanted. */
static int verify_padded(size_t json_len, int level, size_t *sig_len_out)
{
	char *json = malloc(json_len + 1);
	char *sig = malloc(SEALED_BYTES_MAX);
	int code;

	assert_true(json && sig && json_len >= strlen(JSON));
	memset(json, ' ', json_len);
	memcpy(json, JSON, strlen(JSON));
	*sig_len_out = seal_as(&(struct seal){.level = level}, json, json_len, sig);
	code = verify_at(sig, *sig_len_out, TIME);
	free(json);
	free(sig);
	return code;
}

static void test_verify_bounds_the_inflated_size(void **state)
{
	size_t len;

	(void)state; /* none */
	assert_int_equal(verify_padded(4096, 9, &len), HW_OK);
	assert_int_equal(verify_padded(4097, 9, &len), HW_SIG_ILLEGAL);
	assert_int_equal(verify_padded(1000000, 9, &len), HW_SIG_ILLEGAL); /* a bomb that is short enough itself */
	assert_true(len <= HW_USERSIG_BYTES_MAX);
}

static void test_verify_bounds_the_signatures_length(void **state)
{
	size_t len;

	(void)state;					       /* none */
	assert_int_equal(verify_padded(1520, 0, &len), HW_OK); /* stored: length in, length out */
	assert_true(len > HW_USERSIG_BYTES_MAX - 16 && len <= HW_USERSIG_BYTES_MAX);
	assert_int_equal(verify_padded(1530, 0, &len), HW_SIG_ILLEGAL);
	assert_true(len > HW_USERSIG_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify_refuses_a_bad_json),
		cmocka_unit_test(test_verify_refuses_a_userbuf_too_long),
		cmocka_unit_test(test_verify_refuses_a_signature_cut_at_any_length),
		cmocka_unit_test(test_verify_refuses_a_signature_with_any_character_changed),
		cmocka_unit_test(test_verify_refuses_a_bad_stream),
		cmocka_unit_test(test_verify_bounds_the_inflated_size),
		cmocka_unit_test(test_verify_bounds_the_signatures_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
