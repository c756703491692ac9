/* Client certificates of apps: which pairs are taken, which fault is told of those that are not, and what is shown. */
#include "api/manage.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_S 3600
#define NOW_MS INT64_C(1795575600000)
#define TEXT_BYTES_MAX 8192

struct pair {
	char cert[TEXT_BYTES_MAX];
	char key[TEXT_BYTES_MAX];
};

/* What differs from a good one. */
struct made {
	const char *curve; /* "P-256" by default; "" for RSA of `rsa_bits` */
	unsigned rsa_bits;
	int64_t end_s;		/* since 1970; 0 for an hour after NOW_MS */
	const char *names;	/* of the extension, or NULL */
	const char *passphrase; /* of the key, or NULL */
	const char *subject;	/* "client" by default */
};

static void take_text(BIO *bio, char out[TEXT_BYTES_MAX])
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	assert_true(len > 0 && len < TEXT_BYTES_MAX);
	memcpy(out, text, (size_t)len);
	out[len] = '\0';
	BIO_free(bio);
}

static void write_pair(X509 *cert, EVP_PKEY *key, const char *passphrase, struct pair *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	take_text(bio, out->cert);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, passphrase,
						       passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
			 1);
	take_text(bio, out->key);
}

static struct pair make(struct made made)
{
	bool rsa = made.curve && !*made.curve;
	EVP_PKEY *key = rsa ? EVP_RSA_gen(made.rsa_bits) : EVP_EC_gen(made.curve ? made.curve : "P-256");
	X509 *cert = X509_new();
	int64_t end_s = made.end_s ? made.end_s : NOW_MS / 1000 + HOUR_S;
	struct pair pair;

	assert_true(key && cert);
	assert_int_equal(X509_set_version(cert, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(cert), 0));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(cert), end_s));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
						    (const unsigned char *)(made.subject ? made.subject : "client"), -1,
						    -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
	if (made.names) {
		X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, made.names);

		assert_non_null(names);
		assert_int_equal(X509_add_ext(cert, names, -1), 1);
		X509_EXTENSION_free(names);
	}
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	write_pair(cert, key, made.passphrase, &pair);
	X509_free(cert);
	EVP_PKEY_free(key);
	return pair;
}

static void accept(const char *chain, const char *key)
{
	char reason[128] = "";

	if (certificate_check(str_c(chain), str_c(key), NOW_MS, reason, sizeof(reason)))
		fail_msg("refused: %s", reason);
}

static void refuse(const char *chain, const char *key, const char *words)
{
	char reason[128] = "";

	assert_int_equal(certificate_check(str_c(chain), str_c(key), NOW_MS, reason, sizeof(reason)), -1);
	if (!strstr(reason, words))
		fail_msg("\"%s\" does not say \"%s\"", reason, words);
	if (strlen(key) > 40 && strstr(reason, key + 30))
		fail_msg("repeats the key");
}

static void join(char *out, size_t size, const char *a, const char *b)
{
	assert_true((size_t)snprintf(out, size, "%s%s", a, b) < size);
}

static void test_certificate_pairs_are_taken(void **state)
{
	static const struct made rows[] = {
		{.curve = NULL},
		{.curve = "P-384"},
		{.curve = "", .rsa_bits = 2048},
		{.names = "DNS:client.example"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair pair = make(rows[i]);

		accept(pair.cert, pair.key);
	}
}

static void test_certificate_chain_begins_with_its_own(void **state)
{
	struct pair own = make((struct made){0});
	struct pair authority = make((struct made){.subject = "authority"});
	char chain[2 * TEXT_BYTES_MAX];

	(void)state;
	join(chain, sizeof(chain), own.cert, authority.cert);
	accept(chain, own.key);
	refuse(chain, authority.key, "Key does not belong");
	join(chain, sizeof(chain), authority.cert, own.cert);
	refuse(chain, own.key, "Key does not belong");
	join(chain, sizeof(chain), "a line before it\n", own.cert);
	accept(chain, own.key);
}

static void test_certificate_that_is_none_is_refused(void **state)
{
	static const char *const rows[] = {
		"text",
		"-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
	};
	struct pair pair = make((struct made){0});
	char chain[2 * TEXT_BYTES_MAX];

	(void)state;
	refuse("", pair.key, "Certificate must be");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		refuse(rows[i], pair.key, "Certificate must be");
		if (i == 0)
			continue; /* text after a certificate is no harm */
		join(chain, sizeof(chain), pair.cert, rows[i]);
		refuse(chain, pair.key, "Certificate must be");
	}
	pair.cert[strlen(pair.cert) / 2] = '\0';
	refuse(pair.cert, pair.key, "Certificate must be");
}

