#pragma once
/* A server of ours with a handler that does what the path says, and a peer that speaks to it in raw bytes.
 *
 * Paths: /echo tells what came, /body sends the body back, /large sends as many bytes as the query says, /headers adds
 * headers, /hold keeps the call until web_release. Deadlines of the peer are far longer than any of the server's: they end
 * a test that has failed. */
#include "base/clock.h"
#include "base/mem.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WEB_HELD_MAX 256
#define WEB_REPLY_BYTES_MAX 65536
#define WEB_PATIENCE_MS 20000

struct web_held {
	struct mail mail;
	struct http_call *call;
	struct mailbox *mailbox;
};

struct web {
	struct http_server *server;
	struct http_server_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct web_held *held[WEB_HELD_MAX]; /* under the lock, as the count */
	size_t held_count;
};

/* ---- the handler ---- */

static inline void web_reply(struct http_call *call, struct str body)
{
	http_call_reply(call, 200, STR("text/plain"), body);
}

static inline void web_echo(struct http_call *call)
{
	char text[2048];
	struct str header = http_call_header(call, STR("x-test"));

	(void)snprintf(text, sizeof(text), "%.*s|%.*s|%.*s|%.*s|%.*s|%zu|%u", STR_ARG(http_call_method(call)),
		       STR_ARG(str_slice(http_call_path(call), 0, 500)),
		       STR_ARG(str_slice(http_call_query(call), 0, 500)), STR_ARG(str_slice(header, 0, 500)),
		       STR_ARG(http_call_peer(call)), http_call_body(call).len, http_call_thread(call)); /* fits */
	web_reply(call, str_c(text));
}

static inline void web_large(struct http_call *call)
{
	uint64_t size = 0;
	char *bytes;

	assert_int_equal(str_to_u64(http_call_query(call), 64 << 20, &size), 0);
	bytes = mem_zalloc(size);
	memset(bytes, 'x', size);
	web_reply(call, (struct str){bytes, size});
	mem_free(bytes);
}

static inline void web_headers(struct http_call *call)
{
	for (unsigned i = 0; i < 8; i++) {
		char name[16];
		char value[16];

		(void)snprintf(name, sizeof(name), "x-number-%u", i); /* fits, as below */
		(void)snprintf(value, sizeof(value), "value %u", i);
		http_call_add_header(call, str_c(name), str_c(value));
	}
	web_reply(call, STR("headers"));
}

static inline void web_hold(struct web *web, struct http_call *call)
{
	struct web_held *held = arena_new(http_call_arena(call), struct web_held);

	held->call = call;
	held->mailbox = http_call_mailbox(call);
	pthread_mutex_lock(&web->lock);
	assert_true(web->held_count < WEB_HELD_MAX);
	web->held[web->held_count++] = held;
	pthread_cond_broadcast(&web->changed);
	pthread_mutex_unlock(&web->lock);
}

static inline void web_handle(void *context, struct http_call *call)
{
	struct str path = http_call_path(call);

	if (str_eq(path, STR("/hold")))
		web_hold(context, call);
	else if (str_eq(path, STR("/large")))
		web_large(call);
	else if (str_eq(path, STR("/headers")))
		web_headers(call);
	else if (str_eq(path, STR("/body")))
		web_reply(call, http_call_body(call));
	else
		web_echo(call);
}

static inline void web_refuse(void *context, enum http_refusal why, struct buf *body_out)
{
	static const char *const words[] = {
		[HTTP_REFUSAL_BODY_TOO_LARGE] = "refused: body",
		[HTTP_REFUSAL_HEADER_TOO_LARGE] = "refused: header",
		[HTTP_REFUSAL_BAD_REQUEST] = "refused: request",
	};

	(void)context; /* the words are fixed */
	buf_append_c(body_out, words[why]);
}

/* ---- held calls ---- */

static inline void web_wait_held(struct web *web, size_t count)
{
	struct timespec limit;

	(void)clock_gettime(CLOCK_REALTIME, &limit); /* cannot fail */
	limit.tv_sec += WEB_PATIENCE_MS / 1000;
	pthread_mutex_lock(&web->lock);
	while (web->held_count < count)
		if (pthread_cond_timedwait(&web->changed, &web->lock, &limit))
			break;
	assert_true(web->held_count >= count);
	pthread_mutex_unlock(&web->lock);
}

static inline void web_answer_held(struct mail *mail)
{
	web_reply(container_of(mail, struct web_held, mail)->call, STR("late"));
}

static inline struct web_held *web_take_held(struct web *web)
{
	struct web_held *held = NULL;

	pthread_mutex_lock(&web->lock);
	if (web->held_count)
		held = web->held[--web->held_count];
	pthread_mutex_unlock(&web->lock);
	return held;
}

/* Has every held call replied to, by mail. Threads: any. */
static inline void web_release(struct web *web)
{
	struct web_held *held;

	while ((held = web_take_held(web)) != NULL) {
		held->mail.run = web_answer_held;
		mailbox_post(held->mailbox, &held->mail);
	}
}

/* ---- life ---- */

static inline struct http_server_options web_options(struct web *web)
{
	return (struct http_server_options){
		.listen = "127.0.0.1:0",
		.thread_count = 1,
		.body_bytes_max = 1000,
		.header_bytes_max = 1024,
		.connection_count_max = 100,
		.request_timeout_ms = WEB_PATIENCE_MS,
		.idle_timeout_ms = WEB_PATIENCE_MS,
		.handler = web_handle,
		.refuse = web_refuse,
		.context = web,
	};
}

