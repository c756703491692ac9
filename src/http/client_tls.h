#pragma once
/* What went wrong with TLS, in words that a person can act on; and what the other side said before it hung up. Of
 * client.c and the probe. */
#include "base/compiler.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define CLIENT_TLS_TEXT_BYTES_MAX 150

struct client_tls_failure {
	CURLcode code;
	const char *text;      /* curl's */
	int alert;	       /* that the other side sent; 0 for none */
	long verify_result;    /* CURLINFO_SSL_VERIFYRESULT */
	bool with_client_cert; /* the request had one */
};

/* Told of each fatal alert that the other side sends on a connection that is watched, in curl's calls, also in those
 * that close the connection. `tls` says which one it is; it is only to be compared. */
struct client_tls_watcher {
	void (*on_alert)(void *context, const SSL_CTX *tls, int alert);
	void *context;
};

/* Once in the process, before any other call. Returns 0, or -1 when memory is out. */
MUST_CHECK int client_tls_init(void);
/* Watches the connection of these settings, which are curl's and of one connection, to its end. The watcher is borrowed
 * as long. */
void client_tls_watch(SSL_CTX *tls, const struct client_tls_watcher *watcher);

/* One line; longer ones are cut. Threads: any. */
void client_tls_explain(const struct client_tls_failure *failure, char out[CLIENT_TLS_TEXT_BYTES_MAX + 1]);
