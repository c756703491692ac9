#pragma once
/* A store that can be told to fail or to wait, around the memory store; and a mailbox to wait at. */
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

enum fake_call { FAKE_LOAD, FAKE_COMMIT, FAKE_READER_OPEN, FAKE_CALLS };

struct fake_store {
	struct store base;
	struct store *inner;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool gate_closed; /* commits wait */
	unsigned at_gate; /* commits that reached the gate, ever */
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
	pthread_mutex_unlock(&store->lock);
	return result;
}

static inline int fake_load(struct store *base, struct live_set *set, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	return fake_fails(store, FAKE_LOAD, err) ? -1 : store_load(store->inner, set, err);
}

static inline int fake_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	pthread_mutex_lock(&store->lock);
	store->at_gate++;
	pthread_cond_broadcast(&store->changed);
	while (store->gate_closed)
		pthread_cond_wait(&store->changed, &store->lock);
	pthread_mutex_unlock(&store->lock);
	if (fake_fails(store, FAKE_COMMIT, err)) {
		store_abandon(store->inner);
		return -1;
	}
	return store_commit(store->inner, set, err);
}

static inline void fake_abandon(struct store *base)
{
	store_abandon(((struct fake_store *)base)->inner);
}

static inline void fake_tidy(struct store *base)
{
	store_tidy(((struct fake_store *)base)->inner);
}

static inline int fake_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	struct fake_store *store = (struct fake_store *)base;

	return fake_fails(store, FAKE_READER_OPEN, err) ? -1 : store_reader_open(store->inner, reader_out, err);
}

static inline void fake_close(struct store *base)
{
	struct fake_store *store = (struct fake_store *)base;

	store_close(&store->inner);
	(void)pthread_cond_destroy(&store->changed); /* nobody waits */
	(void)pthread_mutex_destroy(&store->lock);
	mem_free(store);
}

static inline struct fake_store *fake_store_new(void)
{
	static const struct store_ops ops = {fake_load, fake_commit, fake_abandon,
					     fake_tidy, fake_close,  fake_reader_open};
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
