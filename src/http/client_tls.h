#pragma once
/* What went wrong with TLS, in words that a person can act on. Of client.c. Threads: any. */
#include "base/compiler.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define CLIENT_TLS_TEXT_BYTES_MAX 150

struct client_tls_failure {
	CURLcode code;
	const char *text;      /* curl's */
	long verify_result;    /* CURLINFO_SSL_VERIFYRESULT */
	bool with_client_cert; /* the request had one */
};

/* True when the other side refused with a TLS alert. TLS 1.3 tells a client that its certificate is missing or not
 * welcome only after the handshake: to curl that is a failed read. */
bool client_tls_is_alert(const char *text);
/* One line; longer ones are cut. */
void client_tls_explain(const struct client_tls_failure *failure, char out[CLIENT_TLS_TEXT_BYTES_MAX + 1]);
