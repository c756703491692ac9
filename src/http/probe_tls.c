/* The handshake of a probe, and what is in the certificates; see probe.h.
 *
 * Unlike the client this one goes on whatever it thinks of the certificates, to say all that is wrong with them and not
 * only the first thing. It trusts what the client would trust: the same files, TLS 1.2 at least, a chain that ends at
 * any trusted certificate. Nothing is sent over the connection, so that no harm comes of it. */
#include "base/buf.h"
#include "base/clock.h"
#include "http/client_tls.h"
#include "http/probe_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- certificates ---- */

/* Cuts, and leaves printable ASCII only. */
static void probe_copy(char *out, size_t size, struct str text)
{
	(void)str_copy(out, size, text); /* cut when too long */
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

static void probe_copy_name(char *out, size_t size, const X509_NAME *name)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long len;

	assert(text); /* out of memory */
	/* a name that cannot be printed stays as far as it came */
	(void)X509_NAME_print_ex(text, name, 0, XN_FLAG_ONELINE & ~(unsigned long)XN_FLAG_SPC_EQ);
	len = BIO_get_mem_data(text, &bytes);
	probe_copy(out, size, (struct str){bytes, len > 0 ? (size_t)len : 0});
	(void)BIO_free(text); /* it is one */
}

static void probe_append_name(struct buf *names, const GENERAL_NAME *name)
{
	const ASN1_STRING *value = NULL;
	char address[INET6_ADDRSTRLEN];
	int type = 0;

	value = GENERAL_NAME_get0_value(name, &type);
	if (type == GEN_DNS) {
		buf_printf(names, "%sDNS:%.*s", names->len ? ", " : "", ASN1_STRING_length(value),
			   (const char *)ASN1_STRING_get0_data(value));
	} else if (type == GEN_IPADD) {
		int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;

		if ((family == AF_INET || ASN1_STRING_length(value) == 16) &&
		    inet_ntop(family, ASN1_STRING_get0_data(value), address, sizeof(address)))
			buf_printf(names, "%sIP:%s", names->len ? ", " : "", address);
	}
}

static void probe_copy_names(char *out, size_t size, const X509 *cert)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	struct buf names;

	buf_init(&names, 64 * 1024); /* what does not fit is left out */
	for (int i = 0; i < sk_GENERAL_NAME_num(list); i++)
		probe_append_name(&names, sk_GENERAL_NAME_value(list, i));
	probe_copy(out, size, buf_str(&names));
	buf_fini(&names);
	GENERAL_NAMES_free(list);
}

/* Seconds since 1970; 0 for a time that is none. */
static int64_t probe_time(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static void probe_copy_cert(struct probe_cert *out, const X509 *cert)
{
	probe_copy_name(out->subject, sizeof(out->subject), X509_get_subject_name(cert));
	probe_copy_name(out->issuer, sizeof(out->issuer), X509_get_issuer_name(cert));
	probe_copy_names(out->names, sizeof(out->names), cert);
	out->from_s = probe_time(X509_get0_notBefore(cert));
	out->until_s = probe_time(X509_get0_notAfter(cert));
}

static void probe_explain(const struct client_tls_failure *failure, char out[PROBE_TEXT_BYTES_MAX + 1])
{
	char sentence[CLIENT_TLS_TEXT_BYTES_MAX + 1];

	client_tls_explain(failure, sentence);
	(void)snprintf(out, PROBE_TEXT_BYTES_MAX + 1, "%s", sentence); /* fits */
}

static void probe_judge(const struct probe_target *target, const char *name, SSL *ssl, struct probe_result *out)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *own = SSL_get0_peer_certificate(ssl);
	long verified = SSL_get_verify_result(ssl);

	out->trusted = own && verified == X509_V_OK;
	if (!out->trusted)
		probe_explain(&(struct client_tls_failure){.code = CURLE_PEER_FAILED_VERIFICATION,
							   .text = "the other side has no certificate",
							   .verify_result = verified},
			      out->distrust);
	out->out_of_date = verified == X509_V_ERR_CERT_HAS_EXPIRED || verified == X509_V_ERR_CERT_NOT_YET_VALID;
	if (own)
		out->name_matches = (target->literal ? X509_check_ip_asc(own, name, 0)
						     : X509_check_host(own, name, 0, 0, NULL)) == 1;
	for (int i = 0; i < sk_X509_num(chain) && i < PROBE_CHAIN_MAX; i++)
		probe_copy_cert(&out->chain[out->chain_count++], sk_X509_value(chain, i));
}

/* ---- the handshake ---- */

/* Called when the other side asks for a certificate; that of the context is given, if it has one. */
static int probe_on_client_cert(SSL *ssl, void *context)
{
	struct probe_result *result = context;

	result->client_cert_wanted = true;
	result->client_cert_shown = SSL_get_certificate(ssl) != NULL;
	return 1;
}

