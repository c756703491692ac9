/* Queue, batches, answers and failures of the engine, over a store that fails and waits as it is told. */
#include "unit/engine/fake_store.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct post_office office;
	unsigned hinted;     /* times that delivery was told of our app */
	bool answered_early; /* an answer was there before delivery was told */
};

static void count_hint(void *context, uint32_t sdkappid, bool now)
{
	struct fixture *fixture = context;

	(void)now;
	fixture->hinted += sdkappid == APP;
	pthread_mutex_lock(&fixture->office.box.lock);
	fixture->answered_early |= fixture->office.box.first || test_job_places;
	pthread_mutex_unlock(&fixture->office.box.lock);
}

static int setup_with(void **state, uint64_t queue_count_max, uint64_t batch_count_max)
{
	const struct engine_options options = {.queue_count_max = queue_count_max, .batch_count_max = batch_count_max};
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));
	struct error err;

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	test_job_places = 0;
	fixture->store = fake_store_new();
	post_office_init(&fixture->office);
	if (engine_open(&options, &fixture->store->base, &fixture->engine, &err))
		return -1;
	engine_on_delivery(fixture->engine, count_hint, fixture);
	*state = fixture;
	return engine_start(fixture->engine, &err);
}

static int setup(void **state)
{
	return setup_with(state, 10000, 512);
}

static int setup_small(void **state)
{
	return setup_with(state, 8, 4);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = &fixture->store->base;

	engine_close(&fixture->engine);
	post_office_fini(&fixture->office);
	store_close(&store);
	mem_free(fixture);
	return 0;
}

/* Closes the gate and puts one batch there, so that what is submitted next gathers in the queue. */
static void hold_writer(struct fixture *fixture, struct test_job *holder)
{
	struct error err;
	unsigned before;

	pthread_mutex_lock(&fixture->store->lock);
	before = fixture->store->at_gate;
	pthread_mutex_unlock(&fixture->store->lock);
	fake_gate(fixture->store, true);
	assert_int_equal(test_job_submit(fixture->engine, &fixture->office, holder,
					 world_command(COMMAND_CALLBACK_DELETE, 1), &err),
			 0);
	fake_wait_at_gate(fixture->store, before + 1);
}

/* ---- answers ---- */

static void test_engine_answers_each_once_and_in_order(void **state)
{
	static struct test_job jobs[3000];
	struct fixture *fixture = *state;
	struct error err;

	memset(jobs, 0, sizeof(jobs));
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	test_job_places = 0;
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &jobs[i], i, &err), 0);
	post_office_wait(&fixture->office, ARRAY_LEN(jobs));
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++) {
		assert_int_equal(jobs[i].ran, 1);
		assert_int_equal(jobs[i].place, i);
		assert_int_equal(jobs[i].job.command.code, HW_OK);
		assert_int_equal(jobs[i].job.command.room_count, i + 1);
	}
}

static void test_engine_answers_only_after_the_commit_returned(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 5);
	struct command command = world_command(COMMAND_APP_CREATE, APP);
	const struct directory_entry *entry;
	struct test_job job = {0};
	struct error err;

	command.u.app_create = &config;
	fake_gate(fixture->store, true);
	assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &job, command, &err), 0);
	fake_wait_at_gate(fixture->store, 1);
	assert_int_equal(mailbox_drain(&fixture->office.box), 0);
	assert_null(directory_acquire(engine_directory(fixture->engine), APP));
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 1);
	assert_int_equal(job.job.command.code, HW_OK);
	entry = directory_acquire(engine_directory(fixture->engine), APP);
	assert_non_null(entry); /* published before the answer */
	assert_int_equal(entry->config.number, 1);
	directory_release(entry);
}

static void test_engine_answers_more_mailboxes_than_it_can_chain(void **state)
{
	static struct post_office offices[200];
	static struct test_job jobs[2 * ARRAY_LEN(offices)];
	struct fixture *fixture = *state;
	struct test_job holder = {0};
	struct engine_stats stats;
	struct error err;

	memset(jobs, 0, sizeof(jobs));
	hold_writer(fixture, &holder);
	for (unsigned i = 0; i < ARRAY_LEN(offices); i++)
		post_office_init(&offices[i]);
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(test_job_submit(fixture->engine, &offices[i % ARRAY_LEN(offices)], &jobs[i],
						 world_command(COMMAND_CALLBACK_DELETE, 1), &err),
				 0);
	fake_gate(fixture->store, false);
	for (unsigned i = 0; i < ARRAY_LEN(offices); i++) {
		post_office_wait(&offices[i], 2);
		assert_true(jobs[i].place < jobs[i + ARRAY_LEN(offices)].place);
	}
	post_office_wait(&fixture->office, 1);
	engine_stop(fixture->engine); /* nobody posts any more */
	engine_stats(fixture->engine, &stats);
	assert_int_equal(stats.batch_count_highest, ARRAY_LEN(jobs));
	for (unsigned i = 0; i < ARRAY_LEN(offices); i++)
		post_office_fini(&offices[i]);
}

