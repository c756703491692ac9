/* The threads of the sinks; see sink.h.
 *
 * A sink's round: read what was recorded behind its place, pass over what it does not want, deliver the rest, keep the
 * new place; then its tick; then wait until something is recorded, about a second at most, because other processes write
 * notes into the record and cannot wake us.
 *
 * Failures: what was not delivered is read and tried again after a growing wait. When the record cannot be read, the same.
 * A place that was not yet durable when the process died makes events come again, never be left out. */
#include "receive/sink.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define SINK_ROWS_MAX 100	 /* read at a time */
#define SINK_POLL_MS 1000	 /* look at the record at least so often */
#define SINK_PASSED_MARK_MS 1000 /* keep the place so often while events are only passed over */
#define SINK_RETRY_FIRST_MS 1000
#define SINK_LOG_INTERVAL_MS 60000

struct sink_runner {
	struct sinks *sinks;
	struct sink sink;
	struct record_reader *reader;
	struct arena arena;
	struct record_row rows[SINK_ROWS_MAX];
	struct record_row wanted[SINK_ROWS_MAX];
	size_t wanted_index[SINK_ROWS_MAX]; /* in rows */
	int64_t place;			    /* done with all rows up to it */
	struct buf state;		    /* as last marked */
	struct buf scratch;
	int64_t marked_ms; /* monotonic */
	unsigned failures; /* in a row */
	struct log_limit failure_limit;
	bool running;
	pthread_t thread;
	struct sink_stats stats; /* under the lock */
};

struct sinks {
	struct sinks_options options;
	struct sink_runner *runners[SINK_KIND_COUNT];
	size_t count;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t work;
	uint64_t wakes; /* under the lock: how often something was recorded */
};

const char *sink_kind_word(enum sink_kind kind)
{
	static const char *const words[] = {[SINK_ALERTMANAGER] = "alertmanager",
					    [SINK_COMMAND] = "command",
					    [SINK_POST] = "post",
					    [SINK_MAIL] = "mail"};

	return words[kind];
}

bool sink_wants(enum sink_events events, const struct record_row *row)
{
	return events == SINK_EVENTS_ALL || row->kind != RECORD_CALLBACK ||
	       str_eq(row->command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD)));
}

uint64_t sink_wait_ms(unsigned failures, uint64_t longest_ms, uint64_t random)
{
	uint64_t wait_ms = SINK_RETRY_FIRST_MS;

	for (unsigned i = 1; i < failures && wait_ms < longest_ms; i++)
		wait_ms *= 2;
	if (wait_ms > longest_ms)
		wait_ms = longest_ms;
	return wait_ms - random % (wait_ms / 2 + 1);
}

/* ---- waiting ---- */

static uint64_t sink_wakes(struct sinks *sinks)
{
	uint64_t wakes;

	pthread_mutex_lock(&sinks->lock);
	wakes = sinks->wakes;
	pthread_mutex_unlock(&sinks->lock);
	return wakes;
}

/* Waits for so long, or until the process ends, or, with `wakes`, until something was recorded since. */
static void sink_sleep(struct sinks *sinks, int64_t wait_ms, const uint64_t *wakes)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;
	struct timespec until = clock_mono_moment(until_ms);

	pthread_mutex_lock(&sinks->lock);
	while (!atomic_load(&sinks->stop) && (!wakes || sinks->wakes == *wakes) && clock_mono_ms() < until_ms)
		(void)pthread_cond_timedwait(&sinks->work, &sinks->lock, &until); /* the loop looks at the time */
	pthread_mutex_unlock(&sinks->lock);
}

/* ---- places ---- */

static void sink_mark(struct sink_runner *runner)
{
	struct sinks *sinks = runner->sinks;

	buf_reset(&runner->state);
	if (runner->sink.ops->save)
		runner->sink.ops->save(runner->sink.sink, &runner->state);
	assert(buf_ok(&runner->state)); /* a sink keeps to the bound */
	sinks->options.mark(sinks->options.context, sink_kind_word(runner->sink.ops->kind), runner->place,
			    buf_str(&runner->state));
	runner->marked_ms = clock_mono_ms();
}

static bool sink_state_changed(struct sink_runner *runner)
{
	if (!runner->sink.ops->save)
		return false;
	buf_reset(&runner->scratch);
	runner->sink.ops->save(runner->sink.sink, &runner->scratch);
	return !str_eq(buf_str(&runner->scratch), buf_str(&runner->state));
}

/* Moves on to `place`. What was only passed over need not be kept each time. */
static void sink_move(struct sink_runner *runner, int64_t place, size_t delivered)
{
	bool moved = place != runner->place;

	runner->place = place;
	pthread_mutex_lock(&runner->sinks->lock);
	runner->stats.done_id = place;
	runner->stats.delivered_total += delivered;
	pthread_mutex_unlock(&runner->sinks->lock);
	if (delivered || (moved && clock_mono_ms() - runner->marked_ms >= SINK_PASSED_MARK_MS))
		sink_mark(runner);
}

