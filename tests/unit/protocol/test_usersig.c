/* UserSig: vectors of the vendor's generators, every field tampered with, every way to be illegal. Signatures that our
 * own generator would not make are built here with zlib and OpenSSL alone. */
#include "base/compiler.h"

#include <highwater/code.h>
#include <highwater/usersig.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

#define APP 1400000001U
#define KEY "testsecret0123456789"
#define ID "administrator"
#define TIME 1700000000
#define EXPIRE 180
#define MAC "1dMSg55dS5fS1e/yxMrX/L3btBzVAE1sshSqhtfadM8="
#define MAC_ABC "HNLC4zmZn7ZaDFOpOd92KW1ImK9yRfyMYY90cr5+gpU="
#define FACTS "\"TLS.sdkappid\":1400000001,\"TLS.time\":1700000000,\"TLS.expire\":180,"
#define JSON "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC "\"}"
#define SEALED_BYTES_MAX 16384

/* Made by the vendor's generator for Node with the values above. */
static const char vendor_sig[] = "eJwtysEKwjAQBNB-2bO0iRosAQ8K3ppTRLxGNmmX0hqTIFXx38Umc5s384Fzq6unDSBhXTFYLZ3QTokc"
				 "LWxwpIliCibdQzlEHIz3hCD5luXwvCQaLUi*K8qy2tlT*HtTIFIHEjgq3QmBWjjNbf2aVbjW7eaWju-L4cRj"
				 "7PWjT86gavbw-QFNoTOy";

static size_t encode(const unsigned char *bytes, size_t len, char *out)
{
	int chars = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);

	for (char *c = out; *c; c++)
		*c = *c == '+' ? '*' : *c == '/' ? '-' : *c == '=' ? '_' : *c;
	return (size_t)chars;
}

struct seal {
	int level;
	bool flush_first;	/* an empty stored block before the end, as Go's writer leaves */
	bool dictionary;
	size_t cut_bytes;	/* from the end */
	size_t rubbish_bytes;	/* behind the end */
};

static size_t seal_as(const struct seal *how, const char *text, size_t len, char out[SEALED_BYTES_MAX])
{
	unsigned char packed[SEALED_BYTES_MAX / 2];
	z_stream stream = {0};
	size_t packed_len;

	assert_int_equal(deflateInit(&stream, how->level), Z_OK);
	if (how->dictionary)
		assert_int_equal(deflateSetDictionary(&stream, (const Bytef *)"TLS.", 4), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)len;
	stream.next_out = packed;
	stream.avail_out = sizeof(packed);
	if (how->flush_first)
		assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	packed_len = sizeof(packed) - stream.avail_out - how->cut_bytes;
	memset(packed + packed_len, 0, how->rubbish_bytes);
	assert_int_equal(deflateEnd(&stream), Z_OK);
	return encode(packed, packed_len + how->rubbish_bytes, out);
}

static int verify_at(const char *sig, size_t len, int64_t now_s)
{
	return hw_usersig_verify(sig, len, APP, ID, KEY, strlen(KEY), now_s, NULL);
}

static int verify_json_as(const struct seal *how, const char *json, int64_t now_s)
{
	char sig[SEALED_BYTES_MAX];
	size_t len = seal_as(how, json, strlen(json), sig);

	return verify_at(sig, len, now_s);
}

static int verify_json(const char *json)
{
	return verify_json_as(&(struct seal){.level = 6}, json, TIME);
}

/* A JSON whose HMAC is right for the text given. */
static const char *signed_json(const char *fields, const char *text)
{
	static char json[2048];
	unsigned char mac[32];
	char mac_text[45];
	unsigned len;

	assert_non_null(HMAC(EVP_sha256(), KEY, (int)strlen(KEY), (const unsigned char *)text, strlen(text), mac, &len));
	(void)EVP_EncodeBlock((unsigned char *)mac_text, mac, 32); /* 44 characters */
	(void)snprintf(json, sizeof(json), "{\"TLS.ver\":\"2.0\",%s,\"TLS.sig\":\"%s\"}", fields, mac_text); /* fits */
	return json;
}

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
	assert_int_equal(hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, KEY, strlen(KEY), TIME, &facts), HW_OK);
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
	assert_string_equal(json, "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
				  "\"TLS.userbuf\":\"YWJj\",\"TLS.sig\":\"" MAC_ABC "\"}");
	assert_int_equal(verify_at(sig, strlen(sig), TIME), HW_OK);
}

