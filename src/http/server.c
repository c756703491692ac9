/* The HTTP server's threads and life; see server.h. Built on libh2o (its 2.2 line with its own event loop).
 *
 * What is used of the library: parsing, TLS, writing, the loop. What is not: HTTP/2 (no ALPN, no upgrade), its time
 * limits (see server_conn.c), its worker processes. Each thread has a loop, a copy of the listening socket, its
 * connections and a mailbox, which an eventfd connects to the loop; nothing is shared between threads but counters. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/server_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SERVER_SWEEP_MS 100
#define SERVER_LIBRARY_TIMEOUT_MS 86400000 /* the library's own limits, out of the way */
#define SERVER_BODY_SLACK_BYTES 65536	   /* what the library takes above our limit, so that we can answer in order */
#define SERVER_BACKLOG 1024

/* ---- the loop ---- */

static void server_wake(void *context)
{
	const struct server_thread *thread = context;
	const uint64_t one = 1;
	ssize_t wrote = write(thread->wake_fd, &one, sizeof(one));

	assert(wrote == sizeof(one) || errno == EAGAIN); /* a full counter wakes as well */
}

static void server_on_wake(h2o_socket_t *sock, const char *err)
{
	struct server_thread *thread = sock->data;
	uint64_t count;

	if (err || read(thread->wake_fd, &count, sizeof(count)) < 0)
		return;			       /* spurious */
	(void)mailbox_drain(&thread->mailbox); /* how many ran does not matter */
}

static void *server_main(void *context)
{
	struct server_thread *thread = context;
	int64_t swept_ms = clock_mono_ms();

	while (!atomic_load(&thread->server->stopping)) {
		int64_t now_ms;

		(void)h2o_evloop_run(thread->context.loop, SERVER_SWEEP_MS); /* -1 for an interrupted wait */
		now_ms = clock_mono_ms();
		atomic_store_explicit(&thread->round_ms, now_ms, memory_order_relaxed);
		if (now_ms - swept_ms >= SERVER_SWEEP_MS) {
			server_conn_sweep(thread, now_ms);
			swept_ms = now_ms;
		}
	}
	return NULL;
}

/* ---- listening ---- */

/* "127.0.0.1:80" or "[::1]:80" into host and port. */
static int server_split_listen(const char *listen, char host[64], char port[8], struct error *err)
{
	const char *colon = strrchr(listen, ':');
	struct str name = {listen, colon ? (size_t)(colon - listen) : 0};
	uint64_t number;

	if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
		name = str_slice(name, 1, name.len - 2);
	else if (str_find_char(name, ':') >= 0)
		name.len = 0; /* an IPv6 address needs its brackets */
	if (name.len == 0 || !str_copy(host, 64, name) || str_to_u64(str_c(colon + 1), 65535, &number) ||
	    !str_copy(port, 8, str_c(colon + 1)))
		return error_set(err, ERR_INVALID, "\"%.80s\" is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:0",
				 listen);
	return 0;
}

static int server_bind(const struct addrinfo *address, const char *listen_text, int *fd_out, struct error *err)
{
	const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set_errno(err, errno, "making a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, SERVER_BACKLOG)) {
		(void)error_set_errno(err, errno, "listening on %.80s", listen_text); /* returned below */
		(void)close(fd);						      /* nothing was written */
		return -1;
	}
	*fd_out = fd;
	return 0;
}

static int server_read_port(struct http_server *server, struct error *err)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);

	if (getsockname(server->listen_fd, (struct sockaddr *)&bound, &len))
		return error_set_errno(err, errno, "reading the bound port");
	server->port = ntohs(bound.ss_family == AF_INET6  ? ((struct sockaddr_in6 *)&bound)->sin6_port
			     : bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
							  : 0);
	return 0;
}

