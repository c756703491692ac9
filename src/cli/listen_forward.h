#pragma once
/* Passes callbacks on to a server of the developer's, exactly as they came: the same query, headers and bytes. Each is tried
 * once. Memory is bounded: what does not fit is shown as not passed on. */
#include "cli/listen_show.h"

struct listen_forward;

/* Starts the thread. Errors ERR_INVALID (the URL), ERR_IO. `show` is borrowed. */
MUST_CHECK int listen_forward_open(const char *url, const char *ca_file, struct listen_show *show,
				   struct listen_forward **forward_out, struct error *err);
/* Copies what is needed. Threads: any. */
void listen_forward_put(struct listen_forward *forward, const struct receive_seen *seen);
/* What waits is not passed on any more. Returns how many those are. Accepts NULL. */
size_t listen_forward_close(struct listen_forward **forward);
