/* The table of targets; see target.h. */
#include "hook/target.h"
#include "base/mem.h"

#include <assert.h>
#include <search.h>

static int target_compare(const void *a, const void *b)
{
	uint32_t left = ((const struct target *)a)->sdkappid;
	uint32_t right = ((const struct target *)b)->sdkappid;

	return left < right ? -1 : left > right;
}

static int target_compare_attempts(const void *a, const void *b)
{
	int64_t left = ((const struct attempt *)a)->callback_id;
	int64_t right = ((const struct attempt *)b)->callback_id;

	return left < right ? -1 : left > right;
}

struct target *target_touch(struct target_table *table, uint32_t sdkappid, int64_t due_ms)
{
	struct target key = {.sdkappid = sdkappid};
	void *node = tfind(&key, &table->by_app, target_compare);
	struct target *target;

	if (node) {
		target = *(struct target **)node;
		if (due_ms < target->next_due_ms)
			target->next_due_ms = due_ms;
		return target;
	}
	target = mem_zalloc(sizeof(*target));
	target->sdkappid = sdkappid;
	target->next_due_ms = due_ms;
	target->window = 1;
	if (table->ring) {
		target->next = table->ring;
		target->previous = table->ring->previous;
		target->next->previous = target;
		target->previous->next = target;
	} else {
		target->next = target->previous = target;
		table->ring = target;
	}
	(void)tsearch(target, &table->by_app, target_compare); /* was not there */
	table->count++;
	return target;
}

void target_remove(struct target_table *table, struct target *target)
{
	assert(target->held == 0 && !target->attempts);
	tdelete(target, &table->by_app, target_compare);
	if (target->next == target) {
		table->ring = NULL;
	} else {
		target->next->previous = target->previous;
		target->previous->next = target->next;
		if (table->ring == target)
			table->ring = target->next;
	}
	table->count--;
	mem_free(target);
}

bool target_holds(const struct target *target, int64_t callback_id)
{
	struct attempt key; /* only the compared field is read */
	void *root = target->attempts;

	key.callback_id = callback_id;
	return tfind(&key, &root, target_compare_attempts) != NULL;
}

struct attempt *target_hold(struct target_table *table, struct target *target, const struct store_callback *callback)
{
	struct attempt *attempt = mem_zalloc(sizeof(*attempt));

	attempt->target = target;
	attempt->callback_id = callback->id;
	attempt->event_ms = callback->event_ms;
	attempt->attempts = callback->attempts;
	(void)tsearch(attempt, &target->attempts, target_compare_attempts); /* was not there: see target_holds */
	target->held++;
	table->held++;
	return attempt;
}

void target_release(struct target_table *table, struct attempt *attempt)
{
	struct target *target = attempt->target;

	assert(!attempt->on_wire && target->held > 0);
	tdelete(attempt, &target->attempts, target_compare_attempts);
	target->held--;
	table->held--;
	mem_free(attempt);
}

void target_set_on_wire(struct target_table *table, struct attempt *attempt, bool on_wire)
{
	assert(attempt->on_wire != on_wire);
	attempt->on_wire = on_wire;
	if (on_wire) {
		attempt->on_wire_failing = attempt->target->failing;
		attempt->target->in_flight++;
		table->in_flight++;
		table->failing_in_flight += attempt->on_wire_failing;
	} else {
		attempt->target->in_flight--;
		table->in_flight--;
		table->failing_in_flight -= attempt->on_wire_failing;
	}
}

bool target_may_send(const struct target_table *table, const struct target *target, unsigned flight_max)
{
	unsigned failing_max = flight_max > 1 ? flight_max / 2 : 1;

	return target->in_flight < target->window && table->in_flight < flight_max &&
	       (!target->failing || table->failing_in_flight < failing_max);
}

void target_learn(struct target *target, bool delivered, unsigned window_max)
{
	target->failing = !delivered;
	if (!delivered)
		target->window = 1;
	else
		target->window = target->window < window_max / 2 ? target->window * 2 : window_max;
}
