#pragma once
/* A tiny HTTP receiver on loopback: a thread per connection, replies as it is told, remembers what came. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RECEIVER_SEEN_MAX 2048
#define RECEIVER_AT_ONCE_MAX 64

struct receiver_seen {
	char path[32];	/* up to the "?" */
	char event[48]; /* webhook-id */
	int attempt;
	char threshold[8]; /* of the headers of that name, "" for none, as the rest */
	char test[8];
	char replay[16];
	char timestamp[24];
	char signature[256];
	char body[512];
};

struct receiver {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct receiver_seen seen[RECEIVER_SEEN_MAX]; /* under the lock, as all that follows */
	unsigned count;
	unsigned open;		/* requests that wait for their reply */
	unsigned open_max;	/* most of them at once, since it was last set to 0 */
	int status;		/* of the replies */
	unsigned retry_after_s; /* the same; 0 for none */
	bool hold;		/* replies wait */
	unsigned released;	/* but those to so many requests, in the order they came */
	bool over;
	struct receiver_worker {
		struct receiver *receiver;
		pthread_t thread;
		int fd; /* -1: free */
		bool started;
	} workers[RECEIVER_AT_ONCE_MAX];
};

/* A listening socket on a free port; it accepts nothing by itself. */
static inline int receiver_listen(unsigned *port_out)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port_out = ntohs(address.sin_port);
	return fd;
}

static inline void receiver_copy_header(const char *head, const char *name, char *out, size_t size)
{
	const char *at = strcasestr(head, name);

	(void)snprintf(out, size, "%.*s", at ? (int)strcspn(at + strlen(name), "\r\n") : 0,
		       at ? at + strlen(name) : "");
}

/* Reads one whole request. Returns false when the peer went away before. */
static inline bool receiver_read(int fd, struct receiver_seen *seen)
{
	char text[8192];
	size_t len = 0;
	char number[16];
	char *end;

	memset(seen, 0, sizeof(*seen));
	while (true) {
		ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);

		if (got <= 0)
			return false;
		len += (size_t)got;
		text[len] = '\0';
		end = strstr(text, "\r\n\r\n");
		receiver_copy_header(text, "content-length: ", number, sizeof(number));
		if (end && len >= (size_t)(end + 4 - text) + (size_t)atoi(number))
			break;
	}
	(void)sscanf(text, "POST %31[^? ]", seen->path); /* the tests look at it */
	receiver_copy_header(text, "\r\nwebhook-id: ", seen->event, sizeof(seen->event));
	receiver_copy_header(text, "\r\nhighwater-attempt: ", number, sizeof(number));
	seen->attempt = atoi(number);
	receiver_copy_header(text, "\r\nhighwater-threshold: ", seen->threshold, sizeof(seen->threshold));
	receiver_copy_header(text, "\r\nhighwater-test: ", seen->test, sizeof(seen->test));
	receiver_copy_header(text, "\r\nhighwater-replay: ", seen->replay, sizeof(seen->replay));
	receiver_copy_header(text, "\r\nwebhook-timestamp: ", seen->timestamp, sizeof(seen->timestamp));
	receiver_copy_header(text, "\r\nwebhook-signature: ", seen->signature, sizeof(seen->signature));
	(void)snprintf(seen->body, sizeof(seen->body), "%s", end + 4); /* alerts fit */
	return true;
}

/* Notes the request, waits until it may be answered, and says with what. */
static inline int receiver_take(struct receiver *receiver, const struct receiver_seen *seen, unsigned *retry_after_out)
{
	unsigned turn;
	int status;

	pthread_mutex_lock(&receiver->lock);
	turn = receiver->count;
	if (turn < RECEIVER_SEEN_MAX)
		receiver->seen[receiver->count++] = *seen;
	status = receiver->status; /* as it was when the request came; one that is held gets what is said then */
	*retry_after_out = receiver->retry_after_s;
	if (++receiver->open > receiver->open_max)
		receiver->open_max = receiver->open;
	pthread_cond_broadcast(&receiver->changed);
	while (receiver->hold && turn >= receiver->released && !receiver->over) {
		pthread_cond_wait(&receiver->changed, &receiver->lock);
		status = receiver->status;
		*retry_after_out = receiver->retry_after_s;
	}
	receiver->open--;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
	return status;
}

