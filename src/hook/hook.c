/* The delivery thread; see hook.h.
 *
 * Its round: run the mail (marks that became durable), take the writer's hints (apps that got new callbacks), start
 * what is due, and let curl move data until something happens or the next deadline comes.
 *
 * A callback's life here: its row is read and held as an attempt; the request goes out; the verdict becomes a mark, a
 * command for the engine; when the mark is durable the attempt is released. Until then the row cannot be read again, so
 * it is never on the wire twice at once. If the process dies in between, the row is still pending and is sent again
 * after the restart with the same webhook-id: at least once.
 *
 * Time: deadlines are stored in wall-clock milliseconds, but this thread measures with the monotonic clock, started
 * from the wall clock once. A step of the wall clock therefore neither fires nor stalls retries. A new row is due at
 * once whatever its time says, and a deadline found after a restart is believed for at most twice the longest wait.
 *
 * Memory: targets (one per app with something waiting) and at most in_flight_max * TARGET_HELD_PER_FLIGHT attempts. */
#include "hook/hook.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hook/request.h"
#include "hook/target.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define HOOK_HINT_COUNT_MAX 1024
#define HOOK_POLL_MS_MAX 1000
#define HOOK_REMARK_MS 200 /* before a mark that could not be stored is tried again */

struct hook {
	struct hook_options options;
	struct engine *engine;
	struct store_reader *reader;
	struct http_client *client;
	struct mailbox mailbox; /* answers of the engine */
	struct target_table targets;
	struct attempt *unmarked; /* marks to submit again at remark_ms */
	int64_t remark_ms;
	unsigned marking;   /* marks in the engine's hands */
	int64_t start_ms;   /* on clock_steady_ms, as all that follows */
	struct arena arena; /* rows of one look at the store */
	struct log_limit trouble_limit;
	struct log_limit store_limit;

	pthread_mutex_t lock;
	uint32_t hints[HOOK_HINT_COUNT_MAX]; /* under the lock, as the next four */
	size_t hint_count;
	bool hint_all; /* more than the array holds: look for all apps */
	bool stopping;
	struct hook_stats stats;

	bool running;
	pthread_t thread;
};

static void hook_wake(void *context)
{
	http_client_wake(((struct hook *)context)->client);
}

/* ---- hints from the writer ---- */

static void hook_stored(void *context, const struct live_callback *callbacks, size_t count)
{
	struct hook *hook = context;

	pthread_mutex_lock(&hook->lock);
	for (size_t i = 0; i < count; i++) {
		if (hook->hint_count && hook->hints[hook->hint_count - 1] == callbacks[i].sdkappid)
			continue;
		if (hook->hint_count == HOOK_HINT_COUNT_MAX)
			hook->hint_all = true;
		else
			hook->hints[hook->hint_count++] = callbacks[i].sdkappid;
	}
	pthread_mutex_unlock(&hook->lock);
	hook_wake(hook);
}

static void hook_found_pending(void *context, uint32_t sdkappid, int64_t due_ms)
{
	struct hook *hook = context;
	struct target *target;
	unsigned before;

	(void)due_ms; /* the rows themselves say when they are due; see the clock's story above */
	before = hook->targets.count;
	target = target_touch(&hook->targets, sdkappid, clock_steady_ms());
	if (hook->targets.count > before)
		target->failing = true; /* left by an earlier run, perhaps for a reason: it has to deliver one first */
}

