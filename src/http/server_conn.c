/* Connections of the HTTP server: accepting within the cap, and deadlines.
 *
 * The library has one time limit for everything, kept on the wall clock. Ours are kept here, on the monotonic clock: a
 * sweep ten times a second looks at each connection. It is in the handler's hands (no limit), a stream (see
 * server_stream.c), being replied to (a client that does not read), in the middle of a request (a client that does not
 * write), or idle. What is over its time is shut down at the socket, which the library then meets as an end of input or
 * a failed write and cleans up in its own way.
 *
 * A connection that is new and encrypted counts as in the middle of a request until the first one is whole: what has
 * come of a handshake cannot be seen from here. */
#include "base/clock.h"
#include "base/mem.h"
#include "http/server_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SERVER_ACCEPT_COUNT_MAX 32 /* per readiness, so that one loop does not only accept */
#define SERVER_LAST_ROUNDS 32	   /* of accepting before the listener is closed: the whole backlog */
#define SERVER_LINGER_BYTES 65536

/* ---- accepting ---- */

static void server_conn_unlink(struct server_conn *conn)
{
	struct server_thread *thread = conn->thread;

	if (conn->next == conn) {
		thread->conns = NULL;
	} else {
		conn->next->previous = conn->previous;
		conn->previous->next = conn->next;
		if (thread->conns == conn)
			thread->conns = conn->next;
	}
}

/* The library has disposed of the socket. */
static void server_conn_closed(void *data)
{
	struct server_conn *conn = data;

	assert(!conn->call || !conn->call->req);
	if (conn->call)
		conn->call->conn = NULL;
	if (conn->linger) {
		(void)shutdown(conn->linger->fd, SHUT_WR); /* the end that the library's own close did not send */
		conn->linger->conn = NULL;
	}
	SSL_CTX_free(conn->tls); /* accepts NULL */
	server_conn_unlink(conn);
	(void)atomic_fetch_sub(&conn->thread->connection_count, 1); /* the old value */
	mem_free(conn);
}

static void server_conn_add(struct server_thread *thread, h2o_socket_t *sock)
{
	struct server_conn *conn = mem_zalloc(sizeof(*conn));

	conn->thread = thread;
	conn->sock = sock;
	conn->in_request = thread->server->tls != NULL;
	conn->tls = thread->accept.ssl_ctx;
	if (conn->tls)
		SSL_CTX_up_ref(conn->tls);
	conn->since_ms = clock_mono_ms();
	if (thread->conns) {
		conn->next = thread->conns;
		conn->previous = thread->conns->previous;
		conn->next->previous = conn;
		conn->previous->next = conn;
	} else {
		conn->next = conn->previous = conn;
		thread->conns = conn;
	}
	(void)atomic_fetch_add(&thread->connection_count, 1); /* the old value, as below */
	(void)atomic_fetch_add(&thread->connections_total, 1);
	sock->on_close.cb = server_conn_closed;
	sock->on_close.data = conn;
	h2o_accept(&thread->accept, sock);
}

static uint64_t server_conn_cap(const struct server_thread *thread)
{
	uint64_t cap = thread->server->options.connection_count_max / thread->server->thread_count;

	return cap ? cap : 1;
}

static void server_conn_pause(struct server_thread *thread)
{
	if (!thread->listener_paused)
		h2o_socket_read_stop(thread->listener);
	thread->listener_paused = true;
}

void server_conn_on_accept(h2o_socket_t *listener, const char *err)
{
	struct server_thread *thread = listener->data;

	if (err)
		return;
	for (unsigned i = 0; i < SERVER_ACCEPT_COUNT_MAX; i++) {
		h2o_socket_t *sock;

		if (atomic_load(&thread->connection_count) >= server_conn_cap(thread)) {
			server_conn_pause(thread);
			return;
		}
		errno = 0;
		sock = h2o_evloop_socket_accept(listener);
		if (!sock) {
			/* out of descriptors or memory: the listener would be ready at once again, for ever */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				server_conn_pause(thread);
			return;
		}
		server_conn_add(thread, sock);
	}
}

/* ---- deadlines ---- */

struct server_conn *server_conn_of(h2o_req_t *req)
{
	return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

void server_conn_shut(const struct server_conn *conn)
{
	(void)shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR); /* fails when the peer has gone: good as well */
}

