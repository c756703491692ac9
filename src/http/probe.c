/* A host, its addresses and a connection to one; see probe.h. TLS is in probe_tls.c. */
#include "http/probe.h"
#include "base/clock.h"
#include "http/probe_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the URL ---- */

static bool probe_is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int probe_read_parts(CURLU *url, struct probe_target *target)
{
	char *scheme = NULL;
	char *host = NULL;
	char *port = NULL;
	int result = -1;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		struct str name = str_c(host);

		if (str_starts_with(name, STR("["))) /* IPv6 */
			name = str_slice(name, 1, name.len - 2);
		target->tls = str_eq(str_c(scheme), STR("https"));
		if ((target->tls || str_eq(str_c(scheme), STR("http"))) && name.len &&
		    str_copy(target->host, sizeof(target->host), name) &&
		    str_copy(target->port, sizeof(target->port), str_c(port)))
			result = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return result;
}

int probe_target_parse(const char *url, struct probe_target *out, struct error *err)
{
	CURLU *parts = curl_url();
	struct probe_target target = {0};
	int result = 0;

	assert(parts); /* out of memory */
	if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK || probe_read_parts(parts, &target))
		result = error_set(err, ERR_INVALID, "host or port of the URL cannot be read");
	curl_url_cleanup(parts);
	if (result)
		return -1;
	target.literal = probe_is_address(target.host);
	*out = target;
	return 0;
}

/* ---- addresses ---- */

static void probe_take(struct probe_addresses *found, const struct addrinfo *info)
{
	struct probe_address *address = &found->list[found->count];
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	if (found->count == PROBE_ADDRESSES_MAX) {
		found->more = true;
		return;
	}
	if ((info->ai_family != AF_INET && info->ai_family != AF_INET6) ||
	    getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	memcpy(&address->address, info->ai_addr, info->ai_addrlen);
	address->len = info->ai_addrlen;
	(void)snprintf(address->text, sizeof(address->text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		       port); /* fits but for a scope of great length, and is for people only */
	found->count++;
}

int probe_resolve(const struct probe_target *target, struct probe_addresses *out, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct probe_addresses found = {0};
	struct addrinfo *list = NULL;
	int64_t start_ns = clock_mono_ns();
	int rc = getaddrinfo(target->host, target->port, &hints, &list);

	if (rc == EAI_NONAME || rc == EAI_NODATA || rc == EAI_ADDRFAMILY)
		return error_set(err, ERR_NOT_FOUND, "%s has no address", target->host);
	if (rc)
		return error_set(err, ERR_IO, "%s cannot be looked up: %s", target->host, gai_strerror(rc));
	for (const struct addrinfo *at = list; at; at = at->ai_next)
		probe_take(&found, at);
	freeaddrinfo(list);
	if (found.count == 0)
		return error_set(err, ERR_NOT_FOUND, "%s has neither an IPv4 nor an IPv6 address", target->host);
	found.duration_us = (clock_mono_ns() - start_ns) / 1000;
	*out = found;
	return 0;
}

/* ---- a connection ---- */

bool probe_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd wait = {.fd = fd, .events = events};

	while (true) {
		int64_t left_ms = deadline_ms - clock_mono_ms();
		int ready = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0);

		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

/* What an errno means for somebody who waits for a connection. */
static const char *probe_errno_text(int number)
{
	switch (number) {
	case ECONNREFUSED:
		return "refused: nothing listens on that port, or a firewall says so";
	case ETIMEDOUT:
		return "no answer: a firewall may drop what is sent to it, or the machine is off";
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return "unreachable: this machine has no route to such addresses";
	case EHOSTUNREACH:
		return "unreachable: the machine is off, or there is no route to it";
	case ECONNRESET:
		return "reset by the other side";
	default:
		return strerrordesc_np(number) ? strerrordesc_np(number) : "failed";
	}
}

/* Returns the connected socket, or -1 with errno's value in `number_out`. */
static int probe_connect(const struct probe_address *address, int64_t deadline_ms, int *number_out)
{
	int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int number = 0;
	socklen_t len = sizeof(number);

	if (fd < 0) {
		*number_out = errno;
		return -1;
	}
	if (connect(fd, (const struct sockaddr *)&address->address, address->len))
		number = errno;
	if (number == EINPROGRESS) {
		number = ETIMEDOUT;
		if (probe_wait(fd, POLLOUT, deadline_ms) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len))
			number = errno;
	}
	if (number == 0)
		return fd;
	(void)close(fd); /* nothing was written */
	*number_out = number;
	return -1;
}

int probe_look(const struct probe_target *target, const struct probe_address *address, const struct probe_tls *tls,
	       int timeout_ms, struct probe_result *out, struct error *err)
{
	int64_t start_ns = clock_mono_ns();
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int result = 0;
	int number = 0;
	int fd;

	memset(out, 0, sizeof(*out));
	fd = probe_connect(address, deadline_ms, &number);
	if (fd < 0) {
		(void)snprintf(out->failure, sizeof(out->failure), "%s", probe_errno_text(number)); /* fits */
		return 0;
	}
	out->connected = true;
	out->connect_us = (clock_mono_ns() - start_ns) / 1000;
	if (target->tls)
		result = probe_secure(target, fd, tls, deadline_ms, out, err);
	(void)close(fd); /* nothing more to say */
	return result;
}
