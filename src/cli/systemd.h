#pragma once
/* The service manager, when there is one: sd_notify(3), its watchdog, and sockets that it passes (sd_listen_fds(3)). Without it
 * each of these does nothing. The protocols are those of systemd 252; other managers speak them too.
 *
 * Threads: the main thread. */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What a listen setting says for "the socket that the service manager passes": "systemd", or "systemd:NAME" for the one
 * with that FileDescriptorName. */
#define SYSTEMD_LISTEN "systemd"
bool systemd_is_listen(const char *listen);

/* The passed socket that `listen` (systemd_is_listen) means; without a name the one called `own_name`, or, with `may_be_only`,
 * the only one, whatever its name. `address_out` is where it listens, "0.0.0.0:8080", "[::]:8080". Errors ERR_INVALID: none
 * was passed, none has that name, or it is no TCP socket. */
struct systemd_wanted {
	const char *listen;
	const char *own_name;
	bool may_be_only;
};
#define SYSTEMD_ADDRESS_BYTES 64
MUST_CHECK int systemd_listen_fd(const struct systemd_wanted *wanted, int *fd_out,
				 char address_out[SYSTEMD_ADDRESS_BYTES], struct error *err);
/* How many sockets were passed. */
int systemd_listen_count(void);

/* What the manager shows as the status of the service. Each of these says so at once. */
void systemd_ready(const char *status);
void systemd_status(const char *status);
void systemd_reloading(void);
void systemd_stopping(void);
/* How often at least it must be told that the program is alive, in milliseconds; 0: never. */
uint64_t systemd_watchdog_ms(void);
void systemd_alive(void);
