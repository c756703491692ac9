/* UserSig: vectors of the vendor's generators, every field tampered with, the time. */
#include "base/compiler.h"
#include "usersig_forge.h"

static struct hw_usersig_params params_good(void)
{
	return (struct hw_usersig_params){APP, ID, KEY, strlen(KEY), TIME, EXPIRE, NULL, 0};
}

/* What a signature holds, inflated. */
static void open_sig(const char *sig, char *json, size_t size)
{
	unsigned char packed[4096];
	char text[4096];
	uLongf len = size - 1;
	size_t pads = 0;
	int packed_len;

	(void)snprintf(text, sizeof(text), "%s", sig); /* at most 2048 */
	for (char *c = text; *c; c++) {
		pads += *c == '_';
		*c = *c == '*' ? '+' : *c == '-' ? '/' : *c == '_' ? '=' : *c;
	}
	packed_len = EVP_DecodeBlock(packed, (unsigned char *)text, (int)strlen(text));
	assert_true(packed_len > 0);
	assert_int_equal(uncompress((Bytef *)json, &len, packed, (uLong)packed_len - pads), Z_OK);
	json[len] = '\0';
}

/* ---- vectors ---- */

static void test_verify_accepts_the_vendors_vector(void **state)
{
	struct hw_usersig_facts facts = {0};

	(void)state; /* none */
	assert_int_equal(hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, KEY, strlen(KEY), TIME, &facts),
			 HW_OK);
	assert_int_equal(facts.time_s, TIME);
	assert_int_equal(facts.expire_s, EXPIRE);
}

static void test_generate_writes_the_vectors_json(void **state)
{
	struct hw_usersig_params params = params_good();
	char sig[HW_USERSIG_BYTES_MAX + 1];
	char json[2048];
	int len = hw_usersig_generate(&params, sig, sizeof(sig));

	(void)state; /* none */
	assert_true(len > 0);
	assert_int_equal(len, strlen(sig));
	open_sig(sig, json, sizeof(json));
	assert_string_equal(json, JSON);
}

static void test_generate_writes_the_vectors_userbuf(void **state)
{
	struct hw_usersig_params params = params_good();
	char sig[HW_USERSIG_BYTES_MAX + 1];
	char json[2048];

	(void)state; /* none */
	params.userbuf = "abc";
	params.userbuf_len = 3;
	assert_true(hw_usersig_generate(&params, sig, sizeof(sig)) > 0);
	open_sig(sig, json, sizeof(json));
	assert_string_equal(json, HEAD FACTS "\"TLS.userbuf\":\"YWJj\",\"TLS.sig\":\"" MAC_ABC "\"}");
	assert_int_equal(verify_at(sig, strlen(sig), TIME), HW_OK);
}

static void test_verify_accepts_every_generators_style(void **state)
{
	static const struct {
		const char *name;
		const char *json;
		struct seal how;
	} rows[] = {
		{"php",
		 HEAD APP_FACT "\"TLS.expire\":180,\"TLS.time\":1700000000,"
			       "\"TLS.sig\":\"1dMSg55dS5fS1e\\/yxMrX\\/L3btBzVAE1sshSqhtfadM8=\"}",
		 {.level = 6}},
		{"python",
		 "{\"TLS.ver\": \"2.0\", \"TLS.identifier\": \"administrator\", \"TLS.sdkappid\": 1400000001, "
		 "\"TLS.expire\": 180, \"TLS.time\": 1700000000, \"TLS.sig\": \"" MAC "\"}",
		 {.level = 6}},
		{"python, escaped letters",
		 "{\"TLS.ver\": \"2.0\", \"TLS.identifier\": \"\\u0061dministrator\", " FACTS "\"TLS.sig\": \"" MAC
		 "\"}",
		 {.level = 6}},
		{"go",
		 "{\"TLS.expire\":180,\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,\"TLS.sig\":"
		 "\"" MAC "\",\"TLS.time\":1700000000,\"TLS.ver\":\"2.0\"}\n",
		 {.level = 0, .flush_first = true}},
		{"java",
		 "{\"TLS.sig\":\"" MAC "\",\"TLS.time\":1700000000,\"TLS.sdkappid\":1400000001,"
		 "\"TLS.identifier\":\"administrator\",\"TLS.expire\":180,\"TLS.ver\":\"2.0\"}",
		 {.level = 6}},
		{"c++", JSON, {.level = 1}},
		{"best level", JSON, {.level = 9}},
		{"unknown field",
		 "{\"TLS.ver\":\"2.0\",\"TLS.new\":[1],\"TLS.identifier\":\"administrator\"," FACTS END,
		 {.level = 6}},
		{"null userbuf",
		 "{\"TLS.ver\":\"2.0\",\"TLS.userbuf\":null,\"TLS.identifier\":\"administrator\"," FACTS END,
		 {.level = 6}},
		{"userbuf", HEAD FACTS "\"TLS.userbuf\":\"YWJj\",\"TLS.sig\":\"" MAC_ABC "\"}", {.level = 6}},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = verify_json_as(&rows[i].how, rows[i].json, TIME);

		if (code != HW_OK)
			fail_msg("%s: %d", rows[i].name, code);
	}
}

