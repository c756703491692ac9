/* Client certificates that apps' requests show, with OpenSSL: judged before they are stored, and shown without the key.
 *
 * A certificate that TLS would not take is refused here, where somebody can mend it, and not at the next alert. Texts
 * of OpenSSL are not repeated: they may quote what they could not read. */
#include "api/manage.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CERTIFICATE_NAME_BYTES_MAX 1024 /* of a subject or issuer as text */

/* ---- reading ---- */

/* Certificates are no secret and need no passphrase; a key that needs one is told as such, by the caller. */
static int certificate_no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)context = true;
	return -1;
}

static BIO *certificate_open(struct str text)
{
	return BIO_new_mem_buf(text.ptr ? text.ptr : "", (int)text.len); /* checked: CERTIFICATE_BYTES_MAX */
}

/* The next certificate; NULL at the end, and with `*bad_out` at anything else. */
static X509 *certificate_next(BIO *bio, bool *bad_out)
{
	char *name = NULL;
	char *header = NULL;
	unsigned char *data = NULL;
	const unsigned char *start;
	long len;
	X509 *cert = NULL;

	if (!PEM_read_bio(bio, &name, &header, &data, &len)) {
		*bad_out = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
		return NULL;
	}
	start = data;
	if (strcmp(name, PEM_STRING_X509) == 0)
		cert = d2i_X509(NULL, &start, len);
	*bad_out = !cert;
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)len); /* it may be a key that stands in the wrong place */
	return cert;
}

/* The first certificate of the chain, owned; NULL unless all of the chain is certificates. */
static X509 *certificate_read(struct str chain)
{
	BIO *bio = certificate_open(chain);
	bool bad = !bio;
	X509 *first = bio ? certificate_next(bio, &bad) : NULL;
	X509 *more = first;

	while (more && !bad) {
		more = certificate_next(bio, &bad);
		X509_free(more);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (!bad)
		return first;
	X509_free(first);
	return NULL;
}

static EVP_PKEY *certificate_read_key(struct str text, bool *encrypted_out)
{
	BIO *bio = certificate_open(text);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, certificate_no_passphrase, encrypted_out) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

/* ---- judging ---- */

/* Milliseconds since 1970; 0, which is long over, for an end before that or one that cannot be read. */
static int64_t certificate_end_ms(const X509 *cert)
{
	struct tm parts;
	time_t end = ASN1_TIME_to_tm(X509_get0_notAfter(cert), &parts) ? timegm(&parts) : 0;

	return end > 0 ? (int64_t)end * 1000 : 0;
}

/* Would a handshake take them? */
static bool certificate_is_usable(X509 *cert, EVP_PKEY *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	bool usable =
		context && SSL_CTX_use_certificate(context, cert) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;

	SSL_CTX_free(context);
	ERR_clear_error();
	return usable;
}

static const char *certificate_fault(X509 *cert, EVP_PKEY *key, bool encrypted, int64_t now_ms)
{
	bool fits;

	if (!cert)
		return "Certificate must be one or more certificates in PEM, the client's own first, and nothing else";
	if (!key)
		return encrypted ? "Key must be without a passphrase" : "Key must be a private key in PEM";
	fits = X509_check_private_key(cert, key) == 1;
	ERR_clear_error();
	if (!fits)
		return "Key does not belong to the first certificate";
	if (certificate_end_ms(cert) < now_ms)
		return "Certificate has expired";
	return certificate_is_usable(cert, key) ? NULL : "Certificate or Key is too weak for TLS";
}

int certificate_check(struct str chain, struct str key, int64_t now_ms, char *reason_out, size_t reason_size)
{
	bool encrypted = false;
	X509 *cert = certificate_read(chain);
	EVP_PKEY *private_key = certificate_read_key(key, &encrypted);
	const char *fault = certificate_fault(cert, private_key, encrypted, now_ms);

	EVP_PKEY_free(private_key);
	X509_free(cert);
	if (!fault)
		return 0;
	(void)snprintf(reason_out, reason_size, "%s", fault); /* sized for it */
	return -1;
}

/* ---- showing ---- */

static void certificate_append_name(struct buf *out, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len = 0;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) /* ASCII: the rest is escaped */
		len = BIO_get_mem_data(bio, &text);
	buf_append_json_string(out, str_slice((struct str){text, (size_t)len}, 0, CERTIFICATE_NAME_BYTES_MAX));
	BIO_free(bio);
}

/* A name of a kind that is text; one that is not printable ASCII is left out. */
static struct str certificate_alternative(const GENERAL_NAME *name)
{
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	struct str text = {0};

	if (type == GEN_DNS || type == GEN_URI || type == GEN_EMAIL)
		text = (struct str){(const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
	return str_is_printable_ascii(text) ? text : (struct str){0};
}

static void certificate_append_names(struct buf *out, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool first = true;

	buf_append_char(out, '[');
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* -1 for none */
		struct str name = certificate_alternative(sk_GENERAL_NAME_value(names, i));

		if (name.len == 0)
			continue;
		if (!first)
			buf_append_char(out, ',');
		buf_append_json_string(out, name);
		first = false;
	}
	buf_append_char(out, ']');
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}

void certificate_append(struct buf *out, struct str chain)
{
	X509 *cert = certificate_read(chain);

	if (!cert) {
		buf_append_c(out, "null");
		return;
	}
	buf_append_c(out, "{\"Subject\":");
	certificate_append_name(out, X509_get_subject_name(cert));
	buf_append_c(out, ",\"Issuer\":");
	certificate_append_name(out, X509_get_issuer_name(cert));
	buf_append_c(out, ",\"Names\":");
	certificate_append_names(out, cert);
	buf_printf(out, ",\"NotAfter\":%" PRId64 "}", certificate_end_ms(cert));
	X509_free(cert);
}
