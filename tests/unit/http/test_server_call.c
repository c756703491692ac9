/* Calls: what the handler sees of a request, and what becomes of its reply, now or later. */
#include "unit/http/web.h"

#include <pthread.h>

static void test_server_shows_the_request(void **state)
{
	static const struct {
		const char *request;
		const char *seen;
	} cases[] = {
		{"GET /echo HTTP/1.1\r\n\r\n", "GET|/echo|||127.0.0.1|0|0"},
		{"PUT /a%20b/../c?x=1&y=%2f?z HTTP/1.1\r\n\r\n", "PUT|/a%20b/../c|x=1&y=%2f?z||127.0.0.1|0|0"},
		{"GET /echo? HTTP/1.1\r\nX-TEST:  some value \r\n\r\n", "GET|/echo||some value|127.0.0.1|0|0"},
		{"GET /echo HTTP/1.1\r\nX-Test: 1\r\nx-test: 2\r\n\r\n", "GET|/echo||1|127.0.0.1|0|0"},
		{"GET http://example.com/a?b HTTP/1.1\r\n\r\n", "GET|/a|b||127.0.0.1|0|0"},
		{"GET HTTPS://example.com:443/a HTTP/1.1\r\n\r\n", "GET|/a|||127.0.0.1|0|0"},
		{"GET http://example.com HTTP/1.1\r\n\r\n", "GET|/|||127.0.0.1|0|0"},
		{"GET http://example.com?a=/b HTTP/1.1\r\n\r\n", "GET|/|a=/b||127.0.0.1|0|0"},
		{"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS|*|||127.0.0.1|0|0"},
		{"CONNECT example.com:443 HTTP/1.1\r\n\r\n", "CONNECT|example.com:443|||127.0.0.1|0|0"},
		{"GET ?a HTTP/1.1\r\n\r\n", "GET|/|a||127.0.0.1|0|0"},
		{"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "POST|/echo|||127.0.0.1|3|0"},
		{"POST /echo HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAMAAABk\r\n"
		 "Content-Length: 3\r\n\r\nabc",
		 "POST|/echo|||127.0.0.1|3|0"},
		{"\r\nGET /echo HTTP/1.1\r\n\r\n", "GET|/echo|||127.0.0.1|0|0"},
		{"GET /echo HTTP/1.1\nX-Test: bare\n\n", "GET|/echo||bare|127.0.0.1|0|0"},
		{"GET /echo HTTP/1.1\r\nHost: [broken:::\r\n\r\n", "GET|/echo|||127.0.0.1|0|0"},
	};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = peer_connect(web);

		peer_send(fd, cases[i].request);
		peer_expect(fd, 200, cases[i].seen);
		(void)close(fd);
	}
}

/* Every request is whole wherever it was cut on its way. */
static void test_server_takes_a_request_byte_by_byte(void **state)
{
	static const char request[] = "POST /body?q HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world";
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		assert_true(peer_try_send(fd, &request[i], 1));
	peer_expect(fd, 200, "hello world");
	(void)close(fd);
}

static void expect_connection(int fd, const char *word, bool ends)
{
	struct peer_reply reply;

	peer_read(fd, true, &reply);
	assert_int_equal(reply.status, 200);
	assert_non_null(strcasestr(reply.head, word));
	if (ends)
		peer_expect_end(fd);
}

static void test_server_keeps_the_connection_or_not_as_asked(void **state)
{
	static const struct {
		const char *request;
		bool ends;
	} cases[] = {
		{"GET /echo HTTP/1.1\r\n\r\n", false},
		{"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n", true},
		{"GET /echo HTTP/1.0\r\n\r\n", true},
		{"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
	};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = peer_connect(web);

		peer_send(fd, cases[i].request);
		expect_connection(fd, cases[i].ends ? "\r\nconnection: close\r\n" : "\r\nconnection: keep-alive\r\n",
				  cases[i].ends);
		if (cases[i].ends)
			continue;
		peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
		expect_connection(fd, "\r\nconnection: keep-alive\r\n", false);
		(void)close(fd);
	}
}