/* Somebody else has made it: is it what we need? */
static int server_take_socket(struct http_server *server, int fd, struct error *err)
{
	int listens = 0;
	int type = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return error_set_errno(err, errno, "descriptor %d that was passed", fd);
	if (!listens || type != SOCK_STREAM)
		return error_set(err, ERR_INVALID, "descriptor %d that was passed is no listening stream socket", fd);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return error_set_errno(err, errno, "descriptor %d that was passed", fd);
	server->listen_fd = fd;
	return server_read_port(server, err);
}

static int server_listen(struct http_server *server, const char *text, struct error *err)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char host[64];
	char port[8];
	int result;

	if (server_split_listen(text, host, port, err))
		return -1;
	if (getaddrinfo(host, port, &hints, &found))
		return error_set(err, ERR_INVALID, "\"%.80s\" is not an IP address with a port", text);
	result = server_bind(found, text, &server->listen_fd, err);
	freeaddrinfo(found);
	return result ? -1 : server_read_port(server, err);
}

/* ---- open ---- */

static void server_configure(struct http_server *server)
{
	h2o_globalconf_t *config = &server->config;

	h2o_config_init(config);
	config->server_name = h2o_iovec_init(H2O_STRLIT(""));
	config->http1.upgrade_to_http2 = 0;
	config->http1.req_timeout = SERVER_LIBRARY_TIMEOUT_MS;
	config->handshake_timeout = SERVER_LIBRARY_TIMEOUT_MS;
	config->max_request_entity_size = (size_t)server->options.body_bytes_max + SERVER_BODY_SLACK_BYTES;
	server_call_register(server);
}

static int server_thread_init(struct http_server *server, struct server_thread *thread, struct error *err)
{
	int listen_fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 0);

	if (listen_fd < 0)
		return error_set_errno(err, errno, "copying the listening socket");
	h2o_context_init(&thread->context, h2o_evloop_create(), &server->config);
	thread->context_ready = true;
	if (server->tls)
		SSL_CTX_up_ref(server->tls); /* each thread has its own reference, see http_server_set_tls */
	thread->accept =
		(h2o_accept_ctx_t){.ctx = &thread->context, .hosts = server->config.hosts, .ssl_ctx = server->tls};
	thread->listener = h2o_evloop_socket_create(thread->context.loop, listen_fd, H2O_SOCKET_FLAG_DONT_READ);
	thread->listener->data = thread;
	atomic_store(&thread->listening, true);
	thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (thread->wake_fd < 0)
		return error_set_errno(err, errno, "making an event descriptor");
	thread->wake_socket =
		h2o_evloop_socket_create(thread->context.loop, thread->wake_fd, H2O_SOCKET_FLAG_DONT_READ);
	thread->wake_socket->data = thread;
	h2o_socket_read_start(thread->wake_socket, server_on_wake);
	h2o_socket_read_start(thread->listener, server_conn_on_accept);
	return 0;
}

static int server_check_options(const struct http_server_options *options, struct error *err)
{
	bool has_cert = options->cert_file && options->cert_file[0];
	bool has_key = options->key_file && options->key_file[0];

	assert(options->thread_count >= 1 && options->thread_count <= 64);
	assert(options->body_bytes_max >= 1 && options->header_bytes_max >= 1024 && options->connection_count_max >= 1);
	if (has_cert != has_key)
		return error_set(err, ERR_INVALID, "a certificate file needs a key file, and the other way round");
	return 0;
}

