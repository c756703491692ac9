/* The server's TLS settings; see server_internal.h. */
#include "base/mem.h"
#include "http/server_internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* The library's words for the newest error, or a general one. */
static const char *server_tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "cannot be used";
}

int server_tls_open(const char *cert_file, const char *key_file, SSL_CTX **out, struct error *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	int result = 0;

	if (!tls)
		return error_set(err, ERR_INTERNAL, "TLS cannot be set up: %s", server_tls_reason());
	ERR_clear_error();
	(void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION); /* returns the new set */
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
		result = error_set(err, ERR_INTERNAL, "TLS 1.2 is not available: %s", server_tls_reason());
	else if (SSL_CTX_use_certificate_chain_file(tls, cert_file) != 1)
		result = error_set(err, ERR_INVALID, "certificate file %s: %s", cert_file, server_tls_reason());
	else if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1)
		result = error_set(err, ERR_INVALID, "key file %s: %s", key_file, server_tls_reason());
	else if (SSL_CTX_check_private_key(tls) != 1)
		result = error_set(err, ERR_INVALID, "key file %s does not belong to certificate file %s", key_file,
				   cert_file);
	if (result) {
		SSL_CTX_free(tls);
		return -1;
	}
	*out = tls;
	return 0;
}

struct http_tls {
	SSL_CTX *context;
};

int http_tls_open(const char *cert_file, const char *key_file, struct http_tls **tls_out, struct error *err)
{
	SSL_CTX *context;

	if (server_tls_open(cert_file, key_file, &context, err))
		return -1;
	*tls_out = mem_zalloc(sizeof(**tls_out));
	(*tls_out)->context = context;
	return 0;
}

SSL_CTX *server_tls_take(struct http_tls **tls)
{
	SSL_CTX *context = (*tls)->context;

	mem_free(*tls);
	*tls = NULL;
	return context;
}

void http_tls_close(struct http_tls **tls)
{
	if (*tls)
		SSL_CTX_free(server_tls_take(tls));
}
