#pragma once
/* The history of an app's room count: one sample per minute in which the count or the maximum changed.
 *
 * The minute that runs is kept in the app's state; its sample is made by the first change in a later minute. So a hot
 * app costs one row a minute, however many rooms come and go, an idle one costs none, and the count between two samples
 * is the earlier one's. Wall clock: when it steps back by less than SAMPLE_STEP_MS, the running minute goes on. */
#include "live/set.h"

#define SAMPLE_MS 60000		       /* a minute */
#define SAMPLE_STEP_MS (5 * SAMPLE_MS) /* further back than this the clock was set anew */

/* A command changed the app, whose count and maximum were these before; `now_ms` is when. Does nothing when both are
 * as they were. */
void sample_note(struct live_set *set, struct live_app *app, uint64_t count_before, uint32_t max_before,
		 int64_t now_ms);
