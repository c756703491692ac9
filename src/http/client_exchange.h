#pragma once
/* One request on its way, between client.c, which drives it, and client_result.c, which says what it came to. */
#include "base/buf.h"
#include "http/client.h"
#include "http/client_head.h"
#include "http/client_sockets.h"
#include "http/client_tls.h"
#include "http/guard.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#define CLIENT_ADDRESS_BYTES_MAX 63 /* IPv6 in brackets and a port need 47 */
#define CLIENT_TLS_BYTES_MAX 79	    /* the longest name of a cipher that OpenSSL has: 35 */

struct http_exchange {
	struct http_exchange *next; /* in the list of the free, or of those in flight */
	struct http_exchange *previous;
	CURL *easy;
	struct curl_slist *headers;
	char *request_body; /* owned */
	struct str drip;    /* what is left of it, for a request that drips */
	unsigned drip_ms;
	struct buf reply;
	size_t header_bytes; /* of the reply so far */
	struct client_head head;
	bool too_large;
	bool has_client_cert;	  /* set in the easy handle */
	bool stale;		  /* something unasked was waiting on the kept connection: it was not used */
	bool ready;		  /* there was a connection, with its TLS, for the request to go out */
	const SSL_CTX *tls_of;	  /* the connection's, to know it by; NULL without TLS */
	int alert;		  /* that the other side sent on it, a fatal one; 0 for none */
	const SSL_CIPHER *cipher; /* of it, when ready; static, as is the next */
	const char *tls_version;
	const struct client_tls_watcher *watcher;
	struct client_sockets *sockets;
	const struct guard *guard;		/* NULL for none */
	bool tried;				/* a socket was opened */
	char refused[GUARD_TEXT_BYTES_MAX + 1]; /* the first address that the guard refused, and why; "" for none */
	http_done done;
	void *context;
	int64_t start_ns;
	int64_t handshake_ns; /* when it began; 0 for not at all */
	char error[CURL_ERROR_SIZE];
	/* for the result */
	char tls_text[CLIENT_TLS_TEXT_BYTES_MAX + 1];
	char address[CLIENT_ADDRESS_BYTES_MAX + 1];
	char tls[CLIENT_TLS_BYTES_MAX + 1];
};

/* What an exchange that ended with `rc` came to. Its texts live in the exchange. Before it leaves curl's multi handle. */
void client_result_fill(struct http_exchange *exchange, CURLcode rc, struct http_result *out);