static void hook_store_trouble(struct hook *hook, const struct error *err)
{
	uint64_t held_back;

	if (log_limit_pass(&hook->store_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "delivery_cannot_read", LOG_C("error", err->text),
			  LOG_U64("held_back", held_back));
}

/* Returns false when the thread shall stop. */
static bool hook_take_hints(struct hook *hook)
{
	uint32_t hints[HOOK_HINT_COUNT_MAX];
	int64_t now_ms = clock_steady_ms();
	struct error err;
	size_t count;
	bool all;
	bool stopping;

	pthread_mutex_lock(&hook->lock);
	count = hook->hint_count;
	memcpy(hints, hook->hints, count * sizeof(hints[0]));
	all = hook->hint_all;
	stopping = hook->stopping;
	hook->hint_count = 0;
	hook->hint_all = false;
	pthread_mutex_unlock(&hook->lock);
	for (size_t i = 0; i < count; i++)
		target_touch(&hook->targets, hints[i], now_ms);
	if (all && store_pending_each(hook->reader, hook_found_pending, hook, &err)) {
		hook_store_trouble(hook, &err);
		pthread_mutex_lock(&hook->lock);
		hook->hint_all = true; /* look again in the next round */
		pthread_mutex_unlock(&hook->lock);
	}
	return !stopping;
}

/* ---- marks ---- */

static void hook_count_mark(struct hook *hook, const struct delivery_result *result)
{
	pthread_mutex_lock(&hook->lock);
	hook->stats.attempts_total++;
	if (result->mark == DELIVERY_DELIVERED) {
		hook->stats.delivered_total++;
		hook->stats.last_delivered_ms = clock_wall_ms();
	} else if (result->mark == DELIVERY_RETRY) {
		hook->stats.retried_total++;
	} else {
		hook->stats.failed_total++;
	}
	pthread_mutex_unlock(&hook->lock);
}

static void hook_log_mark(struct hook *hook, const struct attempt *attempt)
{
	const struct delivery_result *result = &attempt->job.command.u.delivery;
	bool final = result->mark == DELIVERY_FAILED;
	char event_id[REQUEST_EVENT_ID_BYTES + 1];
	uint64_t held_back = 0;

	request_event_id(store_id(engine_store(hook->engine)), attempt->callback_id, event_id);
	if (result->mark == DELIVERY_DELIVERED) {
		log_event(LOG_LEVEL_DEBUG, "callback_delivered", LOG_U64("app", attempt->target->sdkappid),
			  LOG_C("event_id", event_id), LOG_U64("attempt", result->attempts));
		return;
	}
	if (!final && !log_limit_pass(&hook->trouble_limit, clock_mono_ms(), &held_back))
		return;
	log_event(final ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, final ? "callback_failed" : "callback_retry",
		  LOG_U64("app", attempt->target->sdkappid), LOG_C("event_id", event_id),
		  LOG_U64("attempt", result->attempts), LOG_I64("status", result->http_status),
		  LOG_C("error", result->error), LOG_I64("due_ms", result->due_ms), LOG_U64("held_back", held_back));
}

static void hook_park_unmarked(struct hook *hook, struct attempt *attempt)
{
	attempt->next_unmarked = hook->unmarked;
	hook->unmarked = attempt;
	hook->remark_ms = clock_steady_ms() + HOOK_REMARK_MS;
}

/* The engine's answer to a mark. */
static void hook_marked(struct mail *mail)
{
	struct attempt *attempt = container_of(mail, struct attempt, job.mail);
	struct hook *hook = attempt->hook;
	const struct delivery_result *result = &attempt->job.command.u.delivery;

	hook->marking--;
	if (attempt->job.command.code != HW_OK && attempt->job.command.code != HW_UNKNOWN_SDKAPPID) {
		hook_park_unmarked(hook, attempt); /* nothing was stored: the row still waits for this mark */
		return;
	}
	hook_count_mark(hook, result);
	hook_log_mark(hook, attempt);
	if (result->mark == DELIVERY_RETRY && result->due_ms < attempt->target->next_due_ms)
		attempt->target->next_due_ms = result->due_ms;
	target_release(&hook->targets, attempt);
}

static void hook_submit_mark(struct hook *hook, struct attempt *attempt)
{
	struct error err;

	attempt->job.mail.run = hook_marked;
	attempt->job.mailbox = &hook->mailbox;
	hook->marking++;
	if (engine_submit(hook->engine, &attempt->job, &err)) {
		hook->marking--;
		hook_park_unmarked(hook, attempt); /* queue full: later */
	}
}

static void hook_submit_unmarked(struct hook *hook)
{
	struct attempt *list = hook->unmarked;

	if (!list || clock_steady_ms() < hook->remark_ms)
		return;
	hook->unmarked = NULL;
	while (list) {
		struct attempt *attempt = list;

		list = attempt->next_unmarked;
		hook_submit_mark(hook, attempt);
	}
}

/* Turns a verdict into the command that stores it. */
static void hook_mark(struct hook *hook, struct attempt *attempt, enum delivery_mark mark, int status,
		      const char *reason)
{
	struct delivery_result *result = &attempt->job.command.u.delivery;
	int64_t now_ms = clock_steady_ms();

	attempt->job.command.type = COMMAND_DELIVERY_MARK;
	attempt->job.command.sdkappid = attempt->target->sdkappid;
	*result = (struct delivery_result){
		.callback_id = attempt->callback_id,
		.mark = mark,
		.attempts = attempt->attempts + 1,
		.attempt_ms = clock_wall_ms(),
		.http_status = status,
	};
	(void)str_copy(result->error, sizeof(result->error), str_c(reason)); /* a reason too long is cut */
	if (mark == DELIVERY_RETRY) {
		result->due_ms =
			now_ms + (int64_t)retry_wait_ms(&hook->options.retry, attempt->callback_id, result->attempts);
		if (retry_is_over(&hook->options.retry, attempt->event_ms, result->due_ms, result->attempts)) {
			result->mark = DELIVERY_FAILED;
			result->due_ms = 0;
		}
	}
	hook_submit_mark(hook, attempt);
}

/* ---- attempts ---- */

static void hook_replied(void *context, const struct http_result *http)
{
	struct attempt *attempt = context;
	struct hook *hook = attempt->hook;
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	enum delivery_mark mark = verdict_judge(&hook->options.verdict, http, reason);

	target_set_on_wire(&hook->targets, attempt, false);
	target_learn(attempt->target, mark == DELIVERY_DELIVERED, (unsigned)hook->options.in_flight_per_app);
	hook_mark(hook, attempt, mark, http->outcome == HTTP_OUTCOME_REPLIED ? http->status : 0, reason);
}

static void hook_start_attempt(struct hook *hook, struct target *target, const struct app_config *config,
			       const struct store_callback *callback)
{
	struct attempt *attempt = target_hold(&hook->targets, target, callback);
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;
	struct http_request http = {.method = "POST", .body = callback->body};

	attempt->hook = hook;
	if (request_build(config, callback, store_id(engine_store(hook->engine)), clock_wall_ms() / 1000, &request,
			  reason)) {
		hook_mark(hook, attempt, DELIVERY_RETRY, 0, reason);
		return;
	}
	http.url = request.url;
	http.headers = request.headers;
	http.header_count = request.header_count;
	target_set_on_wire(&hook->targets, attempt, true);
	http_client_submit(hook->client, &http, hook_replied, attempt);
}

static bool hook_has_room(const struct hook *hook, const struct target *target)
{
	const struct hook_options *options = &hook->options;

	return target_may_send(&hook->targets, target, (unsigned)options->in_flight_max) &&
	       target->held < options->in_flight_per_app * TARGET_HELD_PER_FLIGHT &&
	       hook->targets.held < options->in_flight_max * TARGET_HELD_PER_FLIGHT;
}

/* When a row is due on this thread's clock; see the story above. */
static int64_t hook_due_ms(const struct hook *hook, const struct store_callback *callback, int64_t now_ms)
{
	int64_t latest_ms = now_ms + (int64_t)hook->options.retry.longest_ms;

	if (callback->attempts == 0)
		return now_ms;
	/* what this run stored is never later than that, so this is of a run whose clock or settings were others */
	return callback->due_ms <= latest_ms ? callback->due_ms
					     : hook->start_ms + (int64_t)hook->options.retry.longest_ms;
}

/* Reads the target's first rows and starts those that are due; sets its next deadline. */
static void hook_serve_target(struct hook *hook, struct target *target, int64_t now_ms)
{
	const struct directory_entry *entry = directory_acquire(engine_directory(hook->engine), target->sdkappid);
	size_t limit = target->held + hook->options.in_flight_per_app + 1; /* rows under way are still in the store */
	struct store_callback *rows;
	struct error err;
	size_t count;
	size_t i;

	target->next_due_ms = INT64_MAX;
	if (!entry)
		return; /* the app is gone, and its rows ended with it */
	arena_reset(&hook->arena);
	rows = arena_array(&hook->arena, limit, sizeof(*rows));
	if (store_callback_pending(hook->reader, &hook->arena, target->sdkappid, limit, rows, &count, &err)) {
		hook_store_trouble(hook, &err);
		target->next_due_ms = now_ms + HOOK_POLL_MS_MAX;
		count = 0;
	}
	for (i = 0; i < count; i++) {
		int64_t due_ms = hook_due_ms(hook, &rows[i], now_ms);

		if (target_holds(target, rows[i].id))
			continue;
		if (due_ms > now_ms || !hook_has_room(hook, target)) {
			target->next_due_ms = due_ms;
			break;
		}
		hook_start_attempt(hook, target, &entry->config, &rows[i]);
	}
	if (i == count && count == limit)
		target->next_due_ms = now_ms; /* there are more behind these */
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

		if (target->next_due_ms <= now_ms && hook_has_room(hook, target))
			hook_serve_target(hook, target, now_ms);
		if (hook_has_room(hook, target) && target->next_due_ms - now_ms < wait_ms)
			wait_ms = target->next_due_ms > now_ms ? target->next_due_ms - now_ms : 0;
		if (target->next_due_ms == INT64_MAX && target->held == 0)
			target_remove(&hook->targets, target);
		target = next;
	}
	if (hook->targets.ring)
		hook->targets.ring = hook->targets.ring->next;
	if (hook->unmarked && hook->remark_ms - now_ms < wait_ms)
		wait_ms = hook->remark_ms > now_ms ? hook->remark_ms - now_ms : 0;
	return (int)wait_ms;
}

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
		hook_submit_unmarked(hook);
		wait_ms = hook_start_due(hook);
		hook_publish_stats(hook);
		http_client_poll(hook->client, wait_ms);
		(void)mailbox_drain(&hook->mailbox); /* how many ran does not matter */
	}
	hook_finish(hook);
	return NULL;
}

