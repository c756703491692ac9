#pragma once
/* What a long-running program tells its operator over HTTP: /metrics, /healthz and /readyz, at an address of its own, since
 * others call elsewhere. What is told is the program's; here is how.
 *
 * /healthz is 200 while the process serves. /readyz is 200, or 503 with the reason. */
#include "base/prom.h"
#include "http/server.h"

#include <stdatomic.h>

#define STATUS_METRICS_BYTES_MAX ((size_t)16 * 1024 * 1024)

struct status_page {
	/* Writes all families but those of the process. One at a time: there is one loop thread. */
	void (*write_metrics)(void *context, struct buf *out);
	/* Writes why the program cannot do its work now, in one line; nothing when it can. */
	void (*write_trouble)(void *context, struct buf *out);
	void *context;
	int64_t start_ms; /* wall clock, when the process began; the next one is set by status_page_open too */
	_Atomic bool draining;
};

/* Listens and serves; the page must outlive the server. `listen_fd` as in struct http_server_options. Errors as
 * http_server_open's. */
MUST_CHECK int status_page_open(struct status_page *page, const char *listen, int listen_fd,
				struct http_server **server_out, struct error *err);
/* From now on the program is not ready, since it stops. Threads: any. */
void status_page_drain(struct status_page *page);
/* After the drain: waits a moment for scrapes under way, and closes. Accepts a pointer to NULL. */
void status_page_close(struct http_server **server);