static void test_server_answers_pipelined_requests_in_order(void **state)
{
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(
		fd,
		"GET /1 HTTP/1.1\r\n\r\nGET /hold HTTP/1.1\r\n\r\nPOST /body HTTP/1.1\r\nContent-Length: 1\r\n\r\nb"
		"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\nGET /5 HTTP/1.1\r\n\r\n");
	peer_expect(fd, 200, "GET|/1|||127.0.0.1|0|0");
	web_wait_held(web, 1);
	assert_int_equal(web_stats(web).calls_total, 2); /* one at a time */
	web_release(web);
	peer_expect(fd, 200, "late");
	peer_expect(fd, 200, "b");
	peer_expect(fd, 200, "c");
	peer_expect(fd, 200, "GET|/5|||127.0.0.1|0|0");
	(void)close(fd);
}

static void test_server_sends_100_continue(void **state)
{
	struct web *web = *state;
	struct peer_reply reply;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "POST /body HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	peer_read(fd, true, &reply);
	assert_int_equal(reply.status, 100);
	peer_send(fd, "body");
	peer_expect(fd, 200, "body");
	peer_send(fd, "POST /body HTTP/1.1\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
	peer_expect(fd, 413, "refused: body"); /* not told to go on */
	peer_expect_end(fd);
}

static void test_server_sends_no_body_to_head(void **state)
{
	struct web *web = *state;
	struct peer_reply reply;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "HEAD /echo HTTP/1.1\r\n\r\n");
	peer_read(fd, false, &reply);
	assert_int_equal(reply.status, 200);
	assert_non_null(strcasestr(reply.head, "\r\ncontent-length: 26\r\n"));
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	peer_expect(fd, 200, "GET|/echo|||127.0.0.1|0|0"); /* nothing in between */
	(void)close(fd);
}

static void test_server_sends_added_headers_once(void **state)
{
	struct web *web = *state;
	struct peer_reply reply;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /headers HTTP/1.1\r\n\r\n");
	peer_read(fd, true, &reply);
	for (unsigned i = 0; i < 8; i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "\r\nx-number-%u: value %u\r\n", i, i); /* fits */
		assert_non_null(strstr(reply.head, line));
	}
	assert_non_null(strstr(reply.head, "\r\ncontent-type: text/plain\r\n"));
	assert_null(strcasestr(reply.head, "\r\nserver:"));
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	peer_read(fd, true, &reply);
	assert_null(strstr(reply.head, "x-number"));
	(void)close(fd);
}

static void test_server_sends_a_large_reply_whole(void **state)
{
	struct web *web = *state;
	char bytes[65536];
	size_t total = 0;
	size_t got;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /large?16777216 HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert_true(peer_read_head(fd, bytes, sizeof(bytes)));
	while ((got = peer_read_some(fd, bytes, sizeof(bytes))) > 0)
		total += got;
	assert_int_equal(total, 16777216);
	(void)close(fd);
}

static void test_server_serves_what_came_before_a_half_close(void **state)
{
	struct web *web = *state;
	int fd;

	web_start(web);
	fd = peer_connect(web);
	peer_send(fd, "GET /hold HTTP/1.1\r\n\r\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	web_wait_held(web, 1);
	web_release(web);
	peer_expect(fd, 200, "late");
	peer_expect_end(fd);
}

/* ---- replies from another thread ---- */

static void *release_main(void *context)
{
	web_release(context);
	return NULL;
}

static void test_server_sends_replies_from_many_threads(void **state)
{
	enum { COUNT = 128, THREADS = 4 };
	struct web *web = *state;
	pthread_t threads[THREADS];
	int fds[COUNT];

	web->options.thread_count = 2;
	web->options.connection_count_max = 2 * COUNT;
	web_start(web);
	for (unsigned i = 0; i < COUNT; i++) {
		fds[i] = peer_connect(web);
		peer_send(fds[i], "GET /hold HTTP/1.1\r\n\r\n");
	}
	web_wait_held(web, COUNT);
	assert_int_equal(web_stats(web).calls_open, COUNT);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, release_main, web), 0);
	for (unsigned i = 0; i < COUNT; i++)
		peer_expect(fds[i], 200, "late");
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < COUNT; i++)
		(void)close(fds[i]);
	assert_int_equal(web_stats(web).calls_open, 0);
}

