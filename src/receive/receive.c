/* From a call to a row on disk and back; see receive.h.
 *
 * A call's way: the loop thread checks it (hw_receiver_check). What is refused is answered at once. What passed becomes a
 * job for the recorder, and the call is kept. When the job's batch is durable, or could not be stored, its mail comes back
 * to the call's loop, which answers.
 *
 * Job and row are the call's own memory (its arena), so they end with the answer. The number of kept calls is bounded by
 * the server's connections; the recorder's queue has bounds of its own all the same. */
#include "receive/receive.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#define RECEIVE_JSON STR("application/json")
#define RECEIVE_LOG_INTERVAL_MS 1000

struct receive_job {
	struct recorder_job job;
	struct receive *receive;
	struct http_call *call;
	const struct hw_receiver_request *request; /* these two for the listener */
	const struct hw_receiver_event *event;
	int64_t replay; /* as this call said; the row's is the highest that ever came */
};

struct receive {
	pthread_rwlock_t receiver_lock;
	const struct hw_receiver *receiver; /* under it: calls check with it while it is held for reading */
	void (*on_seen)(void *context, const struct receive_seen *seen);
	void *context;
	struct recorder *recorder;
	bool has_sinks;
	pthread_mutex_t lock;
	struct sinks *sinks; /* under the lock, as the next: opened after the recorder, closed before it */
	struct log_limit refusal_limit;
	_Atomic uint64_t refused_total[HW_RECEIVER_RESULT_COUNT];
	_Atomic uint64_t refused_by_server_total;
};

/* ---- answers, on the call's loop thread ---- */

static void receive_append_fail(struct buf *out, int code, const char *text)
{
	struct hw_callback_reply reply = {.ok = false, .error_code = code};
	char json[HW_REPLY_BYTES_MAX];
	int len;

	(void)str_copy(reply.error_info, sizeof(reply.error_info), str_c(text)); /* cut when longer */
	len = hw_reply_build(&reply, json, sizeof(json));
	assert(len > 0);
	buf_append(out, json, (size_t)len);
}

static void receive_fail(struct http_call *call, int status, int code, const char *text)
{
	struct buf body;

	buf_init(&body, 4096);
	receive_append_fail(&body, code, text);
	http_call_reply(call, status, RECEIVE_JSON, buf_str(&body));
	buf_fini(&body);
}

static void receive_log_refusal(struct receive *receive, struct str peer, const struct hw_receiver_event *event)
{
	uint64_t held_back;
	bool pass;

	pthread_mutex_lock(&receive->lock);
	pass = log_limit_pass(&receive->refusal_limit, clock_mono_ms(), &held_back);
	pthread_mutex_unlock(&receive->lock);
	if (pass)
		log_event(LOG_LEVEL_WARN, "callback_refused", LOG_I64("status", event->http_status),
			  LOG_C("reason", event->reason), LOG_STR("peer", peer), LOG_U64("held_back", held_back));
}

static void receive_refuse_call(struct receive *receive, struct http_call *call,
				const struct hw_receiver_request *request, const struct hw_receiver_event *event)
{
	const struct receive_seen seen = {.request = request, .event = event, .status = event->http_status};

	atomic_fetch_add_explicit(&receive->refused_total[event->result], 1, memory_order_relaxed);
	receive_log_refusal(receive, http_call_peer(call), event);
	if (receive->on_seen)
		receive->on_seen(receive->context, &seen);
	if (event->result == HW_RECEIVER_METHOD)
		http_call_add_header(call, STR("allow"), STR("POST"));
	receive_fail(call, event->http_status, event->error_code, event->reason);
}

void receive_refuse(void *context, enum http_refusal why, struct buf *body_out)
{
	struct receive *receive = context;

	atomic_fetch_add_explicit(&receive->refused_by_server_total, 1, memory_order_relaxed);
	if (why == HTTP_REFUSAL_BODY_TOO_LARGE)
		receive_append_fail(body_out, HW_BAD_JSON, "request body is too large");
	else
		receive_append_fail(body_out, HW_BAD_HTTP,
				    why == HTTP_REFUSAL_HEADER_TOO_LARGE ? "request line and headers are too large"
									 : hw_code_text(HW_BAD_HTTP));
}

static void receive_done(struct mail *mail)
{
	struct receive_job *job = container_of(mail, struct receive_job, job.mail);

	if (job->job.recorded)
		http_call_reply(job->call, 200, RECEIVE_JSON, STR(HW_REPLY_OK));
	else
		receive_fail(job->call, 503, HW_INTERNAL, "the callback could not be recorded; send it again");
}

/* ---- from the recorder ---- */

