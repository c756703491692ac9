/* The audit log and the samples of room counts in the memory store, under its lock. See memory.c. */
#include "base/mem.h"
#include "store/memory_internal.h"

#include <string.h>

/* ---- the audit log: rows in the order of their ids ---- */

static void memory_free_audit(const struct store_audit *audit)
{
	memory_drop(audit->actor);
	memory_drop(audit->client_ip);
	memory_drop(audit->action);
	memory_drop(audit->detail);
}

/* The rule of store_commit. */
static void memory_drop_audits(struct memory_store *store, int64_t before_ms)
{
	int64_t below = store->audits[0].id + STORE_AUDIT_DROP_MAX; /* there is a new one at least */
	size_t kept = 0;

	for (size_t i = 0; i < store->audit_count; i++) {
		if (store->audits[i].id < below && store->audits[i].time_ms < before_ms)
			memory_free_audit(&store->audits[i]);
		else
			store->audits[kept++] = store->audits[i];
	}
	store->audit_count = kept;
}

static void memory_write_audit(struct memory_store *store, const struct live_audit *audit)
{
	if (store->audit_count == store->audit_capacity) {
		store->audit_capacity = store->audit_capacity ? store->audit_capacity * 2 : 64;
		store->audits = mem_realloc(store->audits, store->audit_capacity * sizeof(*store->audits));
	}
	store->audits[store->audit_count++] = (struct store_audit){
		.id = ++store->audit_id_last,
		.sdkappid = audit->sdkappid,
		.time_ms = audit->time_ms,
		.actor = memory_dup(audit->actor),
		.client_ip = memory_dup(audit->client_ip),
		.action = memory_dup(audit->action),
		.detail = memory_dup(audit->detail),
	};
}

int memory_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
		      size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	size_t count = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = store->audit_count; i > 0 && count < limit; i--) {
		const struct store_audit *audit = &store->audits[i - 1];

		if (audit->id >= before_id || (sdkappid && audit->sdkappid != sdkappid))
			continue;
		audits_out[count] = *audit;
		audits_out[count].actor = arena_dup(arena, audit->actor);
		audits_out[count].client_ip = arena_dup(arena, audit->client_ip);
		audits_out[count].action = arena_dup(arena, audit->action);
		audits_out[count++].detail = arena_dup(arena, audit->detail);
	}
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	return 0;
}

/* ---- samples: by app number and minute ---- */

/* Place of the first sample of the app that is not before the minute. */
static size_t memory_sample_place(const struct memory_store *store, uint32_t number, int64_t minute_ms)
{
	size_t at = 0;

	while (at < store->sample_count &&
	       (store->samples[at].number < number ||
		(store->samples[at].number == number && store->samples[at].row.minute_ms < minute_ms)))
		at++;
	return at;
}

static void memory_remove_samples(struct memory_store *store, size_t from, size_t to)
{
	if (from == to)
		return; /* there may be no array yet */
	memmove(&store->samples[from], &store->samples[to], (store->sample_count - to) * sizeof(*store->samples));
	store->sample_count -= to - from;
}

static void memory_write_sample(struct memory_store *store, const struct live_sample *sample)
{
	size_t at = memory_sample_place(store, sample->number, sample->minute_ms);
	bool there = at < store->sample_count && store->samples[at].number == sample->number &&
		     store->samples[at].row.minute_ms == sample->minute_ms;

	if (!there) {
		if (store->sample_count == store->sample_capacity) {
			store->sample_capacity = store->sample_capacity ? store->sample_capacity * 2 : 64;
			store->samples = mem_realloc(store->samples, store->sample_capacity * sizeof(*store->samples));
		}
		memmove(&store->samples[at + 1], &store->samples[at],
			(store->sample_count - at) * sizeof(*store->samples));
		store->sample_count++;
	}
	store->samples[at] = (struct memory_sample){
		sample->number,
		{sample->minute_ms, sample->room_count, sample->room_count_highest, sample->room_count_max}};
}

/* Those before the last that is older than before_ms. */
static void memory_drop_old_samples(struct memory_store *store, uint32_t number, int64_t before_ms)
{
	size_t from = memory_sample_place(store, number, INT64_MIN);
	size_t end = memory_sample_place(store, number, before_ms);

	if (end > from + 1)
		memory_remove_samples(store, from, end - 1);
}

void memory_drop_samples(struct memory_store *store, uint32_t number)
{
	memory_remove_samples(store, memory_sample_place(store, number, INT64_MIN),
			      memory_sample_place(store, number + 1, INT64_MIN));
}

int memory_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
		       struct store_sample *samples_out, size_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	size_t at;
	size_t count = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	at = memory_sample_place(store, number, since_ms == INT64_MAX ? since_ms : since_ms + 1);
	if (at > 0 && store->samples[at - 1].number == number)
		at--;
	for (; at < store->sample_count && store->samples[at].number == number && count < limit; at++)
		samples_out[count++] = store->samples[at].row;
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	return 0;
}

int memory_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		     struct error *err)
{
	struct store_sample first; /* of those from the one before on */
	size_t count;

	if (memory_sample_list(base, number, time_ms, 1, &first, &count, err))
		return -1;
	if (count == 0 || first.minute_ms > time_ms)
		return 0;
	*sample_out = first;
	return 1;
}

/* ---- the write side ---- */

void memory_write_history(struct memory_store *store, const struct live_set *set)
{
	for (const struct live_audit *audit = set->audits; audit; audit = audit->next) {
		memory_write_audit(store, audit);
		if (set->audit_before_ms)
			memory_drop_audits(store, set->audit_before_ms);
	}
	for (const struct live_sample *sample = set->samples; sample; sample = sample->next) {
		memory_write_sample(store, sample);
		if (set->sample_before_ms)
			memory_drop_old_samples(store, sample->number, set->sample_before_ms);
	}
}

void memory_free_history(struct memory_store *store)
{
	for (size_t i = 0; i < store->audit_count; i++)
		memory_free_audit(&store->audits[i]);
	mem_free(store->audits);
	mem_free(store->samples);
}
