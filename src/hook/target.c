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

static void target_link(struct target_table *table, struct target *target)
{
	if (table->ring) {
		target->next = table->ring;
		target->previous = table->ring->previous;
		target->next->previous = target;
		target->previous->next = target;
	} else {
		target->next = target->previous = target;
		table->ring = target;
	}
	table->count++;
}

struct target *target_touch(struct target_table *table, uint32_t sdkappid, bool *made_out)
{
	struct target key = {.sdkappid = sdkappid};
	void *node = tfind(&key, &table->by_app, target_compare);
	struct target *target;

	if (made_out)
		*made_out = !node;
	if (node)
		return *(struct target **)node;
	target = mem_zalloc(sizeof(*target));
	target->sdkappid = sdkappid;
	target->next_due_ms = INT64_MAX;
	window_init(&target->window, 0);
	target_link(table, target);
	(void)tsearch(target, &table->by_app, target_compare); /* was not there */
	return target;
}

void target_expect(struct target *target, int64_t now_ms)
{
	target->new_none = false;
	target->empty = false;
	if (now_ms < target->next_due_ms)
		target->next_due_ms = now_ms;
}

void target_forget_config(struct target *target)
{
	request_signer_wipe(&target->signer);
	if (target->certificate_key.len)
		mem_wipe((void *)(uintptr_t)target->certificate_key.ptr, target->certificate_key.len); /* ours */
	mem_free((void *)(uintptr_t)target->certificate.ptr); /* ours, as the next one */
	mem_free((void *)(uintptr_t)target->certificate_key.ptr);
	target->certificate = target->certificate_key = STR("");
	target->certificate.ptr = target->certificate_key.ptr = NULL;
	target->generation = 0;
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
	target_forget_config(target);
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
	attempt->state = STATE_SCHEDULED;
	attempt->callback_id = callback->id;
	attempt->threshold = callback->threshold;
	attempt->attempts = callback->attempts;
	attempt->replays = callback->replays;
	attempt->base_attempts = callback->base_attempts;
	attempt->base_ms = callback->base_ms;
	attempt->attempt_ms = callback->attempt_ms;
	(void)tsearch(attempt, &target->attempts, target_compare_attempts); /* was not there: see target_holds */
	target->held++;
	table->held++;
	return attempt;
}

void target_release(struct target_table *table, struct attempt *attempt)
{
	struct target *target = attempt->target;

	assert(attempt->state != STATE_IN_FLIGHT && target->held > 0);
	tdelete(attempt, &target->attempts, target_compare_attempts);
	target->held--;
	table->held--;
	mem_free((void *)(uintptr_t)attempt->log.ptr); /* ours */
	mem_free(attempt);
}

void target_send(struct target_table *table, struct attempt *attempt)
{
	struct target *target = attempt->target;

	delivery_move(&attempt->state, STATE_IN_FLIGHT);
	attempt->probe = window_is_open(&target->window);
	attempt->on_wire_lagging = target_lags(target);
	target->in_flight++;
	table->in_flight++;
	table->lagging_in_flight += attempt->on_wire_lagging;
}

void target_settle(struct target_table *table, struct attempt *attempt, enum delivery_state state)
{
	assert(attempt->state == STATE_IN_FLIGHT && attempt->target->in_flight > 0);
	delivery_move(&attempt->state, state);
	attempt->target->in_flight--;
	table->in_flight--;
	table->lagging_in_flight -= attempt->on_wire_lagging;
}

bool target_lags(const struct target *target)
{
	return target->window.failures > 0 || target->slow;
}

bool target_may_send(const struct target_table *table, const struct target *target, unsigned flight_max, int64_t now_ms)
{
	unsigned lagging_max = flight_max > 1 ? flight_max / 2 : 1;

	return window_allows(&target->window, target->in_flight, now_ms) && table->in_flight < flight_max &&
	       (!target_lags(target) || table->lagging_in_flight < lagging_max);
}

int64_t target_due_ms(const struct target *target)
{
	return target->next_due_ms > target->window.hold_ms ? target->next_due_ms : target->window.hold_ms;
}
