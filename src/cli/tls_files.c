/* The demonstration's certificates, with OpenSSL; see tls_files.h. */
#include "cli/tls_files.h"
#include "base/random.h"
#include "cli/files.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define TLS_FILES_SKEW_S 3600
#define TLS_FILES_VALID_S (30 * 86400)

struct tls_files_extension {
	int nid;
	const char *value;
};

static const struct tls_files_extension tls_files_ca_extensions[] = {
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
	{NID_key_usage, "critical,keyCertSign"},
	{NID_subject_key_identifier, "hash"},
};

static const struct tls_files_extension tls_files_leaf_extensions[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "serverAuth"},
	{NID_subject_alt_name, "IP:127.0.0.1,IP:::1,DNS:localhost"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid"},
};

static int tls_files_fail(struct error *err, const char *what)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return error_set(err, ERR_INTERNAL, "%s: %s", what, text);
}

static bool tls_files_set_serial(X509 *cert)
{
	BIGNUM *number = BN_new();
	bool good = number && BN_set_word(number, random_u64() >> 1) &&
		    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

	BN_free(number);
	return good;
}

static bool tls_files_set_name(X509 *cert, X509 *issuer, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Highwater demo", -1, -1,
					  0) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(issuer));
}

static bool tls_files_add_extensions(X509 *cert, X509 *issuer, const struct tls_files_extension *rows, size_t count)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&context);
	for (size_t i = 0; i < count; i++) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, rows[i].nid, rows[i].value);
		bool good = extension && X509_add_ext(cert, extension, -1);

		X509_EXTENSION_free(extension);
		if (!good)
			return false;
	}
	return true;
}

/* A certificate for `key`, signed by the issuer; for the authority itself `issuer` is NULL. NULL on failure. */
static X509 *tls_files_make_cert(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *name)
{
	X509 *cert = X509_new();
	bool is_ca = issuer == NULL;
	bool good = cert && X509_set_version(cert, 2) && tls_files_set_serial(cert) &&
		    X509_gmtime_adj(X509_getm_notBefore(cert), -TLS_FILES_SKEW_S) &&
		    X509_gmtime_adj(X509_getm_notAfter(cert), TLS_FILES_VALID_S) && X509_set_pubkey(cert, key) &&
		    tls_files_set_name(cert, is_ca ? cert : issuer, name);

	if (good && is_ca)
		good = tls_files_add_extensions(cert, cert, tls_files_ca_extensions,
						ARRAY_LEN(tls_files_ca_extensions));
	else if (good)
		good = tls_files_add_extensions(cert, issuer, tls_files_leaf_extensions,
						ARRAY_LEN(tls_files_leaf_extensions));
	if (good && X509_sign(cert, issuer_key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

/* Writes what was put into `bio`; frees it. */
static int tls_files_write(BIO *bio, const char *path, mode_t mode, struct error *err)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);
	int result = files_write(path, (struct str){text, (size_t)len}, mode, err);

	BIO_free(bio);
	return result;
}

static int tls_files_write_cert(X509 *cert, const char *path, struct error *err)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && PEM_write_bio_X509(bio, cert))
		return tls_files_write(bio, path, 0644, err);
	BIO_free(bio);
	return tls_files_fail(err, "writing a certificate");
}

static int tls_files_write_key(EVP_PKEY *key, const char *path, struct error *err)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */

	if (bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return tls_files_write(bio, path, 0600, err);
	BIO_free(bio);
	return tls_files_fail(err, "writing a key");
}

int tls_files_make(const struct tls_files *files, struct error *err)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *ca = ca_key && key ? tls_files_make_cert(ca_key, NULL, ca_key, "Highwater demo authority") : NULL;
	X509 *cert = ca ? tls_files_make_cert(key, ca, ca_key, "localhost") : NULL;
	int result;

	if (cert)
		result = tls_files_write_cert(ca, files->ca_file, err) ||
					 tls_files_write_cert(cert, files->cert_file, err) ||
					 tls_files_write_key(key, files->key_file, err)
				 ? -1
				 : 0;
	else
		result = tls_files_fail(err, "making the certificates");
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return result;
}