static void receive_recorded(void *context, const struct recorder_job *recorded, const struct record_row *row)
{
	struct receive *receive = context;
	struct receive_seen seen = {.row = row, .is_new = true, .status = 200, .replay = -1};

	if (!receive->on_seen)
		return;
	if (recorded) {
		const struct receive_job *job = container_of(recorded, struct receive_job, job);

		seen.request = job->request;
		seen.event = job->event;
		seen.is_new = recorded->is_new;
		seen.replay = job->replay;
	}
	receive->on_seen(receive->context, &seen);
}

static int64_t receive_done_id(void *context)
{
	struct receive *receive = context;
	int64_t id;

	pthread_mutex_lock(&receive->lock);
	if (receive->sinks)
		id = sinks_done_id(receive->sinks);
	else
		id = receive->has_sinks ? 0 : INT64_MAX; /* 0: not open yet, or closed already */
	pthread_mutex_unlock(&receive->lock);
	return id;
}

static void receive_wake_sinks(void *context)
{
	struct receive *receive = context;

	pthread_mutex_lock(&receive->lock);
	if (receive->sinks)
		sinks_wake(receive->sinks);
	pthread_mutex_unlock(&receive->lock);
}

static void receive_mark(void *context, const char *sink, int64_t id, struct str state)
{
	recorder_mark(((struct receive *)context)->recorder, sink, id, state);
}

/* ---- entry ---- */

/* A header that should be a number; whatever else it holds is nobody's loss. */
static int64_t receive_number(const struct http_call *call, struct str name)
{
	uint64_t value;

	return str_to_u64(http_call_header(call, name), INT64_MAX, &value) ? -1 : (int64_t)value;
}

static struct str receive_printable(struct str s, size_t bytes_max)
{
	return s.len <= bytes_max && str_is_printable_ascii(s) ? s : STR("");
}

static struct record_row receive_row(const struct http_call *call, const struct hw_receiver_event *event)
{
	return (struct record_row){
		.kind = RECORD_CALLBACK,
		.receive_ms = clock_wall_ms(),
		.sdkappid = event->query.sdkappid,
		.command = str_c(event->query.command),
		.client_ip = receive_printable(str_c(event->query.client_ip), HW_IP_BYTES_MAX),
		.platform = str_c(hw_platform_word(event->query.platform)),
		.peer = http_call_peer(call),
		.is_signed = event->is_signed,
		.webhook_kind = event->webhook_kind,
		.webhook_id = receive_printable(http_call_header(call, STR("webhook-id")), HW_WEBHOOK_ID_BYTES_MAX),
		.attempt = receive_number(call, STR("highwater-attempt")),
		.sequence = receive_number(call, STR("highwater-sequence")),
		.threshold = receive_number(call, STR("highwater-threshold")),
		.replay = receive_number(call, STR("highwater-replay")),
		.is_test = str_eq(http_call_header(call, STR("highwater-test")), STR("1")),
		.body = http_call_body(call),
	};
}

static void receive_keep(struct receive *receive, struct http_call *call, const struct hw_receiver_request *request,
			 const struct hw_receiver_event *event)
{
	struct receive_job *job = arena_new(http_call_arena(call), struct receive_job);

	*job = (struct receive_job){
		.job = {.mail.run = receive_done, .mailbox = http_call_mailbox(call), .row = receive_row(call, event)},
		.receive = receive,
		.call = call,
		.request = request,
		.event = event,
		.replay = receive_number(call, STR("highwater-replay"))};
	memcpy(job->job.key, event->event_key, sizeof(job->job.key));
	if (!recorder_submit(receive->recorder, &job->job))
		receive_fail(call, 503, HW_API_BUSY, "too many callbacks are waiting to be recorded; send it again");
}

static void receive_read_request(const struct http_call *call, struct hw_receiver_request *out)
{
	struct str method = http_call_method(call);
	struct str path = http_call_path(call);
	struct str query = http_call_query(call);
	struct str body = http_call_body(call);
	struct str id = http_call_header(call, STR("webhook-id"));
	struct str timestamp = http_call_header(call, STR("webhook-timestamp"));
	struct str signature = http_call_header(call, STR("webhook-signature"));

	*out = (struct hw_receiver_request){
		.method = method.ptr,
		.method_len = method.len,
		.path = path.ptr,
		.path_len = path.len,
		.query = query.ptr,
		.query_len = query.len,
		.webhook_id = id.ptr,
		.webhook_id_len = id.len,
		.webhook_timestamp = timestamp.ptr,
		.webhook_timestamp_len = timestamp.len,
		.webhook_signature = signature.ptr,
		.webhook_signature_len = signature.len,
		.body = body.ptr,
		.body_len = body.len,
	};
}