/* ---- life ---- */

int hook_open(const struct hook_options *options, struct engine *engine, struct hook **hook_out, struct error *err)
{
	struct http_client_options client = {
		.ca_file = options->ca_file,
		.guard = options->guard,
		.connect_timeout_ms = options->connect_timeout_ms,
		.total_timeout_ms = options->total_timeout_ms,
		.reply_bytes_max = options->reply_bytes_max,
		.in_flight_max = (unsigned)options->in_flight_max,
	};
	struct hook *hook = mem_zalloc(sizeof(*hook));
	int rc;

	assert(options->in_flight_max >= 1 && options->in_flight_per_app >= 1 &&
	       options->in_flight_per_app <= options->in_flight_max);
	hook->options = *options;
	hook->options.ca_file = NULL; /* the client reads these two; the caller's may go */
	hook->options.guard = NULL;
	hook->options.retry.seed = store_id(engine_store(engine));
	hook->engine = engine;
	hook->start_ms = clock_steady_ms();
	hook->trouble_limit.interval_ms = 1000;
	hook->store_limit.interval_ms = 1000;
	arena_init(&hook->arena, 64 * 1024);
	mailbox_init(&hook->mailbox, hook_wake, hook);
	rc = pthread_mutex_init(&hook->lock, NULL);
	assert(rc == 0);
	if (http_client_open(&client, &hook->client, err) ||
	    store_reader_open(engine_store(engine), &hook->reader, err)) {
		hook_close(&hook);
		return -1;
	}
	engine_on_callbacks(engine, hook_stored, hook);
	*hook_out = hook;
	return 0;
}

int hook_start(struct hook *hook, struct error *err)
{
	int rc;

	pthread_mutex_lock(&hook->lock); /* the engine runs: hook_stored may be called already */
	hook->hint_all = true;		 /* what earlier runs left */
	pthread_mutex_unlock(&hook->lock);
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
		while (target->attempts) {
			struct attempt *attempt = *(struct attempt **)target->attempts; /* a node begins with its key */

			if (attempt->on_wire)
				target_set_on_wire(&hook->targets, attempt, false);
			target_release(&hook->targets, attempt);
		}
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
	mailbox_fini(&hook->mailbox);
	(void)pthread_mutex_destroy(&hook->lock); /* unlocked */
	mem_free(hook);
	*hook_ptr = NULL;
}

void hook_stats(struct hook *hook, struct hook_stats *out)
{
	pthread_mutex_lock(&hook->lock);
	*out = hook->stats;
	pthread_mutex_unlock(&hook->lock);
}
