#pragma once
/* When to try again: a pure function of the row and a seed, so that a restart changes nothing. */
#include "live/command.h"

struct retry_policy {
	uint64_t first_ms;   /* wait after the first failed attempt, 1 or more */
	uint64_t longest_ms; /* waits double up to this */
	uint64_t give_up_ms; /* length of the whole schedule: see retry_is_over */
	uint64_t seed;	     /* of the store; the jitter depends on it, the callback's id and the attempt */
};

/* The wait after `attempts` (1 or more) failed attempts: first * 2^(attempts-1), at most longest, minus up to a quarter
 * of itself as jitter; never 0. */
uint64_t retry_wait_ms(const struct retry_policy *policy, int64_t callback_id, uint32_t attempts);

/* True when the schedule is used up after `attempts` (1 or more) failed attempts: the next, at `due_ms`, would be too
 * late for an event of `event_ms`, and the waits so far amount to the whole schedule. The second condition keeps a step
 * of the wall clock, or a backend that was down for days, from ending a callback that was hardly tried. */
bool retry_is_over(const struct retry_policy *policy, int64_t event_ms, int64_t due_ms, uint32_t attempts);
