/* Queue, writer and reader; see engine.h.
 *
 * The writer's round: take what is queued; name what it touches; load; step; commit; publish changed configurations;
 * tell delivery and who else listens; post the answers, one wake per mailbox; let the store tidy up, and remove callbacks that nobody keeps
 * any more, a bounded number of rows at a time. Durability is decided in engine_execute and nowhere else.
 *
 * Failure: a batch whose load or commit fails is answered with HW_INTERNAL as a whole, nothing of it was stored, and
 * the engine goes on. When the store says ERR_INTERNAL (a failed sync, a damaged file), it is not known what is on
 * disk: the process ends at once without answering, and the next start recovers. */
#include "engine/engine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prom.h"
#include "live/step.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define ENGINE_ARENA_CHUNK_BYTES (256 * 1024)
#define ENGINE_READ_COUNT_MAX 4096
#define ENGINE_PRUNE_PAUSE_MS 10     /* between two pieces of one round of removing: batches go first */
#define ENGINE_PROBE_PAUSE_MS 1000   /* between two tries whether a store that failed can be written again */
#define ENGINE_MAILBOX_COUNT_MAX 128 /* distinct mailboxes answered with one wake each; more cost more wakes */

struct engine {
	struct engine_options options;
	struct store *store;
	struct directory *directory;
	struct figures *figures;
	engine_delivery_hint hint;
	void *hint_context;
	engine_change_hint change_hint;
	void *change_context;

	pthread_mutex_t lock;
	pthread_cond_t work;	  /* for the writer */
	pthread_cond_t read_work; /* for the reader */
	struct engine_job *first; /* under the lock, as all that follows */
	struct engine_job *last;
	uint64_t queue_count;
	struct engine_read *read_first;
	struct engine_read *read_last;
	uint64_t read_count;
	bool closed;
	struct engine_keep keep_next;
	bool ping_writer; /* go round */
	bool ping_reader;
	struct engine_stats stats;
	_Atomic int64_t writer_round_ms; /* monotonic; not under the lock, as the next */
	_Atomic int64_t reader_round_ms;

	bool running;
	pthread_t writer;
	pthread_t reader_thread;
	struct store_reader *reader; /* the reader thread's */

	struct engine_keep keep; /* the writer's, as what follows */
	struct arena arena;	 /* one batch */
	struct hash_key hash_key;
	struct command **commands; /* batch_count_max of them */
	int64_t prune_cursor;	   /* the writer's, as the next one: where the round of removing stands */
	int64_t prune_ms;	   /* when it goes on, on clock_mono_ms; INT64_MAX: never */
	int64_t probe_ms; /* the writer's: when to try the store after a failure, on clock_mono_ms; INT64_MAX: it is well */
	struct log_limit failure_limit;
	struct log_limit prune_limit;
};

/* ---- queue ---- */

static int engine_refuse(struct engine *engine, bool full, struct error *err)
{
	if (!full)
		return error_set(err, ERR_CLOSED, "the backend is shutting down");
	engine->stats.refused_total++;
	return error_set(err, ERR_BUSY, "too many requests are waiting");
}

int engine_submit(struct engine *engine, struct engine_job *job, struct error *err)
{
	int result = 0;

	job->queue_next = NULL;
	pthread_mutex_lock(&engine->lock);
	if (engine->closed || engine->queue_count >= engine->options.queue_count_max) {
		result = engine_refuse(engine, !engine->closed, err);
	} else {
		if (!engine->first) {
			engine->first = job;
			pthread_cond_signal(&engine->work);
		} else {
			engine->last->queue_next = job;
		}
		engine->last = job;
		engine->queue_count++;
	}
	pthread_mutex_unlock(&engine->lock);
	return result;
}

int engine_submit_read(struct engine *engine, struct engine_read *read, struct error *err)
{
	int result = 0;

	read->queue_next = NULL;
	pthread_mutex_lock(&engine->lock);
	if (engine->closed || engine->read_count >= ENGINE_READ_COUNT_MAX) {
		result = engine_refuse(engine, !engine->closed, err);
	} else {
		if (!engine->read_first) {
			engine->read_first = read;
			pthread_cond_signal(&engine->read_work);
		} else {
			engine->read_last->queue_next = read;
		}
		engine->read_last = read;
		engine->read_count++;
	}
	pthread_mutex_unlock(&engine->lock);
	return result;
}