/* ---- generate ---- */

static void test_generate_and_verify_agree_at_the_limits(void **state)
{
	char long_id[HW_IDENTIFIER_BYTES_MAX + 1];
	char long_key[HW_USERSIG_KEY_BYTES_MAX];
	unsigned char userbuf[HW_USERSIG_USERBUF_BYTES_MAX];
	char sig[HW_USERSIG_BYTES_MAX + 1];
	struct hw_usersig_params rows[] = {
		{1, "a", "k", 1, 0, 1, NULL, 0},
		{UINT32_MAX, "\"\\/\xc3\xa9 x", "key\0with NUL", 12, TIME, HW_USERSIG_EXPIRE_MAX_S, "", 0},
		{APP, long_id, long_key, sizeof(long_key), INT64_MAX, HW_USERSIG_EXPIRE_MAX_S, userbuf,
		 sizeof(userbuf)},
	};

	(void)state; /* none */
	memset(long_id, 'z', HW_IDENTIFIER_BYTES_MAX);
	long_id[HW_IDENTIFIER_BYTES_MAX] = '\0';
	for (size_t i = 0; i < sizeof(long_key); i++)
		long_key[i] = (char)i;
	for (size_t i = 0; i < sizeof(userbuf); i++)
		userbuf[i] = (unsigned char)(i * 167 + i / 256 * 31); /* hardly to compress */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int len = hw_usersig_generate(&rows[i], sig, sizeof(sig));

		assert_true(len > 0);
		assert_int_equal(len, strlen(sig));
		assert_int_equal(hw_usersig_verify(sig, (size_t)len, rows[i].sdkappid, rows[i].identifier, rows[i].key,
						   rows[i].key_len, rows[i].time_s, NULL),
				 HW_OK);
	}
}

static void test_generate_refuses_what_is_out_of_bounds(void **state)
{
	static const char long_id[] = "012345678901234567890123456789012";
	static const char long_key[HW_USERSIG_KEY_BYTES_MAX + 1];
	static const char long_userbuf[HW_USERSIG_USERBUF_BYTES_MAX + 1];
	struct hw_usersig_params rows[] = {
		{0, ID, KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, "", KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, NULL, KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, long_id, KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, "a\nTLS.sdkappid:1", KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, "a\x7f", KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, "a\xff", KEY, 20, TIME, EXPIRE, NULL, 0},
		{APP, ID, NULL, 20, TIME, EXPIRE, NULL, 0},
		{APP, ID, KEY, 0, TIME, EXPIRE, NULL, 0},
		{APP, ID, long_key, sizeof(long_key), TIME, EXPIRE, NULL, 0},
		{APP, ID, KEY, 20, -1, EXPIRE, NULL, 0},
		{APP, ID, KEY, 20, TIME, 0, NULL, 0},
		{APP, ID, KEY, 20, TIME, (int64_t)HW_USERSIG_EXPIRE_MAX_S + 1, NULL, 0},
		{APP, ID, KEY, 20, TIME, EXPIRE, long_userbuf, sizeof(long_userbuf)},
	};
	char sig[HW_USERSIG_BYTES_MAX + 1];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (hw_usersig_generate(&rows[i], sig, sizeof(sig)) != -1)
			fail_msg("row %zu was accepted", i);
}

static void test_generate_refuses_a_small_output(void **state)
{
	struct hw_usersig_params params = params_good();
	char sig[HW_USERSIG_BYTES_MAX + 1];
	int len = hw_usersig_generate(&params, sig, sizeof(sig));
	char exact[HW_USERSIG_BYTES_MAX + 1] = "untouched";

	(void)state; /* none */
	assert_true(len > 0);
	assert_int_equal(hw_usersig_generate(&params, exact, 0), -1);
	assert_int_equal(hw_usersig_generate(&params, exact, (size_t)len), -1);
	assert_string_equal(exact, "untouched");
	assert_int_equal(hw_usersig_generate(&params, exact, (size_t)len + 1), len);
}

/* ---- wrong ---- */

