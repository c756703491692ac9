#pragma once
/* Certificates made on the spot: a chain of one, which is its own authority, for 127.0.0.1 or for another name. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct cert_folder {
	char path[64];
	char cert[96];	     /* for 127.0.0.1 */
	char key[96];	     /* its key */
	char other_cert[96]; /* for other.example */
	char other_key[96];
	char text[96]; /* no PEM at all */
};

/* How a certificate is made. Times count from now. */
struct cert_spec {
	const char *name;   /* of the subject: "IP:127.0.0.1", "DNS:other.example" */
	const char *issuer; /* paths of the authority's certificate and key; NULL for its own */
	const char *issuer_key;
	long from_s;
	long until_s;
};

static inline X509 *cert_read(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *cert;

	assert_non_null(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	assert_non_null(cert);
	(void)fclose(file); /* only read, as below */
	return cert;
}

static inline EVP_PKEY *cert_read_key(const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	assert_non_null(file);
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	assert_non_null(key);
	(void)fclose(file);
	return key;
}

static inline void cert_write_files(const char *cert_path, const char *key_path, X509 *cert, EVP_PKEY *key)
{
	FILE *cert_file = fopen(cert_path, "we");
	FILE *key_file = fopen(key_path, "we");

	assert_true(cert_file && key_file);
	assert_int_equal(PEM_write_X509(cert_file, cert), 1);
	assert_int_equal(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(cert_file), 0);
	assert_int_equal(fclose(key_file), 0);
}

static inline void cert_make(const char *cert_path, const char *key_path, const struct cert_spec *spec)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY *issuer_key = spec->issuer ? cert_read_key(spec->issuer_key) : NULL;
	X509 *issuer = spec->issuer ? cert_read(spec->issuer) : NULL;
	X509 *cert = X509_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, spec->name);
	X509_EXTENSION *authority =
		X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");

	assert_true(key && cert && names && authority);
	assert_int_equal(X509_set_version(cert, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), spec->from_s));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), spec->until_s));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
						    (const unsigned char *)spec->name, -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)), 1);
	assert_int_equal(X509_add_ext(cert, names, -1), 1);
	assert_int_equal(X509_add_ext(cert, authority, -1), 1);
	assert_true(X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()) > 0);
	cert_write_files(cert_path, key_path, cert, key);
	X509_EXTENSION_free(names);
	X509_EXTENSION_free(authority);
	X509_free(cert);
	X509_free(issuer);
	EVP_PKEY_free(key);
	EVP_PKEY_free(issuer_key);
}

static inline void cert_write(const char *cert_path, const char *key_path, const char *name)
{
	const struct cert_spec spec = {.name = name, .from_s = -3600, .until_s = 3600};

	cert_make(cert_path, key_path, &spec);
}

static inline void cert_folder_make(struct cert_folder *folder)
{
	FILE *text;

	(void)snprintf(folder->path, sizeof(folder->path), "/tmp/highwater-cert-XXXXXX"); /* fits, as all below */
	assert_non_null(mkdtemp(folder->path));
	(void)snprintf(folder->cert, sizeof(folder->cert), "%s/cert.pem", folder->path);
	(void)snprintf(folder->key, sizeof(folder->key), "%s/key.pem", folder->path);
	(void)snprintf(folder->other_cert, sizeof(folder->other_cert), "%s/other-cert.pem", folder->path);
	(void)snprintf(folder->other_key, sizeof(folder->other_key), "%s/other-key.pem", folder->path);
	(void)snprintf(folder->text, sizeof(folder->text), "%s/text", folder->path);
	cert_write(folder->cert, folder->key, "IP:127.0.0.1");
	cert_write(folder->other_cert, folder->other_key, "DNS:other.example");
	text = fopen(folder->text, "we");
	assert_non_null(text);
	assert_true(fputs("not a certificate\n", text) >= 0);
	assert_int_equal(fclose(text), 0);
}

static inline void cert_folder_remove(const struct cert_folder *folder)
{
	(void)unlink(folder->cert); /* what is left over does not matter to the tests, as below */
	(void)unlink(folder->key);
	(void)unlink(folder->other_cert);
	(void)unlink(folder->other_key);
	(void)unlink(folder->text);
	(void)rmdir(folder->path);
}