static void test_server_outlives_clients_that_went_before_the_reply(void **state)
{
	enum { COUNT = 30 };
	struct web *web = *state;
	int fds[COUNT];

	web_start(web);
	for (unsigned i = 0; i < COUNT; i++) {
		fds[i] = peer_connect(web);
		peer_send(fds[i], "GET /hold HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n");
	}
	web_wait_held(web, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		if (i % 2)
			peer_reset(fds[i]);
		else
			(void)close(fds[i]);
	}
	web_release(web);
	web_wait_stats(web, web_is_empty);
	assert_int_equal(web_stats(web).calls_open, 0);
}

/* ---- threads and addresses ---- */

static void test_server_uses_all_its_threads(void **state)
{
	struct web *web = *state;
	bool used[3] = {false};
	int64_t limit_ms = clock_mono_ms() + WEB_PATIENCE_MS;

	web->options.thread_count = 3;
	web_start(web);
	while (!(used[0] && used[1] && used[2]) && clock_mono_ms() < limit_ms) { /* the kernel chooses */
		struct peer_reply reply;
		int fd = peer_connect(web);

		peer_send(fd, "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
		peer_read(fd, true, &reply);
		assert_int_equal(reply.status, 200);
		assert_in_range(reply.body[reply.body_len - 1], '0', '2');
		used[reply.body[reply.body_len - 1] - '0'] = true;
		(void)close(fd);
	}
	assert_true(used[0] && used[1] && used[2]);
}

/* Over IPv6 to ::1, or over IPv4 in an IPv6 socket's words. */
static void expect_peer_over_six(struct web *web, const char *listen, const char *to, const char *seen)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	int fd;

	web->options.listen = listen;
	web_start(web);
	address.sin6_port = htons((uint16_t)http_server_port(web->server));
	assert_int_equal(inet_pton(AF_INET6, to, &address.sin6_addr), 1);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	peer_set_limits(fd);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	peer_send(fd, "GET /echo HTTP/1.1\r\n\r\n");
	peer_expect(fd, 200, seen);
	(void)close(fd);
}

static bool has_six(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return has;
}

static void test_server_tells_an_ipv6_peer(void **state)
{
	if (!has_six())
		skip();
	expect_peer_over_six(*state, "[::1]:0", "::1", "GET|/echo|||::1|0|0");
}

static void test_server_tells_a_mapped_peer_as_ipv4(void **state)
{
	if (!has_six())
		skip();
	expect_peer_over_six(*state, "[::ffff:127.0.0.1]:0", "::ffff:127.0.0.1", "GET|/echo|||127.0.0.1|0|0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)
		CALL_TEST(test_server_shows_the_request),
		CALL_TEST(test_server_takes_a_request_byte_by_byte),
		CALL_TEST(test_server_keeps_the_connection_or_not_as_asked),
		CALL_TEST(test_server_answers_pipelined_requests_in_order),
		CALL_TEST(test_server_sends_100_continue),
		CALL_TEST(test_server_sends_no_body_to_head),
		CALL_TEST(test_server_sends_added_headers_once),
		CALL_TEST(test_server_sends_a_large_reply_whole),
		CALL_TEST(test_server_serves_what_came_before_a_half_close),
		CALL_TEST(test_server_sends_replies_from_many_threads),
		CALL_TEST(test_server_outlives_clients_that_went_before_the_reply),
		CALL_TEST(test_server_uses_all_its_threads),
		CALL_TEST(test_server_tells_an_ipv6_peer),
		CALL_TEST(test_server_tells_a_mapped_peer_as_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
