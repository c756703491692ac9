/* From a call to its answer: the queue, the recording thread and the replies. The HTTP server is played by this file: it
 * defines the http_call_* functions that the receiver uses, so every moment between a call and its answer can be looked
 * at. The real server has its own tests. */
#include "base/log.h"
#include "base/mem.h"
#include "receive/receive.h"

#include <highwater/code.h>

#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define ALERT "Live.CallbackAfterCreateRoomReachingThreshold"
#define QUERY "SdkAppid=1400000001&CallbackCommand=" ALERT "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
#define FIELDS                                                                                                         \
	"\"Operator_Account\":\"brennanli\",\"EventTime\":1739966441121,\"CurRoomCount\":400,\"MaxRoomCount\":500"
#define BODY "{\"CallbackCommand\":\"" ALERT "\"," FIELDS "}"

/* ---- the server's part ---- */

struct loop {
	struct mailbox mailbox;
	sem_t woken;
};

struct http_call {
	struct loop *loop;
	struct str method;
	struct str query;
	struct str body;
	struct str webhook_id;
	struct arena arena;
	int reply_count;
	int status;
	bool allows_post;
	struct buf reply;
};

static void loop_wake(void *context)
{
	assert_int_equal(sem_post(&((struct loop *)context)->woken), 0);
}

struct str http_call_method(const struct http_call *call)
{
	return call->method;
}

struct str http_call_path(const struct http_call *call)
{
	(void)call;
	return STR("/hook");
}

struct str http_call_query(const struct http_call *call)
{
	return call->query;
}

struct str http_call_body(const struct http_call *call)
{
	return call->body;
}

struct str http_call_header(const struct http_call *call, struct str name)
{
	return str_eq(name, STR("webhook-id")) ? call->webhook_id : (struct str){0};
}

struct str http_call_peer(const struct http_call *call)
{
	(void)call;
	return STR("127.0.0.1");
}

struct arena *http_call_arena(struct http_call *call)
{
	return &call->arena;
}

struct mailbox *http_call_mailbox(struct http_call *call)
{
	return &call->loop->mailbox;
}

void http_call_add_header(struct http_call *call, struct str name, struct str value)
{
	call->allows_post = str_eq(name, STR("allow")) && str_eq(value, STR("POST"));
}

/* As in the server, the call's memory ends here. */
void http_call_reply(struct http_call *call, int status, struct str content_type, struct str body)
{
	assert_true(str_eq(content_type, STR("application/json")));
	call->reply_count++;
	call->status = status;
	buf_append_str(&call->reply, body);
	arena_fini(&call->arena);
}

/* ---- fixture ---- */

#define BLOCKED_CALLS_MAX 2000

struct fixture {
	char folder[64];
	char path[96];
	struct hw_receiver *receiver;
	struct receive_options options;
	struct receive *receive;
	struct loop loop;
	struct http_call *calls; /* BLOCKED_CALLS_MAX of them */
	size_t call_count;

	/* of the listener */
	bool blocks; /* it waits for `go` after telling `entered` */
	sem_t entered;
	sem_t go;
	unsigned seen; /* recorded ones, on the recording thread */
	unsigned news;
	bool was_on_disk; /* the first, when the listener heard of it */
	bool was_unanswered;
	unsigned refused;
	int refused_status;
};

/* How many events the file has. Also called by the listener, where an assert of cmocka has no test to end. */
static size_t count_rows(const struct fixture *fixture)
{
	struct record_row rows[1000];
	struct record_reader *reader;
	struct arena arena;
	struct error err;
	size_t count;

	if (record_reader_open(fixture->path, &reader, &err))
		abort();
	arena_init(&arena, 65536);
	if (record_read(reader, &arena, &(struct record_filter){0}, ARRAY_LEN(rows), rows, &count, &err))
		abort();
	arena_fini(&arena);
	record_reader_close(&reader);
	return count;
}

