/* From a failure of curl and OpenSSL to a sentence; see client_tls.h.
 *
 * The number of OpenSSL's error stands in curl's text ("error:0A00010B:SSL routines::..."), and nowhere else. What is in
 * no table here keeps curl's own words. */
#include "http/client_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The reason of the SSL library's error in curl's text; 0 for none. */
static long tls_reason(const char *text)
{
	const char *at = strstr(text, "error:");
	unsigned long number = at ? strtoul(at + strlen("error:"), NULL, 16) : 0;

	return ERR_GET_LIB(number) == ERR_LIB_SSL ? ERR_GET_REASON(number) : 0;
}

bool client_tls_is_alert(const char *text)
{
	long reason = tls_reason(text);

	return reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255;
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
	long reason = tls_reason(failure->text);
	const char *known = TLS_FIND(tls_reason_rows, reason);
	const char *refusal = TLS_FIND(tls_refusal_rows, reason);

	if (known)
		(void)snprintf(out, size, "%s", known);
	else if (refusal && failure->with_client_cert)
		(void)snprintf(out, size, "the other side refused the client certificate: %s", refusal);
	else if (refusal)
		(void)snprintf(out, size, "the other side requires a client certificate (%s)", refusal);
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
