/* One callback's try: request, verdict, mark; see hook.c for the whole.
 *
 * The outcome is decided here and becomes durable as a command of the engine. Until that command is stored the attempt
 * is held, so the row is not read again; a mark that cannot be stored (the queue or the disk is full) is submitted
 * again and again, and the callback is not sent a second time meanwhile. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/prom.h"
#include "hook/attempt_log.h"
#include "hook/hook_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* How a try ended. */
struct hook_outcome {
	enum delivery_mark mark;
	const struct http_result *http; /* NULL when nothing was sent */
	uint64_t asked_ms;		/* Retry-After */
	bool gone;
	bool endpoint_fine; /* as in struct delivery_result */
	const char *reason;
};

/* ---- hold and release ---- */

static struct attempt *hook_hold(struct hook *hook, struct target *target, const struct store_callback *callback)
{
	struct attempt *attempt = target_hold(&hook->targets, target, callback);

	attempt->hook = hook;
	pthread_mutex_lock(&hook->lock);
	assert(hook->held_count < hook->options.in_flight_max * TARGET_HELD_PER_FLIGHT);
	attempt->held_index = hook->held_count;
	hook->held[hook->held_count++] = attempt;
	pthread_mutex_unlock(&hook->lock);
	return attempt;
}

static void hook_release(struct hook *hook, struct attempt *attempt)
{
	pthread_mutex_lock(&hook->lock);
	hook->held[attempt->held_index] = hook->held[--hook->held_count];
	hook->held[attempt->held_index]->held_index = attempt->held_index;
	pthread_mutex_unlock(&hook->lock);
	target_release(&hook->targets, attempt);
}

void hook_attempt_drop(struct hook *hook, struct attempt *attempt)
{
	if (attempt->state == STATE_IN_FLIGHT)
		target_settle(&hook->targets, attempt, STATE_SCHEDULED); /* the row still waits */
	hook_release(hook, attempt);
}

/* ---- marks ---- */

static void hook_count_latency(struct hook_stats *stats, int64_t latency_ms)
{
	static const int64_t bounds[] = HOOK_LATENCY_BUCKETS_US;
	int64_t latency_us = latency_ms > 0 ? latency_ms * 1000 : 0;

	stats->latency_us_total += (uint64_t)latency_us;
	stats->latency_buckets[prom_bucket(bounds, ARRAY_LEN(bounds), latency_us)]++;
}

static void hook_count_mark(struct hook *hook, const struct attempt *attempt)
{
	const struct delivery_result *result = &attempt->job.command.u.delivery;

	pthread_mutex_lock(&hook->lock);
	hook->stats.attempts_total += result->sent;
	switch (result->mark) {
	case DELIVERY_DELIVERED:
		hook->stats.delivered_total++;
		hook->stats.last_delivered_ms = result->attempt_ms;
		hook_count_latency(&hook->stats, result->attempt_ms - attempt->base_ms);
		break;
	case DELIVERY_RETRY:
		hook->stats.retried_total++;
		break;
	case DELIVERY_FAILED:
		hook->stats.failed_total++;
		break;
	case DELIVERY_SUPERSEDED:
		hook->stats.superseded_total++;
		break;
	}
	pthread_mutex_unlock(&hook->lock);
}