static void test_engine_tells_delivery_before_it_answers(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	test_job_places = 0;
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "r", "u")), HW_OK);
	assert_int_equal(fixture->hinted, 1);
	assert_false(fixture->answered_early);
}

/* ---- the queue ---- */

static void test_engine_refuses_when_the_queue_is_full(void **state)
{
	struct fixture *fixture = *state;
	struct test_job jobs[9] = {0};
	struct test_job holder = {0};
	struct engine_stats stats;
	struct error err;

	hold_writer(fixture, &holder);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &jobs[i], i, &err), 0);
	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &jobs[8], 8, &err), -1);
	assert_int_equal(err.class, ERR_BUSY);
	engine_stats(fixture->engine, &stats);
	assert_int_equal(stats.queue_count, 8);
	assert_int_equal(stats.refused_total, 1);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 9);
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_command(COMMAND_CALLBACK_DELETE, 1)),
			 HW_UNKNOWN_SDKAPPID); /* room again */
	assert_int_equal(jobs[8].ran, 0);
	engine_stats(fixture->engine, &stats);
	assert_int_equal(stats.queue_count, 0);
	assert_int_equal(stats.batch_count_highest, 4);
	assert_int_equal(stats.commands_total, 10);
}

static void never_read(struct engine_read *read, struct store_reader *reader)
{
	(void)read;
	(void)reader;
	fail_msg("a refused read ran");
}

static void test_engine_refuses_after_stop(void **state)
{
	struct fixture *fixture = *state;
	struct engine_read read = {.mailbox = &fixture->office.box, .read = never_read, .mail.run = test_job_run};
	struct test_job job = {0};
	struct error err;

	engine_stop(fixture->engine);
	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &job, 1, &err), -1);
	assert_int_equal(err.class, ERR_CLOSED);
	assert_int_equal(engine_submit_read(fixture->engine, &read, &err), -1);
	assert_int_equal(err.class, ERR_CLOSED);
	engine_stop(fixture->engine); /* twice is fine */
	assert_int_equal(mailbox_drain(&fixture->office.box), 0);
}

static void test_engine_stop_finishes_what_is_queued(void **state)
{
	static struct test_job jobs[1000];
	struct fixture *fixture = *state;
	struct error err;

	memset(jobs, 0, sizeof(jobs));
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &jobs[i], i, &err), 0);
	engine_stop(fixture->engine);
	(void)mailbox_drain(&fixture->office.box); /* the jobs tell */
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++) {
		assert_int_equal(jobs[i].ran, 1);
		assert_int_equal(jobs[i].job.command.code, HW_OK);
	}
}

/* ---- failures ---- */

static const char *url_of(struct fixture *fixture)
{
	static char url[HW_CALLBACK_URL_BYTES_MAX + 1];
	const struct directory_entry *entry = directory_acquire(engine_directory(fixture->engine), APP);

	assert_non_null(entry);
	(void)str_copy(url, sizeof(url), str_c(entry->config.callback_url)); /* same size */
	directory_release(entry);
	return url;
}

static struct command update_url(const char *url)
{
	struct command command = world_command(COMMAND_CALLBACK_UPDATE, APP);

	command.u.callback.url = str_c(url);
	command.u.callback.commands = 1u << HW_CALLBACK_THRESHOLD;
	return command;
}

/* One batch of a change of configuration, an alert and a refusal, which the store fails as told. */
static void fail_one_batch(struct fixture *fixture, enum error_class class)
{
	struct test_job holder = {0};
	struct test_job jobs[3] = {0};
	unsigned hinted = fixture->hinted;
	struct error err;

	hold_writer(fixture, &holder);
	assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &jobs[0], update_url("http://b/"), &err),
			 0);
	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &jobs[1], 7, &err), 0);
	assert_int_equal(
		test_job_submit(fixture->engine, &fixture->office, &jobs[2], world_destroy(APP, "none", "x"), &err), 0);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 4);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(jobs[i].job.command.code, HW_INTERNAL);
		assert_non_null(strstr(jobs[i].job.command.text, "nothing was stored"));
		assert_int_equal(strstr(jobs[i].job.command.text, "disk is full") != NULL, class == ERR_FULL);
		assert_int_equal(jobs[i].job.command.room_count, 0);
	}
	assert_string_equal(url_of(fixture), "http://127.0.0.1/");
	assert_int_equal(fixture->hinted, hinted);
}

