#pragma once
/* How much an endpoint gets at once: pure.
 *
 * The window is 1 at first, doubles with each delivery up to a maximum, and halves with each failure. After
 * ENDPOINT_OPEN_AFTER failures in a row it is 0, the breaker is open: one request at a time, a probe, and between two
 * of them a wait that doubles. A probe that is delivered closes it, and the window grows from 1 again, so a receiver
 * that comes back is met by one request, then two, four, eight, whatever has piled up. Callbacks whose retry has a later
 * time need not wait for it then (draining), until one fails.
 *
 * Times are milliseconds of one clock, the caller's. Threads: one at a time. */
#include "live/delivery.h"

struct window_policy {
	unsigned max;		   /* 1 or more */
	uint64_t probe_first_ms;   /* before the first probe, 1 or more; doubles before each further one */
	uint64_t probe_longest_ms; /* up to this; minus up to half of it as jitter */
	uint64_t hold_longest_ms;  /* most that a Retry-After is followed */
};

struct window {
	unsigned size;	   /* requests at once; 0: the breaker is open */
	uint32_t failures; /* in a row */
	uint32_t probes;   /* failed ones, since the breaker opened */
	int64_t hold_ms;   /* nothing is sent before; INT64_MAX: not before window_release */
	bool draining;
};

/* How a request ended that was no delivery. */
struct window_failure {
	bool probe;	   /* it was sent while the breaker was open */
	bool slow_down;	   /* 429 or 503: hold the endpoint, also while the breaker is closed */
	bool gone;	   /* 410: hold it until window_release */
	uint64_t asked_ms; /* Retry-After; 0 for none */
	uint64_t random;   /* for the jitter */
};

/* `failures`: in a row, as an earlier run left it. */
void window_init(struct window *window, uint32_t failures);
bool window_is_open(const struct window *window);
/* May another request go out when `in_flight` are? */
bool window_allows(const struct window *window, unsigned in_flight, int64_t now_ms);
void window_delivered(struct window *window, const struct window_policy *policy);
void window_failed(struct window *window, const struct window_policy *policy, const struct window_failure *failure,
		   int64_t now_ms);
/* Whatever made the endpoint wait does not count any more; if the breaker is open, it stays so until a probe, which may
 * go at once, is delivered. */
void window_release(struct window *window);
