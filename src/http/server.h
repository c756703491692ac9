#pragma once
/* An HTTP/1.1 server with TLS behind one small interface: one event loop per thread, a handler per request, replies
 * that may come later from another thread by mail.
 *
 * It refuses: HTTP/2 and upgrades, bodies and headers over their limits, clients that send too slowly, connections over
 * the cap. It knows nothing of what is served.
 *
 * Life: open (binds, so the port is known), start (threads run), drain (stop accepting, let calls finish), close. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mailbox.h"

struct http_server;
struct http_call;

enum http_refusal {
	HTTP_REFUSAL_BODY_TOO_LARGE,   /* answered with status 413 */
	HTTP_REFUSAL_HEADER_TOO_LARGE, /* 431 */
	HTTP_REFUSAL_BAD_REQUEST,      /* 400 or 417: cannot be parsed; only where the library lets us write the body */
};

/* Runs on a loop thread for each complete request; must not block. Either replies, or keeps `call` and replies later:
 * exactly once in the end (http_call_reply, or http_call_stream for a reply that goes on). */
typedef void (*http_handler)(void *context, struct http_call *call);

/* Writes the body of a refusal that the server answers itself (Content-Type application/json). Any loop thread. */
typedef void (*http_refuse)(void *context, enum http_refusal why, struct buf *body_out);

struct http_server_options {
	int listen_fd; /* above 0: a socket that listens already, instead of the address; taken over when open succeeds */
	const char *listen;	       /* "127.0.0.1:8080", "[::1]:0"; port 0 takes a free one; no host name */
	const char *cert_file;	       /* PEM chain; NULL or "" for plain HTTP */
	const char *key_file;	       /* PEM; needed with cert_file */
	unsigned thread_count;	       /* 1 to 64 */
	uint64_t body_bytes_max;       /* 1 to 16 MiB */
	uint64_t header_bytes_max;     /* request line and headers together; 1 KiB to 64 KiB */
	uint64_t connection_count_max; /* over all threads; further ones wait in the kernel's backlog */
	uint64_t request_timeout_ms;   /* from the first byte of a request to its last: slow headers or body close */
	uint64_t idle_timeout_ms;      /* between requests of a connection, and for a client that does not read */
	http_handler handler;
	http_refuse refuse;
	void *context; /* for both; must outlive the server */
};

/* Reads the certificate, binds and listens. Errors ERR_INVALID (an option, with its name), ERR_IO (address in use...).
 */
MUST_CHECK int http_server_open(const struct http_server_options *options, struct http_server **server_out,
				struct error *err);
/* The bound port. */
unsigned http_server_port(const struct http_server *server);
/* Starts the threads; requests arrive from now on. The process must ignore SIGPIPE, which the library does not avoid. */
MUST_CHECK int http_server_start(struct http_server *server, struct error *err);

/* ---- changes while it runs; threads: one at a time ---- */

/* A certificate chain and its key, read. */
struct http_tls;
/* Errors ERR_INVALID that names the file. */
MUST_CHECK int http_tls_open(const char *cert_file, const char *key_file, struct http_tls **tls_out, struct error *err);
/* Accepts a pointer to NULL. */
void http_tls_close(struct http_tls **tls);
/* Connections from now on are shown this certificate; those that there are go on with theirs. The server must have been
 * opened with one (asserted). Takes it over. */
void http_server_set_tls(struct http_server *server, struct http_tls **tls);
/* Acts on the connections that there are, too. */
void http_server_set_timeouts(struct http_server *server, uint64_t request_timeout_ms, uint64_t idle_timeout_ms);
/* When the loop that was longest without it last went round, on clock_mono_ms; each does so ten times a second unless
 * something blocks it. Threads: any. */
int64_t http_server_round_ms(struct http_server *server);

/* Stops accepting, answers what is in hand with `Connection: close`, ends streams, closes idle connections; returns when
 * nobody listens and no connection is open, or after `timeout_ms`. Calls the handler has kept must still be replied to by their keeper. */
