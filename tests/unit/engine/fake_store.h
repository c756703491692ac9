#pragma once
/* A store that can be told to fail or to wait, around the memory store, as its readers can; and a mailbox to wait at. */
#include "base/mem.h"
#include "engine/engine.h"
#include "store/store_ops.h"
#include "unit/live/commands.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define APP 1400000001u

enum fake_call {
	FAKE_LOAD,
	FAKE_COMMIT,
	FAKE_READER_OPEN,
	FAKE_PRUNE,
	FAKE_CLIP,
	FAKE_PROBE,
	FAKE_WAITING, /* reads of delivery, as the rest */
	FAKE_NEXT,
	FAKE_DUE,
	FAKE_GET,
	FAKE_NEWEST,
	FAKE_CERTIFICATE,
	FAKE_APP,
	FAKE_CALLS
};

struct fake_store {
	struct store base;
	struct store *inner;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool gate_closed;		  /* commits wait */
	unsigned at_gate;		  /* commits that reached the gate, ever */
	unsigned committed;		  /* commits that succeeded, ever */
	bool read_gate_closed;		  /* delivery's reads of new callbacks wait, with what they have read */
	unsigned at_read_gate;		  /* those that reached it, ever */
	bool loaded;			  /* between a load and its commit */
	bool pruned_in_batch;		  /* a prune came there, ever */
	bool gate_at_prune;		  /* the next prune closes the gate */
	unsigned prune_more;		  /* calls that say that the round goes on, whatever the store said */
	size_t pruned;			  /* rows, ever */
	struct store_retention retention; /* of the last prune */
	int64_t cursors[8];		  /* where the first prunes began */
	unsigned calls[FAKE_CALLS];
	unsigned fail_at[FAKE_CALLS]; /* 1 for the next call; 0 for none */
	bool for_ever;
	enum error_class class;
};

static inline int fake_fails(struct fake_store *store, enum fake_call call, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&store->lock);
	store->calls[call]++;
	if (store->fail_at[call] == 1)
		result = error_set(err, store->class, "told to fail");
	if (store->fail_at[call] > 1 || (store->fail_at[call] == 1 && !store->for_ever))
		store->fail_at[call]--;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	return result;
}

static inline void fake_set_loaded(struct fake_store *store, bool loaded)
{
	pthread_mutex_lock(&store->lock);
	store->loaded = loaded;
	pthread_mutex_unlock(&store->lock);
}

static inline int fake_load(struct store *base, struct live_set *set, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	if (fake_fails(store, FAKE_LOAD, err) || store_load(store->inner, set, err))
		return -1;
	fake_set_loaded(store, true);
	return 0;
}

static inline int fake_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	pthread_mutex_lock(&store->lock);
	store->at_gate++;
	pthread_cond_broadcast(&store->changed);
	while (store->gate_closed)
		pthread_cond_wait(&store->changed, &store->lock);
	store->loaded = false;
	pthread_mutex_unlock(&store->lock);
	if (fake_fails(store, FAKE_COMMIT, err)) {
		store_abandon(store->inner);
		return -1;
	}
	if (store_commit(store->inner, set, err))
		return -1;
	pthread_mutex_lock(&store->lock);
	store->committed++;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static inline void fake_abandon(struct store *base)
{
	store_abandon(((struct fake_store *)base)->inner);
}

static inline void fake_tidy(struct store *base)
{
	store_tidy(((struct fake_store *)base)->inner);
}

static inline int fake_prune(struct store *base, const struct store_retention *retention, int64_t *cursor,
			     size_t *removed_out, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;
	int more;

	pthread_mutex_lock(&store->lock);
	store->pruned_in_batch |= store->loaded;
	store->retention = *retention;
	if (store->calls[FAKE_PRUNE] < ARRAY_LEN(store->cursors))
		store->cursors[store->calls[FAKE_PRUNE]] = *cursor;
	store->gate_closed |= store->gate_at_prune;
	store->gate_at_prune = false;
	pthread_mutex_unlock(&store->lock);
	if (fake_fails(store, FAKE_PRUNE, err))
		return -1;
	more = store_prune(store->inner, retention, cursor, removed_out, err);
	pthread_mutex_lock(&store->lock);
	if (more >= 0) {
		store->pruned += *removed_out;
		if (store->prune_more) {
			store->prune_more--;
			*cursor = *cursor ? *cursor : 1;
			more = 1;
		}
	}
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	return more;
}

/* ---- readers ---- */

struct fake_reader {
	struct store_reader base;
	struct store_reader *inner;
	struct fake_store *store;
};

#define FAKE_READER(reader) ((struct fake_reader *)(reader))
#define FAKE_READ(reader, call, ...) (fake_fails(FAKE_READER(reader)->store, (call), err) ? -1 : store_##__VA_ARGS__)
#define INNER (FAKE_READER(reader)->inner)