static inline void *receiver_serve(void *context)
{
	static const char body[] = "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}";
	struct receiver_worker *worker = context;
	struct receiver *receiver = worker->receiver;
	struct receiver_seen seen;
	char again[40] = "";
	char reply[512];

	if (receiver_read(worker->fd, &seen)) {
		unsigned retry_after_s;
		int status = receiver_take(receiver, &seen, &retry_after_s);

		if (retry_after_s)
			(void)snprintf(again, sizeof(again), "Retry-After: %u\r\n", retry_after_s); /* fits */
		(void)snprintf(reply, sizeof(reply),
			       "HTTP/1.1 %d X\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", status, again,
			       sizeof(body) - 1, body);			     /* fits */
		(void)!send(worker->fd, reply, strlen(reply), MSG_NOSIGNAL); /* a peer that has gone is fine */
	}
	pthread_mutex_lock(&receiver->lock);
	(void)close(worker->fd); /* what was sent stays sent */
	worker->fd = -1;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
	return NULL;
}

/* A worker that is free; waits for one. */
static inline struct receiver_worker *receiver_find_worker(struct receiver *receiver)
{
	pthread_mutex_lock(&receiver->lock);
	while (true) {
		for (unsigned i = 0; i < RECEIVER_AT_ONCE_MAX; i++) {
			if (receiver->workers[i].fd < 0) {
				pthread_mutex_unlock(&receiver->lock);
				return &receiver->workers[i];
			}
		}
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	}
}

static inline void *receiver_main(void *context)
{
	struct receiver *receiver = context;

	while (true) {
		struct receiver_worker *worker = receiver_find_worker(receiver);
		int fd = accept(receiver->fd, NULL, NULL);

		if (fd < 0)
			break; /* shut down */
		if (worker->started)
			(void)pthread_join(worker->thread, NULL); /* it has ended, or is about to */
		pthread_mutex_lock(&receiver->lock);
		worker->fd = fd;
		pthread_mutex_unlock(&receiver->lock);
		worker->started = pthread_create(&worker->thread, NULL, receiver_serve, worker) == 0;
	}
	for (unsigned i = 0; i < RECEIVER_AT_ONCE_MAX; i++)
		if (receiver->workers[i].started)
			(void)pthread_join(receiver->workers[i].thread, NULL); /* ours, joined once */
	return NULL;
}

static inline void receiver_start(struct receiver *receiver, int status)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->status = status;
	for (unsigned i = 0; i < RECEIVER_AT_ONCE_MAX; i++)
		receiver->workers[i] = (struct receiver_worker){.receiver = receiver, .fd = -1};
	receiver->fd = receiver_listen(&receiver->port);
	assert_int_equal(pthread_mutex_init(&receiver->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&receiver->changed, NULL), 0);
	assert_int_equal(pthread_create(&receiver->thread, NULL, receiver_main, receiver), 0);
}

static inline void receiver_stop(struct receiver *receiver)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->over = true;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
	(void)shutdown(receiver->fd, SHUT_RDWR); /* ends accept */
	assert_int_equal(pthread_join(receiver->thread, NULL), 0);
	assert_int_equal(close(receiver->fd), 0);
}

/* For all that come from now on, and with hold false for those that wait. */
static inline void receiver_set(struct receiver *receiver, int status, bool hold)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->status = status;
	receiver->retry_after_s = 0;
	receiver->hold = hold;
	receiver->released = 0;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
}

/* Waits until that many requests have come; one that never comes shows as a test that times out. */
static inline void receiver_wait(struct receiver *receiver, unsigned count)
{
	pthread_mutex_lock(&receiver->lock);
	while (receiver->count < count)
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	pthread_mutex_unlock(&receiver->lock);
}

static inline void receiver_set_retry_after(struct receiver *receiver, int status, unsigned retry_after_s)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->status = status;
	receiver->retry_after_s = retry_after_s;
	pthread_mutex_unlock(&receiver->lock);
}

/* Lets the replies to the first `count` requests go, while the others are held. */
static inline void receiver_release(struct receiver *receiver, unsigned count)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->released = count;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
}

static inline unsigned receiver_count(struct receiver *receiver)
{
	unsigned count;

	pthread_mutex_lock(&receiver->lock);
	count = receiver->count;
	pthread_mutex_unlock(&receiver->lock);
	return count;
}

static inline void receiver_wait_open(struct receiver *receiver, unsigned open)
{
	pthread_mutex_lock(&receiver->lock);
	while (receiver->open != open)
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	pthread_mutex_unlock(&receiver->lock);
}

/* Requests that wait for their reply now. */
static inline unsigned receiver_open(struct receiver *receiver)
{
	unsigned open;

	pthread_mutex_lock(&receiver->lock);
	open = receiver->open;
	pthread_mutex_unlock(&receiver->lock);
	return open;
}

/* The most requests at once since the last call. */
static inline unsigned receiver_take_open_max(struct receiver *receiver)
{
	unsigned open_max;

	pthread_mutex_lock(&receiver->lock);
	open_max = receiver->open_max;
	receiver->open_max = receiver->open;
	pthread_mutex_unlock(&receiver->lock);
	return open_max;
}