static void test_engine_failed_batch_changes_nothing_and_the_engine_goes_on(void **state)
{
	static const enum error_class classes[] = {ERR_FULL, ERR_IO, ERR_BUSY, ERR_TIMEOUT};
	struct fixture *fixture = *state;
	struct engine_stats stats;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		for (enum fake_call call = FAKE_LOAD; call <= FAKE_COMMIT; call++) {
			fake_fail(fixture->store, call, 2, false, classes[i]); /* the first is the holder's */
			fail_one_batch(fixture, classes[i]);
			assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "r7", "u")),
					 HW_OK);
			assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_destroy(APP, "r7", "u")),
					 HW_OK);
		}
	}
	engine_stats(fixture->engine, &stats);
	assert_int_equal(stats.batches_failed_total, 2 * ARRAY_LEN(classes));
	assert_int_equal(fixture->hinted, 2 * ARRAY_LEN(classes));
}

static void test_engine_store_that_fails_for_a_while(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	for (enum fake_call call = FAKE_LOAD; call <= FAKE_COMMIT; call++) {
		fake_fail(fixture->store, call, 1, true, ERR_IO);
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "r", "u")),
					 HW_INTERNAL);
		fake_fail(fixture->store, call, 0, false, ERR_IO);
	}
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "r", "u")), HW_OK);
}

/* In a child: the process must end with EX_IOERR, and nobody may have been answered. */
static void lost_store_child(enum fake_call call)
{
	struct fixture *fixture;
	void *state;
	struct test_job job = {0};
	struct error err;

	if (setup(&state))
		_exit(1);
	fixture = state;
	fake_fail(fixture->store, call, 1, false, ERR_INTERNAL);
	if (test_job_create_room(fixture->engine, &fixture->office, &job, 1, &err))
		_exit(2);
	while (sem_wait(&fixture->office.awake)) /* wakes only when an answer comes */
		;
	_exit(3);
}

static void test_engine_ends_the_process_when_the_store_is_lost(void **state)
{
	(void)state;
	for (enum fake_call call = FAKE_LOAD; call <= FAKE_COMMIT; call++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			lost_store_child(call);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EX_IOERR);
	}
}

/* ---- many threads ---- */

#define CREATORS 8
#define CREATIONS 60

struct creator {
	pthread_t thread;
	struct engine *engine;
	struct post_office office; /* outlives the engine's threads, which may still be in its wake */
	struct test_job jobs[CREATIONS];
	unsigned number;
};

static void *create_many(void *context)
{
	struct creator *creator = context;
	struct error err;

	for (unsigned i = 0; i < CREATIONS; i++)
		if (test_job_create_room(creator->engine, &creator->office, &creator->jobs[i],
					 creator->number * CREATIONS + i, &err))
			return creator; /* not from here: cmocka's asserts belong to the main thread */
	post_office_wait(&creator->office, CREATIONS);
	return NULL;
}

struct counting_read {
	struct engine_read read; /* first */
	unsigned place;
	uint64_t count;
	uint64_t callbacks;
};

static unsigned read_places;

static void count_rooms(struct engine_read *read, struct store_reader *reader)
{
	struct counting_read *look = (struct counting_read *)read;
	struct store_app app;
	struct error err;

	look->place = read_places++;
	if (store_room_count(reader, 1, &look->count, &err))
		look->count = UINT64_MAX;
	look->callbacks = store_app_get(reader, APP, &app, &err) == 1 ? app.state.callback_pending : UINT64_MAX;
}

static void nothing(struct mail *mail)
{
	(void)mail;
}

static void submit_look(struct fixture *fixture, struct counting_read *look)
{
	struct error err;

	*look = (struct counting_read){
		.read = {.mail.run = nothing, .mailbox = &fixture->office.box, .read = count_rooms}};
	assert_int_equal(engine_submit_read(fixture->engine, &look->read, &err), 0);
}

