/* The delivery thread; see hook.h.
 *
 * Its round: run the mail (marks that became durable), take the writer's hints (apps for which there is something new),
 * start what is due, and let curl move data until something happens or the next deadline comes.
 *
 * A callback's life here: it is parked in the store until its app's endpoint can take it; then its row is read and held
 * as an attempt, scheduled; the request goes out, in flight; the verdict becomes a mark, a command for the engine; when
 * the mark is durable the attempt is released. Until then the row cannot be read again, so it is never on the wire
 * twice at once. If the process dies in between, the row is still waiting and is sent again after the restart with the
 * same webhook-id: at least once. The moves are those of live/delivery.h.
 *
 * Which callback of an app is next: those never tried in the order they were made, the others by their time, one of
 * each in turn while there are both. An alert that would only repeat an older state ends as superseded: one that has
 * failed, or any that waits or has waited behind an open breaker, when there is a newer one of its threshold.
 *
 * Time: deadlines are stored in wall-clock milliseconds, but this thread measures with the monotonic clock, started
 * from the wall clock once. A step of the wall clock therefore neither fires nor stalls retries. What was never tried
 * has no deadline, and deadlines that an earlier run left are at most the longest wait away (see hook_clip_due).
 *
 * Memory: targets (one per app with something waiting) and at most in_flight_max * TARGET_HELD_PER_FLIGHT attempts. */
#include "base/clock.h"
#include "base/mem.h"
#include "hook/attempt_log.h"
#include "hook/hook_internal.h"

#include <assert.h>
#include <string.h>

static void hook_wake(void *context)
{
	http_client_wake(((struct hook *)context)->client);
}

/* ---- hints from the writer ---- */

static void hook_hint(void *context, uint32_t sdkappid, bool now)
{
	struct hook *hook = context;
	struct hook_hint *last;

	pthread_mutex_lock(&hook->lock);
	last = hook->hint_count ? &hook->hints[hook->hint_count - 1] : NULL;
	if (last && last->sdkappid == sdkappid) {
		last->now |= now;
	} else if (hook->hint_count == HOOK_HINT_COUNT_MAX) {
		hook->hint_all = true;
		hook->hint_all_now |= now;
	} else {
		hook->hints[hook->hint_count++] = (struct hook_hint){sdkappid, now};
	}
	pthread_mutex_unlock(&hook->lock);
	hook_wake(hook);
}

static void hook_take_hint(struct target *target, bool now, int64_t now_ms)
{
	target_expect(target, now_ms);
	if (!now)
		return;
	window_release(&target->window);
	target->retry_due_ms = 0; /* a replay has put something there, or the pause kept us from looking */
}

/* What an earlier run left: its endpoint may have failed then, and is not known to have recovered. */
static void hook_found_waiting(void *context, uint32_t sdkappid, uint32_t failures)
{
	struct hook *hook = context;
	bool made;
	struct target *target = target_touch(&hook->targets, sdkappid, &made);

	if (made) {
		window_init(&target->window, failures);
		target->told_open = window_is_open(&target->window); /* by that run */
	}
	target_expect(target, clock_steady_ms());
	target->retry_due_ms = 0;
}

