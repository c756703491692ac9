/* Replies that go on: what is sent arrives while they last, they end for each reason that there is, and a client that
 * does not read costs no more memory than was agreed. */
#include "unit/http/web.h"

#include <pthread.h>
#include <stdatomic.h>

#define WAITING_BYTES_MAX 20000
#define LINE_BYTES 16
#define SHORT_MS 300

/* What the streams of a test do; each test starts with it empty. */
static struct {
	_Atomic unsigned opened;
	_Atomic unsigned over;
	_Atomic unsigned ticks;
	_Atomic unsigned refused; /* sends that did not fit */
	_Atomic unsigned lines;	  /* sent, numbered from 0 */
	_Atomic unsigned say;	  /* lines to send at the next tick */
	_Atomic bool flood;	  /* send at each tick until it is refused */
	_Atomic bool end;
	_Atomic bool behind;
} flow;

static int send_line(struct http_stream *stream)
{
	char line[LINE_BYTES + 1];

	(void)snprintf(line, sizeof(line), "line %010u\n", atomic_load(&flow.lines)); /* LINE_BYTES */
	if (http_stream_send(stream, str_c(line)))
		return -1;
	(void)atomic_fetch_add(&flow.lines, 1); /* the old value */
	return 0;
}

static void flow_tick(void *context, struct http_stream *stream, int64_t now_ms)
{
	bool end = atomic_load(&flow.end); /* what was to be said before is seen too */

	assert_ptr_equal(context, &flow);
	assert_in_range(now_ms, clock_mono_ms() - WEB_PATIENCE_MS, clock_mono_ms());
	(void)atomic_fetch_add(&flow.ticks, 1); /* the old value, as below */
	while (atomic_load(&flow.flood))
		if (send_line(stream)) {
			(void)atomic_fetch_add(&flow.refused, 1);
			break;
		}
	for (unsigned say = atomic_exchange(&flow.say, 0); say > 0; say--)
		assert_int_equal(send_line(stream), 0);
	atomic_store(&flow.behind, http_stream_is_behind(stream));
	if (end)
		http_stream_end(stream);
}

static void flow_over(void *context)
{
	assert_ptr_equal(context, &flow);
	(void)atomic_fetch_add(&flow.over, 1); /* the old value */
}

static void flow_handle(void *context, struct http_call *call)
{
	const struct http_stream_options options = {.content_type = STR("text/x-flow"),
						    .waiting_bytes_max = WAITING_BYTES_MAX,
						    .tick = flow_tick,
						    .over = flow_over,
						    .context = &flow};
	struct http_stream *stream;

	if (!str_eq(http_call_path(call), STR("/stream"))) {
		web_handle(context, call);
		return;
	}
	http_call_add_header(call, STR("x-added"), STR("yes"));
	stream = http_call_stream(call, &options);
	assert_non_null(stream);
	assert_int_equal(http_stream_send(stream, STR("first\n")), 0);
	assert_true(http_stream_is_behind(stream));
	(void)atomic_fetch_add(&flow.opened, 1); /* the old value */
}

static int setup(void **state)
{
	struct web *web;
	int result = web_setup(state);

	web = *state;
	web->options.handler = flow_handle;
	memset(&flow, 0, sizeof(flow));
	return result;
}

/* Looks until the counter has that value. */
static void wait_for(_Atomic unsigned *counter, unsigned value)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int64_t limit_ms = clock_mono_ms() + WEB_PATIENCE_MS;

	while (atomic_load(counter) < value && clock_mono_ms() < limit_ms)
		(void)nanosleep(&pause, NULL); /* only not to spin */
	assert_true(atomic_load(counter) >= value);
}

static int open_stream(struct web *web, const char *request)
{
	char head[4096];
	int fd = peer_connect(web);

	peer_send(fd, request);
	assert_true(peer_read_head(fd, head, sizeof(head)));
	assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strcasestr(head, "\r\ncontent-type: text/x-flow\r\n"));
	assert_non_null(strcasestr(head, "\r\nx-added: yes\r\n"));
	assert_null(strcasestr(head, "\r\ncontent-length:"));
	return fd;
}

#define STREAM_REQUEST "GET /stream HTTP/1.1\r\n\r\n"

