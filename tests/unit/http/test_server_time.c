/* The server's limits of time and number, with deadlines of a fraction of a second. A lower bound is exact; an upper one
 * only has to tell a working deadline from none, on a machine that is busy. */
#include "unit/http/web.h"

#define SHORT_MS 300

static void start_hasty(struct web *web)
{
	web->options.request_timeout_ms = SHORT_MS;
	web_start(web);
}

static void expect_ended_by_deadline(struct web *web, int fd, int64_t start_ms)
{
	assert_in_range(peer_wait_end(fd) - start_ms, SHORT_MS, WEB_PATIENCE_MS / 2);
	(void)close(fd);
	web_wait_stats(web, web_is_empty);
}

static void test_server_closes_when_a_request_stops_in_the_middle(void **state)
{
	static const char *const beginnings[] = {
		"G",
		"GET /echo HTTP/1.1\r\nHost: h\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\n123456789",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
		"POST /echo HTTP/1.1\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"GET /echo HTTP/1.1\r\n\r\nGET /echo", /* the second */
	};
	struct web *web = *state;

	start_hasty(web);
	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		int fd = peer_connect(web);
		int64_t start_ms = clock_mono_ms();

		peer_send(fd, beginnings[i]);
		expect_ended_by_deadline(web, fd, start_ms);
		assert_int_equal(web_stats(web).timeouts_total, i + 1);
	}
}

/* Sends `text` over and over, a byte each 10 ms, until the server closes. */
static void trickle(int fd, const char *start, const char *text)
{
	int64_t limit_ms = clock_mono_ms() + WEB_PATIENCE_MS / 2;

	peer_send(fd, start);
	for (size_t i = 0; clock_mono_ms() < limit_ms; i++)
		if (!peer_is_silent(fd, 10) || !peer_try_send(fd, &text[i % strlen(text)], 1))
			break;
}

static void test_server_closes_when_a_request_comes_too_slowly(void **state)
{
	static const struct {
		const char *start;
		const char *text;
	} cases[] = {
		{"", "GET / HTTP/1.1\r\nA: b\r\n"},
		{"POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", "b"},
		{"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n"},
		{"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", "extension"},
	};
	struct web *web = *state;

	start_hasty(web);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = peer_connect(web);
		int64_t start_ms = clock_mono_ms();

		trickle(fd, cases[i].start, cases[i].text);
		expect_ended_by_deadline(web, fd, start_ms);
	}
	assert_int_equal(web_stats(web).calls_total, 0);
}

static void test_server_closes_idle_connections(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fresh;
	int used;

	web->options.idle_timeout_ms = SHORT_MS;
	web_start(web);
	fresh = peer_connect(web);
	used = peer_connect(web);
	start_ms = clock_mono_ms();
	peer_send(used, "GET /echo HTTP/1.1\r\n\r\n");
	peer_expect(used, 200, "GET|/echo|||127.0.0.1|0|0");
	assert_in_range(peer_wait_end(used) - start_ms, SHORT_MS, WEB_PATIENCE_MS / 2);
	(void)peer_wait_end(fresh);
	(void)close(used);
	(void)close(fresh);
	assert_int_equal(web_stats(web).timeouts_total, 0); /* nobody was slow */
}

/* The handler may take longer than any deadline of the client. */
static void test_server_gives_the_handler_all_time(void **state)
{
	struct web *web = *state;
	int fd;

	web->options.request_timeout_ms = web->options.idle_timeout_ms = SHORT_MS;
	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /hold HTTP/1.1\r\n\r\n");
	web_wait_held(web, 1);
	assert_true(peer_is_silent(fd, 3 * SHORT_MS));
	web_release(web);
	peer_expect(fd, 200, "late");
	(void)close(fd);
}

static bool is_one_timeout(const struct http_server_stats *stats)
{
	return stats->timeouts_total == 1 && stats->connection_count == 0;
}

static void test_server_closes_when_a_client_does_not_read(void **state)
{
	const int small = 262144; /* far below the reply; with a tiny one the kernel hands over the rest for minutes */
	struct web *web = *state;
	char bytes[65536];
	size_t total = 0;
	size_t got;
	int fd;

	web->options.idle_timeout_ms = SHORT_MS;
	web_start(web);
	fd = peer_connect(web);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	peer_send(fd, "GET /large?33554432 HTTP/1.1\r\n\r\n");
	web_wait_stats(web, is_one_timeout);
	while ((got = peer_read_some(fd, bytes, sizeof(bytes))) > 0)
		total += got;
	assert_true(total < 33554432);
	(void)close(fd);
}

static void test_server_lets_connections_over_the_cap_wait(void **state)
{
	struct web *web = *state;
	int fds[4];

	web->options.connection_count_max = 2;
	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = peer_connect(web);
		peer_send(fds[i], "GET /echo HTTP/1.1\r\n\r\n");
	}
	peer_expect(fds[0], 200, "GET|/echo|||127.0.0.1|0|0");
	peer_expect(fds[1], 200, "GET|/echo|||127.0.0.1|0|0");
	assert_true(peer_is_silent(fds[2], SHORT_MS));
	assert_int_equal(web_stats(web).connections_total, 2);
	(void)close(fds[1]);
	peer_expect(fds[2], 200, "GET|/echo|||127.0.0.1|0|0");
	assert_true(peer_is_silent(fds[3], SHORT_MS));
	(void)close(fds[0]);
	peer_expect(fds[3], 200, "GET|/echo|||127.0.0.1|0|0");
	(void)close(fds[2]);
	(void)close(fds[3]);
}

/* A header within the library's limit but over ours, that has no end. */
static void test_server_cuts_off_a_header_that_runs_on(void **state)
{
	struct web *web = *state;
	char fill[2000];
	int fd;

	web_start(web); /* its deadlines are far */
	fd = peer_connect(web);
	memset(fill, 'f', sizeof(fill));
	peer_send(fd, "GET / HTTP/1.1\r\nX: ");
	assert_true(peer_try_send(fd, fill, sizeof(fill)));
	peer_expect_end(fd);
	web_wait_stats(web, web_is_empty);
	assert_int_equal(web_stats(web).refused_total, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TIME_TEST(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)
		TIME_TEST(test_server_closes_when_a_request_stops_in_the_middle),
		TIME_TEST(test_server_closes_when_a_request_comes_too_slowly),
		TIME_TEST(test_server_closes_idle_connections),
		TIME_TEST(test_server_gives_the_handler_all_time),
		TIME_TEST(test_server_closes_when_a_client_does_not_read),
		TIME_TEST(test_server_lets_connections_over_the_cap_wait),
		TIME_TEST(test_server_cuts_off_a_header_that_runs_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
