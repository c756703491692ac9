/* The recording thread; see recorder.h.
 *
 * It takes all that is queued (bounded by bytes), adds it in one transaction together with the sinks' places, commits,
 * tells the listener, and mails each job's owner. While one sync runs the next batch gathers by itself; there is no timer
 * for events. Once a second it does the housekeeping: silence, gaps, old rows.
 *
 * Failures: what cannot be stored is taken back whole, each job of the batch is told so, and the next batch tries anew;
 * places of sinks are kept for then. When what is on disk is not known (a failed sync, a damaged file) the process ends
 * with EX_IOERR: nothing was acknowledged, and the next start finds what is true. */
#include "receive/recorder.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define RECORDER_QUEUE_COUNT_MAX 65536
#define RECORDER_QUEUE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define RECORDER_BATCH_BYTES_MAX ((size_t)1024 * 1024) /* a batch ends with the job that passes this */
#define RECORDER_TICK_MS 1000
#define RECORDER_PRUNE_PAUSE_MS 10
#define RECORDER_LOG_INTERVAL_MS 1000
#define RECORDER_GAPS_TOLD_MAX 10 /* at a time: a hostile sender can make many */
#define RECORDER_STEP_MS (INT64_C(3600) * 1000)
#define RECORDER_STEP_LASTS_MS (INT64_C(86400) * 1000)

struct recorder_place {
	const char *sink; /* of sink_kind_word, so it lives for ever */
	int64_t id;
	char *state; /* owned */
	size_t state_len;
	bool is_dirty;
};

struct recorder {
	struct recorder_options options;
	uint32_t *sdkappids;
	struct record *record; /* the thread's, as the next three */
	struct log_limit failure_limit;
	struct arena arena;
	int64_t tick_ms;       /* monotonic: when housekeeping is due */
	int64_t age_offset_ms; /* of the clock that rows grow old by, from the monotonic one */
	int64_t step_ms;       /* monotonic: when the wall clock was seen to be ahead of that; 0: it is not */

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct recorder_job *first; /* under the lock, as all below */
	struct recorder_job *last;
	size_t queue_count;
	size_t queue_bytes;
	struct recorder_place places[SINK_KIND_COUNT];
	size_t place_count;
	int64_t mark_due_ms; /* monotonic; INT64_MAX while no place is dirty */
	bool closed;
	struct recorder_stats stats;
	bool running;
	_Atomic int64_t round_ms; /* monotonic */
	pthread_t thread;
};

/* ---- the queue ---- */

static size_t recorder_job_bytes(const struct recorder_job *job)
{
	return sizeof(*job) + job->row.body.len;
}

bool recorder_submit(struct recorder *recorder, struct recorder_job *job)
{
	size_t bytes = recorder_job_bytes(job);
	bool has_room;

	job->next = NULL;
	pthread_mutex_lock(&recorder->lock);
	has_room = recorder->queue_count < RECORDER_QUEUE_COUNT_MAX &&
		   recorder->queue_bytes + bytes <= RECORDER_QUEUE_BYTES_MAX;
	if (has_room) {
		if (recorder->first)
			recorder->last->next = job;
		else
			recorder->first = job;
		recorder->last = job;
		recorder->queue_count++;
		recorder->queue_bytes += bytes;
		pthread_cond_signal(&recorder->work);
	} else {
		recorder->stats.unrecorded_total++;
	}
	pthread_mutex_unlock(&recorder->lock);
	return has_room;
}

void recorder_mark(struct recorder *recorder, const char *sink, int64_t id, struct str state)
{
	struct recorder_place *place = NULL;

	assert(state.len <= RECORD_STATE_BYTES_MAX);
	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < recorder->place_count && !place; i++)
		if (strcmp(recorder->places[i].sink, sink) == 0)
			place = &recorder->places[i];
	if (!place) {
		assert(recorder->place_count < SINK_KIND_COUNT);
		place = &recorder->places[recorder->place_count++];
		place->sink = sink;
	}
	mem_free(place->state);
	place->id = id;
	place->state = mem_dup(state.ptr, state.len);
	place->state_len = state.len;
	place->is_dirty = true;
	if (recorder->mark_due_ms == INT64_MAX) {
		recorder->mark_due_ms = clock_mono_ms() + RECORDER_MARK_WAIT_MS;
		pthread_cond_signal(&recorder->work);
	}
	pthread_mutex_unlock(&recorder->lock);
}

