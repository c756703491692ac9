#pragma once
/* Outgoing HTTP: libcurl behind one small interface. A pool of connections kept alive, many requests in flight on one
 * thread. TLS verification is always on; redirects are never followed; proxy variables of the environment are ignored;
 * only http and https are spoken; replies are read up to a cap. With a guard the address of every connection is judged
 * when it is made, whatever name or spelling led to it. */
#include "base/buf.h"
#include "base/error.h"

struct guard; /* http/guard.h */
struct http_client;

struct http_client_options {
	const char *ca_file;	     /* PEM bundle used instead of the system's; NULL or "" for the system's */
	uint64_t connect_timeout_ms; /* name, TCP and TLS */
	uint64_t total_timeout_ms;   /* the whole exchange */
	uint64_t reply_bytes_max;    /* a longer body, or 64 KiB of headers, ends it as HTTP_OUTCOME_TOO_LARGE */
	unsigned in_flight_max;	     /* more submits than this are a bug of the caller (asserted) */
	const struct guard *guard;   /* which addresses may be connected to; copied; NULL for all */
};

enum http_outcome {
	HTTP_OUTCOME_REPLIED,	  /* a whole reply; look at status */
	HTTP_OUTCOME_DNS,	  /* name not found, or not within the time limit */
	HTTP_OUTCOME_NOT_ALLOWED, /* no connection was tried, since the guard refuses every address of the host */
	HTTP_OUTCOME_CONNECT,	  /* refused or unreachable */
	HTTP_OUTCOME_TLS,	  /* handshake or certificate, the client's own certificate too */
	HTTP_OUTCOME_TIMEOUT,
	HTTP_OUTCOME_TOO_LARGE,
	HTTP_OUTCOME_BROKEN, /* closed in the middle, not HTTP, anything else */
};
/* "replied", "dns", "not_allowed", "connect", "tls", "timeout", "too_large", "broken". Static. */
const char *http_outcome_word(enum http_outcome outcome);

#define HTTP_RETRY_AFTER_S_MAX (366 * 86400)
#define HTTP_LOCATION_BYTES_MAX 255

/* Texts and body are valid during `done`. What an exchange did not reach is 0, -1 or "". */
struct http_result {
	enum http_outcome outcome;
	int status;	     /* once a status line was read, whatever went wrong later; of interim replies none */
	struct str body;     /* what was received of it, whatever went wrong later; at most reply_bytes_max */
	const char *text;    /* what went wrong, one line without secrets or query; "" when replied */
	const char *address; /* connected to: "203.0.113.9:443", "[::1]:443"; "" when no connection was made */
	const char *tls; /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" without TLS, or before the handshake was complete */
	/* Phases, not marks: each is how long that part took, in microseconds; one that failed is 0. A kept connection
	 * has neither look-up, connection nor handshake. */
	int64_t dns_us;
	int64_t connect_us;
	int64_t tls_us;
	int64_t first_byte_us; /* from the connection's being ready to the first byte of the reply */
	int64_t duration_us;   /* the whole exchange */
	/* The reply's Retry-After (RFC 9110, 10.2.3): 0 to HTTP_RETRY_AFTER_S_MAX, -1 when there is none or none that
	 * can be read. A date is judged against the reply's Date, else against the wall clock. */
	int64_t retry_after_s;
	int64_t date_s; /* the reply's Date, in seconds since 1970; -1 when there is none or none that can be read */
	const char *location; /* of a 3xx: where to, without query and fragment, in printable ASCII ('?' for the rest),
			       * cut at HTTP_LOCATION_BYTES_MAX */
};

struct http_request {
	const char *method;	    /* "POST", "GET", "PUT", "DELETE" */
	const char *url;	    /* copied */
	const char *const *headers; /* "Name: value", header_count of them, copied */
	size_t header_count;
	struct str body; /* copied */
	/* PEM of the certificate, with what leads to its authority, and of its key without a password, to show when the
	 * server asks; both empty for none. A connection is kept for requests of the same certificate only. Copied. */
	struct str client_cert;
	struct str client_key;
	unsigned
		drip_ms; /* for tools: so long before each byte of the body, blocking the thread that polls; 0: no wait */
};

typedef void (*http_done)(void *context, const struct http_result *result);

MUST_CHECK int http_client_open(const struct http_client_options *options, struct http_client **client_out,
				struct error *err);
/* Takes other options for requests from now on; connections that are kept stay. in_flight_max must be what it was
 * (asserted). The CA file is read anew, also when its name is what it was; a file that cannot be used is an error (ERR_IO,
 * ERR_INVALID) found by http_client_check_ca, not here. Threads: the one that polls. */
void http_client_change(struct http_client *client, const struct http_client_options *options);
MUST_CHECK int http_client_check_ca(const char *ca_file, struct error *err);
/* Abandons what is in flight: its `done` does not run. Accepts NULL. */
void http_client_close(struct http_client **client);

/* Starts a request; `done` runs once, inside http_client_poll, when the request no longer counts as in flight: it may
 * submit the next, but not close the client. Threads: the one that polls. */
void http_client_submit(struct http_client *client, const struct http_request *request, http_done done, void *context);
unsigned http_client_in_flight(const struct http_client *client);
/* Moves data for at most `timeout_ms`, returns earlier when something finished or http_client_wake was called. */
void http_client_poll(struct http_client *client, int timeout_ms);
/* Threads: any. */
void http_client_wake(struct http_client *client);

/* One request, waited for: for command line tools. The body of the reply goes to `body_out`. Returns 0 with the status
 * when a whole reply came, else -1 with err (ERR_IO, ERR_TIMEOUT, ERR_FULL for too large). */
MUST_CHECK int http_fetch(const struct http_client_options *options, const struct http_request *request,
			  int *status_out, struct buf *body_out, struct error *err);