/* True when a byte waits in the kernel that the library has not read yet. */
static bool server_conn_has_unread(const struct server_conn *conn)
{
	char byte;

	return recv(h2o_socket_get_fd(conn->sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* A header that is over its limit and has no end yet. The library would go on collecting it, up to its own much larger
 * limit. A body does not count: its header, which ended, is still at the start of the input. */
static bool server_conn_header_runs_on(const struct server_conn *conn)
{
	const h2o_buffer_t *input = conn->sock->input;
	size_t limit = (size_t)conn->thread->server->options.header_bytes_max;

	if (conn->replying || input->size <= limit)
		return false;
	return !memmem(input->bytes, limit, "\n\r\n", 3) && !memmem(input->bytes, limit, "\n\n", 2);
}

static void server_conn_check(struct server_conn *conn, int64_t now_ms, bool draining)
{
	struct http_server *server = conn->thread->server;
	uint64_t limit_ms = atomic_load_explicit(&server->idle_timeout_ms, memory_order_relaxed);

	if (conn->call)
		return;
	if (conn->stream) {
		server_stream_check(conn->stream, now_ms, draining);
		return;
	}
	if (server_conn_header_runs_on(conn)) {
		(void)atomic_fetch_add(&conn->thread->refused_total, 1); /* the old value */
		server_conn_shut(conn);
		return;
	}
	if (!conn->replying) {
		if (!conn->in_request && conn->sock->input->size > 0) {
			conn->in_request = true;
			conn->since_ms = now_ms;
		}
		if (conn->in_request)
			limit_ms = atomic_load_explicit(&server->request_timeout_ms, memory_order_relaxed);
		else if (draining && !server_conn_has_unread(conn))
			limit_ms = 0;
	}
	if ((uint64_t)(now_ms - conn->since_ms) < limit_ms)
		return;
	if (limit_ms && (conn->in_request || conn->replying))
		(void)atomic_fetch_add(&conn->thread->timeouts_total, 1); /* the old value */
	server_conn_shut(conn);
	conn->since_ms = now_ms; /* once more in a while, should the library have missed it */
}

/* ---- lingering ---- */

static void server_linger_end(struct server_linger *linger)
{
	(void)close(linger->fd); /* only discarded data is left */
	linger->fd = -1;
	if (linger->conn)
		linger->conn->linger = NULL;
	linger->conn = NULL;
}

void server_conn_linger(struct server_conn *conn)
{
	for (size_t i = 0; i < SERVER_LINGER_COUNT_MAX; i++) {
		struct server_linger *linger = &conn->thread->lingers[i];

		if (linger->fd >= 0)
			continue;
		linger->fd = fcntl(h2o_socket_get_fd(conn->sock), F_DUPFD_CLOEXEC, 0);
		if (linger->fd < 0)
			return; /* out of descriptors: the refusal goes out as it may */
		linger->conn = conn;
		linger->deadline_ms = clock_mono_ms() + SERVER_LINGER_MS;
		conn->linger = linger;
		return;
	}
}

static void server_linger_read(struct server_linger *linger, int64_t now_ms)
{
	char discarded[SERVER_LINGER_BYTES];
	ssize_t got;
	unsigned rounds = 64; /* at most 4 MiB a sweep */

	do
		got = recv(linger->fd, discarded, sizeof(discarded), MSG_DONTWAIT);
	while (got > 0 && --rounds > 0);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || now_ms >= linger->deadline_ms)
		server_linger_end(linger);
}

void server_conn_linger_end_all(struct server_thread *thread)
{
	for (size_t i = 0; i < SERVER_LINGER_COUNT_MAX; i++)
		if (thread->lingers[i].fd >= 0)
			server_linger_end(&thread->lingers[i]);
}

/* ---- the sweep ---- */

static void server_conn_close_listener(struct server_thread *thread)
{
	for (unsigned i = 0; i < SERVER_LAST_ROUNDS && !thread->listener_paused; i++)
		server_conn_on_accept(thread->listener, NULL); /* who has connected already is served */
	h2o_socket_close(thread->listener);
	thread->listener = NULL;
	atomic_store(&thread->listening, false);
}

void server_conn_sweep(struct server_thread *thread, int64_t now_ms)
{
	bool draining = atomic_load(&thread->server->draining);
	struct server_conn *conn = thread->conns;

	for (uint64_t left = atomic_load(&thread->connection_count); left > 0; left--) {
		struct server_conn *next = conn->next;

		server_conn_check(conn, now_ms, draining);
		conn = next;
	}
	for (size_t i = 0; i < SERVER_LINGER_COUNT_MAX; i++)
		if (thread->lingers[i].fd >= 0)
			server_linger_read(&thread->lingers[i], now_ms);
	if (thread->listener && draining)
		server_conn_close_listener(thread);
	else if (thread->listener && thread->listener_paused &&
		 atomic_load(&thread->connection_count) < server_conn_cap(thread)) {
		thread->listener_paused = false;
		h2o_socket_read_start(thread->listener, server_conn_on_accept);
	}
}
