/* From a failure of curl and OpenSSL to a sentence; see client_tls.h.
 *
 * The number of OpenSSL's error stands in curl's text ("error:0A00010B:SSL routines::..."), and nowhere else. What is in
 * no table here keeps curl's own words.
 *
 * TLS 1.3 tells a client that its certificate is missing or not welcome only after the handshake, when the request is
 * under way. To curl that is a failed read; or a failed write, when the connection was reset before it read, and then
 * it takes the alert from the socket only while it closes it. So alerts are noted as they come, whatever curl makes of
 * them. */
#include "http/client_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- alerts ---- */

static int tls_watch_index; /* of the watcher in an SSL_CTX */

static void tls_on_state(const SSL *ssl, int where, int value)
{
	const SSL_CTX *tls = SSL_get_SSL_CTX(ssl);
	const struct client_tls_watcher *watcher = SSL_CTX_get_ex_data(tls, tls_watch_index);

	if (where == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
		watcher->on_alert(watcher->context, tls, value & 0xff);
}

int client_tls_init(void)
{
	tls_watch_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return tls_watch_index < 0 ? -1 : 0;
}

void client_tls_watch(SSL_CTX *tls, const struct client_tls_watcher *watcher)
{
	/* the type has no const; fails only when memory is out, and then alerts are not told */
	if (SSL_CTX_set_ex_data(tls, tls_watch_index, (void *)(uintptr_t)watcher) == 1)
		SSL_CTX_set_info_callback(tls, tls_on_state);
}

/* ---- sentences ---- */

struct tls_row {
	long number;
	const char *text;
};

#define TLS_TRUST "have its authority in the CA file"

/* What is wrong with the chain that was sent. */
static const struct tls_row tls_chain_rows[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "a certificate of the other side has expired: it must be renewed there"},
	{X509_V_ERR_CERT_NOT_YET_VALID,
	 "a certificate of the other side is not valid yet: look at its dates and at this machine's clock"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	 "the other side's certificate is self-signed: use one of a known authority, or " TLS_TRUST},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	 "the other side's certificate is of an unknown authority: use one of a known authority, or " TLS_TRUST},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	 "the other side's certificate is of an unknown authority: have it send the whole chain, or " TLS_TRUST},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	 "the other side's certificate is of an unknown authority: have it send the whole chain, or " TLS_TRUST},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	 "the other side's certificate is of an unknown authority: have it send the whole chain, or " TLS_TRUST},
};

#define TLS_OLD "the other side speaks no TLS 1.2 or newer"
#define TLS_NONE "the other side does not speak TLS on this port"

/* Reasons of OpenSSL's SSL library. */
static const struct tls_row tls_reason_rows[] = {
	{SSL_R_WRONG_VERSION_NUMBER, TLS_NONE},
	{SSL_R_PACKET_LENGTH_TOO_LONG, TLS_NONE},
	{SSL_R_HTTP_REQUEST, TLS_NONE},
	{SSL_R_UNSUPPORTED_PROTOCOL, TLS_OLD},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TLS_OLD},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, "the other side closed the connection during the TLS handshake"},
	{SSL_R_TLSV1_UNRECOGNIZED_NAME, "the other side has no certificate for this host name"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the other side requires a client certificate"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the other side refused the handshake: it may require a client "
					      "certificate, or a cipher that is not supported"},
};

/* Alerts about the certificate of the client. */
static const struct tls_row tls_refusal_rows[] = {
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "bad certificate"},
	{SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "unsupported certificate"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "revoked"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "expired"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "certificate unknown"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, "unknown authority"},
	{SSL_R_TLSV1_ALERT_ACCESS_DENIED, "access denied"},
};

#define TLS_FIND(rows, number) tls_find(rows, sizeof(rows) / sizeof((rows)[0]), number)

static const char *tls_find(const struct tls_row *rows, size_t count, long number)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].number == number)
			return rows[i].text;
	return NULL;
}

/* The reason of the SSL library's error, by the alert or in curl's text; 0 for none. */
static long tls_reason(const struct client_tls_failure *failure)
{
	const char *at = strstr(failure->text, "error:");
	unsigned long number = at ? strtoul(at + strlen("error:"), NULL, 16) : 0;

	if (failure->alert)
		return SSL_AD_REASON_OFFSET + failure->alert;
	return ERR_GET_LIB(number) == ERR_LIB_SSL ? ERR_GET_REASON(number) : 0;
}

static void tls_explain_chain(const struct client_tls_failure *failure, char *out, size_t size)
{
	static const char before_name[] = "target host name ";
	const char *known = TLS_FIND(tls_chain_rows, failure->verify_result);
	const char *name = strstr(failure->text, before_name);

	if (name)
		(void)snprintf(out, size, "the other side's certificate is for another name than %s",
			       name + strlen(before_name)); /* cut when too long, as all below */
	else if (known)
		(void)snprintf(out, size, "%s", known);
	else if (failure->verify_result != X509_V_OK)
		(void)snprintf(out, size, "the other side's certificate is not valid: %s",
			       X509_verify_cert_error_string(failure->verify_result));
	else
		(void)snprintf(out, size, "%s", failure->text);
}

static void tls_explain_reason(const struct client_tls_failure *failure, char *out, size_t size)
{
	long reason = tls_reason(failure);
	const char *known = TLS_FIND(tls_reason_rows, reason);
	const char *refusal = TLS_FIND(tls_refusal_rows, reason);

	if (known)
		(void)snprintf(out, size, "%s", known);
	else if (refusal && failure->with_client_cert)
		(void)snprintf(out, size, "the other side refused the client certificate: %s", refusal);
	else if (refusal)
		(void)snprintf(out, size, "the other side requires a client certificate (%s)", refusal);
	else if (failure->alert)
		(void)snprintf(out, size, "the other side refused the connection: %s",
			       SSL_alert_desc_string_long(failure->alert));
	else
		(void)snprintf(out, size, "%s", failure->text);
}

void client_tls_explain(const struct client_tls_failure *failure, char out[CLIENT_TLS_TEXT_BYTES_MAX + 1])
{
	const size_t size = CLIENT_TLS_TEXT_BYTES_MAX + 1;

	switch (failure->code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		tls_explain_chain(failure, out, size);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		(void)snprintf(out, size, "the CA file cannot be read, or there is no certificate in it");
		break;
	case CURLE_SSL_CERTPROBLEM:
		(void)snprintf(out, size, "the client certificate or its key cannot be used: %s", failure->text);
		break;
	case CURLE_SSL_CLIENTCERT:
		(void)snprintf(out, size, "the other side requires a client certificate");
		break;
	default:
		tls_explain_reason(failure, out, size);
	}
	for (char *c = out; *c; c++)
		if (*c < 0x20)
			*c = ' ';
}
