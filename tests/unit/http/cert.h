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

static inline void cert_write(const char *cert_path, const char *key_path, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
	X509_EXTENSION *authority = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	FILE *cert_file = fopen(cert_path, "we");
	FILE *key_file = fopen(key_path, "we");

	assert_true(key && cert && names && authority && cert_file && key_file);
	assert_int_equal(X509_set_version(cert, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
						    (const unsigned char *)name, -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
	assert_int_equal(X509_add_ext(cert, names, -1), 1);
	assert_int_equal(X509_add_ext(cert, authority, -1), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(cert_file, cert), 1);
	assert_int_equal(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(cert_file), 0);
	assert_int_equal(fclose(key_file), 0);
	X509_EXTENSION_free(names);
	X509_EXTENSION_free(authority);
	X509_free(cert);
	EVP_PKEY_free(key);
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