void http_server_drain(struct http_server *server, uint64_t timeout_ms);
/* Ends the threads and frees. Every kept call must have been replied to before (asserted). Accepts NULL. */
void http_server_close(struct http_server **server);

#define HTTP_STATUS_CLASSES 6

struct http_server_stats {
	uint64_t connection_count; /* open now */
	uint64_t connections_total;
	uint64_t calls_total;	 /* handed to the handler */
	uint64_t calls_open;	 /* not yet replied to */
	uint64_t refused_total;	 /* refusals answered by the server itself */
	uint64_t timeouts_total; /* connections closed for slowness */
	uint64_t streams_open;
	uint64_t replies_total[HTTP_STATUS_CLASSES]; /* all replies by the first digit of the status, 0 for odd ones */
};
/* Threads: any. */
void http_server_stats(struct http_server *server, struct http_server_stats *out);

/* ---- one call; all on its loop thread, the views valid until the reply ---- */

struct str http_call_method(const struct http_call *call);
/* As sent, still percent-encoded, without the query. A target in absolute form has lost its scheme and host. */
struct str http_call_path(const struct http_call *call);
/* Without "?"; empty when there is none. */
struct str http_call_query(const struct http_call *call);
struct str http_call_body(const struct http_call *call);
/* A header by name in lower case; the empty view when absent; the first when there are several. Those the server itself
 * acts on are not shown: host, content-length, transfer-encoding, expect, upgrade. */
struct str http_call_header(const struct http_call *call, struct str name);
/* The peer's address without port; IPv4-mapped IPv6 is written as IPv4. */
struct str http_call_peer(const struct http_call *call);
/* Memory that lives until the reply is sent. */
struct arena *http_call_arena(struct http_call *call);
/* Index of the loop thread, 0 to thread_count - 1: for per-thread caches. */
unsigned http_call_thread(const struct http_call *call);
/* Where another thread posts a mail whose `run` replies. The box outlives the call. Threads: any, while kept. */
struct mailbox *http_call_mailbox(struct http_call *call);

/* Sends status, Content-Type and body (copied) and ends the call: it must not be touched afterwards. When the client
 * has gone, only frees. */
void http_call_reply(struct http_call *call, int status, struct str content_type, struct str body);
/* Adds a header to the reply to come; name in lower case, both copied. At most 12. */
void http_call_add_header(struct http_call *call, struct str name, struct str value);

/* ---- streams: replies that go on ----
 *
 * A stream belongs to its loop thread: it is started there, and whoever else has something for it leaves that where
 * `tick` finds it, or posts a mail to the box of the call it came from. What the client does not take waits in a buffer
 * that never grows past its bound. No time limit applies while the client takes what is sent. */

struct http_stream;

struct http_stream_options {
	struct str content_type;  /* copied; the status is 200 */
	size_t waiting_bytes_max; /* of what was sent and is not yet with the system; twice that is held at most */
	/* Called about ten times a second. May send and end. */
	void (*tick)(void *context, struct http_stream *stream, int64_t now_mono_ms);
	/* Called once: the stream is over and must not be touched any more. It was ended, the client has gone or takes
	 * nothing for idle_timeout_ms, or the server drains or closes (then on the thread that closes). */
	void (*over)(void *context);
	void *context;
};

/* Answers the call with a stream; the call must not be touched afterwards. NULL when the client has gone: then nothing
 * of `options` is called. */
struct http_stream *http_call_stream(struct http_call *call, const struct http_stream_options *options);
/* Sends the bytes (copied), all or none of them. Returns 0, or -1 when so much waits that these do not fit. */
MUST_CHECK int http_stream_send(struct http_stream *stream, struct str bytes);
/* True while something that was sent is not yet with the system: the client reads more slowly than is sent. */
bool http_stream_is_behind(const struct http_stream *stream);
/* Ends it when what waits is with the system; `over` comes later. Nothing may be sent any more. */
void http_stream_end(struct http_stream *stream);