int http_server_open(const struct http_server_options *options, struct http_server **server_out, struct error *err)
{
	struct http_server *server;

	if (server_check_options(options, err))
		return -1;
	server = mem_zalloc(sizeof(*server));
	server->options = *options;
	server->listen_fd = -1;
	http_server_set_timeouts(server, options->request_timeout_ms, options->idle_timeout_ms);
	server->thread_count = options->thread_count;
	server->threads = mem_zalloc(options->thread_count * sizeof(*server->threads));
	for (unsigned i = 0; i < server->thread_count; i++) {
		struct server_thread *thread = &server->threads[i];

		thread->server = server;
		thread->index = i;
		thread->wake_fd = -1;
		for (size_t k = 0; k < SERVER_LINGER_COUNT_MAX; k++)
			thread->lingers[k].fd = -1;
		mailbox_init(&thread->mailbox, server_wake, thread);
	}
	server_configure(server);
	if (options->cert_file && options->cert_file[0] &&
	    server_tls_open(options->cert_file, options->key_file, &server->tls, err))
		goto fail;
	if (options->listen_fd > 0 ? server_take_socket(server, options->listen_fd, err)
				   : server_listen(server, options->listen, err))
		goto fail;
	for (unsigned i = 0; i < server->thread_count; i++)
		if (server_thread_init(server, &server->threads[i], err))
			goto fail;
	(void)close(server->listen_fd); /* the threads have copies: when these are closed, nobody listens any more */
	server->listen_fd = -1;
	server->options.listen = server->options.cert_file = server->options.key_file = NULL; /* the caller's may go */
	*server_out = server;
	return 0;
fail:
	http_server_close(&server);
	return -1;
}

unsigned http_server_port(const struct http_server *server)
{
	return server->port;
}

int http_server_start(struct http_server *server, struct error *err)
{
	for (unsigned i = 0; i < server->thread_count; i++) {
		int rc;

		atomic_store(&server->threads[i].round_ms, clock_mono_ms());
		rc = pthread_create(&server->threads[i].thread, NULL, server_main, &server->threads[i]);

		if (rc)
			return error_set_errno(err, rc, "starting a thread of the HTTP server");
		server->threads[i].running = true;
	}
	return 0;
}

/* ---- changes ---- */

struct server_tls_mail {
	struct mail mail;
	struct server_thread *thread;
	SSL_CTX *tls;
};

/* On the loop thread: each connection that was accepted before has its own reference to the old one. */
static void server_take_tls(struct mail *mail)
{
	struct server_tls_mail *change = container_of(mail, struct server_tls_mail, mail);
	SSL_CTX *old = change->thread->accept.ssl_ctx;

	change->thread->accept.ssl_ctx = change->tls;
	SSL_CTX_free(old);
	mem_free(change);
}

void http_server_set_tls(struct http_server *server, struct http_tls **tls)
{
	SSL_CTX *fresh = server_tls_take(tls);

	assert(server->tls && fresh);
	for (unsigned i = 0; i < server->thread_count; i++) {
		struct server_tls_mail *change = mem_zalloc(sizeof(*change));

		SSL_CTX_up_ref(fresh);
		*change = (struct server_tls_mail){{NULL, server_take_tls}, &server->threads[i], fresh};
		mailbox_post(&server->threads[i].mailbox, &change->mail);
	}
	SSL_CTX_free(fresh);
}

void http_server_set_timeouts(struct http_server *server, uint64_t request_timeout_ms, uint64_t idle_timeout_ms)
{
	atomic_store(&server->request_timeout_ms, request_timeout_ms);
	atomic_store(&server->idle_timeout_ms, idle_timeout_ms);
}

int64_t http_server_round_ms(struct http_server *server)
{
	int64_t oldest_ms = INT64_MAX;

	for (unsigned i = 0; i < server->thread_count; i++) {
		int64_t round_ms = atomic_load_explicit(&server->threads[i].round_ms, memory_order_relaxed);

		if (round_ms < oldest_ms)
			oldest_ms = round_ms;
	}
	return oldest_ms;
}

/* ---- end ---- */

static void server_wake_all(struct http_server *server)
{
	for (unsigned i = 0; i < server->thread_count; i++)
		if (server->threads[i].wake_fd >= 0)
			server_wake(&server->threads[i]);
}

static bool server_is_drained(struct http_server *server)
{
	for (unsigned i = 0; i < server->thread_count; i++) {
		struct server_thread *thread = &server->threads[i];

		if (thread->running && (atomic_load(&thread->listening) || atomic_load(&thread->connection_count)))
			return false;
	}
	return true;
}

