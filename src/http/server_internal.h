#pragma once
/* What the files of the HTTP server share. Only these files know the HTTP library. */
#include "http/server.h"

#define H2O_USE_EPOLL 1
#include <h2o.h>
#include <stdatomic.h>

#define SERVER_HEADERS_ADDED_MAX 12
#define SERVER_LINGER_COUNT_MAX 64
#define SERVER_LINGER_MS 2000

struct server_thread;

/* One accepted connection, from accept until its socket is disposed of. */
struct server_conn {
	struct server_conn *next; /* ring of the thread's connections */
	struct server_conn *previous;
	struct server_thread *thread;
	h2o_socket_t *sock;
	SSL_CTX *tls; /* that it was accepted with, a reference: the library looks at it when the handshake begins */
	struct http_call *call;	      /* the handler has it: no deadline of ours applies */
	struct http_stream *stream;   /* the reply is one that goes on; NULL for none */
	struct server_linger *linger; /* goes on reading when the library has closed; NULL for none */
	bool replying;		      /* a reply was handed over and is not written yet */
	bool in_request;	      /* bytes of a request have come, or it is new and encrypted */
	int64_t since_ms;	      /* monotonic: when the present state began */
};

/* A request in the handler's hands. Recycled when it was replied to. */
struct http_call {
	struct http_call *next_free;
	struct server_thread *thread;
	struct server_conn *conn;
	h2o_req_t *req; /* NULL: the connection has gone, the reply will go nowhere */
	struct server_hold *hold;
	struct arena arena;
	struct str path;
	struct str query;
	char peer[64];
	size_t added_count;
	struct str added[SERVER_HEADERS_ADDED_MAX][2]; /* name and value, in the arena */
};

/* In the request's pool: its disposal tells us that the request is over. */
struct server_hold {
	struct http_call *call;	    /* NULL once replied to */
	struct http_stream *stream; /* NULL but for a stream */
	struct server_conn *conn;
};

/* A reply that goes on; see server_stream.c. */
struct http_stream {
	h2o_generator_t generator; /* what the library knows of it */
	struct server_conn *conn;
	h2o_req_t *req;
	struct http_stream_options options;
	struct buf waiting;
	struct buf sending; /* in the library's hands while in_flight */
	bool in_flight;
	bool ending;	 /* no more bytes are taken */
	bool ended;	 /* the end was handed over */
	int64_t sent_ms; /* monotonic: when the library was last handed something; when the end was asked for */
};

/* A connection that was refused before it had sent its whole request: kept a moment and read from, because closing it
 * with unread data would reset it and so destroy the refusal on its way. */
struct server_linger {
	int fd;			  /* -1: free */
	struct server_conn *conn; /* NULL: the library has written the refusal and closed */
	int64_t deadline_ms;
};

struct server_thread {
	struct http_server *server;
	unsigned index;
	pthread_t thread;
	bool running;
	h2o_context_t context;
	bool context_ready;
	h2o_accept_ctx_t accept;
	h2o_socket_t *listener; /* NULL when closed */
	bool listener_paused;	/* over the cap, or out of descriptors: looked at again in the sweep */
	h2o_socket_t *wake_socket;
	int wake_fd;
	struct mailbox mailbox;
	struct server_conn *conns; /* ring */
	struct http_call *free_calls;
	bool own_reply; /* the reply being started is the handler's, not the library's */
	struct server_linger lingers[SERVER_LINGER_COUNT_MAX];

	_Atomic int64_t round_ms; /* monotonic: when the loop last went round */
	_Atomic bool listening;	  /* `listener` is not NULL; for who is not this thread */
	_Atomic uint64_t connection_count;
	_Atomic uint64_t connections_total;
	_Atomic uint64_t calls_total;
	_Atomic uint64_t calls_open;
	_Atomic uint64_t refused_total;
	_Atomic uint64_t timeouts_total;
	_Atomic uint64_t streams_open;
	_Atomic uint64_t replies_total[HTTP_STATUS_CLASSES];
};

struct server_handler {
	h2o_handler_t super;
	struct http_server *server;
};

struct http_server {
	struct http_server_options options; /* strings are not kept */
	h2o_globalconf_t config;
	SSL_CTX *tls; /* of the start; NULL for plain HTTP */
	_Atomic uint64_t request_timeout_ms;
	_Atomic uint64_t idle_timeout_ms;
	int listen_fd; /* until the threads have their copies */
	unsigned port;
	unsigned thread_count;
	struct server_thread *threads;
	_Atomic bool draining;
	_Atomic bool stopping;
};

/* ---- server_tls.c ---- */

/* TLS 1.2 and later with the given chain and key, HTTP/1.1 only. Errors ERR_INVALID that names the file. */
MUST_CHECK int server_tls_open(const char *cert_file, const char *key_file, SSL_CTX **out, struct error *err);

/* What is inside; the rest is freed. */
SSL_CTX *server_tls_take(struct http_tls **tls);

/* ---- server_call.c ---- */

/* Registers our handler, and the filter that words the library's own refusals. */
void server_call_register(struct http_server *server);
void server_call_free_all(struct server_thread *thread);
/* The call is over: its memory serves the next one. */
void server_call_put(struct http_call *call);
/* Begins the reply, with status and headers, and takes the request from the call, which must be put back. */
h2o_req_t *server_call_begin(struct http_call *call, int status, struct str content_type);
/* Starts a reply that is the handler's own, not the library's. */
void server_call_start(struct server_thread *thread, h2o_req_t *req, h2o_generator_t *generator);

/* ---- server_stream.c ---- */

/* In each sweep: lets its owner do something, and ends it when its time is over or the client has gone. */
void server_stream_check(struct http_stream *stream, int64_t now_ms, bool draining);
/* The request is over. Frees. */
void server_stream_over(struct http_stream *stream);
/* Ends it without regard for what waits, because nothing is written any more. */
void server_stream_abort(struct http_stream *stream);

/* ---- server_conn.c ---- */

/* Accepts what waits, within the cap; the library's callback for the listener. */
void server_conn_on_accept(h2o_socket_t *listener, const char *err);
/* Looks at every connection: closes what is over its time, and, when draining, what is idle. */
void server_conn_sweep(struct server_thread *thread, int64_t now_ms);
/* The connection that a request came on. */
struct server_conn *server_conn_of(h2o_req_t *req);
/* Reads and discards from the connection for a moment after its refusal. */
void server_conn_linger(struct server_conn *conn);
/* Ends the connection from outside the library. */
void server_conn_shut(const struct server_conn *conn);
void server_conn_linger_end_all(struct server_thread *thread);