static void test_verify_tells_whose_signature_it_is(void **state)
{
	static const struct {
		uint32_t sdkappid;
		const char *identifier;
		const char *key;
		int code;
	} rows[] = {
		{APP, ID, KEY, HW_OK},
		{APP + 1, ID, KEY, HW_SIG_WRONG_SDKAPPID},
		{APP, "administrato", KEY, HW_SIG_WRONG_IDENTIFIER},
		{APP, "Administrator", KEY, HW_SIG_WRONG_IDENTIFIER},
		{APP, "", KEY, HW_SIG_WRONG_IDENTIFIER},
		{APP, ID, "testsecret012345678", HW_SIG_WRONG_KEY},
		{APP, ID, "Testsecret0123456789", HW_SIG_WRONG_KEY},
		{APP, ID, "", HW_SIG_WRONG_KEY},
		/* the first fault that applies: app, identifier, key */
		{APP + 1, "other", "other", HW_SIG_WRONG_SDKAPPID},
		{APP, "other", "other", HW_SIG_WRONG_IDENTIFIER},
		{APP, ID, "other", HW_SIG_WRONG_KEY},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = hw_usersig_verify(vendor_sig, strlen(vendor_sig), rows[i].sdkappid, rows[i].identifier,
					     rows[i].key, strlen(rows[i].key), TIME, NULL);

		if (code != rows[i].code)
			fail_msg("row %zu: %d instead of %d", i, code, rows[i].code);
	}
}

static void test_verify_refuses_a_key_out_of_bounds(void **state)
{
	static const char long_key[HW_USERSIG_KEY_BYTES_MAX + 1];

	(void)state; /* none */
	assert_int_equal(
		hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, long_key, sizeof(long_key), TIME, NULL),
		HW_SIG_WRONG_KEY);
	assert_int_equal(hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, NULL, 0, TIME, NULL),
			 HW_SIG_WRONG_KEY);
}

static void test_verify_refuses_each_field_tampered_with(void **state)
{
	static const struct {
		const char *json;
		int code;
	} rows[] = {
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administratos\"," FACTS END, HW_SIG_WRONG_IDENTIFIER},
		{HEAD "\"TLS.sdkappid\":1400000002,"
		      "\"TLS.time\":1700000000,\"TLS.expire\":180," END,
		 HW_SIG_WRONG_SDKAPPID},
		{HEAD APP_FACT "\"TLS.time\":1700000001,\"TLS.expire\":180," END, HW_SIG_WRONG_KEY},
		{HEAD APP_FACT "\"TLS.time\":1700000000,\"TLS.expire\":181," END, HW_SIG_WRONG_KEY},
		{HEAD FACTS "\"TLS.userbuf\":\"YWJj\"," END, HW_SIG_WRONG_KEY},
		{HEAD FACTS "\"TLS.userbuf\":\"\"," END, HW_SIG_WRONG_KEY},
		{HEAD FACTS "\"TLS.userbuf\":\"YWJk\",\"TLS.sig\":\"" MAC_ABC "\"}", HW_SIG_WRONG_KEY},
		{HEAD FACTS "\"TLS.sig\":\"" MAC_ABC "\"}", HW_SIG_WRONG_KEY}, /* userbuf taken away */
		{HEAD FACTS "\"TLS.sig\":\"1dMSg55dS5fS1e/yxMrX/L3btBzVAE1sshSqhtfadM9=\"}", HW_SIG_WRONG_KEY},
		{HEAD FACTS "\"TLS.sig\":\"1dMSg55dS5fS1e-yxMrX-L3btBzVAE1sshSqhtfadM8_\"}",
		 HW_SIG_WRONG_KEY}, /* inner one URL-safe */
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = verify_json(rows[i].json);

		if (code != rows[i].code)
			fail_msg("row %zu: %d instead of %d", i, code, rows[i].code);
	}
}

/* A client in the wild signs one line more than the scheme knows. */
static void test_verify_refuses_an_extra_signed_line(void **state)
{
	const char *json = signed_json("\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
				       "\"TLS.time\":1700000000,\"TLS.expire\":180",
				       "TLS.identifier:administrator\nTLS.sdkappid:1400000001\nTLS.time:1700000000\n"
				       "TLS.expire:180\nTLS.ext:undefined\n");

	(void)state; /* none */
	assert_int_equal(verify_json(json), HW_SIG_WRONG_KEY);
}

