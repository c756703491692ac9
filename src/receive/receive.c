/* From a call to a line on disk and back; see receive.h.
 *
 * A call's way: the loop thread checks it (check.c). What is refused is answered at once. What passed becomes a job:
 * its line is made, the job goes into the queue, and the call is kept. The syncing thread takes all that is queued,
 * appends it with one write and one sync (record.c), tells the listener, and mails each call's loop, which answers.
 * While one sync runs the next batch gathers by itself; there is no timer.
 *
 * Job and line are the call's own memory (its arena), so they end with the answer and cost no allocation here. The
 * number of kept calls is bounded by the server's connections; the queue has bounds of its own all the same.
 *
 * Failures: a failed write is answered with 503 for the whole batch, nothing of it is in the file, and the next batch
 * tries anew. A failed sync ends the process without an answer (record.c). */
#include "receive/receive.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/check.h"
#include "receive/lines.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define RECEIVE_JSON STR("application/json")
#define RECEIVE_LINE_START STR("{\"ReceivedTime\":")
#define RECEIVE_QUEUE_COUNT_MAX 65536
#define RECEIVE_QUEUE_BYTES_MAX (64 * 1024 * 1024)
#define RECEIVE_BATCH_BYTES_MAX (1024 * 1024) /* a batch ends with the line that passes this */
#define RECEIVE_LOG_INTERVAL_MS 1000

struct receive_job {
	struct mail mail;
	struct receive_job *queue_next;
	struct receive *receive;
	struct http_call *call;
	struct str line; /* with its end */
	bool recorded;	 /* written by the syncing thread before it posts the mail */
};

struct receive {
	uint32_t sdkappids[RECEIVE_SDKAPPID_COUNT_MAX];
	char *path;
	char *token;
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	struct check_options check; /* views of the four above */
	struct lines *record;	    /* the syncing thread's */
	void (*on_recorded)(void *context, struct str line);
	void *on_recorded_context;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct receive_job *first; /* under the lock, as the next five */
	struct receive_job *last;
	size_t queue_count;
	size_t queue_bytes;
	bool closed;
	struct log_limit refusal_limit;

	_Atomic uint64_t verified_total;
	_Atomic uint64_t refused_total;
	_Atomic uint64_t unrecorded_total;
	struct log_limit failure_limit; /* the syncing thread's, as the batch */
	struct buf batch;
	bool running;
	pthread_t thread;
};

/* ---- answers, on the call's loop thread ---- */

static void receive_fail(struct http_call *call, int status, int code, const char *text)
{
	struct buf body;

	buf_init(&body, 4096);
	check_append_fail(&body, code, text);
	http_call_reply(call, status, RECEIVE_JSON, buf_str(&body));
	buf_fini(&body);
}

static void receive_log_refusal(struct receive *receive, const struct check_request *request,
				const struct check_outcome *outcome)
{
	uint64_t held_back;
	bool pass;

	pthread_mutex_lock(&receive->lock);
	pass = log_limit_pass(&receive->refusal_limit, clock_mono_ms(), &held_back);
	pthread_mutex_unlock(&receive->lock);
	if (pass)
		log_event(LOG_LEVEL_WARN, "callback_refused", LOG_I64("status", check_result_status(outcome->result)),
			  LOG_C("reason", outcome->reason), LOG_STR("peer", request->peer),
			  LOG_U64("held_back", held_back));
}

static void receive_refuse_call(struct receive *receive, struct http_call *call, const struct check_request *request,
				const struct check_outcome *outcome)
{
	atomic_fetch_add_explicit(&receive->refused_total, 1, memory_order_relaxed);
	receive_log_refusal(receive, request, outcome);
	if (outcome->result == CHECK_METHOD)
		http_call_add_header(call, STR("allow"), STR("POST"));
	receive_fail(call, check_result_status(outcome->result), check_result_code(outcome->result), outcome->reason);
}

void receive_refuse(void *context, enum http_refusal why, struct buf *body_out)
{
	struct receive *receive = context;

	atomic_fetch_add_explicit(&receive->refused_total, 1, memory_order_relaxed);
	if (why == HTTP_REFUSAL_BODY_TOO_LARGE)
		check_append_fail(body_out, check_result_code(CHECK_SIZE), "request body is too large");
	else
		check_append_fail(body_out, HW_BAD_HTTP,
				  why == HTTP_REFUSAL_HEADER_TOO_LARGE ? "request line and headers are too large"
								       : hw_code_text(HW_BAD_HTTP));
}

static void receive_done(struct mail *mail)
{
	struct receive_job *job = container_of(mail, struct receive_job, mail);

	if (job->recorded)
		http_call_reply(job->call, 200, RECEIVE_JSON, STR(HW_REPLY_OK));
	else
		receive_fail(job->call, 503, HW_INTERNAL, "the callback could not be recorded; send it again");
}

/* ---- the queue ---- */

