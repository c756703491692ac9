#pragma once
/* When to try again: pure functions of what the row holds and a seed, so that a restart changes nothing. */
#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
	uint64_t first_ms;   /* wait after the first failed attempt, 1 or more */
	uint64_t longest_ms; /* waits double up to this */
	uint64_t give_up_ms; /* length of the whole schedule */
	uint64_t seed;	     /* of the store; the jitter depends on it, the callback's id and the attempt */
};

/* A callback after a failed attempt. */
struct retry_row {
	int64_t callback_id;
	int64_t base_ms;   /* wall clock: the schedule's start */
	uint32_t attempts; /* that failed since then, 1 or more */
	uint64_t asked_ms; /* the receiver's Retry-After; 0 for none */
};

/* first * 2^(attempts-1), at most longest: the bound of the wait after so many failed attempts (1 or more). */
uint64_t retry_full_wait_ms(uint64_t first_ms, uint64_t longest_ms, uint32_t attempts);

/* Full jitter: anything from 1 to the bound, each equally likely, so that callbacks that failed together do not come
 * back together. What the receiver asked for is waited for too, up to longest_ms. */
uint64_t retry_wait_ms(const struct retry_policy *policy, const struct retry_row *row);

/* Plans the next attempt at `due_out`, counted from `now_ms` (both on the clock of deadlines). Returns false when the
 * schedule is used up: the next attempt would be later than give_up_ms after the schedule's start, and the bounds of the
 * waits so far amount to the whole schedule. The second condition keeps a step of the wall clock, or a backend that was
 * down for days, from ending a callback that was hardly tried. */
MUST_CHECK bool retry_plan(const struct retry_policy *policy, const struct retry_row *row, int64_t now_ms,
			   int64_t *due_out);