void http_server_drain(struct http_server *server, uint64_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 5 * 1000000};
	int64_t deadline_ms = clock_mono_ms() + (int64_t)timeout_ms;

	atomic_store(&server->draining, true);
	server_wake_all(server);
	while (!server_is_drained(server) && clock_mono_ms() < deadline_ms)
		(void)nanosleep(&pause, NULL); /* a signal may cut it short */
}

/* Lets the library see the ends of the sockets that were shut down, so that it frees what it holds. */
static void server_thread_flush(struct server_thread *thread)
{
	struct server_conn *at = thread->conns;

	for (unsigned left = (unsigned)atomic_load(&thread->connection_count); at && left > 0; left--, at = at->next)
		if (at->stream)
			server_stream_abort(at->stream);
	for (unsigned rounds = 0; rounds < 100 && thread->conns; rounds++) {
		struct server_conn *conn = thread->conns;

		do {
			(void)shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR); /* may have gone by itself */
			conn = conn->next;
		} while (conn != thread->conns);
		(void)h2o_evloop_run(thread->context.loop, 10); /* -1 for an interrupted wait */
	}
}

static void server_thread_fini(struct server_thread *thread)
{
	if (thread->context_ready) {
		if (thread->listener)
			h2o_socket_close(thread->listener);
		server_thread_flush(thread);
		server_conn_linger_end_all(thread);
		if (thread->wake_socket)
			h2o_socket_close(thread->wake_socket); /* closes the descriptor */
		if (!thread->conns) {
			h2o_evloop_t *loop = thread->context.loop;

			h2o_context_dispose(&thread->context);
			(void)h2o_evloop_run(loop, 0); /* frees closed sockets */
			h2o_evloop_destroy(loop);
		}
	}
	SSL_CTX_free(thread->accept.ssl_ctx); /* accepts NULL */
	server_call_free_all(thread);
	mailbox_fini(&thread->mailbox);
}

void http_server_close(struct http_server **server_ptr)
{
	struct http_server *server = *server_ptr;
	struct http_server_stats stats;

	if (!server)
		return;
	atomic_store(&server->stopping, true);
	server_wake_all(server);
	for (unsigned i = 0; i < server->thread_count; i++)
		if (server->threads[i].running)
			(void)pthread_join(server->threads[i].thread, NULL); /* ours, joined once */
	for (unsigned i = 0; i < server->thread_count; i++)
		if (server->threads[i].wake_fd >= 0)
			(void)mailbox_drain(&server->threads[i].mailbox); /* the last replies */
	http_server_stats(server, &stats);
	assert(stats.calls_open == 0);
	for (unsigned i = 0; i < server->thread_count; i++)
		server_thread_fini(&server->threads[i]);
	if (server->listen_fd >= 0)
		(void)close(server->listen_fd); /* nothing was written */
	h2o_config_dispose(&server->config);
	SSL_CTX_free(server->tls);
	mem_free(server->threads);
	mem_free(server);
	*server_ptr = NULL;
}

void http_server_stats(struct http_server *server, struct http_server_stats *out)
{
	*out = (struct http_server_stats){0};
	for (unsigned i = 0; i < server->thread_count; i++) {
		struct server_thread *thread = &server->threads[i];

		out->connection_count += atomic_load(&thread->connection_count);
		out->connections_total += atomic_load(&thread->connections_total);
		out->calls_total += atomic_load(&thread->calls_total);
		out->calls_open += atomic_load(&thread->calls_open);
		out->refused_total += atomic_load(&thread->refused_total);
		out->streams_open += atomic_load(&thread->streams_open);
		out->timeouts_total += atomic_load(&thread->timeouts_total);
		for (size_t k = 0; k < HTTP_STATUS_CLASSES; k++)
			out->replies_total[k] += atomic_load(&thread->replies_total[k]);
	}
}
