/* The sockets of a client; see client_sockets.h. A socket is added before it has addresses; they are looked up when it
 * is first compared, and ports are compared before texts, so a look costs little however many there are. */
#include "http/client_sockets.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

struct client_end {
	int port; /* 0: not known */
	char ip[INET6_ADDRSTRLEN];
};

struct client_socket {
	int fd;
	struct client_end local;
	struct client_end remote;
};

void client_sockets_init(struct client_sockets *sockets, size_t count_max)
{
	*sockets = (struct client_sockets){.list = mem_zalloc(count_max * sizeof(struct client_socket)),
					   .count_max = count_max};
}

void client_sockets_fini(struct client_sockets *sockets)
{
	mem_free(sockets->list);
	*sockets = (struct client_sockets){0};
}

void client_sockets_add(struct client_sockets *sockets, int fd)
{
	if (sockets->count < sockets->count_max)
		sockets->list[sockets->count++] = (struct client_socket){.fd = fd};
}

void client_sockets_remove(struct client_sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->list[i].fd == fd) {
			sockets->list[i] = sockets->list[--sockets->count];
			return;
		}
	}
}

static void client_end_fill(struct client_end *end, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	bool is_six = address->ss_family == AF_INET6;
	const void *bytes = is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;

	if (inet_ntop(address->ss_family, bytes, end->ip, sizeof(end->ip)))
		end->port = ntohs(is_six ? six->sin6_port : four->sin_port);
}

/* Its ends, once it is connected. */
static void client_socket_learn(struct client_socket *one)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (one->remote.port)
		return;
	if (getsockname(one->fd, (struct sockaddr *)&address, &len) == 0)
		client_end_fill(&one->local, &address);
	len = sizeof(address);
	if (getpeername(one->fd, (struct sockaddr *)&address, &len) == 0)
		client_end_fill(&one->remote, &address);
}

static bool client_socket_is(const struct client_socket *one, const struct client_ends *ends)
{
	return one->local.port == ends->local_port && one->remote.port == ends->remote_port &&
	       strcmp(one->local.ip, ends->local_ip) == 0 && strcmp(one->remote.ip, ends->remote_ip) == 0;
}

bool client_sockets_is_readable(struct client_sockets *sockets, const struct client_ends *ends)
{
	for (size_t i = 0; i < sockets->count; i++) {
		struct pollfd look = {.fd = sockets->list[i].fd, .events = POLLIN};

		client_socket_learn(&sockets->list[i]);
		if (client_socket_is(&sockets->list[i], ends))
			return poll(&look, 1, 0) > 0;
	}
	return false;
}