/* Waits for work, or until it is time to remove old callbacks, or to try a store that failed. The lock is held. */
static void engine_wait(struct engine *engine)
{
	int64_t until_ms = engine->prune_ms < engine->probe_ms ? engine->prune_ms : engine->probe_ms;
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
	int rc = 0;

	while (!engine->first && !engine->closed && !engine->ping_writer && rc == 0)
		rc = until_ms == INT64_MAX ? pthread_cond_wait(&engine->work, &engine->lock)
					   : pthread_cond_timedwait(&engine->work, &engine->lock, &until);
}

/* Waits and takes up to a batch of work. Returns the list; NULL when it is time for something else, or when closed and
 * empty. */
static struct engine_job *engine_take(struct engine *engine, size_t *count_out)
{
	struct engine_job *jobs;
	struct engine_job *end;
	size_t count = 0;

	pthread_mutex_lock(&engine->lock);
	engine_wait(engine);
	engine->ping_writer = false;
	engine->keep = engine->keep_next;
	jobs = engine->first;
	for (end = jobs; end; end = end->queue_next) {
		count++;
		if (count == engine->options.batch_count_max)
			break;
	}
	engine->first = end ? end->queue_next : NULL;
	if (end)
		end->queue_next = NULL;
	engine->queue_count -= count;
	pthread_mutex_unlock(&engine->lock);
	*count_out = count;
	return jobs;
}

/* ---- the writer ---- */

static void engine_die(const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, "store_lost", LOG_C("error", err->text),
		  LOG_C("action", "ending the process; the next start recovers what was acknowledged"));
	_exit(EX_IOERR); /* no destructor may write anything now */
}

/* Notes that the store cannot be written, or, with NULL, that it can. */
static void engine_note_health(struct engine *engine, const struct error *err)
{
	uint64_t pause_ms = err ? ENGINE_PROBE_PAUSE_MS : engine->options.probe_interval_ms;

	engine->probe_ms = pause_ms ? clock_mono_ms() + (int64_t)pause_ms : INT64_MAX;
	pthread_mutex_lock(&engine->lock);
	engine->stats.is_failing = err != NULL;
	(void)str_copy(engine->stats.failure, sizeof(engine->stats.failure),
		       str_c(err ? err->text : "")); /* a text too long is cut */
	pthread_mutex_unlock(&engine->lock);
}