static inline void web_start(struct web *web)
{
	struct error err;

	if (http_server_open(&web->options, &web->server, &err) || http_server_start(web->server, &err))
		fail_msg("%s", err.text);
}

static inline void web_stop(struct web *web)
{
	http_server_close(&web->server);
}

static inline int web_setup(void **state)
{
	struct web *web = mem_zalloc(sizeof(*web));

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	pthread_mutex_init(&web->lock, NULL);
	pthread_cond_init(&web->changed, NULL);
	web->options = web_options(web);
	*state = web;
	return 0;
}

static inline int web_teardown(void **state)
{
	struct web *web = *state;

	web_release(web);
	web_stop(web);
	pthread_mutex_destroy(&web->lock);
	pthread_cond_destroy(&web->changed);
	mem_free(web);
	return 0;
}

static inline struct http_server_stats web_stats(struct web *web)
{
	struct http_server_stats stats;

	http_server_stats(web->server, &stats);
	return stats;
}

/* Looks until `is` says yes of the counters; they change without an event that could be waited for. */
static inline void web_wait_stats(struct web *web, bool (*is)(const struct http_server_stats *stats))
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int64_t limit_ms = clock_mono_ms() + WEB_PATIENCE_MS;
	struct http_server_stats stats = web_stats(web);

	while (!is(&stats) && clock_mono_ms() < limit_ms) {
		(void)nanosleep(&pause, NULL); /* only not to spin */
		stats = web_stats(web);
	}
	assert_true(is(&stats));
}

static inline bool web_is_empty(const struct http_server_stats *stats)
{
	return stats->connection_count == 0;
}

/* ---- the peer ---- */

struct peer_reply {
	int status; /* 0: the connection ended without a whole reply */
	char head[4096];
	char body[WEB_REPLY_BYTES_MAX];
	size_t body_len;
};

static inline void peer_set_limits(int fd)
{
	const struct timeval patience = {.tv_sec = WEB_PATIENCE_MS / 1000};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
}

/* Returns the socket, or -1 when the connection was refused. */
static inline int peer_try_connect(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	peer_set_limits(fd);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	assert_int_equal(errno, ECONNREFUSED);
	(void)close(fd); /* nothing was written */
	return -1;
}

static inline int peer_connect(const struct web *web)
{
	int fd = peer_try_connect(http_server_port(web->server));

	assert_true(fd >= 0);
	return fd;
}

/* Returns false when the server has closed. */
static inline bool peer_try_send(int fd, const void *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t now = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);

		if (now < 0)
			assert_true(errno == EPIPE || errno == ECONNRESET);
		if (now <= 0)
			return false;
		sent += (size_t)now;
	}
	return true;
}

static inline void peer_send(int fd, const char *text)
{
	assert_true(peer_try_send(fd, text, strlen(text)));
}

/* One byte; 0 at the end of the connection, orderly or not. */
static inline size_t peer_read_some(int fd, char *out, size_t len)
{
	ssize_t got = recv(fd, out, len, 0);

	if (got < 0)
		assert_int_equal(errno, ECONNRESET); /* not a time-out */
	return got < 0 ? 0 : (size_t)got;
}

static inline bool peer_read_head(int fd, char *head, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && peer_read_some(fd, head + len, 1) == 1) {
		head[++len] = '\0';
		if (len >= 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
			return true;
	}
	return false;
}

/* Reads one reply, byte by byte until its head ends, so that the next one stays unread. */
static inline void peer_read(int fd, bool has_body, struct peer_reply *reply)
{
	const char *length;
	size_t want;

	memset(reply, 0, sizeof(*reply));
	if (!peer_read_head(fd, reply->head, sizeof(reply->head)))
		return;
	length = strcasestr(reply->head, "\r\ncontent-length: ");
	want = length && has_body ? (size_t)atoi(length + 18) : 0;
	assert_true(want < sizeof(reply->body));
	while (reply->body_len < want) {
		size_t got = peer_read_some(fd, reply->body + reply->body_len, want - reply->body_len);

		if (got == 0)
			return;
		reply->body_len += got;
	}
	assert_int_equal(sscanf(reply->head, "HTTP/1.1 %d ", &reply->status), 1);
}

/* body NULL: any */
static inline void peer_expect(int fd, int status, const char *body)
{
	struct peer_reply reply;

	peer_read(fd, true, &reply);
	assert_int_equal(reply.status, status);
	if (body)
		assert_string_equal(reply.body, body);
}

/* Reads until the server has closed; returns when that was. Replies that come before are discarded. */
static inline int64_t peer_wait_end(int fd)
{
	char discarded[4096];

	while (peer_read_some(fd, discarded, sizeof(discarded)) > 0)
		;
	return clock_mono_ms();
}

static inline void peer_expect_end(int fd)
{
	char byte;

	assert_int_equal(peer_read_some(fd, &byte, 1), 0);
	(void)close(fd); /* over */
}

/* True when nothing comes for that long. */
static inline bool peer_is_silent(int fd, int timeout_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, timeout_ms) == 0;
}

/* Closes so that the server meets a reset. */
static inline void peer_reset(int fd)
{
	const struct linger none = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	(void)close(fd); /* a reset is what is wanted */
}
