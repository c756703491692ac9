/* The window of an endpoint; see window.h. */
#include "hook/window.h"
#include "hook/retry.h"

#include <assert.h>

void window_init(struct window *window, uint32_t failures)
{
	*window = (struct window){.failures = failures, .size = failures >= ENDPOINT_OPEN_AFTER ? 0 : 1};
}

bool window_is_open(const struct window *window)
{
	return window->size == 0;
}

bool window_allows(const struct window *window, unsigned in_flight, int64_t now_ms)
{
	return now_ms >= window->hold_ms && in_flight < (window->size ? window->size : 1);
}

void window_delivered(struct window *window, const struct window_policy *policy)
{
	if (window->size == 0) {
		window->size = 1;
		window->draining = true;
	} else {
		window->size = window->size <= policy->max / 2 ? window->size * 2 : policy->max;
	}
	window->failures = 0;
	window->probes = 0;
}

static void window_hold(struct window *window, int64_t until_ms)
{
	if (window->hold_ms < until_ms)
		window->hold_ms = until_ms;
}

static uint64_t window_probe_wait_ms(const struct window *window, const struct window_policy *policy, uint64_t random)
{
	uint64_t wait = retry_full_wait_ms(policy->probe_first_ms, policy->probe_longest_ms, window->probes + 1);

	return wait - random % (wait / 2 + 1);
}

/* Requests that were under way when the breaker opened are no probes: that they fail too says nothing new, and does not
 * lengthen the wait. */
void window_failed(struct window *window, const struct window_policy *policy, const struct window_failure *failure,
		   int64_t now_ms)
{
	uint64_t asked_ms = failure->asked_ms < policy->hold_longest_ms ? failure->asked_ms : policy->hold_longest_ms;
	bool was_open = window_is_open(window);

	if (window->failures < UINT32_MAX)
		window->failures++;
	window->draining = false;
	window->size = window->failures >= ENDPOINT_OPEN_AFTER ? 0 : window->size > 1 ? window->size / 2 : 1;
	if (failure->probe && window->probes < UINT32_MAX - 1)
		window->probes++;
	if (failure->gone)
		window->hold_ms = INT64_MAX;
	if (failure->probe || failure->slow_down || (window_is_open(window) && !was_open))
		window_hold(window, now_ms + (int64_t)window_probe_wait_ms(window, policy, failure->random));
	if (failure->slow_down)
		window_hold(window, now_ms + (int64_t)asked_ms);
}

void window_release(struct window *window)
{
	window->hold_ms = 0;
	window->probes = 0;
	window->draining = true;
}