void receive_handle(void *context, struct http_call *call)
{
	struct receive *receive = context;
	struct hw_receiver_request *request = arena_new(http_call_arena(call), struct hw_receiver_request);
	struct hw_receiver_event *event = arena_new(http_call_arena(call), struct hw_receiver_event);
	int result;

	receive_read_request(call, request);
	pthread_rwlock_rdlock(&receive->receiver_lock);
	result = hw_receiver_check(receive->receiver, request, clock_wall_ms() / 1000, event);
	pthread_rwlock_unlock(&receive->receiver_lock);
	if (result == HW_RECEIVER_OK)
		receive_keep(receive, call, request, event);
	else
		receive_refuse_call(receive, call, request, event);
}

/* ---- life ---- */

static int receive_open_sinks(struct receive *receive, const struct receive_options *options, struct error *err)
{
	struct sinks_options sinks = {.record_path = options->record_path,
				      .sink_count = options->sink_count,
				      .retry_longest_ms = options->sink_retry_longest_ms,
				      .mark = receive_mark,
				      .context = receive};
	struct sinks *opened = NULL;

	if (options->sink_count == 0)
		return 0;
	memcpy(sinks.sinks, options->sinks, sizeof(sinks.sinks));
	if (sinks_open(&sinks, &opened, err))
		return -1;
	pthread_mutex_lock(&receive->lock);
	receive->sinks = opened;
	pthread_mutex_unlock(&receive->lock);
	return 0;
}

static void receive_close_unopened(const struct receive_options *options)
{
	for (size_t i = 0; i < options->sink_count; i++)
		options->sinks[i].ops->close(options->sinks[i].sink);
}

int receive_open(const struct receive_options *options, struct receive **receive_out, struct error *err)
{
	struct receive *receive = mem_zalloc(sizeof(*receive));
	const struct recorder_options recorder = {.record_path = options->record_path,
						  .keep_ms = options->keep_ms,
						  .silence_ms = options->silence_ms,
						  .sdkappids = options->sdkappids,
						  .sdkappid_count = options->sdkappid_count,
						  .gap_after_ms = options->gap_after_ms,
						  .on_recorded = receive_recorded,
						  .done_id = receive_done_id,
						  .on_batch = receive_wake_sinks,
						  .context = receive};
	int rc = pthread_mutex_init(&receive->lock, NULL);

	assert(rc == 0);
	rc = pthread_rwlock_init(&receive->receiver_lock, NULL);
	assert(rc == 0);
	receive->receiver = options->receiver;
	receive->on_seen = options->on_seen;
	receive->context = options->context;
	receive->has_sinks = options->sink_count > 0;
	receive->refusal_limit.interval_ms = RECEIVE_LOG_INTERVAL_MS;
	if (recorder_open(&recorder, &receive->recorder, err)) {
		receive_close_unopened(options);
		receive_close(&receive);
		return -1;
	}
	if (receive_open_sinks(receive, options, err)) {
		receive_close(&receive);
		return -1;
	}
	*receive_out = receive;
	return 0;
}

void receive_set_receiver(struct receive *receive, const struct hw_receiver *receiver)
{
	pthread_rwlock_wrlock(&receive->receiver_lock);
	receive->receiver = receiver;
	pthread_rwlock_unlock(&receive->receiver_lock);
}

int64_t receive_round_ms(struct receive *receive)
{
	return recorder_round_ms(receive->recorder);
}

void receive_close(struct receive **receive_ptr)
{
	struct receive *receive = *receive_ptr;
	struct sinks *sinks;

	if (!receive)
		return;
	pthread_mutex_lock(&receive->lock);
	sinks = receive->sinks;
	receive->sinks = NULL; /* the recorder runs on, to keep their last places */
	pthread_mutex_unlock(&receive->lock);
	sinks_close(&sinks);
	recorder_close(&receive->recorder);
	(void)pthread_rwlock_destroy(&receive->receiver_lock); /* unlocked, as the next */
	(void)pthread_mutex_destroy(&receive->lock);
	mem_free(receive);
	*receive_ptr = NULL;
}

void receive_stats(struct receive *receive, struct receive_stats *out)
{
	recorder_stats(receive->recorder, &out->recorder);
	for (size_t i = 0; i < HW_RECEIVER_RESULT_COUNT; i++)
		out->refused_total[i] = atomic_load_explicit(&receive->refused_total[i], memory_order_relaxed);
	out->refused_by_server_total = atomic_load_explicit(&receive->refused_by_server_total, memory_order_relaxed);
}

struct sinks *receive_sinks(struct receive *receive)
{
	struct sinks *sinks;

	pthread_mutex_lock(&receive->lock);
	sinks = receive->sinks;
	pthread_mutex_unlock(&receive->lock);
	return sinks;
}