/* Returns false when the queue is full. */
static bool receive_queue(struct receive *receive, struct receive_job *job)
{
	bool fits;

	pthread_mutex_lock(&receive->lock);
	assert(!receive->closed);
	fits = receive->queue_count < RECEIVE_QUEUE_COUNT_MAX &&
	       job->line.len <= RECEIVE_QUEUE_BYTES_MAX - receive->queue_bytes;
	if (fits) {
		if (receive->first)
			receive->last->queue_next = job;
		else
			receive->first = job;
		receive->last = job;
		receive->queue_count++;
		receive->queue_bytes += job->line.len;
		pthread_cond_signal(&receive->work);
	}
	pthread_mutex_unlock(&receive->lock);
	return fits;
}

/* Waits for work and takes up to a batch of it. Returns the list, or NULL when closed and empty. */
static struct receive_job *receive_take(struct receive *receive)
{
	struct receive_job *jobs;
	struct receive_job *end;
	size_t bytes = 0;

	pthread_mutex_lock(&receive->lock);
	while (!receive->first && !receive->closed)
		pthread_cond_wait(&receive->work, &receive->lock);
	jobs = receive->first;
	for (end = jobs; end; end = end->queue_next) {
		bytes += end->line.len;
		receive->queue_count--;
		if (bytes >= RECEIVE_BATCH_BYTES_MAX)
			break;
	}
	receive->queue_bytes -= bytes;
	receive->first = end ? end->queue_next : NULL;
	if (end)
		end->queue_next = NULL;
	pthread_mutex_unlock(&receive->lock);
	return jobs;
}

/* ---- the syncing thread ---- */