void hook_store_trouble(struct hook *hook, const struct error *err)
{
	uint64_t held_back;

	if (log_limit_pass(&hook->store_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "delivery_cannot_read", LOG_C("error", err->text),
			  LOG_U64("held_back", held_back));
}

/* Looks for all apps, since the hints were too many to be named. */
static void hook_look_everywhere(struct hook *hook, bool now)
{
	struct target *target;
	struct error err;

	if (store_waiting_each(hook->reader, hook_found_waiting, hook, &err)) {
		hook_store_trouble(hook, &err);
		pthread_mutex_lock(&hook->lock);
		hook->hint_all = true; /* again in the next round */
		hook->hint_all_now |= now;
		pthread_mutex_unlock(&hook->lock);
	}
	target = hook->targets.ring;
	for (unsigned left = hook->targets.count; left > 0; left--, target = target->next)
		hook_take_hint(target, now, clock_steady_ms()); /* the app may be gone, and so not be named above */
}

/* Returns false when the thread shall stop. */
static bool hook_take_hints(struct hook *hook)
{
	struct hook_hint hints[HOOK_HINT_COUNT_MAX];
	int64_t now_ms = clock_steady_ms();
	size_t count;
	bool all;
	bool all_now;
	bool stopping;

	pthread_mutex_lock(&hook->lock);
	count = hook->hint_count;
	memcpy(hints, hook->hints, count * sizeof(hints[0]));
	all = hook->hint_all;
	all_now = hook->hint_all_now;
	stopping = hook->stopping;
	hook->hint_count = 0;
	hook->hint_all = hook->hint_all_now = false;
	pthread_mutex_unlock(&hook->lock);
	if (all) /* first: it knows how the endpoints were when an earlier run ended */
		hook_look_everywhere(hook, all_now);
	for (size_t i = 0; i < count; i++)
		hook_take_hint(target_touch(&hook->targets, hints[i].sdkappid, NULL), hints[i].now, now_ms);
	return !stopping;
}

/* ---- which callback is next ---- */

/* Each returns 1 with the callback, 0 when there is none to send now, -1 when the store cannot be read. */
static int hook_next_new(struct hook *hook, struct target *target, struct store_callback *callback_out,
			 struct error *err)
{
	int found;

	if (target->new_none)
		return 0;
	found = store_callback_next(hook->reader, &hook->arena, target->sdkappid, target->new_cursor, callback_out,
				    err);
	if (found == 0)
		target->new_none = true;
	else if (found == 1)
		target->new_cursor = callback_out->id;
	return found;
}

/* Sets retry_due_ms anew. Returns the id of the first callback with a time that is not under way, 0 for none, or -1. */
static int64_t hook_find_due(struct hook *hook, struct target *target, struct error *err)
{
	size_t limit = target->held + 1u; /* those under way are still in the store */
	struct store_due *rows = arena_array(&hook->arena, limit, sizeof(*rows));
	size_t count;

	if (store_callback_due(hook->reader, target->sdkappid, limit, rows, &count, err))
		return -1;
	target->retry_due_ms = INT64_MAX;
	target->retry_held = false;
	for (size_t i = 0; i < count; i++) {
		if (target_holds(target, rows[i].id)) {
			target->retry_held = true;
			continue;
		}
		target->retry_due_ms = rows[i].due_ms;
		return rows[i].id;
	}
	return 0;
}

static int hook_next_due(struct hook *hook, struct target *target, int64_t now_ms, struct store_callback *callback_out,
			 struct error *err)
{
	int64_t id;
	int found;

	if (target->retry_due_ms == INT64_MAX || (target->retry_due_ms > now_ms && !target->window.draining))
		return 0;
	id = hook_find_due(hook, target, err);
	if (id < 0)
		return -1;
	if (id == 0 || (target->retry_due_ms > now_ms && !target->window.draining))
		return 0;
	found = store_callback_get(hook->reader, &hook->arena, id, callback_out, err);
	if (found < 0)
		return -1;
	target->retry_due_ms = 0;
	return found == 1 && callback_out->state == CALLBACK_WAITING; /* else it ended since: its app was deleted */
}

static int hook_next(struct hook *hook, struct target *target, int64_t now_ms, struct store_callback *callback_out,
		     struct error *err)
{
	bool retry_turn = target->retry_turn;
	int found;

	arena_reset(&hook->arena);
	target->retry_turn = !retry_turn;
	found = retry_turn ? hook_next_due(hook, target, now_ms, callback_out, err)
			   : hook_next_new(hook, target, callback_out, err);
	if (found)
		return found;
	return retry_turn ? hook_next_new(hook, target, callback_out, err)
			  : hook_next_due(hook, target, now_ms, callback_out, err);
}

/* ---- serving a target ---- */

static bool hook_has_room(const struct hook *hook, const struct target *target, int64_t now_ms)
{
	const struct hook_options *options = &hook->options;

	return target_may_send(&hook->targets, target, (unsigned)options->in_flight_max, now_ms) &&
	       target->held < options->in_flight_per_app * TARGET_HELD_PER_FLIGHT &&
	       hook->targets.held < options->in_flight_max * TARGET_HELD_PER_FLIGHT;
}

static int hook_read_certificate(struct hook *hook, struct target *target, struct error *err)
{
	struct str chain;
	struct str key;
	int found;

	arena_reset(&hook->arena);
	found = store_certificate_get(hook->reader, &hook->arena, target->sdkappid, &chain, &key, err);
	if (found == 1) {
		target->certificate = (struct str){mem_dup(chain.ptr, chain.len), chain.len};
		target->certificate_key = (struct str){mem_dup(key.ptr, key.len), key.len};
		mem_wipe((void *)(uintptr_t)key.ptr, key.len); /* in our arena */
	}
	return found < 0 ? -1 : 0;
}

/* Keys and certificate of the app's present configuration. */
static int hook_use_config(struct hook *hook, struct target *target, const struct directory_entry *entry,
			   struct error *err)
{
	if (target->generation == entry->generation)
		return 0;
	target_forget_config(target);
	if (entry->config.certificate_set && hook_read_certificate(hook, target, err))
		return -1;
	request_signer_init(&target->signer, &entry->config);
	target->generation = entry->generation;
	return 0;
}

static bool hook_shall_supersede(struct hook *hook, const struct target *target, const struct store_callback *callback)
{
	bool waited = callback->attempts > 0 || window_is_open(&target->window) || callback->id <= target->outage_id;

	return waited && callback->replays == 0 &&
	       hook_attempt_is_stale(hook, target->sdkappid, callback->threshold, callback->id);
}

/* Starts what the endpoint can take. Returns -1 when the store cannot be read. */
static int hook_start_target(struct hook *hook, struct target *target, const struct app_config *config, int64_t now_ms,
			     struct error *err)
{
	while (hook_has_room(hook, target, now_ms)) {
		struct store_callback callback;
		int found = hook_next(hook, target, now_ms, &callback, err);

		if (found <= 0)
			return found;
		if (hook_shall_supersede(hook, target, &callback))
			hook_attempt_supersede(hook, target, &callback);
		else
			hook_attempt_start(hook, target, config, &callback);
	}
	return 0;
}

/* Starts what is due, and sets when to look again. */
static void hook_serve_target(struct hook *hook, struct target *target, int64_t now_ms)
{
	const struct directory_entry *entry = directory_acquire(engine_directory(hook->engine), target->sdkappid);
	struct error err;

	target->next_due_ms = INT64_MAX;
	if (!entry) {
		target->empty = true; /* the app is gone, and its rows ended with it */
		return;
	}
	if (entry->config.pause != PAUSE_NONE) {
		directory_release(entry); /* its callbacks stay parked until a hint */
		return;
	}
	if (hook_use_config(hook, target, entry, &err) ||
	    hook_start_target(hook, target, &entry->config, now_ms, &err)) {
		hook_store_trouble(hook, &err);
		target->next_due_ms = now_ms + HOOK_POLL_MS_MAX;
	} else if (!target->new_none || (target->window.draining && target->retry_due_ms != INT64_MAX)) {
		target->next_due_ms = now_ms; /* as soon as there is room */
	} else {
		target->next_due_ms = target->retry_due_ms;
	}
	target->empty = target->new_none && target->retry_due_ms == INT64_MAX;
	directory_release(entry);
}

/* Serves the targets in turn, starting one further each round so that none is always first. Returns how long nothing
 * will be due. */
static int hook_start_due(struct hook *hook)
{
	int64_t now_ms = clock_steady_ms();
	int64_t wait_ms = HOOK_POLL_MS_MAX;
	struct target *target = hook->targets.ring;

	for (unsigned left = hook->targets.count; left > 0; left--) {
		struct target *next = target->next;
		int64_t due_ms = target_due_ms(target);

		if (due_ms <= now_ms && hook_has_room(hook, target, now_ms)) {
			hook_serve_target(hook, target, now_ms);
			due_ms = target_due_ms(target);
		}
		if (hook_has_room(hook, target, due_ms) && due_ms - now_ms < wait_ms)
			wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
		if (target->empty && target->held == 0)
			target_remove(&hook->targets, target);
		target = next;
	}
	if (hook->targets.ring)
		hook->targets.ring = hook->targets.ring->next;
	if (hook->unmarked && hook->remark_ms - now_ms < wait_ms)
		wait_ms = hook->remark_ms > now_ms ? hook->remark_ms - now_ms : 0;
	return (int)wait_ms;
}

/* ---- options ---- */

static struct http_client_options hook_client_options(const struct hook_options *options)
{
	return (struct http_client_options){
		.ca_file = options->ca_file,
		.guard = options->guard,
		.connect_timeout_ms = options->connect_timeout_ms,
		.total_timeout_ms = options->total_timeout_ms,
		.reply_bytes_max = options->reply_bytes_max,
		.in_flight_max = (unsigned)options->in_flight_max,
	};
}

/* Those that are not the client's. */
static void hook_use_options(struct hook *hook, const struct hook_options *options)
{
	hook->options = *options;
	hook->options.ca_file = NULL; /* the client reads these two; the caller's may go */
	hook->options.guard = NULL;
	hook->options.retry.seed = store_id(engine_store(hook->engine));
	hook->window = (struct window_policy){.max = (unsigned)options->in_flight_per_app,
					      .probe_first_ms = options->retry.first_ms,
					      .probe_longest_ms = options->probe_longest_ms,
					      .hold_longest_ms = options->retry.longest_ms};
}

void hook_change(struct hook *hook, const struct hook_options *options)
{
	pthread_mutex_lock(&hook->lock);
	assert(options->in_flight_max == hook->options.in_flight_max &&
	       options->in_flight_per_app == hook->options.in_flight_per_app);
	mem_free(hook->ca_file_next);
	hook->ca_file_next = mem_dup(options->ca_file, strlen(options->ca_file));
	hook->options_next = *options;
	if (options->guard)
		hook->guard_next = *options->guard;
	hook->changed = true;
	pthread_mutex_unlock(&hook->lock);
	hook_wake(hook);
}

/* Takes what hook_change has left. */
static void hook_take_change(struct hook *hook)
{
	pthread_mutex_lock(&hook->lock);
	if (hook->changed) {
		struct http_client_options client = hook_client_options(&hook->options_next);

		client.ca_file = hook->ca_file_next;
		client.guard = hook->options_next.guard ? &hook->guard_next : NULL;
		http_client_change(hook->client, &client);
		hook_use_options(hook, &hook->options_next);
		hook->changed = false;
	}
	pthread_mutex_unlock(&hook->lock);
}

/* ---- the thread ---- */

static void hook_publish_stats(struct hook *hook)
{
	pthread_mutex_lock(&hook->lock);
	hook->stats.in_flight = hook->targets.in_flight;
	hook->stats.targets = hook->targets.count;
	pthread_mutex_unlock(&hook->lock);
}

/* After the last round: lets attempts on the wire end in their own time limit, and waits for every mark that the engine
 * has, because it borrows our memory. Whatever is left is still pending in the store. */
static void hook_finish(struct hook *hook)
{
	int64_t deadline_ms = clock_mono_ms() + (int64_t)hook->options.total_timeout_ms + HOOK_POLL_MS_MAX;

	while (hook->marking || (hook->targets.in_flight && clock_mono_ms() < deadline_ms)) {
		http_client_poll(hook->client, HOOK_REMARK_MS);
		(void)mailbox_drain(&hook->mailbox); /* how many ran does not matter */
	}
}

static void *hook_main(void *context)
{
	struct hook *hook = context;
	int wait_ms = 0;

	while (hook_take_hints(hook)) {
		atomic_store(&hook->round_ms, clock_mono_ms());
		hook_take_change(hook);
		hook_attempt_submit_unmarked(hook);
		wait_ms = hook_start_due(hook);
		hook_publish_stats(hook);
		http_client_poll(hook->client, wait_ms);
		(void)mailbox_drain(&hook->mailbox); /* how many ran does not matter */
	}
	hook_finish(hook);
	return NULL;
}

/* ---- life ---- */

/* What cannot be stored now (the disk is full) must not keep the process from starting: then those callbacks wait for
 * the time that they have, until the next start. */
static int hook_clip_due(struct hook *hook, struct error *err)
{
	int64_t latest_ms = clock_steady_ms() + (int64_t)hook->options.retry.longest_ms;

	if (!store_clip_due(engine_store(hook->engine), latest_ms, err))
		return 0;
	if (err->class == ERR_INTERNAL)
		return -1;
	log_event(LOG_LEVEL_ERROR, "retry_times_kept", LOG_C("error", err->text));
	return 0;
}

int hook_open(const struct hook_options *options, struct engine *engine, struct hook **hook_out, struct error *err)
{
	struct http_client_options client = hook_client_options(options);
	struct hook *hook = mem_zalloc(sizeof(*hook));
	int rc;

	assert(options->in_flight_max >= 1 && options->in_flight_per_app >= 1 &&
	       options->in_flight_per_app <= options->in_flight_max);
	hook->engine = engine;
	hook_use_options(hook, options);
	hook->held = mem_zalloc(options->in_flight_max * TARGET_HELD_PER_FLIGHT * sizeof(struct attempt *));
	hook->trouble_limit.interval_ms = 1000;
	hook->store_limit.interval_ms = 1000;
	hook->endpoint_limit.interval_ms = 100;
	arena_init(&hook->arena, 64 * 1024);
	buf_init(&hook->log, ATTEMPT_LOG_BYTES_MAX);
	mailbox_init(&hook->mailbox, hook_wake, hook);
	rc = pthread_mutex_init(&hook->lock, NULL);
	assert(rc == 0);
	if (http_client_open(&client, &hook->client, err) || hook_clip_due(hook, err) ||
	    store_reader_open(engine_store(engine), &hook->reader, err)) {
		hook_close(&hook);
		return -1;
	}
	engine_on_delivery(engine, hook_hint, hook);
	*hook_out = hook;
	return 0;
}

int hook_start(struct hook *hook, struct error *err)
{
	int rc;

	pthread_mutex_lock(&hook->lock); /* the engine runs: hook_hint may be called already */
	hook->hint_all = true;		 /* what earlier runs left */
	pthread_mutex_unlock(&hook->lock);
	atomic_store(&hook->round_ms, clock_mono_ms());
	rc = pthread_create(&hook->thread, NULL, hook_main, hook);
	if (rc)
		return error_set_errno(err, rc, "starting the delivery thread");
	hook->running = true;
	return 0;
}

void hook_stop(struct hook *hook)
{
	if (!hook->running)
		return;
	pthread_mutex_lock(&hook->lock);
	hook->stopping = true;
	pthread_mutex_unlock(&hook->lock);
	hook_wake(hook);
	(void)pthread_join(hook->thread, NULL); /* ours, joined once */
	hook->running = false;
}

/* Frees what stopping left: targets, and attempts whose end nobody will see. */
static void hook_free_targets(struct hook *hook)
{
	struct target *target;

	while ((target = hook->targets.ring)) {
		while (target->attempts)
			hook_attempt_drop(hook, *(struct attempt **)target->attempts); /* a node begins with its key */
		target_remove(&hook->targets, target);
	}
}

void hook_close(struct hook **hook_ptr)
{
	struct hook *hook = *hook_ptr;

	if (!hook)
		return;
	hook_stop(hook);
	http_client_close(&hook->client);
	hook_free_targets(hook);
	store_reader_close(&hook->reader);
	arena_fini(&hook->arena);
	buf_fini(&hook->log);
	mem_free(hook->held);
	mem_free(hook->ca_file_next);
	mailbox_fini(&hook->mailbox);
	(void)pthread_mutex_destroy(&hook->lock); /* unlocked */
	mem_free(hook);
	*hook_ptr = NULL;
}

size_t hook_in_flight(struct hook *hook, int64_t *ids_out, size_t count_max)
{
	size_t count;

	pthread_mutex_lock(&hook->lock);
	count = hook->held_count < count_max ? hook->held_count : count_max;
	for (size_t i = 0; i < count; i++)
		ids_out[i] = hook->held[i]->callback_id;
	pthread_mutex_unlock(&hook->lock);
	return count;
}

int64_t hook_round_ms(struct hook *hook)
{
	return atomic_load(&hook->round_ms);
}

void hook_stats(struct hook *hook, struct hook_stats *out)
{
	pthread_mutex_lock(&hook->lock);
	*out = hook->stats;
	out->held = hook->held_count;
	out->held_max = hook->options.in_flight_max * TARGET_HELD_PER_FLIGHT;
	pthread_mutex_unlock(&hook->lock);
}