static void expect_bytes(int fd, const char *text)
{
	char got[256];
	size_t len = 0;

	assert_true(strlen(text) < sizeof(got));
	while (len < strlen(text)) {
		size_t more = peer_read_some(fd, got + len, strlen(text) - len);

		assert_true(more > 0);
		len += more;
	}
	got[len] = '\0';
	assert_string_equal(got, text);
}

static void expect_over(struct web *web, unsigned count)
{
	wait_for(&flow.over, count);
	web_wait_stats(web, web_is_empty);
	assert_int_equal(atomic_load(&flow.over), count);
	assert_int_equal(web_stats(web).streams_open, 0);
	assert_int_equal(web_stats(web).calls_open, 0);
}

/* ---- sending ---- */

static void test_stream_arrives_while_it_lasts(void **state)
{
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = open_stream(web, STREAM_REQUEST);
	expect_bytes(fd, "6\r\nfirst\n\r\n");
	assert_int_equal(web_stats(web).streams_open, 1);
	assert_int_equal(web_stats(web).calls_open, 0);
	atomic_store(&flow.say, 1);
	expect_bytes(fd, "10\r\nline 0000000000\n\r\n");
	atomic_store(&flow.say, 1);
	expect_bytes(fd, "10\r\nline 0000000001\n\r\n");
	assert_int_equal(atomic_load(&flow.over), 0);
	atomic_store(&flow.say, 1);
	atomic_store(&flow.end, true);
	expect_bytes(fd, "10\r\nline 0000000002\n\r\n0\r\n\r\n");
	peer_expect_end(fd);
	expect_over(web, 1);
}

