/* The alert policy; see alert.h. */
#include "live/alert.h"

#include <assert.h>

#define ALERT_COUNT_LIMIT (UINT64_C(1) << 56) /* 100 times this fits 64 bits */

bool alert_reached(uint64_t count, uint64_t max, unsigned line)
{
	assert(count <= ALERT_COUNT_LIMIT && max <= ALERT_COUNT_LIMIT && line <= 100);
	return count > 0 && count * 100 >= line * max;
}

/* The highest line of the policy that is at most `limit` percent, or 0. */
static unsigned alert_line_at_most(const struct alert_policy *policy, unsigned limit)
{
	unsigned lowest = policy->thresholds[0];
	unsigned best = 0;

	for (unsigned i = 0; i < policy->threshold_count; i++)
		if (policy->thresholds[i] <= limit)
			best = policy->thresholds[i];
	if (policy->mode == ALERT_STEP && limit >= lowest) {
		unsigned capped = limit < 100 ? limit : 100;
		unsigned step = lowest + (capped - lowest) / policy->step_percent * policy->step_percent;

		if (step > best)
			best = step;
	}
	return best;
}

unsigned alert_highest(const struct alert_policy *policy, uint64_t count, uint64_t max)
{
	uint64_t percent; /* rounded down: reached(line) is the same as line <= percent */

	if (count == 0)
		return 0;
	if (max == 0 || count >= max)
		return alert_line_at_most(policy, 100);
	percent = count * 100 / max;
	return alert_line_at_most(policy, (unsigned)percent);
}

uint8_t alert_rearm(const struct alert_policy *policy, uint8_t level, uint64_t count, uint64_t max)
{
	if (count == 0)
		return 0;
	while (level > policy->rearm_margin && !alert_reached(count, max, level - (unsigned)policy->rearm_margin))
		level = (uint8_t)alert_line_at_most(policy, level - 1u);
	return level;
}

unsigned alert_decide(const struct alert_policy *policy, uint8_t level, uint64_t count, uint64_t max, bool created)
{
	unsigned highest = alert_highest(policy, count, max);

	if (policy->mode == ALERT_EVERY && created)
		return highest;
	return highest > level ? highest : 0;
}