static void test_verify_accepts_every_generators_style(void **state)
{
	static const struct {
		const char *name;
		const char *json;
		struct seal how;
	} rows[] = {
		{"php", "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
			"\"TLS.expire\":180,\"TLS.time\":1700000000,"
			"\"TLS.sig\":\"1dMSg55dS5fS1e\\/yxMrX\\/L3btBzVAE1sshSqhtfadM8=\"}", {.level = 6}},
		{"python", "{\"TLS.ver\": \"2.0\", \"TLS.identifier\": \"administrator\", \"TLS.sdkappid\": 1400000001, "
			   "\"TLS.expire\": 180, \"TLS.time\": 1700000000, \"TLS.sig\": \"" MAC "\"}", {.level = 6}},
		{"python, escaped letters", "{\"TLS.ver\": \"2.0\", \"TLS.identifier\": \"\\u0061dministrator\", " FACTS
			   "\"TLS.sig\": \"" MAC "\"}", {.level = 6}},
		{"go", "{\"TLS.expire\":180,\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,\"TLS.sig\":\""
		       MAC "\",\"TLS.time\":1700000000,\"TLS.ver\":\"2.0\"}\n", {.level = 0, .flush_first = true}},
		{"java", "{\"TLS.sig\":\"" MAC "\",\"TLS.time\":1700000000,\"TLS.sdkappid\":1400000001,"
			 "\"TLS.identifier\":\"administrator\",\"TLS.expire\":180,\"TLS.ver\":\"2.0\"}", {.level = 6}},
		{"c++", JSON, {.level = 1}},
		{"best level", JSON, {.level = 9}},
		{"unknown field", "{\"TLS.ver\":\"2.0\",\"TLS.new\":[1],\"TLS.identifier\":\"administrator\"," FACTS
				  "\"TLS.sig\":\"" MAC "\"}", {.level = 6}},
		{"null userbuf", "{\"TLS.ver\":\"2.0\",\"TLS.userbuf\":null,\"TLS.identifier\":\"administrator\"," FACTS
				 "\"TLS.sig\":\"" MAC "\"}", {.level = 6}},
		{"userbuf", "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
			    "\"TLS.userbuf\":\"YWJj\",\"TLS.sig\":\"" MAC_ABC "\"}", {.level = 6}},
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
		{APP, long_id, long_key, sizeof(long_key), INT64_MAX, HW_USERSIG_EXPIRE_MAX_S, userbuf, sizeof(userbuf)},
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
	assert_int_equal(hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, long_key, sizeof(long_key), TIME, NULL),
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
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administratos\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		 HW_SIG_WRONG_IDENTIFIER},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000002,"
		 "\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}", HW_SIG_WRONG_SDKAPPID},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		 "\"TLS.time\":1700000001,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		 "\"TLS.time\":1700000000,\"TLS.expire\":181,\"TLS.sig\":\"" MAC "\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
		 "\"TLS.userbuf\":\"YWJj\",\"TLS.sig\":\"" MAC "\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
		 "\"TLS.userbuf\":\"\",\"TLS.sig\":\"" MAC "\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
		 "\"TLS.userbuf\":\"YWJk\",\"TLS.sig\":\"" MAC_ABC "\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC_ABC "\"}",
		 HW_SIG_WRONG_KEY}, /* userbuf taken away */
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
		 "\"TLS.sig\":\"1dMSg55dS5fS1e/yxMrX/L3btBzVAE1sshSqhtfadM9=\"}", HW_SIG_WRONG_KEY},
		{"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS
		 "\"TLS.sig\":\"1dMSg55dS5fS1e-yxMrX-L3btBzVAE1sshSqhtfadM8_\"}", HW_SIG_WRONG_KEY}, /* inner one URL-safe */
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
	const char *json = signed_json("\"TLS.identifier\":\"a\\nTLS.sdkappid:1400000001\",\"TLS.sdkappid\":2,"
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

/* ---- illegal ---- */

static void test_verify_refuses_a_bad_json(void **state)
{
	static const char *const rows[] = {
		"", "\n", "{", "[]", "null", "1", "\"TLS.ver\"", "{}",
		JSON "{}", JSON "x", "\xef\xbb\xbf" JSON,
		/* each field absent */
		"{\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.time\":1700000000,\"TLS.expire\":180,"
		"\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,\"TLS.expire\":180,"
		"\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":1700000000,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.x\":1}",
		/* each of another type */
		"{\"TLS.ver\":2.0,\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":1," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":\"1400000001\","
		"\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001.0,"
		"\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":\"1700000000\",\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":1700000000,\"TLS.expire\":true,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":null}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.userbuf\":1,\"TLS.sig\":\"" MAC "\"}",
		/* out of bounds */
		"{\"TLS.ver\":\"1.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"012345678901234567890123456789012\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\\u0000\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\\n\"," FACTS "\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":0,"
		"\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":5694967297,"
		"\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":-1,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":1700000000,\"TLS.expire\":-180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
		"\"TLS.time\":9223372036854775808,\"TLS.expire\":180,\"TLS.sig\":\"" MAC "\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"\"}",
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\"," FACTS "\"TLS.sig\":\"" MAC "=\"}",
		/* a key twice */
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\",\"TLS.identifier\":\"administrator\"," FACTS
		"\"TLS.sig\":\"" MAC "\"}",
		/* duplicate after unescaping */
		"{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"other\",\"\\u0054LS.identifier\":\"administrator\"," FACTS
		"\"TLS.sig\":\"" MAC "\"}",
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
		(void)snprintf(fields, sizeof(fields), "\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,"
			       "\"TLS.time\":1700000000,\"TLS.expire\":180,\"TLS.userbuf\":\"%s\"", userbuf); /* fits */
		(void)snprintf(text, sizeof(text), "TLS.identifier:administrator\nTLS.sdkappid:1400000001\n"
			       "TLS.time:1700000000\nTLS.expire:180\nTLS.userbuf:%s\n", userbuf); /* fits */
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

	(void)state; /* none */
	assert_int_equal(verify_padded(1520, 0, &len), HW_OK); /* stored: length in, length out */
	assert_true(len > HW_USERSIG_BYTES_MAX - 16 && len <= HW_USERSIG_BYTES_MAX);
	assert_int_equal(verify_padded(1530, 0, &len), HW_SIG_ILLEGAL);
	assert_true(len > HW_USERSIG_BYTES_MAX);
}

/* ---- time ---- */

static void test_verify_is_valid_until_the_last_second(void **state)
{
	static const struct {
		int64_t now_s;
		int code;
	} rows[] = {
		{TIME, HW_OK},	 {TIME + EXPIRE, HW_OK}, {TIME + EXPIRE + 1, HW_SIG_EXPIRED}, {INT64_MAX, HW_SIG_EXPIRED},
		{TIME - 1, HW_OK}, {0, HW_OK},		 {-1, HW_OK},			      {INT64_MIN, HW_OK},
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
	json = signed_json("\"TLS.identifier\":\"administrator\",\"TLS.sdkappid\":1400000001,\"TLS.time\":0,\"TLS.expire\":0",
			   "TLS.identifier:administrator\nTLS.sdkappid:1400000001\nTLS.time:0\nTLS.expire:0\n");
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, 0), HW_OK);
	assert_int_equal(verify_json_as(&(struct seal){.level = 6}, json, 1), HW_SIG_EXPIRED);
}

static void test_verify_fills_facts_only_when_the_hmac_matched(void **state)
{
	struct hw_usersig_facts facts = {1, 2};
	int code = hw_usersig_verify(vendor_sig, strlen(vendor_sig), APP, ID, "other", 5, TIME + 1000, &facts);

	(void)state; /* none */
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
		cmocka_unit_test(test_verify_refuses_a_bad_json),
		cmocka_unit_test(test_verify_refuses_a_userbuf_too_long),
		cmocka_unit_test(test_verify_refuses_a_signature_cut_at_any_length),
		cmocka_unit_test(test_verify_refuses_a_signature_with_any_character_changed),
		cmocka_unit_test(test_verify_refuses_a_bad_stream),
		cmocka_unit_test(test_verify_bounds_the_inflated_size),
		cmocka_unit_test(test_verify_bounds_the_signatures_length),
		cmocka_unit_test(test_verify_is_valid_until_the_last_second),
		cmocka_unit_test(test_verify_survives_times_whose_sum_does_not_fit),
		cmocka_unit_test(test_verify_fills_facts_only_when_the_hmac_matched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