/* ---- failures ---- */

static void sink_failed(struct sink_runner *runner, int64_t oldest_ms, const struct error *err)
{
	struct sinks *sinks = runner->sinks;
	uint64_t held_back;
	uint64_t wait_ms;

	if (atomic_load(&sinks->stop))
		return; /* it was interrupted */
	runner->failures++;
	wait_ms = sink_wait_ms(runner->failures, sinks->options.retry_longest_ms, random_u64());
	pthread_mutex_lock(&sinks->lock);
	runner->stats.failures_total++;
	runner->stats.is_failing = true;
	runner->stats.oldest_ms = oldest_ms;
	(void)str_copy(runner->stats.error, sizeof(runner->stats.error), str_c(err->text)); /* cut when longer */
	pthread_mutex_unlock(&sinks->lock);
	if (log_limit_pass(&runner->failure_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_WARN, "sink_fails", LOG_C("sink", sink_kind_word(runner->sink.ops->kind)),
			  LOG_C("error", err->text), LOG_U64("again_ms", wait_ms), LOG_U64("held_back", held_back));
	sink_sleep(sinks, (int64_t)wait_ms, NULL);
}

static void sink_succeeded(struct sink_runner *runner)
{
	if (runner->failures == 0)
		return;
	runner->failures = 0;
	runner->failure_limit.last_mono_ms = 0; /* the next failure is news */
	pthread_mutex_lock(&runner->sinks->lock);
	runner->stats.is_failing = false;
	runner->stats.oldest_ms = 0;
	runner->stats.error[0] = '\0';
	pthread_mutex_unlock(&runner->sinks->lock);
	log_event(LOG_LEVEL_INFO, "sink_recovered", LOG_C("sink", sink_kind_word(runner->sink.ops->kind)));
}

/* ---- one round ---- */

/* Reads what comes next. Returns how many rows, -1 when the record cannot be read. */
static ptrdiff_t sink_read(struct sink_runner *runner, struct error *err)
{
	const struct record_filter filter = {.after_id = runner->place};
	size_t count;

	arena_reset(&runner->arena);
	if (record_read(runner->reader, &runner->arena, &filter, SINK_ROWS_MAX, runner->rows, &count, err))
		return -1;
	return (ptrdiff_t)count;
}

static size_t sink_choose(struct sink_runner *runner, size_t count)
{
	size_t wanted = 0;

	for (size_t i = 0; i < count; i++) {
		if (!runner->sink.ops->wants(runner->sink.sink, &runner->rows[i]))
			continue;
		runner->wanted[wanted] = runner->rows[i];
		runner->wanted_index[wanted++] = i;
	}
	return wanted;
}

/* Delivers the rows that were read. Returns false after a failure, having waited. */
static bool sink_deliver(struct sink_runner *runner, size_t count)
{
	size_t wanted = sink_choose(runner, count);
	struct error err;
	size_t done = 0;
	size_t next;

	if (wanted)
		done = runner->sink.ops->deliver(runner->sink.sink, runner->wanted, wanted, &runner->sinks->stop, &err);
	assert(done <= wanted);
	next = done == wanted ? count : runner->wanted_index[done]; /* the first row that is not done with */
	sink_move(runner, next ? runner->rows[next - 1].id : runner->place, done);
	if (done)
		sink_succeeded(runner); /* a part of them is a success, too */
	if (done == wanted)
		return true;
	sink_failed(runner, runner->wanted[done].receive_ms, &err);
	return false;
}

/* Returns how long nothing is to be done, or -1 after a failure, having waited. */
static int64_t sink_tick(struct sink_runner *runner)
{
	struct error err;
	int64_t wait_ms;

	if (!runner->sink.ops->tick)
		return SINK_TICK_NEVER;
	wait_ms = runner->sink.ops->tick(runner->sink.sink, &runner->sinks->stop, &err);
	if (sink_state_changed(runner))
		sink_mark(runner);
	if (wait_ms < 0)
		sink_failed(runner, 0, &err);
	else
		sink_succeeded(runner);
	return wait_ms;
}

static void *sink_main(void *context)
{
	struct sink_runner *runner = context;
	struct sinks *sinks = runner->sinks;

	while (!atomic_load(&sinks->stop)) {
		uint64_t wakes = sink_wakes(sinks);
		struct error err;
		ptrdiff_t count = sink_read(runner, &err);
		int64_t wait_ms;

		if (count < 0) {
			sink_failed(runner, 0, &err);
			continue;
		}
		if (count && !sink_deliver(runner, (size_t)count))
			continue;
		wait_ms = sink_tick(runner);
		if (count == 0 && wait_ms > 0)
			sink_sleep(sinks, wait_ms < SINK_POLL_MS ? wait_ms : SINK_POLL_MS, &wakes);
	}
	sink_mark(runner); /* what was only passed over */
	return NULL;
}

/* ---- life ---- */

/* Finds the sink's place, and its state; without any it begins here, and that is kept at once. */
static int sink_find_place(struct sink_runner *runner, struct error *err)
{
	const char *word = sink_kind_word(runner->sink.ops->kind);
	struct str state;
	int found = record_read_mark(runner->reader, &runner->arena, word, &runner->place, &state, err);
	struct error bad;

	if (found < 0 || (found == 0 && record_read_last(runner->reader, &runner->place, err)))
		return -1;
	runner->stats.done_id = runner->place;
	if (found == 0)
		sink_mark(runner);
	else if (runner->sink.ops->restore && runner->sink.ops->restore(runner->sink.sink, state, &bad))
		log_event(LOG_LEVEL_ERROR, "sink_state_lost", LOG_C("sink", word), LOG_C("error", bad.text));
	return 0;
}

static struct sink_runner *sink_runner_new(struct sinks *sinks, const struct sink *sink)
{
	struct sink_runner *runner = mem_zalloc(sizeof(*runner));

	runner->sinks = sinks;
	runner->sink = *sink;
	runner->stats.kind = sink->ops->kind;
	runner->failure_limit.interval_ms = SINK_LOG_INTERVAL_MS;
	arena_init(&runner->arena, 65536);
	buf_init(&runner->state, RECORD_STATE_BYTES_MAX);
	buf_init(&runner->scratch, RECORD_STATE_BYTES_MAX);
	return runner;
}

static int sink_start(struct sink_runner *runner, struct error *err)
{
	int rc;

	if (record_reader_open(runner->sinks->options.record_path, &runner->reader, err) ||
	    sink_find_place(runner, err))
		return error_wrap(err, "sink %s", sink_kind_word(runner->sink.ops->kind));
	rc = pthread_create(&runner->thread, NULL, sink_main, runner);
	if (rc)
		return error_set_errno(err, rc, "starting the thread of sink %s",
				       sink_kind_word(runner->sink.ops->kind));
	runner->running = true;
	return 0;
}

int sinks_open(const struct sinks_options *options, struct sinks **sinks_out, struct error *err)
{
	struct sinks *sinks = mem_zalloc(sizeof(*sinks));
	int rc;

	sinks->options = *options;
	sinks->options.record_path = mem_dup(options->record_path, strlen(options->record_path));
	rc = pthread_mutex_init(&sinks->lock, NULL);
	assert(rc == 0);
	clock_init_cond(&sinks->work);
	for (size_t i = 0; i < options->sink_count; i++)
		sinks->runners[sinks->count++] = sink_runner_new(sinks, &options->sinks[i]);
	for (size_t i = 0; i < sinks->count; i++) {
		if (sink_start(sinks->runners[i], err)) {
			sinks_close(&sinks);
			return -1;
		}
	}
	*sinks_out = sinks;
	return 0;
}

static void sink_runner_free(struct sink_runner *runner)
{
	if (runner->running)
		(void)pthread_join(runner->thread, NULL); /* ours, joined once */
	record_reader_close(&runner->reader);
	runner->sink.ops->close(runner->sink.sink);
	arena_fini(&runner->arena);
	buf_fini(&runner->state);
	buf_fini(&runner->scratch);
	mem_free(runner);
}

void sinks_close(struct sinks **sinks_ptr)
{
	struct sinks *sinks = *sinks_ptr;

	if (!sinks)
		return;
	pthread_mutex_lock(&sinks->lock);
	atomic_store(&sinks->stop, true);
	pthread_cond_broadcast(&sinks->work);
	pthread_mutex_unlock(&sinks->lock);
	for (size_t i = 0; i < sinks->count; i++)
		sink_runner_free(sinks->runners[i]);
	(void)pthread_cond_destroy(&sinks->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&sinks->lock);
	mem_free((char *)(uintptr_t)sinks->options.record_path); /* ours */
	mem_free(sinks);
	*sinks_ptr = NULL;
}

void sinks_wake(struct sinks *sinks)
{
	pthread_mutex_lock(&sinks->lock);
	sinks->wakes++;
	pthread_cond_broadcast(&sinks->work);
	pthread_mutex_unlock(&sinks->lock);
}

int64_t sinks_done_id(struct sinks *sinks)
{
	int64_t least = INT64_MAX;

	pthread_mutex_lock(&sinks->lock);
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->runners[i]->stats.done_id < least)
			least = sinks->runners[i]->stats.done_id;
	pthread_mutex_unlock(&sinks->lock);
	return least;
}

size_t sinks_stats(struct sinks *sinks, struct sink_stats *out)
{
	pthread_mutex_lock(&sinks->lock);
	for (size_t i = 0; i < sinks->count; i++)
		out[i] = sinks->runners[i]->stats;
	pthread_mutex_unlock(&sinks->lock);
	return sinks->count;
}