/* Two sets of facts with one signed text: the line break in the identifier must be refused, not looked at. */
static void test_verify_refuses_lines_inside_the_identifier(void **state)
{
	const char *json =
		signed_json("\"TLS.identifier\":\"a\\nTLS.sdkappid:1400000001\",\"TLS.sdkappid\":2,"
			    "\"TLS.time\":1700000000,\"TLS.expire\":180",
			    "TLS.identifier:a\nTLS.sdkappid:1400000001\nTLS.sdkappid:2\nTLS.time:1700000000\n"
			    "TLS.expire:180\n");
	char sig[SEALED_BYTES_MAX];
	size_t len = seal_as(&(struct seal){.level = 6}, json, strlen(json), sig);

	(void)state; /* none */
	assert_int_equal(hw_usersig_verify(sig, len, 2, "a\nTLS.sdkappid:1400000001", KEY, strlen(KEY), TIME, NULL),
			 HW_SIG_ILLEGAL);
}

static void test_verify_refuses_a_userbuf_with_lines(void **state)
{
	const char *json = signed_json("\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
				       "\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.userbuf\":\"YWJj\\n\"",
				       "TLS.identifier:administrator\nTLS.sdkappid:1400000001\nTLS.time:1700000000\n"
				       "TLS.expire:180\nTLS.userbuf:YWJj\n\n");

	(void)state; /* none */
	assert_int_equal(verify_json(json), HW_SIG_ILLEGAL);
}

/* ---- time ---- */

static void test_verify_is_valid_until_the_last_second(void **state)
{
	static const struct {
		int64_t now_s;
		int code;
	} rows[] = {
		{TIME, HW_OK},
		{TIME + EXPIRE, HW_OK},
		{TIME + EXPIRE + 1, HW_SIG_EXPIRED},
		{INT64_MAX, HW_SIG_EXPIRED},
		{TIME - 1, HW_OK},
		{0, HW_OK},
		{-1, HW_OK},
		{INT64_MIN, HW_OK},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (verify_at(vendor_sig, strlen(vendor_sig), rows[i].now_s) != rows[i].code)
			fail_msg("row %zu", i);
}

static void test_verify_survives_times_whose_sum_does_not_fit(void **state)
{
	const char *json = signed_json("\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
				       "\"TLS.time\":9223372036854775807,\"TLS.expire\":9223372036854775807",
				       "TLS.identifier:administrator\nTLS.sdkappid:1400000001\n"
				       "TLS.time:9223372036854775807\nTLS.expire:9223372036854775807\n");

	(void)state; /* none */
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, INT64_MAX), HW_OK);
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, INT64_MIN), HW_OK);
	json = signed_json(
		"\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,\"TLS.time\":0,\"TLS.expire\":0",
		"TLS.identifier:administrator\nTLS.sdkappid:1400000001\nTLS.time:0\nTLS.expire:0\n");
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, 0), HW_OK);
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, 1), HW_SIG_EXPIRED);
}

static void test_verify_fills_facts_only_when_the_hmac_matched(void **state)
{
	struct hw_usersig_facts facts = {1, 2};
	int code = hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, "other", 5, TIME + 1000, &facts);

	(void)state;				  /* none */
	assert_int_equal(code, HW_SIG_WRONG_KEY); /* expired too, which is looked at last */
	assert_int_equal(facts.time_s, 1);
	assert_int_equal(facts.expire_s, 2);
	code = hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, KEY, strlen(KEY), TIME + 1000, &facts);
	assert_int_equal(code, HW_SIG_EXPIRED);
	assert_int_equal(facts.time_s, TIME);
	assert_int_equal(facts.expire_s, EXPIRE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify_accepts_the_vendors_vector),
		cmocka_unit_test(test_generate_writes_the_vectors_json),
		cmocka_unit_test(test_generate_writes_the_vectors_userbuf),
		cmocka_unit_test(test_verify_accepts_every_generators_style),
		cmocka_unit_test(test_generate_and_verify_agree_at_the_limits),
		cmocka_unit_test(test_generate_refuses_what_is_out_of_bounds),
		cmocka_unit_test(test_generate_refuses_a_small_output),
		cmocka_unit_test(test_verify_tells_whose_signature_it_is),
		cmocka_unit_test(test_verify_refuses_a_key_out_of_bounds),
		cmocka_unit_test(test_verify_refuses_each_field_tampered_with),
		cmocka_unit_test(test_verify_refuses_an_extra_signed_line),
		cmocka_unit_test(test_verify_refuses_lines_inside_the_identifier),
		cmocka_unit_test(test_verify_refuses_a_userbuf_with_lines),
		cmocka_unit_test(test_verify_is_valid_until_the_last_second),
		cmocka_unit_test(test_verify_survives_times_whose_sum_does_not_fit),
		cmocka_unit_test(test_verify_fills_facts_only_when_the_hmac_matched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