/* Writes the batch down. Returns true when all of it is durable, false when nothing of it is in the file. */
static bool receive_record(struct receive *receive, const struct receive_job *jobs)
{
	struct error err;
	uint64_t held_back;
	size_t count = 0;

	buf_reset(&receive->batch);
	for (const struct receive_job *job = jobs; job; job = job->queue_next, count++)
		buf_append_str(&receive->batch, job->line);
	assert(buf_ok(&receive->batch)); /* receive_take keeps to the bound */
	if (lines_append(receive->record, buf_str(&receive->batch), &err) == 0) {
		atomic_fetch_add_explicit(&receive->verified_total, count, memory_order_relaxed);
		return true;
	}
	atomic_fetch_add_explicit(&receive->unrecorded_total, count, memory_order_relaxed);
	if (log_limit_pass(&receive->failure_limit, clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_ERROR, "record_failed", LOG_C("class", error_class_word(err.class)),
			  LOG_C("error", err.text), LOG_U64("callbacks", count), LOG_U64("held_back", held_back));
	return false;
}

static void *receive_sync(void *context)
{
	struct receive *receive = context;
	struct receive_job *jobs;

	while ((jobs = receive_take(receive))) {
		bool recorded = receive_record(receive, jobs);

		while (jobs) {
			struct receive_job *job = jobs;

			jobs = job->queue_next; /* the mail may free the job */
			job->recorded = recorded;
			if (recorded && receive->on_recorded)
				receive->on_recorded(receive->on_recorded_context,
						     str_slice(job->line, 0, job->line.len - 1));
			mailbox_post(http_call_mailbox(job->call), &job->mail);
		}
	}
	return NULL;
}

/* ---- entry ---- */

static void receive_keep(struct receive *receive, struct http_call *call, const struct check_request *request,
			 const struct check_outcome *outcome)
{
	struct arena *arena = http_call_arena(call);
	struct receive_job *job = arena_new(arena, struct receive_job);
	struct buf line;

	buf_init(&line, CHECK_LINE_BYTES_MAX);
	check_append_line(request, outcome, &line);
	assert(buf_ok(&line));
	*job = (struct receive_job){
		.mail.run = receive_done, .receive = receive, .call = call, .line = arena_dup(arena, buf_str(&line))};
	buf_fini(&line);
	if (receive_queue(receive, job))
		return;
	atomic_fetch_add_explicit(&receive->unrecorded_total, 1, memory_order_relaxed);
	receive_fail(call, 503, HW_API_BUSY, "too many callbacks are waiting to be recorded; send it again");
}

void receive_handle(void *context, struct http_call *call)
{
	struct receive *receive = context;
	struct check_outcome outcome;
	const struct check_request request = {
		.method = http_call_method(call),
		.path = http_call_path(call),
		.query = http_call_query(call),
		.body = http_call_body(call),
		.peer = http_call_peer(call),
		.webhook_id = http_call_header(call, STR("webhook-id")),
		.webhook_timestamp = http_call_header(call, STR("webhook-timestamp")),
		.webhook_signature = http_call_header(call, STR("webhook-signature")),
		.attempt = http_call_header(call, STR("highwater-attempt")),
		.sequence = http_call_header(call, STR("highwater-sequence")),
		.threshold = http_call_header(call, STR("highwater-threshold")),
		.test = http_call_header(call, STR("highwater-test")),
		.replay = http_call_header(call, STR("highwater-replay")),
		.now_ms = clock_wall_ms(),
	};

	check_callback(&receive->check, &request, &outcome);
	if (outcome.result == CHECK_PASSED)
		receive_keep(receive, call, &request, &outcome);
	else
		receive_refuse_call(receive, call, &request, &outcome);
}

/* ---- life ---- */

static int receive_check_options(const struct receive_options *options, struct error *err)
{
	struct str path = str_c(options->path);

	if (options->sdkappid_count < 1 || options->sdkappid_count > RECEIVE_SDKAPPID_COUNT_MAX)
		return error_set(err, ERR_INVALID, "sdkappid: 1 to %d are needed", RECEIVE_SDKAPPID_COUNT_MAX);
	for (size_t i = 0; i < options->sdkappid_count; i++)
		if (options->sdkappids[i] == 0)
			return error_set(err, ERR_INVALID, "sdkappid: 0 is none");
	if (path.len && (path.ptr[0] != '/' || str_find_char(path, '?') >= 0))
		return error_set(err, ERR_INVALID, "path: must begin with \"/\" and hold no query");
	if (secret_reveal(options->token).len > HW_TOKEN_BYTES_MAX)
		return error_set(err, ERR_INVALID, "token: at most %d bytes", HW_TOKEN_BYTES_MAX);
	if (options->trust.key_count > HW_WEBHOOK_KEYS_MAX)
		return error_set(err, ERR_INVALID, "trust: at most %d keys", HW_WEBHOOK_KEYS_MAX);
	if (options->trust.key_count && options->trust.tolerance_s < 0)
		return error_set(err, ERR_INVALID, "trust: the tolerance is below 0");
	if (str_c(options->record_path).len == 0)
		return error_set(err, ERR_INVALID, "record path: is missing");
	return 0;
}

static void receive_copy_options(struct receive *receive, const struct receive_options *options)
{
	struct str path = str_c(options->path);
	struct str token = secret_reveal(options->token);

	memcpy(receive->sdkappids, options->sdkappids, sizeof(receive->sdkappids));
	receive->path = mem_dup(path.ptr, path.len);
	receive->token = mem_dup(token.ptr, token.len);
	for (size_t i = 0; i < options->trust.key_count; i++)
		receive->keys[i] = options->trust.keys[i];
	receive->check = (struct check_options){
		.sdkappids = receive->sdkappids,
		.sdkappid_count = options->sdkappid_count,
		.path = {receive->path, path.len},
		.token = secret_of((struct str){receive->token, token.len}),
		.trust = {receive->keys, options->trust.key_count, options->trust.tolerance_s},
	};
	receive->on_recorded = options->on_recorded;
	receive->on_recorded_context = options->on_recorded_context;
}

int receive_open(const struct receive_options *options, struct receive **receive_out, struct error *err)
{
	struct receive *receive;
	int rc;

	if (receive_check_options(options, err))
		return -1;
	receive = mem_zalloc(sizeof(*receive));
	receive_copy_options(receive, options);
	receive->refusal_limit.interval_ms = RECEIVE_LOG_INTERVAL_MS;
	receive->failure_limit.interval_ms = RECEIVE_LOG_INTERVAL_MS;
	buf_init(&receive->batch, RECEIVE_BATCH_BYTES_MAX + CHECK_LINE_BYTES_MAX);
	rc = pthread_mutex_init(&receive->lock, NULL);
	assert(rc == 0);
	rc = pthread_cond_init(&receive->work, NULL);
	assert(rc == 0);
	if (lines_open(options->record_path, RECEIVE_LINE_START, CHECK_LINE_BYTES_MAX, &receive->record, err))
		goto fail;
	rc = pthread_create(&receive->thread, NULL, receive_sync, receive);
	if (rc) {
		(void)error_set_errno(err, rc, "starting the thread that records");
		goto fail;
	}
	receive->running = true;
	*receive_out = receive;
	return 0;
fail:
	receive_close(&receive);
	return -1;
}

void receive_close(struct receive **receive_ptr)
{
	struct receive *receive = *receive_ptr;

	if (!receive)
		return;
	if (receive->running) {
		pthread_mutex_lock(&receive->lock);
		assert(!receive->first); /* the server has no call open, so none is kept here */
		receive->closed = true;
		pthread_cond_signal(&receive->work);
		pthread_mutex_unlock(&receive->lock);
		(void)pthread_join(receive->thread, NULL); /* ours, joined once */
	}
	lines_close(&receive->record);
	buf_fini(&receive->batch);
	(void)pthread_cond_destroy(&receive->work); /* nobody waits any more, as for the lock */
	(void)pthread_mutex_destroy(&receive->lock);
	mem_wipe(receive->token, secret_reveal(receive->check.token).len);
	mem_free(receive->token);
	mem_wipe(receive->keys, sizeof(receive->keys));
	mem_free(receive->path);
	mem_free(receive);
	*receive_ptr = NULL;
}

void receive_stats(struct receive *receive, struct receive_stats *out)
{
	out->verified_total = atomic_load_explicit(&receive->verified_total, memory_order_relaxed);
	out->refused_total = atomic_load_explicit(&receive->refused_total, memory_order_relaxed);
	out->unrecorded_total = atomic_load_explicit(&receive->unrecorded_total, memory_order_relaxed);
}