static void test_stream_of_an_old_client_ends_with_the_connection(void **state)
{
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = open_stream(web, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect_bytes(fd, "first\n");
	atomic_store(&flow.say, 1);
	expect_bytes(fd, "line 0000000000\n");
	atomic_store(&flow.end, true);
	peer_expect_end(fd);
	expect_over(web, 1);
}

static void test_streams_stand_beside_other_calls(void **state)
{
	struct web *web = *state;
	int streams[20];
	int fd;

	web->options.thread_count = 2;
	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		streams[i] = open_stream(web, STREAM_REQUEST);
	fd = peer_connect(web);
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	peer_expect(fd, 200, NULL);
	(void)close(fd);
	assert_int_equal(web_stats(web).streams_open, ARRAY_LEN(streams));
	for (size_t i = 0; i < ARRAY_LEN(streams); i += 2) {
		(void)close(streams[i]);
		wait_for(&flow.over, (unsigned)(i / 2 + 1));
	}
	atomic_store(&flow.end, true);
	for (size_t i = 1; i < ARRAY_LEN(streams); i += 2)
		(void)peer_wait_end(streams[i]);
	for (size_t i = 1; i < ARRAY_LEN(streams); i += 2)
		(void)close(streams[i]);
	expect_over(web, ARRAY_LEN(streams));
}

/* ---- time ---- */

static void test_stream_meets_no_time_limit_while_it_is_read(void **state)
{
	struct web *web = *state;
	unsigned ticks;
	int fd;

	web->options.idle_timeout_ms = SHORT_MS;
	web->options.request_timeout_ms = SHORT_MS;
	web_start(web);
	fd = open_stream(web, STREAM_REQUEST);
	expect_bytes(fd, "6\r\nfirst\n\r\n");
	ticks = atomic_load(&flow.ticks);
	assert_true(peer_is_silent(fd, 4 * SHORT_MS));
	assert_in_range(atomic_load(&flow.ticks) - ticks, 1, 4 * SHORT_MS / 100 + 2);
	assert_false(atomic_load(&flow.behind));
	atomic_store(&flow.say, 1);
	expect_bytes(fd, "10\r\nline 0000000000\n\r\n");
	assert_int_equal(web_stats(web).timeouts_total, 0);
	(void)close(fd);
}

static void test_stream_ends_soon_when_the_client_has_gone(void **state)
{
	struct web *web = *state;

	web_start(web);
	(void)close(open_stream(web, STREAM_REQUEST)); /* in order */
	expect_over(web, 1);
	peer_reset(open_stream(web, STREAM_REQUEST));
	expect_over(web, 2);
	assert_int_equal(atomic_load(&flow.lines), 0); /* nothing had to be sent to see it */
}

/* ---- clients that do not read ---- */

static void test_stream_refuses_more_than_may_wait(void **state)
{
	struct web *web = *state;
	char piece[65536];
	unsigned next = 0;
	size_t kept = 0;
	char text[LINE_BYTES + 1] = {0};
	int fd;

	web_start(web);
	fd = open_stream(web, "GET /stream HTTP/1.0\r\n\r\n");
	expect_bytes(fd, "first\n");
	atomic_store(&flow.flood, true);
	wait_for(&flow.refused, 3); /* at three ticks, so the system takes nothing either */
	assert_true(atomic_load(&flow.behind));
	atomic_store(&flow.flood, false);
	atomic_store(&flow.end, true);
	for (size_t got; (got = peer_read_some(fd, piece, sizeof(piece))) > 0;) /* what was taken comes, in order */
		for (size_t i = 0; i < got; i++) {
			char expected[LINE_BYTES + 1];

			text[kept++] = piece[i];
			if (kept < LINE_BYTES)
				continue;
			(void)snprintf(expected, sizeof(expected), "line %010u\n", next++); /* LINE_BYTES */
			assert_string_equal(text, expected);
			kept = 0;
		}
	assert_int_equal(kept, 0);
	assert_int_equal(next, atomic_load(&flow.lines));
	(void)close(fd);
	expect_over(web, 1);
}

static void test_stream_of_a_client_that_never_reads_is_ended(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fd;

	web->options.idle_timeout_ms = SHORT_MS;
	web_start(web);
	fd = open_stream(web, STREAM_REQUEST);
	atomic_store(&flow.flood, true);
	wait_for(&flow.refused, 1);
	start_ms = clock_mono_ms();
	expect_over(web, 1);
	assert_true(clock_mono_ms() - start_ms < WEB_PATIENCE_MS / 2);
	assert_int_equal(web_stats(web).timeouts_total, 1);
	(void)close(fd);
}

/* ---- the end of the server ---- */

static void test_drain_ends_streams_in_order(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fd;

	web_start(web);
	fd = open_stream(web, STREAM_REQUEST);
	expect_bytes(fd, "6\r\nfirst\n\r\n");
	start_ms = clock_mono_ms();
	http_server_drain(web->server, WEB_PATIENCE_MS);
	assert_true(clock_mono_ms() - start_ms < WEB_PATIENCE_MS / 2);
	expect_bytes(fd, "0\r\n\r\n");
	peer_expect_end(fd);
	expect_over(web, 1);
}

static void test_drain_does_not_wait_for_who_does_not_read(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fd;

	web_start(web);
	fd = open_stream(web, STREAM_REQUEST);
	atomic_store(&flow.flood, true);
	wait_for(&flow.refused, 1);
	start_ms = clock_mono_ms();
	http_server_drain(web->server, WEB_PATIENCE_MS);
	assert_true(clock_mono_ms() - start_ms < WEB_PATIENCE_MS / 2);
	expect_over(web, 1);
	(void)close(fd);
}

static void test_close_ends_streams_too(void **state)
{
	struct web *web = *state;
	int calm;
	int stuck;

	web_start(web);
	stuck = open_stream(web, STREAM_REQUEST);
	atomic_store(&flow.flood, true);
	wait_for(&flow.refused, 1);
	atomic_store(&flow.flood, false);
	calm = open_stream(web, STREAM_REQUEST);
	web_stop(web); /* what it has not freed, the sanitizers tell */
	assert_int_equal(atomic_load(&flow.over), 2);
	(void)close(calm);
	(void)close(stuck);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, web_teardown)
		STREAM_TEST(test_stream_arrives_while_it_lasts),
		STREAM_TEST(test_stream_of_an_old_client_ends_with_the_connection),
		STREAM_TEST(test_streams_stand_beside_other_calls),
		STREAM_TEST(test_stream_meets_no_time_limit_while_it_is_read),
		STREAM_TEST(test_stream_ends_soon_when_the_client_has_gone),
		STREAM_TEST(test_stream_refuses_more_than_may_wait),
		STREAM_TEST(test_stream_of_a_client_that_never_reads_is_ended),
		STREAM_TEST(test_drain_ends_streams_in_order),
		STREAM_TEST(test_drain_does_not_wait_for_who_does_not_read),
		STREAM_TEST(test_close_ends_streams_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
