#pragma once
/* What `highwater listen` shows: lines from any thread, printed by one that may be as slow as the terminal is. Memory is
 * bounded: what does not fit is left out and counted; the history has it. */
#include "receive/receive.h"

struct listen_show;

/* Starts the thread. `json`: a JSON object per line instead of words. */
MUST_CHECK int listen_show_open(bool json, struct listen_show **show_out, struct error *err);
/* The process is ending: from now on no signal is sent to it. */
void listen_show_end(struct listen_show *show);
/* Prints what is left, unless nobody reads it for a second. Returns 0, or errno of what kept it from printing: EPIPE when
 * there was no reader any more, at which the thread sends SIGTERM to this process; ETIMEDOUT when the reader did not read;
 * or another. Accepts NULL. */
int listen_show_close(struct listen_show **show);

/* A callback that was taken, or refused; a note. Threads: any, as for all of these. */
void listen_show_seen(struct listen_show *show, const struct receive_seen *seen);
/* What came of passing one on. `id` is the row's. */
void listen_show_forwarded(struct listen_show *show, int64_t id, int status, int64_t duration_us, const char *error);
/* One that was not passed on, because too many wait for that. */
void listen_show_not_forwarded(struct listen_show *show, int64_t id);