/* A key with a passphrase cannot be used: OpenSSL would ask the terminal. */
static int probe_no_passphrase(char *out, int size, int writes, void *context)
{
	(void)out; /* the shape is OpenSSL's */
	(void)size;
	(void)writes;
	(void)context;
	return -1;
}

/* Takes the client's certificate, those that lead to its authority, and its key; leaves all of it out when it cannot be
 * used, which whoever sends something tells in its own words. */
static void probe_use_client_cert(SSL_CTX *tls, const struct probe_tls *with)
{
	BIO *certs = BIO_new_mem_buf(with->client_cert.ptr, (int)with->client_cert.len);
	BIO *keys = BIO_new_mem_buf(with->client_key.ptr, (int)with->client_key.len);
	X509 *cert = NULL;
	EVP_PKEY *key = NULL;
	X509 *more;

	if (certs && keys) {
		cert = PEM_read_bio_X509(certs, NULL, probe_no_passphrase, NULL);
		key = PEM_read_bio_PrivateKey(keys, NULL, probe_no_passphrase, NULL);
	}
	if (cert && key && X509_check_private_key(cert, key) == 1 && SSL_CTX_use_certificate(tls, cert) == 1 &&
	    SSL_CTX_use_PrivateKey(tls, key) == 1) {
		while ((more = PEM_read_bio_X509(certs, NULL, probe_no_passphrase, NULL))) {
			if (SSL_CTX_add1_chain_cert(tls, more) != 1)
				ERR_clear_error(); /* one less; the other side judges what it gets */
			X509_free(more);
		}
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	(void)BIO_free(certs); /* accepts NULL */
	(void)BIO_free(keys);
}

static SSL_CTX *probe_open(const struct probe_tls *with, struct probe_result *out, struct error *err)
{
	const char *ca_file = with->ca_file;
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	int read;

	assert(tls); /* out of memory */
	if (*ca_file)
		read = SSL_CTX_load_verify_file(tls, ca_file);
	else
		read = SSL_CTX_set_default_verify_paths(tls);
	if (read != 1) {
		SSL_CTX_free(tls);
		(void)error_set(err, ERR_INVALID, "the CA file %s cannot be read, or there is no certificate in it",
				ca_file);
		return NULL;
	}
	(void)SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);			    /* there is that one */
	(void)X509_STORE_set_flags(SSL_CTX_get_cert_store(tls), X509_V_FLAG_PARTIAL_CHAIN); /* a flag that exists */
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	if (with->client_cert.len)
		probe_use_client_cert(tls, with);
	SSL_CTX_set_cert_cb(tls, probe_on_client_cert, out);
	return tls;
}

/* Returns true when it is complete; else `failure` says why not. */
static bool probe_shake(SSL *ssl, int fd, int64_t deadline_ms, struct probe_result *out)
{
	char *failure = out->failure;

	while (true) {
		int rc = SSL_connect(ssl);
		int why = SSL_get_error(ssl, rc);
		char text[256];

		if (rc == 1)
			return true;
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
			if (probe_wait(fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ms))
				continue;
			(void)snprintf(failure, PROBE_TEXT_BYTES_MAX + 1,
				       "connected, but no TLS handshake: is TLS spoken on this port?"); /* fits */
		} else if (why == SSL_ERROR_SSL) {
			ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
			probe_explain(&(struct client_tls_failure){.code = CURLE_SSL_CONNECT_ERROR,
								   .text = text,
								   .with_client_cert = out->client_cert_shown},
				      failure);
		} else {
			(void)snprintf(failure, PROBE_TEXT_BYTES_MAX + 1,
				       "the connection was closed during the TLS handshake"); /* fits */
		}
		return false;
	}
}

int probe_secure(const struct probe_target *target, int fd, const struct probe_tls *with, int64_t deadline_ms,
		 struct probe_result *out, struct error *err)
{
	int64_t start_ns = clock_mono_ns();
	SSL_CTX *tls = probe_open(with, out, err);
	char name[PROBE_HOST_BYTES_MAX + 1];
	struct str host = str_c(target->host);
	SSL *ssl;

	if (!tls)
		return -1;
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;			  /* no certificate has the dot of a fully qualified name */
	(void)str_copy(name, sizeof(name), host); /* fits */
	ssl = SSL_new(tls);
	assert(ssl); /* out of memory */
	ERR_clear_error();
	(void)SSL_set_fd(ssl, fd); /* fails only when memory is out, as the next */
	if (!target->literal)
		(void)SSL_set_tlsext_host_name(ssl, name);
	out->secured = probe_shake(ssl, fd, deadline_ms, out);
	if (out->secured) {
		out->tls_us = (clock_mono_ns() - start_ns) / 1000;
		(void)snprintf(out->tls, sizeof(out->tls), "%s %s", SSL_get_version(ssl),
			       SSL_get_cipher_name(ssl)); /* fits */
		probe_judge(target, name, ssl, out);
	}
	SSL_free(ssl);
	SSL_CTX_free(tls);
	ERR_clear_error();
	return 0;
}