static void listen_seen(void *context, const struct receive_seen *seen)
{
	struct fixture *fixture = context;

	if (!seen->row) {
		fixture->refused++;
		fixture->refused_status = seen->status;
		return;
	}
	if (fixture->blocks) {
		(void)sem_post(&fixture->entered); /* cannot overflow here */
		while (sem_wait(&fixture->go))
			;
	}
	fixture->news += seen->is_new;
	if (fixture->seen++ > 0)
		return; /* the look at the file is for the first */
	fixture->was_on_disk = count_rows(fixture) >= 1 && str_eq(seen->row->body, STR(BODY));
	fixture->was_unanswered = fixture->calls[0].reply_count == 0;
}

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/highwater-receive-XXXXXX"); /* fits, as below */
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/record", fixture->folder);
	fixture->receiver = hw_receiver_new();
	assert_int_equal(hw_receiver_add_app(fixture->receiver, 1400000001, NULL, 0), 0);
	fixture->options = (struct receive_options){.receiver = fixture->receiver,
						    .record_path = fixture->path,
						    .on_seen = listen_seen,
						    .context = fixture};
	fixture->calls = mem_zalloc(BLOCKED_CALLS_MAX * sizeof(*fixture->calls));
	assert_int_equal(sem_init(&fixture->loop.woken, 0, 0), 0);
	assert_int_equal(sem_init(&fixture->entered, 0, 0), 0);
	assert_int_equal(sem_init(&fixture->go, 0, 0), 0);
	mailbox_init(&fixture->loop.mailbox, loop_wake, &fixture->loop);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *fixture = *state;

	receive_close(&fixture->receive);
	mailbox_fini(&fixture->loop.mailbox);
	(void)sem_destroy(&fixture->loop.woken); /* nobody waits any more, as for the next two */
	(void)sem_destroy(&fixture->entered);
	(void)sem_destroy(&fixture->go);
	for (size_t i = 0; i < fixture->call_count; i++)
		buf_fini(&fixture->calls[i].reply);
	hw_receiver_free(fixture->receiver);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char name[128];

		(void)snprintf(name, sizeof(name), "%s%s", fixture->path, ends[i]); /* fits */
		(void)unlink(name);						    /* some are never made */
	}
	assert_int_equal(rmdir(fixture->folder), 0);
	mem_free(fixture->calls);
	mem_free(fixture);
	return 0;
}

static void open_ok(struct fixture *fixture)
{
	struct error err;

	if (receive_open(&fixture->options, &fixture->receive, &err))
		fail_msg("%s", err.text);
}

/* Hands a right alert, changed by the caller's query and body, to the receiver. */
static struct http_call *submit(struct fixture *fixture, struct str method, struct str query, struct str body)
{
	struct http_call *call = &fixture->calls[fixture->call_count++];

	assert_true(fixture->call_count <= BLOCKED_CALLS_MAX);
	*call = (struct http_call){.loop = &fixture->loop, .method = method, .query = query, .body = body};
	arena_init(&call->arena, 4096);
	buf_init(&call->reply, 4096);
	receive_handle(fixture->receive, call);
	return call;
}

static struct http_call *submit_alert(struct fixture *fixture)
{
	return submit(fixture, STR("POST"), STR(QUERY), STR(BODY));
}

static void wait_reply(struct fixture *fixture, const struct http_call *call)
{
	while (call->reply_count == 0) {
		while (sem_wait(&fixture->loop.woken))
			;
		(void)mailbox_drain(&fixture->loop.mailbox); /* how many came is the receiver's affair */
	}
	assert_int_equal(call->reply_count, 1);
}

static void expect_fail(const struct http_call *call, int status, int code)
{
	struct hw_callback_reply reply;
	char reason[128];

	assert_int_equal(call->status, status);
	assert_int_equal(hw_reply_parse(buf_c(&call->reply), call->reply.len, &reply, reason, sizeof(reason)), 0);
	assert_false(reply.ok);
	assert_int_equal(reply.error_code, code);
	assert_true(strlen(reply.error_info) > 0);
}

static void expect_ok(const struct http_call *call)
{
	assert_int_equal(call->status, 200);
	assert_string_equal(buf_c(&call->reply), HW_REPLY_OK);
}

/* ---- tests ---- */