/* Takes the places that must be kept: copies, whose states are the caller's to free. Under the lock. */
static size_t recorder_take_places(struct recorder *recorder, struct recorder_place out[SINK_KIND_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < recorder->place_count; i++) {
		struct recorder_place *place = &recorder->places[i];

		if (!place->is_dirty)
			continue;
		out[count++] = *place;
		place->state = NULL;
		place->state_len = 0;
		place->is_dirty = false;
	}
	recorder->mark_due_ms = INT64_MAX;
	return count;
}

/* Gives back what could not be kept, unless a newer place has come. */
static void recorder_return_places(struct recorder *recorder, struct recorder_place *places, size_t count)
{
	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < recorder->place_count; k++) {
			struct recorder_place *place = &recorder->places[k];

			if (place->sink != places[i].sink || place->is_dirty)
				continue;
			*place = places[i];
			place->is_dirty = true;
			places[i].state = NULL;
		}
	}
	if (recorder->mark_due_ms == INT64_MAX)
		recorder->mark_due_ms = clock_mono_ms() + RECORDER_TICK_MS;
	pthread_mutex_unlock(&recorder->lock);
}

struct recorder_batch {
	struct recorder_job *jobs;
	struct recorder_place places[SINK_KIND_COUNT];
	size_t place_count;
	bool is_last; /* the recorder is closed */
};

static struct recorder_job *recorder_take_jobs(struct recorder *recorder)
{
	struct recorder_job *jobs = recorder->first;
	struct recorder_job *end;
	size_t bytes = 0;

	for (end = jobs; end; end = end->next) {
		bytes += recorder_job_bytes(end);
		recorder->queue_count--;
		if (bytes >= RECORDER_BATCH_BYTES_MAX)
			break;
	}
	recorder->queue_bytes -= bytes;
	recorder->first = end ? end->next : NULL;
	if (end)
		end->next = NULL;
	return jobs;
}

/* Waits for something to do; returns at the latest when housekeeping is due. */
static void recorder_take(struct recorder *recorder, struct recorder_batch *batch)
{
	*batch = (struct recorder_batch){0};
	pthread_mutex_lock(&recorder->lock);
	while (!recorder->first && !recorder->closed) {
		int64_t due_ms = recorder->mark_due_ms < recorder->tick_ms ? recorder->mark_due_ms : recorder->tick_ms;
		struct timespec until = clock_mono_moment(due_ms);

		if (pthread_cond_timedwait(&recorder->work, &recorder->lock, &until) == ETIMEDOUT)
			break;
	}
	batch->jobs = recorder_take_jobs(recorder);
	if (batch->jobs || recorder->closed || clock_mono_ms() >= recorder->mark_due_ms)
		batch->place_count = recorder_take_places(recorder, batch->places);
	batch->is_last = recorder->closed && !batch->jobs;
	pthread_mutex_unlock(&recorder->lock);
}

/* ---- failures ---- */

static void recorder_die(const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, "record_lost", LOG_C("error", err->text),
		  LOG_C("action", "ending the process; the next start finds what is on disk"));
	_exit(EX_IOERR); /* no destructor may write anything now */
}

