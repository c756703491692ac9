#pragma once
/* The sockets that curl has open, so that the one behind a kept connection can be looked at: curl shows a transfer's
 * addresses before its request goes out, but not its socket. Of client.c. Threads: one at a time. */
#include <stdbool.h>
#include <stddef.h>

struct client_socket;

struct client_sockets {
	struct client_socket *list;
	size_t count;
	size_t count_max; /* further ones are not known, and never found to be stale */
};

void client_sockets_init(struct client_sockets *sockets, size_t count_max);
void client_sockets_fini(struct client_sockets *sockets);
void client_sockets_add(struct client_sockets *sockets, int fd);
void client_sockets_remove(struct client_sockets *sockets, int fd);

/* The two ends of a connection, addresses as text. */
struct client_ends {
	const char *remote_ip;
	const char *local_ip;
	int remote_port;
	int local_port;
};
/* True when there is something to read on the connection. */
bool client_sockets_is_readable(struct client_sockets *sockets, const struct client_ends *ends);