static void hook_log_mark(struct hook *hook, const struct attempt *attempt)
{
	static const struct {
		enum log_level level;
		const char *event;
	} lines[] = {
		[DELIVERY_DELIVERED] = {LOG_LEVEL_DEBUG, "callback_delivered"},
		[DELIVERY_RETRY] = {LOG_LEVEL_WARN, "callback_retry"},
		[DELIVERY_FAILED] = {LOG_LEVEL_ERROR, "callback_failed"},
		[DELIVERY_SUPERSEDED] = {LOG_LEVEL_DEBUG, "callback_superseded"},
	};
	const struct delivery_result *result = &attempt->job.command.u.delivery;
	char event_id[REQUEST_EVENT_ID_BYTES + 1];
	uint64_t held_back = 0;

	if (result->gone)
		log_event(LOG_LEVEL_ERROR, "callbacks_paused", LOG_U64("app", attempt->target->sdkappid),
			  LOG_C("reason", "the endpoint answered 410"),
			  LOG_C("action", "set another URL, or: highwater callback resume"));
	if (result->mark == DELIVERY_RETRY && !log_limit_pass(&hook->trouble_limit, clock_mono_ms(), &held_back))
		return;
	request_event_id(store_id(engine_store(hook->engine)), attempt->callback_id, event_id);
	log_event(lines[result->mark].level, lines[result->mark].event, LOG_U64("app", attempt->target->sdkappid),
		  LOG_C("event_id", event_id), LOG_U64("attempt", result->attempts),
		  LOG_I64("status", result->http_status), LOG_C("error", result->error),
		  LOG_I64("due_ms", result->due_ms), LOG_U64("held_back", held_back));
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
	struct target *target = attempt->target;
	const struct delivery_result *result = &attempt->job.command.u.delivery;

	hook->marking--;
	if (attempt->job.command.code != HW_OK && attempt->job.command.code != HW_UNKNOWN_SDKAPPID) {
		hook_park_unmarked(hook, attempt); /* nothing was stored: the row still waits for this mark */
		return;
	}
	if (attempt->job.command.code == HW_OK) { /* else the app was deleted, and its rows ended with it */
		hook_count_mark(hook, attempt);
		hook_log_mark(hook, attempt);
	}
	if (target->retry_held) { /* a replay may have made this very callback wait again while it was held */
		target->retry_due_ms = 0;
		target_expect(target, clock_steady_ms());
	}
	if (result->mark == DELIVERY_RETRY) {
		target->empty = false;
		if (result->due_ms < target->retry_due_ms)
			target->retry_due_ms = result->due_ms;
		if (target->retry_due_ms < target->next_due_ms)
			target->next_due_ms = target->retry_due_ms;
	}
	hook_release(hook, attempt);
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

void hook_attempt_submit_unmarked(struct hook *hook)
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

/* ---- the log of attempts ---- */

/* The log with this attempt added, owned by the attempt; what there was must be read again, since no attempt carries it
 * along. When it cannot be read, it stays as it is. */
static struct str hook_write_log(struct hook *hook, const struct attempt *attempt, const struct hook_outcome *outcome,
				 int64_t now_ms)
{
	struct attempt_entry entry = {
		.number = attempt->attempts + 1, .time_ms = now_ms, .error = outcome->reason, .result = outcome->http};
	struct store_callback row = {.log = STR("")};
	struct error err;

	if (attempt->attempts) {
		arena_reset(&hook->arena);
		if (store_callback_get(hook->reader, &hook->arena, attempt->callback_id, &row, &err) < 0) {
			hook_store_trouble(hook, &err);
			return (struct str){NULL, 0};
		}
	}
	buf_reset(&hook->log);
	attempt_log_append(&hook->log, row.log, &entry);
	return (struct str){mem_dup(hook->log.ptr, hook->log.len), hook->log.len};
}

/* ---- outcomes ---- */

bool hook_attempt_is_stale(struct hook *hook, uint32_t sdkappid, uint8_t threshold, int64_t callback_id)
{
	struct error err;
	int64_t newest;

	if (!hook->options.supersede || threshold == 0)
		return false;
	if (store_alert_newest(hook->reader, sdkappid, threshold, &newest, &err)) {
		hook_store_trouble(hook, &err);
		return false;
	}
	return newest > callback_id;
}

static void hook_set_superseded(struct delivery_result *result)
{
	result->mark = DELIVERY_SUPERSEDED;
	(void)str_copy(result->error, sizeof(result->error), STR("a newer alert took its place")); /* fits */
}

/* Decides what becomes of a callback whose attempt failed. */
static void hook_plan_retry(struct hook *hook, const struct attempt *attempt, uint64_t asked_ms,
			    struct delivery_result *result)
{
	struct retry_row row = {.callback_id = attempt->callback_id,
				.base_ms = attempt->base_ms,
				.attempts = attempt->attempts + 1 - attempt->base_attempts,
				.asked_ms = asked_ms};

	if (attempt->replays == 0 &&
	    hook_attempt_is_stale(hook, attempt->target->sdkappid, attempt->threshold, attempt->callback_id))
		hook_set_superseded(result);
	else if (!retry_plan(&hook->options.retry, &row, clock_steady_ms(), &result->due_ms))
		result->mark = DELIVERY_FAILED;
}

/* Turns an outcome into the command that stores it. */
static void hook_mark(struct hook *hook, struct attempt *attempt, const struct hook_outcome *outcome)
{
	struct delivery_result *result = &attempt->job.command.u.delivery;
	bool replied = outcome->http && outcome->http->outcome == HTTP_OUTCOME_REPLIED;

	attempt->job.command.type = COMMAND_DELIVERY_MARK;
	attempt->job.command.sdkappid = attempt->target->sdkappid;
	*result = (struct delivery_result){
		.callback_id = attempt->callback_id,
		.mark = outcome->mark,
		.attempts = attempt->attempts + 1,
		.attempt_ms = clock_wall_ms(),
		.http_status = replied ? outcome->http->status : 0,
		.sent = outcome->http != NULL,
		.gone = outcome->gone,
		.endpoint_fine = outcome->endpoint_fine,
		.url_hash = attempt->url_hash,
	};
	(void)str_copy(result->error, sizeof(result->error), str_c(outcome->reason)); /* a reason too long is cut */
	attempt->log = hook_write_log(hook, attempt, outcome, result->attempt_ms);
	result->log = attempt->log;
	if (result->mark == DELIVERY_RETRY)
		hook_plan_retry(hook, attempt, outcome->asked_ms, result);
	hook_submit_mark(hook, attempt);
}

void hook_attempt_supersede(struct hook *hook, struct target *target, const struct store_callback *callback)
{
	struct attempt *attempt = hook_hold(hook, target, callback);
	struct delivery_result *result = &attempt->job.command.u.delivery;

	delivery_move(&attempt->state, STATE_SUPERSEDED);
	attempt->job.command.type = COMMAND_DELIVERY_MARK;
	attempt->job.command.sdkappid = target->sdkappid;
	*result = (struct delivery_result){
		.callback_id = callback->id,
		.mark = DELIVERY_SUPERSEDED,
		.attempts = callback->attempts,
		.attempt_ms = callback->attempt_ms,
		.http_status = callback->http_status,
	};
	hook_set_superseded(result);
	hook_submit_mark(hook, attempt);
}

/* The breaker has closed: alerts up to the app's newest callback have waited behind it, and need not all be sent now. */
static void hook_note_outage(struct hook *hook, struct target *target)
{
	struct store_app app;
	struct error err;
	int found = store_app_get(hook->reader, target->sdkappid, &app, &err);

	if (found < 0)
		hook_store_trouble(hook, &err);
	else if (found == 1)
		target->outage_id = app_id_make(app.config.number, app.state.callback_sequence);
	mem_wipe(&app, sizeof(app)); /* its keys */
}

/* Says once when an endpoint stops answering, and then once when it answers again. */
static void hook_tell_endpoint(struct hook *hook, struct target *target, bool was_open, const char *reason)
{
	uint64_t held_back = 0;

	if (was_open == window_is_open(&target->window) || (was_open && !target->told_open) ||
	    (!was_open && !log_limit_pass(&hook->endpoint_limit, clock_mono_ms(), &held_back)))
		return;
	target->told_open = !was_open;
	log_event(LOG_LEVEL_WARN, was_open ? "endpoint_recovered" : "endpoint_fails", LOG_U64("app", target->sdkappid),
		  LOG_C("error", reason), LOG_U64("held_back", held_back));
}

/* Is the app's URL still the one that the attempt was made with? Else that the old one is gone says nothing of the new.
 */
static bool hook_is_current(struct hook *hook, const struct attempt *attempt)
{
	const struct directory_entry *entry =
		directory_acquire(engine_directory(hook->engine), attempt->target->sdkappid);
	bool current = entry && live_callback_url_hash(&entry->config) == attempt->url_hash;

	directory_release(entry);
	return current;
}

/* A callback that is refused again by a receiver that answers: the endpoint is fine, and others must not wait for a
 * probe because of it. As a probe it does tell that there is no recovery yet. */
static bool hook_is_refused_again(const struct attempt *attempt, const struct verdict *verdict)
{
	return verdict->refused && attempt->attempts > attempt->base_attempts && !attempt->probe;
}

static void hook_learn(struct hook *hook, const struct attempt *attempt, const struct verdict *verdict)
{
	struct target *target = attempt->target;
	bool was_open = window_is_open(&target->window);
	struct window_failure failure = {.probe = attempt->probe,
					 .slow_down = verdict->slow_down,
					 .gone = verdict->gone,
					 .asked_ms = verdict->asked_ms,
					 .random = random_u64()};

	if (verdict->delivered)
		window_delivered(&target->window, &hook->window);
	else if (hook_is_refused_again(attempt, verdict))
		target->window.draining = false; /* it would be tried again at once, and again */
	else
		window_failed(&target->window, &hook->window, &failure, clock_steady_ms());
	if (was_open && !window_is_open(&target->window))
		hook_note_outage(hook, target);
	hook_tell_endpoint(hook, target, was_open, verdict->reason);
}

static void hook_replied(void *context, const struct http_result *http)
{
	struct attempt *attempt = context;
	struct hook *hook = attempt->hook;
	struct verdict verdict;

	verdict_judge(&hook->options.verdict, http, &verdict);
	verdict.gone = verdict.gone && hook_is_current(hook, attempt);
	target_settle(&hook->targets, attempt, verdict.delivered ? STATE_DELIVERED : STATE_SCHEDULED);
	attempt->target->slow = http->duration_us > (int64_t)hook->options.total_timeout_ms * 1000 / HOOK_SLOW_SHARE;
	hook_learn(hook, attempt, &verdict);
	hook_mark(hook, attempt,
		  &(struct hook_outcome){.mark = verdict.delivered ? DELIVERY_DELIVERED : DELIVERY_RETRY,
					 .http = http,
					 .asked_ms = verdict.asked_ms,
					 .gone = verdict.gone,
					 .endpoint_fine = hook_is_refused_again(attempt, &verdict),
					 .reason = verdict.reason});
}

void hook_attempt_start(struct hook *hook, struct target *target, const struct app_config *config,
			const struct store_callback *callback)
{
	struct attempt *attempt = hook_hold(hook, target, callback);
	struct request_sender sender = {.config = config,
					.signer = &target->signer,
					.store_id = store_id(engine_store(hook->engine)),
					.now_ms = clock_wall_ms()};
	struct http_request http = {.method = "POST", .body = callback->body};
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	if (request_build(&sender, callback, &request, reason)) {
		target->window.draining = false; /* else it would be tried again at once, and again */
		if (!config->callback_set) { /* nor will the others leave: a million of them must not keep us busy */
			struct window_failure failure = {.probe = window_is_open(&target->window),
							 .random = random_u64()};

			window_failed(&target->window, &hook->window, &failure, clock_steady_ms());
		}
		hook_mark(hook, attempt, &(struct hook_outcome){.mark = DELIVERY_RETRY, .reason = reason});
		return;
	}
	http.url = request.url;
	http.headers = request.headers;
	http.header_count = request.header_count;
	http.client_cert = target->certificate;
	http.client_key = target->certificate_key;
	attempt->url_hash = live_callback_url_hash(config);
	target_send(&hook->targets, attempt);
	http_client_submit(hook->client, &http, hook_replied, attempt);
}