static void recorder_note_failure(struct recorder *recorder, const struct error *err, size_t count)
{
	uint64_t held_back;

	if (err->class == ERR_INTERNAL)
		recorder_die(err);
	pthread_mutex_lock(&recorder->lock);
	recorder->stats.unrecorded_total += count;
	recorder->stats.is_failing = true;
	(void)str_copy(recorder->stats.error, sizeof(recorder->stats.error), str_c(err->text)); /* cut when longer */
	pthread_mutex_unlock(&recorder->lock);
	if (log_limit_pass(&recorder->failure_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "record_failed", LOG_C("class", error_class_word(err->class)),
			  LOG_C("error", err->text), LOG_U64("callbacks", count), LOG_U64("held_back", held_back));
}

static void recorder_note_success(struct recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->stats.is_failing = false;
	recorder->stats.error[0] = '\0';
	pthread_mutex_unlock(&recorder->lock);
}

/* ---- one batch ---- */

static int recorder_store(struct recorder *recorder, const struct recorder_batch *batch, struct error *err)
{
	struct record *record = recorder->record;

	if (record_begin(record, clock_steady_ms(), err))
		return -1;
	for (struct recorder_job *job = batch->jobs; job; job = job->next)
		if (record_add(record, job->key, &job->row, &job->is_new, err))
			return -1;
	for (size_t i = 0; i < batch->place_count; i++)
		if (record_mark(record, batch->places[i].sink, batch->places[i].id,
				(struct str){batch->places[i].state, batch->places[i].state_len}, err))
			return -1;
	return record_commit(record, err);
}

static void recorder_count(struct recorder *recorder, const struct recorder_batch *batch, int64_t duration_us)
{
	static const int64_t bounds[] = RECORDER_BUCKETS_US;
	struct recorder_stats *stats = &recorder->stats;
	size_t bucket = 0;

	static_assert(ARRAY_LEN(bounds) + 1 == RECORDER_BUCKET_COUNT, "one bucket for each bound, and one above");
	while (bucket < ARRAY_LEN(bounds) && duration_us > bounds[bucket])
		bucket++;
	pthread_mutex_lock(&recorder->lock);
	for (const struct recorder_job *job = batch->jobs; job; job = job->next) {
		stats->recorded_total += job->is_new;
		stats->duplicate_total += !job->is_new;
	}
	stats->batch_total++;
	stats->batch_us_total += (uint64_t)duration_us;
	stats->batch_buckets[bucket]++;
	pthread_mutex_unlock(&recorder->lock);
}

/* Tells of the notes that the last transaction made. Returns how many. */
static size_t recorder_tell_notes(struct recorder *recorder)
{
	size_t count;
	const struct record_note *notes = record_notes(recorder->record, &count);

	for (size_t i = 0; i < count; i++) {
		struct record_row row;

		log_event(notes[i].kind == RECORD_SILENT ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
			  notes[i].kind == RECORD_SILENT ? "app_silent" : "app_resumed",
			  LOG_U64("app", notes[i].sdkappid), LOG_I64("seconds", notes[i].number));
		arena_reset(&recorder->arena);
		record_note_row(&notes[i], &recorder->arena, &row);
		if (recorder->options.on_recorded)
			recorder->options.on_recorded(recorder->options.context, NULL, &row);
	}
	if (count) {
		pthread_mutex_lock(&recorder->lock);
		recorder->stats.notes_total += count;
		pthread_mutex_unlock(&recorder->lock);
	}
	return count;
}

static void recorder_wake_sinks(struct recorder *recorder)
{
	if (recorder->options.on_batch)
		recorder->options.on_batch(recorder->options.context);
}

/* Tells the listener and the owners; the jobs are not ours any more afterwards. */
static void recorder_finish(struct recorder *recorder, struct recorder_job *jobs, bool recorded)
{
	while (jobs) {
		struct recorder_job *job = jobs;

		jobs = job->next; /* the mail may free the job */
		job->recorded = recorded;
		if (recorded && recorder->options.on_recorded)
			recorder->options.on_recorded(recorder->options.context, job, &job->row);
		mailbox_post(job->mailbox, &job->mail);
	}
}

static void recorder_run_batch(struct recorder *recorder, struct recorder_batch *batch)
{
	int64_t started_ns = clock_mono_ns();
	struct error err;
	size_t count = 0;

	if (!batch->jobs && batch->place_count == 0)
		return;
	for (const struct recorder_job *job = batch->jobs; job; job = job->next)
		count++;
	if (recorder_store(recorder, batch, &err)) {
		recorder_note_failure(recorder, &err, count);
		recorder_return_places(recorder, batch->places, batch->place_count);
		recorder_finish(recorder, batch->jobs, false);
	} else {
		recorder_note_success(recorder);
		recorder_count(recorder, batch, (clock_mono_ns() - started_ns) / 1000);
		(void)recorder_tell_notes(recorder); /* the sinks are woken in any case */
		recorder_finish(recorder, batch->jobs, true);
		if (count)
			recorder_wake_sinks(recorder);
	}
	for (size_t i = 0; i < batch->place_count; i++)
		mem_free(batch->places[i].state);
}

/* ---- housekeeping ---- */

static int recorder_check_silence(struct recorder *recorder, struct error *err)
{
	struct record *record = recorder->record;
	const struct recorder_options *options = &recorder->options;

	if (options->silence_ms == 0)
		return 0;
	if (record_begin(record, clock_steady_ms(), err))
		return -1;
	for (size_t i = 0; i < options->sdkappid_count; i++)
		if (record_check_silence(record, recorder->sdkappids[i], options->silence_ms, clock_wall_ms(), err))
			return -1;
	if (record_commit(record, err))
		return -1;
	if (recorder_tell_notes(recorder))
		recorder_wake_sinks(recorder);
	return 0;
}

static int recorder_tell_gaps(struct recorder *recorder, struct error *err)
{
	struct record_gap gaps[RECORDER_GAPS_TOLD_MAX];
	int64_t before_ms = clock_wall_ms() - (int64_t)recorder->options.gap_after_ms;
	size_t count;

	if (record_tell_gaps(recorder->record, before_ms, ARRAY_LEN(gaps), gaps, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		log_event(LOG_LEVEL_WARN, "sequence_gap", LOG_U64("app", gaps[i].sdkappid),
			  LOG_I64("first", gaps[i].first), LOG_I64("last", gaps[i].last),
			  LOG_C("action", "ask the sender what became of them: superseded, failed, or still waiting?"));
	return 0;
}

/* The time by which rows grow old: the wall clock's, but a step ahead counts when it has lasted for a day. A clock that is
 * wrong for a while would have all that is kept removed. */
static int64_t recorder_age_ms(struct recorder *recorder)
{
	int64_t mono_ms = clock_mono_ms();
	int64_t offset_ms = clock_wall_ms() - mono_ms;
	int64_t ahead_ms = offset_ms - recorder->age_offset_ms;

	if (ahead_ms <= RECORDER_STEP_MS ||
	    (recorder->step_ms && mono_ms - recorder->step_ms >= RECORDER_STEP_LASTS_MS)) {
		recorder->age_offset_ms = offset_ms;
		recorder->step_ms = 0;
	} else if (!recorder->step_ms) {
		recorder->step_ms = mono_ms;
		log_event(LOG_LEVEL_WARN, "clock_stepped", LOG_I64("ahead_s", ahead_ms / 1000),
			  LOG_C("action", "set the clock right; if it is, events are removed by it in a day"));
	}
	return mono_ms + recorder->age_offset_ms;
}

/* Returns 1 when there may be more to remove, 0, or -1. */
static int recorder_prune(struct recorder *recorder, struct error *err)
{
	const struct recorder_options *options = &recorder->options;
	int64_t keep_id = options->done_id ? options->done_id(options->context) : INT64_MAX;
	int64_t age_ms = recorder_age_ms(recorder);
	size_t removed;
	int more;

	if (options->keep_ms == 0)
		return 0;
	more = record_prune(recorder->record, age_ms - (int64_t)options->keep_ms, keep_id, &removed, err);
	if (more < 0)
		return -1;
	pthread_mutex_lock(&recorder->lock);
	recorder->stats.pruned_total += removed;
	pthread_mutex_unlock(&recorder->lock);
	return more;
}

/* Their silence counts from now on when nothing ever came. */
static int recorder_meet_apps(struct recorder *recorder, struct error *err)
{
	if (record_begin(recorder->record, clock_steady_ms(), err))
		return -1;
	for (size_t i = 0; i < recorder->options.sdkappid_count; i++)
		if (record_meet(recorder->record, recorder->sdkappids[i], clock_wall_ms(), err))
			return -1;
	return record_commit(recorder->record, err);
}

/* After a failure: can it be written again? Else the answer would wait for the next callback, which those who ask whether
 * we are ready may keep away. */
static int recorder_try(struct recorder *recorder, struct error *err)
{
	bool is_failing;

	pthread_mutex_lock(&recorder->lock);
	is_failing = recorder->stats.is_failing;
	pthread_mutex_unlock(&recorder->lock);
	if (!is_failing)
		return 0;
	if (recorder_meet_apps(recorder, err))
		return -1;
	recorder_note_success(recorder);
	return 0;
}

static void recorder_keep_house(struct recorder *recorder)
{
	int64_t now_ms = clock_mono_ms();
	struct error err;
	int more = 0;

	if (now_ms < recorder->tick_ms)
		return;
	if (recorder_try(recorder, &err) || recorder_check_silence(recorder, &err) ||
	    recorder_tell_gaps(recorder, &err) || (more = recorder_prune(recorder, &err)) < 0)
		recorder_note_failure(recorder, &err, 0);
	/* old rows must go at least as fast as new ones come */
	recorder->tick_ms = now_ms + (more > 0 ? RECORDER_PRUNE_PAUSE_MS : RECORDER_TICK_MS);
}

static void *recorder_main(void *context)
{
	struct recorder *recorder = context;
	struct recorder_batch batch;

	do {
		recorder_take(recorder, &batch);
		recorder_run_batch(recorder, &batch);
		recorder_keep_house(recorder);
		atomic_store(&recorder->round_ms, clock_mono_ms());
	} while (!batch.is_last);
	return NULL;
}

/* ---- life ---- */

int recorder_open(const struct recorder_options *options, struct recorder **recorder_out, struct error *err)
{
	struct recorder *recorder = mem_zalloc(sizeof(*recorder));
	size_t bytes = options->sdkappid_count * sizeof(options->sdkappids[0]);
	int rc;

	recorder->options = *options;
	recorder->sdkappids = mem_zalloc(bytes ? bytes : 1);
	if (bytes)
		memcpy(recorder->sdkappids, options->sdkappids, bytes);
	recorder->options.sdkappids = recorder->sdkappids;
	recorder->failure_limit.interval_ms = RECORDER_LOG_INTERVAL_MS;
	recorder->mark_due_ms = INT64_MAX;
	recorder->age_offset_ms = clock_wall_ms() - clock_mono_ms();
	recorder->stats.queue_count_max = RECORDER_QUEUE_COUNT_MAX;
	arena_init(&recorder->arena, 4096);
	rc = pthread_mutex_init(&recorder->lock, NULL);
	assert(rc == 0);
	clock_init_cond(&recorder->work);
	if (record_open(options->record_path, &recorder->record, err))
		goto fail;
	if (recorder_meet_apps(recorder, err)) {
		if (err->class == ERR_INTERNAL)
			goto fail;
		recorder_note_failure(recorder, err,
				      0); /* the disk is full: callbacks are refused until there is room */
	}
	atomic_store(&recorder->round_ms, clock_mono_ms());
	rc = pthread_create(&recorder->thread, NULL, recorder_main, recorder);
	if (rc) {
		(void)error_set_errno(err, rc, "starting the thread that records");
		goto fail;
	}
	recorder->running = true;
	*recorder_out = recorder;
	return 0;
fail:
	recorder_close(&recorder);
	return -1;
}

void recorder_close(struct recorder **recorder_ptr)
{
	struct recorder *recorder = *recorder_ptr;

	if (!recorder)
		return;
	if (recorder->running) {
		pthread_mutex_lock(&recorder->lock);
		assert(!recorder->first); /* the last job's mail has run */
		recorder->closed = true;
		pthread_cond_signal(&recorder->work);
		pthread_mutex_unlock(&recorder->lock);
		(void)pthread_join(recorder->thread, NULL); /* ours, joined once */
	}
	record_close(&recorder->record);
	for (size_t i = 0; i < recorder->place_count; i++)
		mem_free(recorder->places[i].state);
	arena_fini(&recorder->arena);
	(void)pthread_cond_destroy(&recorder->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&recorder->lock);
	mem_free(recorder->sdkappids);
	mem_free(recorder);
	*recorder_ptr = NULL;
}

int64_t recorder_round_ms(struct recorder *recorder)
{
	return atomic_load(&recorder->round_ms);
}

void recorder_stats(struct recorder *recorder, struct recorder_stats *out)
{
	pthread_mutex_lock(&recorder->lock);
	*out = recorder->stats;
	out->queue_count = recorder->queue_count;
	pthread_mutex_unlock(&recorder->lock);
}