/* It would be stored with what is not secret. */
static void test_certificate_with_a_key_beside_it_is_refused(void **state)
{
	struct pair pair = make((struct made){0});
	char chain[2 * TEXT_BYTES_MAX];

	(void)state;
	join(chain, sizeof(chain), pair.cert, pair.key);
	refuse(chain, pair.key, "nothing else");
	join(chain, sizeof(chain), pair.key, pair.cert);
	refuse(chain, pair.key, "nothing else");
}

static void test_certificate_key_that_is_none_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"text",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n",
	};
	struct pair pair = make((struct made){0});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refuse(pair.cert, rows[i], "Key must be a private key");
	refuse(pair.cert, pair.cert, "Key must be a private key");
}

static void test_certificate_key_with_a_passphrase_is_told_as_such(void **state)
{
	struct pair pair = make((struct made){.passphrase = "secret"});

	(void)state;
	refuse(pair.cert, pair.key, "without a passphrase");
}

static void test_certificate_that_has_expired_is_refused(void **state)
{
	struct pair last = make((struct made){.end_s = NOW_MS / 1000});
	struct pair over = make((struct made){.end_s = NOW_MS / 1000 - 1});

	(void)state;
	accept(last.cert, last.key);
	refuse(over.cert, over.key, "has expired");
	over = make((struct made){.end_s = -5 * INT64_C(31536000)}); /* before 1970 */
	refuse(over.cert, over.key, "has expired");
}

static void test_certificate_too_weak_for_tls_is_refused(void **state)
{
	struct pair pair = make((struct made){.curve = "", .rsa_bits = 512});

	(void)state;
	refuse(pair.cert, pair.key, "too weak");
}

static void check_shown(const char *chain, const char *wanted)
{
	struct buf out;

	buf_init(&out, 16 * 1024);
	certificate_append(&out, str_c(chain));
	assert_string_equal(buf_c(&out), wanted);
	buf_fini(&out);
}

static void test_certificate_is_shown_by_its_first(void **state)
{
	struct pair own =
		make((struct made){.names = "DNS:client.example,email:ops@example.com,IP:127.0.0.1,URI:spiffe://a/b"});
	struct pair plain = make((struct made){.subject = "other, \"quoted\" \xc3\xa9"});
	char chain[2 * TEXT_BYTES_MAX];

	(void)state;
	join(chain, sizeof(chain), own.cert, plain.cert);
	check_shown(chain,
		    "{\"Subject\":\"CN=client\",\"Issuer\":\"CN=client\","
		    "\"Names\":[\"client.example\",\"ops@example.com\",\"spiffe://a/b\"],\"NotAfter\":1795579200000}");
	check_shown(plain.cert, "{\"Subject\":\"CN=other\\\\, \\\\\\\"quoted\\\\\\\" \\\\C3\\\\A9\","
				"\"Issuer\":\"CN=other\\\\, \\\\\\\"quoted\\\\\\\" "
				"\\\\C3\\\\A9\",\"Names\":[],\"NotAfter\":1795579200000}");
}

static void test_certificate_that_cannot_be_read_is_shown_as_none(void **state)
{
	(void)state;
	check_shown("", "null");
	check_shown("text", "null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_pairs_are_taken),
		cmocka_unit_test(test_certificate_chain_begins_with_its_own),
		cmocka_unit_test(test_certificate_that_is_none_is_refused),
		cmocka_unit_test(test_certificate_with_a_key_beside_it_is_refused),
		cmocka_unit_test(test_certificate_key_that_is_none_is_refused),
		cmocka_unit_test(test_certificate_key_with_a_passphrase_is_told_as_such),
		cmocka_unit_test(test_certificate_that_has_expired_is_refused),
		cmocka_unit_test(test_certificate_too_weak_for_tls_is_refused),
		cmocka_unit_test(test_certificate_is_shown_by_its_first),
		cmocka_unit_test(test_certificate_that_cannot_be_read_is_shown_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
