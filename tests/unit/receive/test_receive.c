/* From a call to its answer: the queue, the syncing thread and the replies. The HTTP server is played by this file: it
 * defines the http_call_* functions that the receiver uses, so every moment between a call and its answer can be looked
 * at. The real server has its own tests. */
#include "base/json.h"
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
#include <sys/stat.h>
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
	struct receive_options options;
	struct receive *receive;
	struct loop loop;
	struct http_call *calls; /* BLOCKED_CALLS_MAX of them */
	size_t call_count;

	/* of the listener */
	bool blocks; /* it waits for `go` after telling `entered` */
	sem_t entered;
	sem_t go;
	unsigned lines_seen;
	bool line_was_on_disk; /* at each of its calls */
	bool was_unanswered;
};

static char *read_record(const struct fixture *fixture, size_t *len_out)
{
	FILE *file = fopen(fixture->path, "rb");
	struct stat info;
	char *text;

	if (!file || fstat(fileno(file), &info))
		abort(); /* also called by the listener, where an assert of cmocka has no test to end */
	text = mem_zalloc((size_t)info.st_size + 1);
	*len_out = fread(text, 1, (size_t)info.st_size, file);
	(void)fclose(file); /* only read */
	return text;
}

static void listen_recorded(void *context, struct str line)
{
	struct fixture *fixture = context;
	size_t len;
	char *text;

	if (fixture->blocks) {
		(void)sem_post(&fixture->entered); /* cannot overflow here */
		while (sem_wait(&fixture->go))
			;
	}
	fixture->lines_seen++;
	if (fixture->lines_seen > 1)
		return; /* the look at the file is for the first line */
	text = read_record(fixture, &len);
	fixture->line_was_on_disk = len > line.len && memcmp(text, line.ptr, line.len) == 0 && text[line.len] == '\n';
	fixture->was_unanswered = fixture->calls[0].reply_count == 0;
	mem_free(text);
}

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/highwater-receive-XXXXXX"); /* fits, as below */
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/record", fixture->folder);
	fixture->options = (struct receive_options){.sdkappids = {1400000001},
						    .sdkappid_count = 1,
						    .path = "",
						    .record_path = fixture->path,
						    .on_recorded = listen_recorded,
						    .on_recorded_context = fixture};
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
	struct fixture *fixture = *state;

	receive_close(&fixture->receive);
	mailbox_fini(&fixture->loop.mailbox);
	(void)sem_destroy(&fixture->loop.woken); /* nobody waits any more, as for the next two */
	(void)sem_destroy(&fixture->entered);
	(void)sem_destroy(&fixture->go);
	for (size_t i = 0; i < fixture->call_count; i++)
		buf_fini(&fixture->calls[i].reply);
	(void)unlink(fixture->path); /* some tests never make it */
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

static size_t count_lines(const struct fixture *fixture)
{
	size_t len;
	char *text = read_record(fixture, &len);
	size_t lines = 0;
	struct str rest = {text, len};

	while (rest.len) {
		ptrdiff_t end = str_find_char(rest, '\n');
		struct error err;
		json_t *line;

		assert_true(end >= 0);
		if (json_read(str_slice(rest, 0, (size_t)end), &line, &err))
			fail_msg("%s", err.text);
		json_decref(line);
		rest = str_slice(rest, (size_t)end + 1, rest.len);
		lines++;
	}
	mem_free(text);
	return lines;
}

/* ---- tests ---- */

static void test_receive_answers_after_the_line_is_in_the_file(void **state)
{
	struct fixture *fixture = *state;
	struct receive_stats stats;
	struct http_call *call;

	open_ok(fixture);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(fixture->lines_seen, 1);
	assert_true(fixture->line_was_on_disk);
	assert_true(fixture->was_unanswered);
	assert_int_equal(count_lines(fixture), 1);
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.verified_total, 1);
	assert_int_equal(stats.refused_total, 0);
	assert_int_equal(stats.unrecorded_total, 0);
}

static void test_receive_records_a_duplicate_again(void **state)
{
	struct fixture *fixture = *state;

	open_ok(fixture);
	for (int i = 0; i < 2; i++) {
		struct http_call *call = submit_alert(fixture);

		wait_reply(fixture, call);
		expect_ok(call);
	}
	assert_int_equal(count_lines(fixture), 2);
}

static void test_receive_refuses_at_once_and_records_nothing(void **state)
{
	static const struct {
		const char *method;
		const char *query;
		const char *body;
		int status;
		int code;
	} cases[] = {
		{"GET", QUERY, BODY, 405, HW_BAD_HTTP},
		{"POST", "", BODY, 400, HW_BAD_URL_PARAMETER},
		{"POST", "SdkAppid=7&CallbackCommand=" ALERT, BODY, 403, HW_UNKNOWN_SDKAPPID},
		{"POST", QUERY, "{", 400, HW_BAD_JSON},
		{"POST", QUERY, "{\"CallbackCommand\":\"" ALERT "\"}", 400, HW_BAD_PARAMETER},
	};
	struct fixture *fixture = *state;
	struct receive_stats stats;

	open_ok(fixture);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_call *call =
			submit(fixture, str_c(cases[i].method), str_c(cases[i].query), str_c(cases[i].body));

		assert_int_equal(call->reply_count, 1);
		expect_fail(call, cases[i].status, cases[i].code);
		assert_int_equal(call->allows_post, cases[i].status == 405);
	}
	assert_int_equal(count_lines(fixture), 0);
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.refused_total, ARRAY_LEN(cases));
	assert_int_equal(stats.verified_total, 0);
}

