#pragma once
/* Server-sent events of the management API: what changes, as it changes, to who has asked
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). docs/api.md lists them.
 *
 * Each client gets the newest state of an app at most four times a second; one that reads slowly gets it less often, and
 * is told when it missed something. A stream ends with the session it was opened with. */
#include "live/set.h"

#define EVENTS_STREAM_COUNT_MAX 64 /* at a time */

struct events;

struct events *events_new(void);
/* No stream may be open any more. Accepts NULL. */
void events_free(struct events **events);

/* For engine_on_change; `context` is the struct events. */
void events_on_batch(void *context, const struct live_set *set);
