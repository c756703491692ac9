#pragma once
/* A receiver that does not keep to the rules: reads a request's head, or not, sends what it is told, closes or waits. */
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

enum script_end { SCRIPT_CLOSE, SCRIPT_CLOSE_LATE, SCRIPT_RESET, SCRIPT_WAIT, SCRIPT_REPEAT };

#define SCRIPT_LATE_US 5000

struct script {
	const char *reply; /* sent after each request */
	/* then: close, close when the next may be under way, reset, wait for the client to close, or send it for ever */
	enum script_end end;
	int fd;
	unsigned port;
	pthread_t thread;
	char request[4096]; /* the last one's head; read it after script_stop */
	unsigned connections;
};

static inline bool script_read(struct script *script, int fd)
{
	size_t len = 0;

	while (len < sizeof(script->request) - 1) {
		ssize_t got = recv(fd, script->request + len, sizeof(script->request) - 1 - len, 0);

		if (got <= 0)
			return false;
		len += (size_t)got;
		script->request[len] = '\0';
		if (strstr(script->request, "\r\n\r\n"))
			return true;
	}
	return false;
}

static inline bool script_send(struct script *script, int fd)
{
	size_t len = strlen(script->reply);

	return send(fd, script->reply, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static inline void script_serve(struct script *script, int fd)
{
	const struct linger none = {.l_onoff = 1};
	char rest[1024];

	if (!script_read(script, fd) || !script_send(script, fd))
		return;
	while (script->end == SCRIPT_REPEAT && script_send(script, fd))
		;
	while (script->end == SCRIPT_WAIT && recv(fd, rest, sizeof(rest), 0) > 0)
		;
	if (script->end == SCRIPT_CLOSE_LATE)
		(void)usleep(SCRIPT_LATE_US); /* waking early only makes the test easier */
	if (script->end == SCRIPT_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)); /* at worst an orderly close */
}

static inline void *script_main(void *context)
{
	struct script *script = context;

	while (true) {
		int fd = accept(script->fd, NULL, NULL);

		if (fd < 0)
			return NULL; /* script_stop */
		script->connections++;
		script_serve(script, fd);
		(void)close(fd); /* the script is over */
	}
}

static inline int script_bind(unsigned *port_out)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port_out = ntohs(address.sin_port);
	return fd;
}

static inline void script_start(struct script *script, const char *reply, enum script_end end)
{
	*script = (struct script){.reply = reply, .end = end};
	script->fd = script_bind(&script->port);
	assert_int_equal(listen(script->fd, 64), 0);
	assert_int_equal(pthread_create(&script->thread, NULL, script_main, script), 0);
}

/* The client must have closed its connections. */
static inline void script_stop(struct script *script)
{
	(void)shutdown(script->fd, SHUT_RDWR); /* ends accept */
	assert_int_equal(pthread_join(script->thread, NULL), 0);
	(void)close(script->fd); /* nothing was written */
}
