/* The retry schedule; see retry.h. */
#include "hook/retry.h"
#include "base/random.h"

#include <assert.h>

/* Without the jitter. */
static uint64_t retry_full_wait_ms(const struct retry_policy *policy, uint32_t attempts)
{
	uint64_t wait = policy->first_ms;

	assert(attempts >= 1 && policy->first_ms >= 1);
	for (uint32_t i = 1; i < attempts && wait < policy->longest_ms; i++)
		wait *= 2;
	return wait < policy->longest_ms ? wait : policy->longest_ms;
}

uint64_t retry_wait_ms(const struct retry_policy *policy, int64_t callback_id, uint32_t attempts)
{
	struct prng prng = {policy->seed ^ (uint64_t)callback_id * 31 ^ attempts};
	uint64_t wait = retry_full_wait_ms(policy, attempts);

	wait -= prng_below(&prng, wait / 4 + 1);
	return wait ? wait : 1;
}

bool retry_is_over(const struct retry_policy *policy, int64_t event_ms, int64_t due_ms, uint32_t attempts)
{
	uint64_t waited_ms = 0;

	if (due_ms <= event_ms || (uint64_t)(due_ms - event_ms) <= policy->give_up_ms)
		return false;
	for (uint32_t i = 1; i <= attempts && waited_ms < policy->give_up_ms; i++)
		waited_ms += retry_full_wait_ms(policy, i);
	return waited_ms >= policy->give_up_ms;
}
