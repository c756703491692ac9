#pragma once
/* Signatures that our own generator would not make, built with zlib and OpenSSL alone. */
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
#define APP_FACT "\"TLS.sdkappid\":1400000001,"
#define FACTS "\"TLS.sdkappid\":1400000001,\"TLS.time\":1700000000,\"TLS.expire\":180,"
#define HEAD "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":\"administrator\","
#define END "\"TLS.sig\":\"" MAC "\"}"
#define JSON HEAD FACTS END
#define SEALED_BYTES_MAX 16384

/* Made by the vendor's generator for Node with the values above. */
static const char vendor_sig[] = "eJwtysEKwjAQBNB-2bO0iRosAQ8K3ppTRLxGNmmX0hqTIFXx38Umc5s384Fzq6unDSBhXTFYLZ3QTokc"
				 "LWxwpIliCibdQzlEHIz3hCD5luXwvCQaLUi*K8qy2tlT*HtTIFIHEjgq3QmBWjjNbf2aVbjW7eaWju-L4cRj"
				 "7PWjT86gavbw-QFNoTOy";

static inline size_t encode(const unsigned char *bytes, size_t len, char *out)
{
	int chars = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);

	for (char *c = out; *c; c++)
		*c = *c == '+' ? '*' : *c == '/' ? '-' : *c == '=' ? '_' : *c;
	return (size_t)chars;
}

struct seal {
	int level;
	bool flush_first; /* an empty stored block before the end, as Go's writer leaves */
	bool dictionary;
	size_t cut_bytes;     /* from the end */
	size_t rubbish_bytes; /* behind the end */
};

static inline size_t seal_as(const struct seal *how, const char *text, size_t len, char out[SEALED_BYTES_MAX])
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

static inline int verify_at(const char *sig, size_t len, int64_t now_s)
{
	return hw_usersig_verify(sig, len, APP, ID, KEY, strlen(KEY), now_s, NULL);
}

static inline int verify_json_as(const struct seal *how, const char *json, int64_t now_s)
{
	char sig[SEALED_BYTES_MAX];
	size_t len = seal_as(how, json, strlen(json), sig);

	return verify_at(sig, len, now_s);
}

static inline int verify_json(const char *json)
{
	return verify_json_as(&(struct seal){.level = 6}, json, TIME);
}

/* A JSON whose HMAC is right for the text given. */
static inline const char *signed_json(const char *fields, const char *text)
{
	static char json[2048];
	unsigned char mac[32];
	char mac_text[45];
	unsigned len;

	assert_non_null(
		HMAC(EVP_sha256(), KEY, (int)strlen(KEY), (const unsigned char *)text, strlen(text), mac, &len));
	(void)EVP_EncodeBlock((unsigned char *)mac_text, mac, 32); /* 44 characters */
	(void)snprintf(json, sizeof(json), "{\"TLS.ver\":\"2.0\",%s,\"TLS.sig\":\"%s\"}", fields, mac_text); /* fits */
	return json;
}
