#pragma once
/* A tiny HTTP receiver on loopback: one thread, one connection at a time, replies as it is told, remembers what came.
 */
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

#define RECEIVER_SEEN_MAX 512

struct receiver_seen {
	char path[32];	/* up to the "?" */
	char event[48]; /* webhook-id */
	int attempt;
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
	int status; /* of the replies */
	bool hold;  /* replies wait */
	bool over;
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
	(void)snprintf(seen->body, sizeof(seen->body), "%s", end + 4); /* alerts fit */
	return true;
}

static inline void receiver_serve(struct receiver *receiver, int fd)
{
	static const char body[] = "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}";
	struct receiver_seen seen = {{0}, {0}, 0, {0}};
	char reply[512];
	int status;

	if (!receiver_read(fd, &seen))
		return;
	pthread_mutex_lock(&receiver->lock);
	if (receiver->count < RECEIVER_SEEN_MAX)
		receiver->seen[receiver->count++] = seen;
	status = receiver->status;
	pthread_cond_broadcast(&receiver->changed);
	while (receiver->hold && !receiver->over)
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	pthread_mutex_unlock(&receiver->lock);
	(void)snprintf(
		reply, sizeof(reply),
		"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, sizeof(body) - 1, body);	     /* fits */
	(void)!send(fd, reply, strlen(reply), MSG_NOSIGNAL); /* a peer that has gone is fine */
}

static inline void *receiver_main(void *context)
{
	struct receiver *receiver = context;

	while (true) {
		int fd = accept(receiver->fd, NULL, NULL);

		if (fd < 0)
			return NULL; /* shut down */
		receiver_serve(receiver, fd);
		(void)close(fd); /* what was sent stays sent */
	}
}

static inline void receiver_start(struct receiver *receiver, int status)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->status = status;
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

static inline void receiver_set(struct receiver *receiver, int status, bool hold)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->status = status;
	receiver->hold = hold;
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
