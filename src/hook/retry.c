/* The retry schedule; see retry.h. */
#include "hook/retry.h"
#include "base/random.h"

#include <assert.h>

uint64_t retry_full_wait_ms(uint64_t first_ms, uint64_t longest_ms, uint32_t attempts)
{
	uint64_t wait = first_ms;

	assert(attempts >= 1 && first_ms >= 1);
	for (uint32_t i = 1; i < attempts && wait < longest_ms; i++)
		wait *= 2;
	return wait < longest_ms ? wait : longest_ms;
}

uint64_t retry_wait_ms(const struct retry_policy *policy, const struct retry_row *row)
{
	struct prng prng = {policy->seed ^ (uint64_t)row->callback_id * 31 ^ row->attempts};
	uint64_t wait = 1 + prng_below(&prng, retry_full_wait_ms(policy->first_ms, policy->longest_ms, row->attempts));
	uint64_t asked_ms = row->asked_ms < policy->longest_ms ? row->asked_ms : policy->longest_ms;

	return wait > asked_ms ? wait : asked_ms;
}

static bool retry_is_over(const struct retry_policy *policy, const struct retry_row *row, int64_t due_ms)
{
	uint64_t waited_ms = 0;

	if (due_ms <= row->base_ms || (uint64_t)(due_ms - row->base_ms) <= policy->give_up_ms)
		return false;
	for (uint32_t i = 1; i <= row->attempts && waited_ms < policy->give_up_ms; i++)
		waited_ms += retry_full_wait_ms(policy->first_ms, policy->longest_ms, i);
	return waited_ms >= policy->give_up_ms;
}

bool retry_plan(const struct retry_policy *policy, const struct retry_row *row, int64_t now_ms, int64_t *due_out)
{
	int64_t due_ms = now_ms + (int64_t)retry_wait_ms(policy, row);

	if (retry_is_over(policy, row, due_ms))
		return false;
	*due_out = due_ms;
	return true;
}