static inline void fake_reader_close(struct store_reader *reader)
{
	store_reader_close(&INNER);
	mem_free(reader);
}

static inline int fake_app_each(struct store_reader *reader, void (*each)(void *, const struct store_app *),
				void *context, struct error *err)
{
	return store_app_each(INNER, each, context, err);
}

static inline int fake_room_count(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err)
{
	return store_room_count(INNER, number, count_out, err);
}

static inline int fake_app_get(struct store_reader *reader, uint32_t sdkappid, struct store_app *app_out,
			       struct error *err)
{
	return FAKE_READ(reader, FAKE_APP, app_get(INNER, sdkappid, app_out, err));
}

static inline int fake_waiting_each(struct store_reader *reader, void (*each)(void *, uint32_t, uint32_t),
				    void *context, struct error *err)
{
	return FAKE_READ(reader, FAKE_WAITING, waiting_each(INNER, each, context, err));
}

static inline int fake_callback_next(struct store_reader *reader, struct arena *arena, uint32_t sdkappid,
				     int64_t after_id, struct store_callback *out, struct error *err)
{
	struct fake_store *store = FAKE_READER(reader)->store;
	int found = FAKE_READ(reader, FAKE_NEXT, callback_next(INNER, arena, sdkappid, after_id, out, err));

	pthread_mutex_lock(&store->lock);
	store->at_read_gate++;
	pthread_cond_broadcast(&store->changed);
	while (store->read_gate_closed)
		pthread_cond_wait(&store->changed, &store->lock);
	pthread_mutex_unlock(&store->lock);
	return found;
}

static inline int fake_callback_due(struct store_reader *reader, uint32_t sdkappid, size_t limit,
				    struct store_due *due_out, size_t *count_out, struct error *err)
{
	return FAKE_READ(reader, FAKE_DUE, callback_due(INNER, sdkappid, limit, due_out, count_out, err));
}

static inline int fake_callback_get(struct store_reader *reader, struct arena *arena, int64_t id,
				    struct store_callback *out, struct error *err)
{
	return FAKE_READ(reader, FAKE_GET, callback_get(INNER, arena, id, out, err));
}

static inline int fake_alert_newest(struct store_reader *reader, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
				    struct error *err)
{
	return FAKE_READ(reader, FAKE_NEWEST, alert_newest(INNER, sdkappid, threshold, id_out, err));
}

static inline int fake_callback_list(struct store_reader *reader, struct arena *arena,
				     const struct store_callback_filter *filter, size_t limit,
				     struct store_callback *out, size_t *count_out, int64_t *next_out,
				     struct error *err)
{
	return store_callback_list(INNER, arena, filter, limit, out, count_out, next_out, err);
}

static inline int fake_certificate_get(struct store_reader *reader, struct arena *arena, uint32_t sdkappid,
				       struct str *chain_out, struct str *key_out, struct error *err)
{
	return FAKE_READ(reader, FAKE_CERTIFICATE, certificate_get(INNER, arena, sdkappid, chain_out, key_out, err));
}

static inline int fake_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	static const struct store_reader_ops ops = {
		.close = fake_reader_close,
		.app_each = fake_app_each,
		.app_get = fake_app_get,
		.room_count = fake_room_count,
		.waiting_each = fake_waiting_each,
		.callback_next = fake_callback_next,
		.callback_due = fake_callback_due,
		.callback_get = fake_callback_get,
		.alert_newest = fake_alert_newest,
		.callback_list = fake_callback_list,
		.certificate_get = fake_certificate_get,
	}; /* the others are nobody's here */
	struct fake_store *store = (struct fake_store *)base;
	struct fake_reader *reader;
	struct store_reader *inner;

	if (fake_fails(store, FAKE_READER_OPEN, err) || store_reader_open(store->inner, &inner, err))
		return -1;
	reader = mem_zalloc(sizeof(*reader));
	*reader = (struct fake_reader){{&ops}, inner, store};
	*reader_out = &reader->base;
	return 0;
}

#undef INNER

static inline void fake_close(struct store *base)
{
	struct fake_store *store = (struct fake_store *)base;

	store_close(&store->inner);
	(void)pthread_cond_destroy(&store->changed); /* nobody waits */
	(void)pthread_mutex_destroy(&store->lock);
	mem_free(store);
}

static inline int fake_clip_due(struct store *base, int64_t latest_ms, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	return fake_fails(store, FAKE_CLIP, err) ? -1 : store_clip_due(store->inner, latest_ms, err);
}

static inline int fake_probe(struct store *base, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	return fake_fails(store, FAKE_PROBE, err) ? -1 : store_probe(store->inner, err);
}

