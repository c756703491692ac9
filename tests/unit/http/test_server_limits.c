/* The server's limits of size: what is over one is refused in words, and the client reads them. */
#include "unit/http/web.h"

#define REST_MAX (8 << 20)

static void post(int fd, size_t len, const char *path)
{
	char head[256];
	char *body = mem_zalloc(len);

	memset(body, 'b', len);
	(void)snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", path,
		       len); /* fits */
	peer_send(fd, head);
	(void)peer_try_send(fd, body, len); /* a refusal may come before its end */
	mem_free(body);
}

static void start_and_connect(struct web *web, int *fd_out)
{
	web_start(web);
	*fd_out = peer_connect(web);
}

static void test_server_takes_a_body_of_the_limit(void **state)
{
	struct web *web = *state;
	int fd;

	start_and_connect(web, &fd);
	post(fd, 1000, "/echo");
	peer_expect(fd, 200, "POST|/echo|||127.0.0.1|1000|0");
	post(fd, 1000, "/echo"); /* and goes on */
	peer_expect(fd, 200, "POST|/echo|||127.0.0.1|1000|0");
	(void)close(fd);
}

static void test_server_refuses_a_body_over_the_limit(void **state)
{
	static const size_t sizes[] = {1001, 2000, 60000, 1000 + 65536, 1000 + 65537, 4 << 20};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = peer_connect(web);

		post(fd, sizes[i], "/echo");
		peer_expect(fd, 413, "refused: body");
		peer_expect_end(fd);
	}
	assert_int_equal(web_stats(web).refused_total, ARRAY_LEN(sizes));
	assert_int_equal(web_stats(web).calls_total, 0);
}

/* A client that has announced too much is told so before it has sent it. */
static void test_server_refuses_an_announced_length_at_once(void **state)
{
	static const char *const lengths[] = {"100000", "9223372036854775807"};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		char head[128];
		int fd = peer_connect(web);

		(void)snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n",
			       lengths[i]); /* fits */
		peer_send(fd, head);
		peer_expect(fd, 413, "refused: body");
		peer_expect_end(fd);
	}
}

static void test_server_refuses_chunks_over_the_limit_of_a_client_that_goes_on_writing(void **state)
{
	struct web *web = *state;
	char chunk[4096 + 8];
	struct peer_reply reply;
	int fd;

	start_and_connect(web, &fd);
	peer_send(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(chunk, 'c', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
	for (size_t sent = 0; sent < REST_MAX; sent += sizeof(chunk))
		if (!peer_is_silent(fd, 0) || !peer_try_send(fd, chunk, sizeof(chunk)))
			break;
	(void)peer_try_send(fd, chunk, sizeof(chunk)); /* after the refusal has come, too */
	peer_read(fd, true, &reply);
	assert_int_equal(reply.status, 413);
	assert_string_equal(reply.body, "refused: body");
	(void)close(fd);
}

static void test_server_takes_chunks_of_the_limit(void **state)
{
	struct web *web = *state;
	char body[1001] = "";
	int fd;

	start_and_connect(web, &fd);
	memset(body, 'c', 1000);
	peer_send(fd, "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8;name=value\r\n");
	peer_send(fd, body);
	peer_send(fd, "\r\n0\r\nTrailer: ignored\r\n\r\n");
	peer_expect(fd, 200, body);
	peer_send(fd, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
	peer_expect(fd, 200, "GET|/echo|||127.0.0.1|0|0");
	(void)close(fd);
}

static void test_server_refuses_one_byte_of_chunks_too_many(void **state)
{
	struct web *web = *state;
	char body[1002] = "";
	int fd;

	start_and_connect(web, &fd);
	memset(body, 'c', 1001);
	peer_send(fd, "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
	peer_send(fd, body);
	peer_send(fd, "\r\n0\r\n\r\n");
	peer_expect(fd, 413, "refused: body");
	peer_expect_end(fd);
}

static void send_header_of(int fd, size_t bytes)
{
	char head[70000];
	int len = snprintf(head, sizeof(head), "GET /echo HTTP/1.1\r\nHost: h\r\nX-Fill: ");
	size_t fill = bytes - (size_t)len - 4;

	memset(head + len, 'f', fill);
	memcpy(head + (size_t)len + fill, "\r\n\r\n", 5);
	peer_send(fd, head);
}

static void test_server_takes_a_header_of_about_the_limit(void **state)
{
	struct web *web = *state;
	int fd;

	start_and_connect(web, &fd);
	send_header_of(fd, 1000);
	peer_expect(fd, 200, "GET|/echo|||127.0.0.1|0|0");
	(void)close(fd);
}

/* One that is whole when it arrives; what trickles in is cut off, see test_server_time. */
static void test_server_refuses_a_header_over_the_limit(void **state)
{
	struct web *web = *state;
	int fd;

	start_and_connect(web, &fd);
	send_header_of(fd, 1100);
	peer_expect(fd, 431, "refused: header");
	peer_expect_end(fd);
	assert_int_equal(web_stats(web).calls_total, 0);
}

static void test_server_refuses_a_target_over_the_limit(void **state)
{
	struct web *web = *state;
	char head[2048] = "";
	int fd;

	start_and_connect(web, &fd);
	memset(head, 'p', 1500);
	memcpy(head, "GET /", 5);
	memcpy(head + 1500, " HTTP/1.1\r\nHost: h\r\n\r\n", 23);
	peer_send(fd, head);
	peer_expect(fd, 431, "refused: header");
	peer_expect_end(fd);
}

static void test_server_ends_a_header_that_never_ends(void **state)
{
	struct web *web = *state;
	int fd;

	start_and_connect(web, &fd);
	peer_send(fd, "GET / HTTP/1.1\r\nX: ");
	for (size_t sent = 0; sent < REST_MAX; sent += 64)
		if (!peer_try_send(fd, "0123456789012345678901234567890123456789012345678901234567890123", 64))
			break;
	(void)peer_wait_end(fd); /* a refusal in the library's words may come first */
	(void)close(fd);
	assert_int_equal(web_stats(web).calls_total, 0);
}

static void test_server_takes_many_headers(void **state)
{
	struct web *web = *state;
	int fd;

	start_and_connect(web, &fd);
	peer_send(fd, "GET /echo HTTP/1.1\r\n");
	for (unsigned i = 0; i < 99; i++)
		peer_send(fd, "a:b\r\n");
	peer_send(fd, "X-Test: last\r\n\r\n");
	peer_expect(fd, 200, "GET|/echo||last|127.0.0.1|0|0");
	(void)close(fd);
}

static void test_server_refuses_more_than_100_headers(void **state)
{
	struct web *web = *state;
	struct peer_reply reply;
	int fd;

	start_and_connect(web, &fd);
	peer_send(fd, "GET /echo HTTP/1.1\r\n");
	for (unsigned i = 0; i < 101; i++)
		(void)peer_try_send(fd, "a:b\r\n", 5); /* it may be refused before the end */
	(void)peer_try_send(fd, "\r\n", 2);
	peer_read(fd, true, &reply);
	assert_int_equal(reply.status, 400);
	peer_expect_end(fd);
}

static void test_server_refuses_garbage(void **state)
{
	static const char *const requests[] = {
		"garbage\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
		"GET / HTTP/1.1\r\n: no name\r\n\r\n",
		"GET / HTTP/1.1\r\nName : space\r\n\r\n",
		"GET / HTTP/1.1\r\nName: \x01\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n",
		"\x7f\x45\x4c\x46\r\n\r\n",
	};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct peer_reply reply;
		int fd = peer_connect(web);

		peer_send(fd, requests[i]);
		peer_read(fd, true, &reply);
		assert_int_equal(reply.status, 400);
		peer_expect_end(fd);
	}
	assert_int_equal(web_stats(web).calls_total, 0);
}

static void test_server_refuses_a_body_it_cannot_measure(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 18446744073709551614\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\nab", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\nab", 400},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n", 400},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: something-else\r\n\r\n", 417},
	};
	struct web *web = *state;

	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = peer_connect(web);

		peer_send(fd, cases[i].request);
		peer_expect(fd, cases[i].status, "refused: request");
		peer_expect_end(fd);
	}
	assert_int_equal(web_stats(web).calls_total, 0);
}