static void test_receive_keeps_copies_of_its_options(void **state)
{
	struct fixture *fixture = *state;
	char token[] = "xxxxyyyy";
	char path[] = "/hook";
	struct http_call *call;

	fixture->options.token = secret_of(str_c(token));
	fixture->options.path = path;
	open_ok(fixture);
	memset(token, '?', sizeof(token) - 1);
	memset(path, '?', sizeof(path) - 1);
	call = submit(fixture, STR("POST"),
		      STR(QUERY "&Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
				"&RequestTime=1669872112"),
		      STR(BODY));
	expect_fail(call, 401, HW_BAD_URL_PARAMETER);
	assert_non_null(strstr(buf_c(&call->reply), "60 seconds")); /* the token is right, only the time is old */
}

static void test_receive_answers_for_the_server(void **state)
{
	static const struct {
		enum http_refusal why;
		int code;
	} cases[] = {
		{HTTP_REFUSAL_BODY_TOO_LARGE, HW_BAD_JSON},
		{HTTP_REFUSAL_BAD_REQUEST, HW_BAD_HTTP},
	};
	struct fixture *fixture = *state;
	struct receive_stats stats;

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
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.refused_total, 2);
}

/* What came while a batch was being synced becomes the next one; each is recorded and answered once. */
static void test_receive_gathers_while_it_syncs(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 500;

	fixture->blocks = true;
	open_ok(fixture);
	(void)submit_alert(fixture); /* looked at below, with the others */
	while (sem_wait(&fixture->entered))
		;
	for (size_t i = 1; i < count; i++)
		(void)submit_alert(fixture);
	assert_int_equal(fixture->calls[0].reply_count, 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(sem_post(&fixture->go), 0);
	for (size_t i = 0; i < count; i++) {
		wait_reply(fixture, &fixture->calls[i]);
		expect_ok(&fixture->calls[i]);
	}
	assert_int_equal(count_lines(fixture), count);
	assert_int_equal(fixture->lines_seen, count);
}

static void test_receive_answers_busy_when_its_queue_is_full(void **state)
{
	struct fixture *fixture = *state;
	struct receive_stats stats;
	char *body = mem_realloc(NULL, 65536);
	struct http_call *call;

	memset(body, ' ', 65536); /* white space is not recorded, so it goes into a string */
	memcpy(body, "{\"CallbackCommand\":\"New\",\"Pad\":\"", 32);
	memcpy(body + 65534, "\"}", 2);
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
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.unrecorded_total, 1);
	assert_int_equal(stats.verified_total, fixture->call_count - 1);
	mem_free(body);
}

static void test_receive_goes_on_after_a_failed_write(void **state)
{
	struct fixture *fixture = *state;
	struct receive_stats stats;
	struct rlimit before;
	struct rlimit tight;
	struct http_call *call;
	struct stat info;

	open_ok(fixture);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(stat(fixture->path, &info), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = (struct rlimit){.rlim_cur = (rlim_t)info.st_size + 40, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_fail(call, 503, HW_INTERNAL);
	assert_int_equal(count_lines(fixture), 1);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(count_lines(fixture), 2);
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.verified_total, 2);
	assert_int_equal(stats.unrecorded_total, 1);
	assert_int_equal(fixture->lines_seen, 2);
}

static void test_receive_restart_cuts_a_torn_line(void **state)
{
	struct fixture *fixture = *state;
	struct http_call *call;
	struct stat info;

	open_ok(fixture);
	for (int i = 0; i < 2; i++) {
		call = submit_alert(fixture);
		wait_reply(fixture, call);
	}
	receive_close(&fixture->receive);
	assert_int_equal(stat(fixture->path, &info), 0);
	assert_int_equal(truncate(fixture->path, info.st_size - 9), 0);
	open_ok(fixture);
	assert_int_equal(count_lines(fixture), 1);
	call = submit_alert(fixture);
	wait_reply(fixture, call);
	expect_ok(call);
	assert_int_equal(count_lines(fixture), 2);
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
}

static void test_receive_open_names_the_wrong_option(void **state)
{
	struct fixture *fixture = *state;
	const struct receive_options good = fixture->options;
	char token[HW_TOKEN_BYTES_MAX + 1];
	struct receive_options cases[] = {good, good, good, good, good, good, good, good, good};
	const char *const words[] = {"sdkappid", "sdkappid",	"sdkappid", "path",	"path",
				     "token",	 "record path", "8 keys",   "tolerance"};

	memset(token, 'x', sizeof(token));
	cases[0].sdkappid_count = 0;
	cases[1].sdkappid_count = RECEIVE_SDKAPPID_COUNT_MAX + 1;
	cases[2].sdkappids[0] = 0;
	cases[3].path = "hook";
	cases[4].path = "/hook?a=1";
	cases[5].token = secret_of((struct str){token, sizeof(token)});
	cases[6].record_path = "";
	cases[7].trust.key_count = HW_WEBHOOK_KEYS_MAX + 1;
	cases[8].trust = (struct hw_webhook_trust){.key_count = 1, .tolerance_s = -1};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct receive *receive = NULL;
		struct error err;

		assert_int_equal(receive_open(&cases[i], &receive, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		if (!strstr(err.text, words[i]))
			fail_msg("\"%s\" does not name %s", err.text, words[i]);
		assert_null(receive);
	}
	receive_close(&fixture->receive); /* NULL is accepted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive_answers_after_the_line_is_in_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_records_a_duplicate_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_refuses_at_once_and_records_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_keeps_copies_of_its_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_answers_for_the_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_gathers_while_it_syncs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_answers_busy_when_its_queue_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_goes_on_after_a_failed_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_restart_cuts_a_torn_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_open_refuses_a_record_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_open_names_the_wrong_option, setup, teardown),
	};

	log_setup(2, LOG_LEVEL_OFF);
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return 1;
	return cmocka_run_group_tests_name("receive", tests, NULL, NULL);
}