/* An alert like no other. */
static struct http_call *submit_new(struct fixture *fixture)
{
	struct http_call *call = &fixture->calls[fixture->call_count];
	char id[24];

	(void)snprintf(id, sizeof(id), "evt_%zu", fixture->call_count); /* fits */
	assert_true(fixture->call_count++ < BLOCKED_CALLS_MAX);
	*call = (struct http_call){
		.loop = &fixture->loop, .method = STR("POST"), .query = STR(QUERY), .body = STR(BODY)};
	arena_init(&call->arena, 4096);
	buf_init(&call->reply, 4096);
	call->webhook_id = arena_dup(&call->arena, str_c(id));
	receive_handle(fixture->receive, call);
	return call;
}

static struct receive_stats stats_of(struct fixture *fixture)
{
	struct receive_stats stats;

	receive_stats(fixture->receive, &stats);
	return stats;
}

static void test_receive_answers_after_the_row_is_on_disk(void **state)
{
	struct fixture *fixture = *state;
	struct http_call *call;

	open_ok(fixture);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(fixture->seen, 1);
	assert_true(fixture->was_on_disk);
	assert_true(fixture->was_unanswered);
	assert_int_equal(count_rows(fixture), 1);
	assert_int_equal(stats_of(fixture).recorder.recorded_total, 1);
	assert_int_equal(stats_of(fixture).recorder.batch_total, 1);
}

static void test_receive_answers_a_known_event_and_records_it_once(void **state)
{
	struct fixture *fixture = *state;

	open_ok(fixture);
	for (int i = 0; i < 3; i++) {
		struct http_call *call = submit_alert(fixture);

		wait_reply(fixture, call);
		expect_ok(call);
	}
	assert_int_equal(count_rows(fixture), 1);
	assert_int_equal(fixture->seen, 3);
	assert_int_equal(fixture->news, 1);
	assert_int_equal(stats_of(fixture).recorder.duplicate_total, 2);
}

static void test_receive_refuses_at_once_and_records_nothing(void **state)
{
	static const struct {
		const char *method;
		const char *query;
		const char *body;
		enum hw_receiver_result result;
		int status;
		int code;
	} cases[] = {
		{"GET", QUERY, BODY, HW_RECEIVER_METHOD, 405, HW_BAD_HTTP},
		{"POST", "", BODY, HW_RECEIVER_QUERY, 400, HW_BAD_URL_PARAMETER},
		{"POST", "SdkAppid=7&CallbackCommand=" ALERT, BODY, HW_RECEIVER_SDKAPPID, 403, HW_UNKNOWN_SDKAPPID},
		{"POST", QUERY, "{", HW_RECEIVER_BODY, 400, HW_BAD_JSON},
		{"POST", QUERY, "{\"CallbackCommand\":\"" ALERT "\"}", HW_RECEIVER_PACKET, 400, HW_BAD_PARAMETER},
	};
	struct fixture *fixture = *state;

	open_ok(fixture);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_call *call =
			submit(fixture, str_c(cases[i].method), str_c(cases[i].query), str_c(cases[i].body));

		assert_int_equal(call->reply_count, 1);
		expect_fail(call, cases[i].status, cases[i].code);
		assert_int_equal(call->allows_post, cases[i].status == 405);
		assert_int_equal(stats_of(fixture).refused_total[cases[i].result], 1);
		assert_int_equal(fixture->refused, i + 1);
		assert_int_equal(fixture->refused_status, cases[i].status);
	}
	assert_int_equal(count_rows(fixture), 0);
}

static void test_receive_answers_for_the_server(void **state)
{
	static const struct {
		enum http_refusal why;
		int code;
	} cases[] = {
		{HTTP_REFUSAL_BODY_TOO_LARGE, HW_BAD_JSON},
		{HTTP_REFUSAL_HEADER_TOO_LARGE, HW_BAD_HTTP},
		{HTTP_REFUSAL_BAD_REQUEST, HW_BAD_HTTP},
	};
	struct fixture *fixture = *state;

	open_ok(fixture);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hw_callback_reply reply;
		char reason[128];
		struct buf body;

		buf_init(&body, 4096);
		receive_refuse(fixture->receive, cases[i].why, &body);
		assert_int_equal(hw_reply_parse(buf_c(&body), body.len, &reply, reason, sizeof(reason)), 0);
		assert_false(reply.ok);
		assert_int_equal(reply.error_code, cases[i].code);
		buf_fini(&body);
	}
	assert_int_equal(stats_of(fixture).refused_by_server_total, ARRAY_LEN(cases));
}