/* The refusal must not wait for the client to close first. */
static void test_server_closes_soon_after_a_refusal(void **state)
{
	struct web *web = *state;
	int64_t start_ms;
	int fd;

	start_and_connect(web, &fd);
	start_ms = clock_mono_ms();
	peer_send(fd, "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
	assert_true(peer_wait_end(fd) - start_ms < 1000); /* the lingering takes 2 s */
	(void)close(fd);
}

/* More refusals at a time than there are places for lingering. */
static void test_server_outlives_a_crowd_of_refusals(void **state)
{
	struct web *web = *state;
	int fds[200];

	web->options.connection_count_max = ARRAY_LEN(fds) + 10;
	web_start(web);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = peer_connect(web);
		peer_send(fds[i], "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		peer_expect(fds[i], 413, "refused: body");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		peer_reset(fds[i]);
	web_wait_stats(web, web_is_empty);
	assert_int_equal(web_stats(web).refused_total, ARRAY_LEN(fds));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)
		LIMIT_TEST(test_server_takes_a_body_of_the_limit),
		LIMIT_TEST(test_server_refuses_a_body_over_the_limit),
		LIMIT_TEST(test_server_refuses_an_announced_length_at_once),
		LIMIT_TEST(test_server_refuses_chunks_over_the_limit_of_a_client_that_goes_on_writing),
		LIMIT_TEST(test_server_takes_chunks_of_the_limit),
		LIMIT_TEST(test_server_refuses_one_byte_of_chunks_too_many),
		LIMIT_TEST(test_server_takes_a_header_of_about_the_limit),
		LIMIT_TEST(test_server_refuses_a_header_over_the_limit),
		LIMIT_TEST(test_server_refuses_a_target_over_the_limit),
		LIMIT_TEST(test_server_ends_a_header_that_never_ends),
		LIMIT_TEST(test_server_takes_many_headers),
		LIMIT_TEST(test_server_refuses_more_than_100_headers),
		LIMIT_TEST(test_server_refuses_garbage),
		LIMIT_TEST(test_server_refuses_a_body_it_cannot_measure),
		LIMIT_TEST(test_server_closes_soon_after_a_refusal),
		LIMIT_TEST(test_server_outlives_a_crowd_of_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