static void engine_fail_batch(struct engine *engine, size_t count, const struct error *err)
{
	uint64_t held_back;

	if (err->class == ERR_INTERNAL)
		engine_die(err);
	if (log_limit_pass(&engine->failure_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "batch_failed", LOG_C("class", error_class_word(err->class)),
			  LOG_C("error", err->text), LOG_U64("commands", count), LOG_U64("held_back", held_back));
	engine_note_health(engine, err);
	for (size_t i = 0; i < count; i++) {
		engine->commands[i]->code = HW_INTERNAL;
		engine->commands[i]->room_count = 0;
		(void)snprintf(engine->commands[i]->text, sizeof(engine->commands[i]->text),
			       "nothing was stored: %s; try again",
			       err->class == ERR_FULL ? "the backend's disk is full" : "the backend's store failed");
	}
}

static void engine_publish(struct engine *engine, const struct live_set *set)
{
	for (size_t i = 0; i < set->app_count; i++) {
		const struct live_app *app = set->apps[i];

		if (app->exists && app->config_changed)
			directory_publish(engine->directory, app->config);
		else if (!app->exists && app->exists_before)
			directory_remove(engine->directory, app->sdkappid);
	}
}

static void engine_note_commit(struct engine *engine, int64_t began_ns)
{
	static const int64_t bounds[] = ENGINE_COMMIT_BUCKETS_US;
	int64_t duration_us = (clock_mono_ns() - began_ns) / 1000;

	pthread_mutex_lock(&engine->lock);
	engine->stats.commit_us_total += (uint64_t)duration_us;
	engine->stats.commit_buckets[prom_bucket(bounds, ARRAY_LEN(bounds), duration_us)]++;
	pthread_mutex_unlock(&engine->lock);
}

/* Load, step, commit, publish. When it returns 0, what the commands' answers say is on disk; on -1 nothing of the batch
 * is, and the answers say so. Nothing else in the program may tell a client that a change was made. */
static int engine_execute(struct engine *engine, struct live_set *set, size_t count)
{
	struct error err;
	int64_t began_ns;

	for (size_t i = 0; i < count; i++)
		live_set_touch(set, engine->commands[i]);
	if (store_load(engine->store, set, &err))
		goto fail;
	live_step(set, engine->commands, count);
	began_ns = clock_mono_ns();
	if (store_commit(engine->store, set, &err))
		goto fail;
	engine_note_commit(engine, began_ns);
	engine_publish(engine, set);
	figures_take(engine->figures, set);
	return 0;
fail:
	engine_fail_batch(engine, count, &err);
	return -1;
}

struct engine_post {
	struct mailbox *mailbox;
	struct mail *first;
	struct mail *last;
};

/* Posts the answers, one chain per mailbox. Jobs may be freed by their owners from here on. */
static void engine_answer(struct engine_job *jobs)
{
	struct engine_post posts[ENGINE_MAILBOX_COUNT_MAX];
	size_t count = 0;

	while (jobs) {
		struct engine_job *job = jobs;
		size_t i = 0;

		jobs = job->queue_next;
		while (i < count && posts[i].mailbox != job->mailbox)
			i++;
		if (i == ENGINE_MAILBOX_COUNT_MAX) {
			mailbox_post(job->mailbox, &job->mail);
			continue;
		}
		if (i == count)
			posts[count++] = (struct engine_post){job->mailbox, &job->mail, NULL};
		else
			posts[i].last->next = &job->mail;
		posts[i].last = &job->mail;
	}
	for (size_t i = 0; i < count; i++)
		mailbox_post_chain(posts[i].mailbox, posts[i].first, posts[i].last);
}

static void engine_count_batch(struct engine *engine, size_t count, bool failed)
{
	static const int64_t bounds[] = ENGINE_BATCH_BUCKETS;

	pthread_mutex_lock(&engine->lock);
	engine->stats.batch_buckets[prom_bucket(bounds, ARRAY_LEN(bounds), (int64_t)count)]++;
	engine->stats.commands_total += count;
	engine->stats.batches_total++;
	engine->stats.batches_failed_total += failed;
	if (count > engine->stats.batch_count_highest)
		engine->stats.batch_count_highest = count;
	pthread_mutex_unlock(&engine->lock);
}

/* Tells delivery which apps to look at. The set borrows from the commands, so this comes before their answers. */
static void engine_hint(const struct engine *engine, const struct live_set *set)
{
	for (size_t i = 0; engine->hint && i < set->app_count; i++)
		if (set->apps[i]->wake != WAKE_NONE)
			engine->hint(engine->hint_context, set->apps[i]->sdkappid, set->apps[i]->wake == WAKE_NOW);
}

/* What is older may be removed; 0: nothing. */
static int64_t engine_limit_ms(uint64_t keep_ms, int64_t now_ms)
{
	return keep_ms && keep_ms < (uint64_t)now_ms ? now_ms - (int64_t)keep_ms : 0;
}

static void engine_do_batch(struct engine *engine, struct engine_job *jobs, size_t count)
{
	struct live_set set;
	bool failed;
	size_t i = 0;

	for (struct engine_job *job = jobs; job; job = job->queue_next)
		engine->commands[i++] = &job->command;
	live_set_init(&set, &engine->arena, engine->hash_key, count);
	set.audit_before_ms = engine_limit_ms(engine->keep.audit_ms, clock_wall_ms());
	set.sample_before_ms = engine_limit_ms(engine->keep.samples_ms, clock_wall_ms());
	failed = engine_execute(engine, &set, count) != 0;
	engine_count_batch(engine, count, failed);
	if (!failed) {
		engine_hint(engine, &set);
		if (engine->change_hint)
			engine->change_hint(engine->change_context, &set);
		if (engine->probe_ms != INT64_MAX)
			engine_note_health(engine, NULL);
	}
	engine_answer(jobs);
	store_tidy(engine->store);
	arena_reset(&engine->arena);
}

/* Removes some of the callbacks that are too old. A failure costs nothing but their place: the next round tries again,
 * unless it is not known what is on disk. */
static void engine_prune(struct engine *engine)
{
	int64_t now_ms = clock_wall_ms();
	struct store_retention retention = {engine_limit_ms(engine->keep.delivered_ms, now_ms),
					    engine_limit_ms(engine->keep.failed_ms, now_ms), now_ms};
	struct error err;
	size_t removed = 0;
	uint64_t held_back;
	int more;

	if (clock_mono_ms() < engine->prune_ms)
		return;
	more = store_prune(engine->store, &retention, &engine->prune_cursor, &removed, &err);
	if (more < 0 && err.class == ERR_INTERNAL)
		engine_die(&err);
	if (more < 0 && log_limit_pass(&engine->prune_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "prune_failed", LOG_C("error", err.text), LOG_U64("held_back", held_back));
	engine->prune_ms =
		clock_mono_ms() + (int64_t)(more > 0 ? ENGINE_PRUNE_PAUSE_MS : engine->options.prune_interval_ms);
	pthread_mutex_lock(&engine->lock);
	engine->stats.pruned_total += removed;
	pthread_mutex_unlock(&engine->lock);
}

/* After a failed batch: is there room again? Else whoever asks whether we are ready, and sends nothing while we are not,
 * would wait for ever. And before, where a store may go away: else the first request would find that out. */
static void engine_probe(struct engine *engine)
{
	bool was_failing = engine->stats.is_failing; /* only the writer changes it */
	struct error err;

	if (clock_mono_ms() < engine->probe_ms)
		return;
	if (store_probe(engine->store, &err) == 0) {
		engine_note_health(engine, NULL);
		if (was_failing)
			log_event(LOG_LEVEL_INFO, "store_writable", LOG_C("action", "batches are stored again"));
		return;
	}
	if (err.class == ERR_INTERNAL)
		engine_die(&err);
	if (!was_failing)
		log_event(LOG_LEVEL_ERROR, "store_unwritable", LOG_C("class", error_class_word(err.class)),
			  LOG_C("error", err.text));
	engine_note_health(engine, &err);
}

static bool engine_is_over(struct engine *engine)
{
	bool over;

	pthread_mutex_lock(&engine->lock);
	over = engine->closed && !engine->first;
	pthread_mutex_unlock(&engine->lock);
	return over;
}

static void *engine_write(void *context)
{
	struct engine *engine = context;

	while (!engine_is_over(engine)) {
		size_t count;
		struct engine_job *jobs = engine_take(engine, &count);

		if (jobs)
			engine_do_batch(engine, jobs, count);
		atomic_store(&engine->writer_round_ms, clock_mono_ms());
		engine_prune(engine);
		atomic_store(&engine->writer_round_ms, clock_mono_ms());
		engine_probe(engine);
		atomic_store(&engine->writer_round_ms, clock_mono_ms());
	}
	return NULL;
}

/* ---- the reader ---- */

static void *engine_reads(void *context)
{
	struct engine *engine = context;

	while (true) {
		struct engine_read *read;
		bool over;

		pthread_mutex_lock(&engine->lock);
		while (!engine->read_first && !engine->closed && !engine->ping_reader)
			pthread_cond_wait(&engine->read_work, &engine->lock);
		engine->ping_reader = false;
		over = engine->closed;
		read = engine->read_first;
		if (read) {
			engine->read_first = read->queue_next;
			engine->read_count--;
		}
		pthread_mutex_unlock(&engine->lock);
		atomic_store(&engine->reader_round_ms, clock_mono_ms());
		if (!read && over)
			return NULL;
		if (!read)
			continue;
		read->read(read, engine->reader);
		mailbox_post(read->mailbox, &read->mail);
	}
}

/* ---- life ---- */

static void engine_learn_app(void *context, const struct store_app *app)
{
	struct engine *engine = context;

	directory_publish(engine->directory, &app->config);
	figures_set(engine->figures, &app->config, &app->state);
}

/* The writer waits on the clock that does not jump. */
static void engine_init_work(struct engine *engine)
{
	pthread_condattr_t attributes;
	int rc = pthread_condattr_init(&attributes);

	assert(rc == 0);
	rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	assert(rc == 0);
	rc = pthread_cond_init(&engine->work, &attributes);
	assert(rc == 0);
	(void)pthread_condattr_destroy(&attributes); /* cannot fail */
}

int engine_open(const struct engine_options *options, struct store *store, struct engine **engine_out,
		struct error *err)
{
	struct engine *engine = mem_zalloc(sizeof(*engine));
	int rc;

	assert(options->queue_count_max > 0 && options->batch_count_max > 0);
	engine->options = *options;
	engine->keep = engine->keep_next = options->keep;
	engine->store = store;
	engine->directory = directory_new();
	engine->figures = figures_new();
	engine->probe_ms =
		options->probe_interval_ms ? clock_mono_ms() + (int64_t)options->probe_interval_ms : INT64_MAX;
	engine->hash_key = hash_key_random();
	engine->commands = mem_zalloc(options->batch_count_max * sizeof(*engine->commands));
	engine->failure_limit.interval_ms = 1000;
	engine->prune_limit.interval_ms = 1000;
	engine->prune_ms = options->prune_interval_ms ? clock_mono_ms() : INT64_MAX;
	arena_init(&engine->arena, ENGINE_ARENA_CHUNK_BYTES);
	rc = pthread_mutex_init(&engine->lock, NULL);
	assert(rc == 0);
	engine_init_work(engine);
	rc = pthread_cond_init(&engine->read_work, NULL);
	assert(rc == 0);
	if (store_reader_open(store, &engine->reader, err) ||
	    store_app_each(engine->reader, engine_learn_app, engine, err)) {
		engine_close(&engine);
		return -1;
	}
	*engine_out = engine;
	return 0;
}

void engine_on_delivery(struct engine *engine, engine_delivery_hint hint, void *context)
{
	assert(!engine->running);
	engine->hint = hint;
	engine->hint_context = context;
}

void engine_on_change(struct engine *engine, engine_change_hint hint, void *context)
{
	assert(!engine->running);
	engine->change_hint = hint;
	engine->change_context = context;
}

int engine_start(struct engine *engine, struct error *err)
{
	int rc;

	atomic_store(&engine->writer_round_ms, clock_mono_ms());
	atomic_store(&engine->reader_round_ms, clock_mono_ms());
	rc = pthread_create(&engine->writer, NULL, engine_write, engine);
	if (rc)
		return error_set_errno(err, rc, "starting the writer thread");
	rc = pthread_create(&engine->reader_thread, NULL, engine_reads, engine);
	if (rc) {
		pthread_mutex_lock(&engine->lock);
		engine->closed = true;
		pthread_cond_signal(&engine->work);
		pthread_mutex_unlock(&engine->lock);
		(void)pthread_join(engine->writer, NULL); /* ours, joined once */
		return error_set_errno(err, rc, "starting the reader thread");
	}
	engine->running = true;
	return 0;
}

void engine_stop(struct engine *engine)
{
	if (!engine->running)
		return;
	pthread_mutex_lock(&engine->lock);
	engine->closed = true;
	pthread_cond_signal(&engine->work);
	pthread_cond_signal(&engine->read_work);
	pthread_mutex_unlock(&engine->lock);
	(void)pthread_join(engine->writer, NULL); /* ours, joined once, as below */
	(void)pthread_join(engine->reader_thread, NULL);
	engine->running = false;
}

void engine_close(struct engine **engine_ptr)
{
	struct engine *engine = *engine_ptr;

	if (!engine)
		return;
	engine_stop(engine);
	store_reader_close(&engine->reader);
	directory_free(&engine->directory);
	figures_free(&engine->figures);
	arena_fini(&engine->arena);
	(void)pthread_cond_destroy(&engine->read_work);
	(void)pthread_cond_destroy(&engine->work);
	(void)pthread_mutex_destroy(&engine->lock);
	mem_free(engine->commands);
	mem_free(engine);
	*engine_ptr = NULL;
}

void engine_set_keep(struct engine *engine, const struct engine_keep *keep)
{
	pthread_mutex_lock(&engine->lock);
	engine->keep_next = *keep;
	pthread_mutex_unlock(&engine->lock);
}

void engine_ping(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	engine->ping_writer = engine->ping_reader = true;
	pthread_cond_signal(&engine->work);
	pthread_cond_signal(&engine->read_work);
	pthread_mutex_unlock(&engine->lock);
}

int64_t engine_round_ms(struct engine *engine)
{
	int64_t writer_ms = atomic_load(&engine->writer_round_ms);
	int64_t reader_ms = atomic_load(&engine->reader_round_ms);

	return writer_ms < reader_ms ? writer_ms : reader_ms;
}

struct directory *engine_directory(struct engine *engine)
{
	return engine->directory;
}

struct figures *engine_figures(struct engine *engine)
{
	return engine->figures;
}

struct store *engine_store(struct engine *engine)
{
	return engine->store;
}

void engine_stats(struct engine *engine, struct engine_stats *out)
{
	pthread_mutex_lock(&engine->lock);
	*out = engine->stats;
	out->queue_count = engine->queue_count;
	out->queue_count_max = engine->options.queue_count_max;
	out->read_count = engine->read_count;
	out->read_count_max = ENGINE_READ_COUNT_MAX;
	pthread_mutex_unlock(&engine->lock);
}