static void test_engine_admits_exactly_the_maximum_under_concurrency(void **state)
{
	struct fixture *fixture = *state;
	struct creator *creators = mem_zalloc(CREATORS * sizeof(*creators));
	unsigned ok = 0;
	unsigned full = 0;
	struct counting_read look;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100), HW_OK);
	for (unsigned i = 0; i < CREATORS; i++) {
		creators[i].engine = fixture->engine;
		creators[i].number = i;
		post_office_init(&creators[i].office);
		assert_int_equal(pthread_create(&creators[i].thread, NULL, create_many, &creators[i]), 0);
	}
	for (unsigned i = 0; i < CREATORS; i++) {
		void *failed;

		assert_int_equal(pthread_join(creators[i].thread, &failed), 0);
		assert_null(failed);
		for (unsigned j = 0; j < CREATIONS; j++) {
			ok += creators[i].jobs[j].job.command.code == HW_OK;
			full += creators[i].jobs[j].job.command.code == HW_QUOTA_FULL;
		}
	}
	assert_int_equal(ok, 100);
	assert_int_equal(full, CREATORS * CREATIONS - 100);
	submit_look(fixture, &look);
	post_office_wait(&fixture->office, 1);
	assert_int_equal(look.count, 100);
	assert_int_equal(look.callbacks, 31); /* alerts at 70 to 100 */
	engine_stop(fixture->engine);
	assert_in_range(fixture->hinted, 1, 31); /* one for all of a batch */
	for (unsigned i = 0; i < CREATORS; i++)
		post_office_fini(&creators[i].office);
	mem_free(creators);
}

/* ---- reads ---- */

static void test_engine_reads_run_in_order_and_see_what_was_answered(void **state)
{
	struct counting_read reads[100];
	struct fixture *fixture = *state;

	read_places = 0;
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1000), HW_OK);
	for (unsigned i = 0; i < 100; i++) {
		char room_id[8];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, room_id, "u")),
				 HW_OK);
		submit_look(fixture, &reads[i]);
		post_office_wait(&fixture->office, 1);
		assert_int_equal(reads[i].count, i + 1);
	}
	for (unsigned i = 0; i < 100; i++) /* and many at once */
		submit_look(fixture, &reads[i]);
	engine_stop(fixture->engine); /* finishes reads, too */
	assert_int_equal(mailbox_drain(&fixture->office.box), 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(reads[i].place, 100 + i);
}

/* ---- life ---- */

static void test_engine_open_learns_the_apps_of_the_store(void **state)
{
	const struct engine_options options = {.queue_count_max = 8, .batch_count_max = 8};
	struct fixture *fixture = *state;
	const struct directory_entry *entry;
	struct engine *second;
	struct error err;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 42), HW_OK);
	assert_int_equal(engine_open(&options, &fixture->store->base, &second, &err), 0);
	entry = directory_acquire(engine_directory(second), APP);
	assert_non_null(entry);
	assert_int_equal(entry->config.room_count_max, 42);
	directory_release(entry);
	engine_close(&second); /* never started */
	assert_null(second);
	engine_close(&second);
}

static void test_engine_open_fails_when_the_store_cannot_be_read(void **state)
{
	const struct engine_options options = {.queue_count_max = 8, .batch_count_max = 8};
	struct fixture *fixture = *state;
	struct engine *second = NULL;
	struct error err;

	fake_fail(fixture->store, FAKE_READER_OPEN, 1, false, ERR_IO);
	assert_int_equal(engine_open(&options, &fixture->store->base, &second, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_null(second);
}

static void test_engine_deleted_app_leaves_the_directory(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 42), HW_OK);
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, update_url("http://b/")), HW_OK);
	assert_string_equal(url_of(fixture), "http://b/");
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_command(COMMAND_APP_DELETE, APP)), HW_OK);
	assert_null(directory_acquire(engine_directory(fixture->engine), APP));
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENGINE(test_engine_answers_each_once_and_in_order),
		WITH_ENGINE(test_engine_answers_only_after_the_commit_returned),
		WITH_ENGINE(test_engine_answers_more_mailboxes_than_it_can_chain),
		WITH_ENGINE(test_engine_tells_delivery_before_it_answers),
		cmocka_unit_test_setup_teardown(test_engine_refuses_when_the_queue_is_full, setup_small, teardown),
		WITH_ENGINE(test_engine_refuses_after_stop),
		WITH_ENGINE(test_engine_stop_finishes_what_is_queued),
		WITH_ENGINE(test_engine_failed_batch_changes_nothing_and_the_engine_goes_on),
		WITH_ENGINE(test_engine_store_that_fails_for_a_while),
		cmocka_unit_test(test_engine_ends_the_process_when_the_store_is_lost),
		WITH_ENGINE(test_engine_admits_exactly_the_maximum_under_concurrency),
		WITH_ENGINE(test_engine_reads_run_in_order_and_see_what_was_answered),
		WITH_ENGINE(test_engine_open_learns_the_apps_of_the_store),
		WITH_ENGINE(test_engine_open_fails_when_the_store_cannot_be_read),
		WITH_ENGINE(test_engine_deleted_app_leaves_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