/* What came while a batch was being synced becomes the next one; each is recorded and answered once. */
static void test_receive_gathers_while_it_syncs(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 500;

	fixture->blocks = true;
	open_ok(fixture);
	(void)submit_new(fixture); /* looked at below, with the others */
	while (sem_wait(&fixture->entered))
		;
	for (size_t i = 1; i < count; i++)
		(void)submit_new(fixture);
	assert_int_equal(fixture->calls[0].reply_count, 0);
	assert_int_equal(stats_of(fixture).recorder.queue_count, count - 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(sem_post(&fixture->go), 0);
	for (size_t i = 0; i < count; i++) {
		wait_reply(fixture, &fixture->calls[i]);
		expect_ok(&fixture->calls[i]);
	}
	assert_int_equal(count_rows(fixture), count);
	assert_int_equal(fixture->news, count);
	assert_int_equal(stats_of(fixture).recorder.batch_total, 2);
}

static void test_receive_answers_busy_when_its_queue_is_full(void **state)
{
	struct fixture *fixture = *state;
	char *body = mem_realloc(NULL, 65536);
	struct http_call *call;

	memset(body, ' ', 65536);
	memcpy(body, "{\"CallbackCommand\":\"New\"}", 25);
	fixture->blocks = true;
	open_ok(fixture);
	do
		call = submit(fixture, STR("POST"), STR("SdkAppid=1400000001&CallbackCommand=New"),
			      (struct str){body, 65536});
	while (call->reply_count == 0);
	expect_fail(call, 503, HW_API_BUSY);
	assert_in_range(fixture->call_count, 900, 1100); /* 64 MiB of 64 KiB */
	for (size_t i = 0; i < fixture->call_count; i++)
		assert_int_equal(sem_post(&fixture->go), 0);
	for (size_t i = 0; i + 1 < fixture->call_count; i++) {
		wait_reply(fixture, &fixture->calls[i]);
		expect_ok(&fixture->calls[i]);
	}
	call = submit_alert(fixture);
	assert_int_equal(sem_post(&fixture->go), 0);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(stats_of(fixture).recorder.unrecorded_total, 1);
	mem_free(body);
}

static void test_receive_goes_on_after_a_failed_write(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before;
	struct rlimit tight;
	struct http_call *call;

	open_ok(fixture);
	call = submit_new(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	call = submit_new(fixture);
	wait_reply(fixture, call);
	assert_true(stats_of(fixture).recorder.is_failing);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_fail(call, 503, HW_INTERNAL);
	assert_int_equal(count_rows(fixture), 1);
	call = submit_new(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(count_rows(fixture), 2);
	assert_int_equal(fixture->seen, 2);
	assert_false(stats_of(fixture).recorder.is_failing);
	assert_int_equal(stats_of(fixture).recorder.unrecorded_total, 1);
}

static void test_receive_open_refuses_a_record_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct receive *second = NULL;
	struct error err;

	open_ok(fixture);
	assert_int_equal(receive_open(&fixture->options, &second, &err), -1);
	assert_int_equal(err.class, ERR_BUSY);
	assert_null(second);
	receive_close(&second); /* NULL is accepted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive_answers_after_the_row_is_on_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_answers_a_known_event_and_records_it_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_receive_refuses_at_once_and_records_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_answers_for_the_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_gathers_while_it_syncs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_answers_busy_when_its_queue_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_goes_on_after_a_failed_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_open_refuses_a_record_in_use, setup, teardown),
	};

	log_setup(2, LOG_LEVEL_OFF);
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return 1;
	return cmocka_run_group_tests_name("receive", tests, NULL, NULL);
}