static inline struct fake_store *fake_store_new(void)
{
	static const struct store_ops ops = {.load = fake_load,
					     .commit = fake_commit,
					     .abandon = fake_abandon,
					     .tidy = fake_tidy,
					     .prune = fake_prune,
					     .clip_due = fake_clip_due,
					     .probe = fake_probe,
					     .close = fake_close,
					     .reader_open = fake_reader_open};
	struct fake_store *store = mem_zalloc(sizeof(*store));
	struct error err;

	assert_int_equal(store_memory_open(&store->inner, &err), 0);
	store->base = (struct store){.ops = &ops, .id = store_id(store->inner)};
	assert_int_equal(pthread_mutex_init(&store->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&store->changed, NULL), 0);
	return store;
}

static inline void fake_gate(struct fake_store *store, bool closed)
{
	pthread_mutex_lock(&store->lock);
	store->gate_closed = closed;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
}

/* Waits until `count` commits, of all there ever were, have reached the gate. */
static inline void fake_wait_at_gate(struct fake_store *store, unsigned count)
{
	pthread_mutex_lock(&store->lock);
	while (store->at_gate < count)
		pthread_cond_wait(&store->changed, &store->lock);
	pthread_mutex_unlock(&store->lock);
}

/* Waits until there were that many calls of this kind, ever. */
static inline void fake_wait_calls(struct fake_store *store, enum fake_call call, unsigned count)
{
	pthread_mutex_lock(&store->lock);
	while (store->calls[call] < count)
		pthread_cond_wait(&store->changed, &store->lock);
	pthread_mutex_unlock(&store->lock);
}

static inline unsigned fake_calls(struct fake_store *store, enum fake_call call)
{
	unsigned calls;

	pthread_mutex_lock(&store->lock);
	calls = store->calls[call];
	pthread_mutex_unlock(&store->lock);
	return calls;
}

static inline void fake_fail(struct fake_store *store, enum fake_call call, unsigned at, bool for_ever,
			     enum error_class class)
{
	pthread_mutex_lock(&store->lock);
	store->fail_at[call] = at;
	store->for_ever = for_ever;
	store->class = class;
	pthread_mutex_unlock(&store->lock);
}

/* ---- a thread's mailbox ---- */

struct post_office {
	struct mailbox box;
	sem_t awake;
};

static inline void post_office_wake(void *context)
{
	(void)sem_post(&((struct post_office *)context)->awake); /* far from its maximum */
}

static inline void post_office_init(struct post_office *office)
{
	assert_int_equal(sem_init(&office->awake, 0, 0), 0);
	mailbox_init(&office->box, post_office_wake, office);
}

static inline void post_office_fini(struct post_office *office)
{
	mailbox_fini(&office->box);
	(void)sem_destroy(&office->awake); /* nobody waits */
}

static inline void post_office_wait(struct post_office *office, unsigned count)
{
	unsigned ran = 0;

	while (ran < count) { /* a lost answer shows as a test that times out */
		assert_int_equal(sem_wait(&office->awake), 0);
		ran += mailbox_drain(&office->box);
	}
	assert_int_equal(ran, count);
}

/* ---- jobs ---- */

struct test_job {
	struct engine_job job; /* first */
	char room_id[24];
	unsigned ran;
	unsigned place; /* in the order of answers of all jobs */
};

static _Atomic unsigned test_job_places;

static inline void test_job_run(struct mail *mail)
{
	struct test_job *job = container_of(mail, struct test_job, job.mail);

	job->ran++;
	job->place = test_job_places++;
}

static inline int test_job_submit(struct engine *engine, struct post_office *office, struct test_job *job,
				  struct command command, struct error *err)
{
	job->job.command = command;
	job->job.mail.run = test_job_run;
	job->job.mailbox = &office->box;
	return engine_submit(engine, &job->job, err);
}

static inline int test_job_create_room(struct engine *engine, struct post_office *office, struct test_job *job,
				       unsigned number, struct error *err)
{
	(void)snprintf(job->room_id, sizeof(job->room_id), "r%u", number); /* fits */
	return test_job_submit(engine, office, job, world_create(APP, job->room_id, "alice"), err);
}

/* Submits one command, waits, and returns its code. */
static inline int test_job_do(struct engine *engine, struct post_office *office, struct command command)
{
	struct test_job job = {0};
	struct error err;

	assert_int_equal(test_job_submit(engine, office, &job, command, &err), 0);
	post_office_wait(office, 1);
	assert_int_equal(job.ran, 1);
	return job.job.command.code;
}

static inline int test_job_add_app(struct engine *engine, struct post_office *office, uint32_t room_count_max)
{
	struct app_config config = world_config(ALERT_EVERY, room_count_max);
	struct command command = world_command(COMMAND_APP_CREATE, APP);

	command.u.app_create = &config;
	return test_job_do(engine, office, command);
}
