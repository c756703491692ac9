#pragma once
/* SIGHUP: settings, certificates and keys are read anew while the program runs.
 *
 * All or nothing: everything is read and checked first, into settings of its own; when anything is wrong nothing changes, and
 * the log says what. A setting that only a start can take is logged and stays as it was. No connection is closed.
 * Threads: the main thread. */
#include "cli/service.h"

struct reload {
	const struct service *service;
	int argc; /* the line of the start, which is read again */
	char **argv;
	struct settings *now; /* of the running program */
	/* Of the program: prepares what may fail, from the fresh settings, and then takes all of it. Returns 0, or -1 and
	 * nothing has changed. */
	int (*take)(void *context, void *fresh, struct error *err);
	void *context;
};

/* Reads and checks; takes and logs. `fresh` is the target that struct service means, empty; its text fields are freed. */
void reload_run(const struct reload *reload, void *fresh);

/* The certificate of `fresh`, NULL when it speaks plain HTTP, as the running one must (else ERR_INVALID: that needs a
 * restart). Errors as http_tls_open's. */
MUST_CHECK int reload_read_tls(const struct service_http *now, const struct service_http *fresh,
			       struct http_tls **tls_out, struct error *err);
/* Takes certificate (may be NULL) and time limits. */
void reload_take_http(struct http_server *server, const struct service_http *fresh, struct http_tls **tls);
