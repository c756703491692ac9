/* The service manager; see systemd.h.
 *
 * libsystemd reads the environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, LISTEN_FDS, LISTEN_PID and
 * LISTEN_FDNAMES. It is left as it is, so that a reload finds what the start found; the sink that runs programs gives them
 * an environment of its own. A message that cannot be sent is nobody's loss: the manager sees that it did not come. */
#include "cli/systemd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

bool systemd_is_listen(const char *listen)
{
	size_t len = strlen(SYSTEMD_LISTEN);

	return strncmp(listen, SYSTEMD_LISTEN, len) == 0 &&
	       (listen[len] == '\0' || (listen[len] == ':' && listen[len + 1]));
}

int systemd_listen_count(void)
{
	int count = sd_listen_fds(0);

	return count < 0 ? 0 : count; /* nobody passes any, or what is said of them cannot be read */
}

static void systemd_free_names(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]); /* libsystemd's */
	free(names);
}

/* Index of the socket; -1 for none. */
static int systemd_find(char **names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/* Where the socket is bound. */
static int systemd_read_address(int fd, char out[SYSTEMD_ADDRESS_BYTES], struct error *err)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *four = (const struct sockaddr_in *)&bound;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&bound;

	if (getsockname(fd, (struct sockaddr *)&bound, &len))
		return error_set_errno(err, errno, "descriptor %d that was passed", fd);
	if (bound.ss_family == AF_INET && inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host)))
		(void)snprintf(out, SYSTEMD_ADDRESS_BYTES, "%s:%u", host, ntohs(four->sin_port)); /* fits */
	else if (bound.ss_family == AF_INET6 && inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host)))
		(void)snprintf(out, SYSTEMD_ADDRESS_BYTES, "[%s]:%u", host, ntohs(six->sin6_port)); /* fits */
	else
		return error_set(err, ERR_INVALID, "descriptor %d that was passed is no TCP socket", fd);
	return 0;
}

int systemd_listen_fd(const struct systemd_wanted *wanted, int *fd_out, char address_out[SYSTEMD_ADDRESS_BYTES],
		      struct error *err)
{
	const char *colon = strchr(wanted->listen, ':');
	const char *name = colon ? colon + 1 : wanted->own_name;
	char **names = NULL;
	int count = sd_listen_fds_with_names(0, &names);
	int index;

	if (count <= 0)
		return error_set(err, ERR_INVALID,
				 "\"%.80s\": no socket was passed (LISTEN_FDS): start it by a socket unit, or set an "
				 "address",
				 wanted->listen);
	index = systemd_find(names, count, name);
	if (index < 0 && !colon && wanted->may_be_only && count == 1)
		index = 0;
	systemd_free_names(names, count);
	if (index < 0)
		return error_set(err, ERR_INVALID, "\"%.80s\": none of the sockets passed (%d) is named \"%.80s\"",
				 wanted->listen, count, name);
	*fd_out = SD_LISTEN_FDS_START + index;
	return systemd_read_address(*fd_out, address_out, err);
}

/* ---- messages ---- */

void systemd_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status); /* see above, as for all */
}

void systemd_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%s", status);
}

void systemd_reloading(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading settings and certificates anew",
			 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Finishing what is under way");
}

uint64_t systemd_watchdog_ms(void)
{
	uint64_t period_us = 0;

	return sd_watchdog_enabled(0, &period_us) > 0 ? period_us / 1000 : 0;
}

void systemd_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
