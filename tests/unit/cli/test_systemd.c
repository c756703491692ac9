/* Passed sockets: which one a setting means, and what is said when there is none. The environment is what a service manager
 * sets; the descriptors are real sockets from 3 on. */
#include "cli/systemd.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void set_number(const char *name, long number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", number); /* fits */
	assert_int_equal(setenv(name, text, 1), 0);
}

static void pass(int count, const char *names)
{
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", count);
	if (names)
		assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
	else
		assert_int_equal(unsetenv("LISTEN_FDNAMES"), 0);
}

/* Puts a socket that listens on this address at the descriptor. Returns the port. */
static unsigned put_socket(int at, const char *host, int family)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	void *bytes = family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
					: (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
	int fd = socket(family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(family, host, bytes), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	if (fd != at) {
		assert_int_equal(dup2(fd, at), at);
		assert_int_equal(close(fd), 0);
	}
	return ntohs(((struct sockaddr_in *)&address)->sin_port); /* the same place in both */
}

static int teardown(void **state)
{
	(void)state;
	(void)unsetenv("LISTEN_PID"); /* cannot fail for such names */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return 0;
}

static void test_systemd_listen_words(void **state)
{
	(void)state;
	assert_true(systemd_is_listen("systemd"));
	assert_true(systemd_is_listen("systemd:http"));
	assert_false(systemd_is_listen("systemd:"));
	assert_false(systemd_is_listen("systemdx"));
	assert_false(systemd_is_listen("127.0.0.1:80"));
	assert_false(systemd_is_listen(""));
}

static void test_systemd_finds_the_socket_that_is_meant(void **state)
{
	const struct {
		const char *names; /* NULL: the manager gave none */
		struct systemd_wanted wanted;
		int fd; /* 0: none */
	} cases[] = {
		{"http:status", {"systemd", "http", true}, 3},
		{"http:status", {"systemd", "status", false}, 4},
		{"http:status", {"systemd:status", "http", true}, 4},
		{"a:b", {"systemd", "http", true}, 0},
		{"a:b", {"systemd:b", "http", true}, 4},
		{"a:b", {"systemd:c", "http", true}, 0},
		{NULL, {"systemd", "http", true}, 0},
		{"a:a", {"systemd:a", "http", true}, 3},
	};

	(void)state;
	(void)put_socket(3, "127.0.0.1", AF_INET); /* the port is another test's */
	(void)put_socket(4, "127.0.0.1", AF_INET);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char address[SYSTEMD_ADDRESS_BYTES];
		struct error err;
		int fd = 0;
		int result;

		pass(2, cases[i].names);
		result = systemd_listen_fd(&cases[i].wanted, &fd, address, &err);
		assert_int_equal(result, cases[i].fd ? 0 : -1);
		assert_int_equal(fd, cases[i].fd);
		if (result)
			assert_int_equal(err.class, ERR_INVALID);
	}
	assert_int_equal(systemd_listen_count(), 2);
	assert_int_equal(close(3), 0);
	assert_int_equal(close(4), 0);
}

static void test_systemd_takes_an_only_socket_where_that_is_clear(void **state)
{
	const struct systemd_wanted http = {"systemd", "http", true};
	const struct systemd_wanted status = {"systemd", "status", false};
	char address[SYSTEMD_ADDRESS_BYTES];
	char wanted[SYSTEMD_ADDRESS_BYTES];
	struct error err;
	int fd;

	(void)state;
	(void)snprintf(wanted, sizeof(wanted), "[::1]:%u", put_socket(3, "::1", AF_INET6)); /* fits */
	pass(1, "highwater.socket");
	assert_int_equal(systemd_listen_fd(&http, &fd, address, &err), 0);
	assert_int_equal(fd, 3);
	assert_string_equal(address, wanted);
	assert_int_equal(systemd_listen_fd(&status, &fd, address, &err), -1);
	assert_non_null(strstr(err.text, "status"));
	assert_int_equal(close(3), 0);
}

static void test_systemd_refuses_what_is_no_tcp_socket(void **state)
{
	const struct systemd_wanted http = {"systemd", "http", true};
	char address[SYSTEMD_ADDRESS_BYTES];
	struct error err;
	int pair[2];
	int fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (pair[0] != 3)
		assert_int_equal(dup2(pair[0], 3), 3);
	pass(1, "http");
	assert_int_equal(systemd_listen_fd(&http, &fd, address, &err), -1);
	assert_non_null(strstr(err.text, "no TCP socket"));
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(close(3), 0);
}

static void test_systemd_sockets_of_another_process_are_not_ours(void **state)
{
	const struct systemd_wanted http = {"systemd", "http", true};
	char address[SYSTEMD_ADDRESS_BYTES];
	struct error err;
	int fd;

	(void)state;
	pass(1, "http");
	set_number("LISTEN_PID", getppid());
	assert_int_equal(systemd_listen_count(), 0);
	assert_int_equal(systemd_listen_fd(&http, &fd, address, &err), -1);
	assert_non_null(strstr(err.text, "no socket was passed"));
}

static void test_systemd_without_a_manager_nothing_is_done(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_int_equal(systemd_watchdog_ms(), 0);
	systemd_ready("x");
	systemd_status("x");
	systemd_reloading();
	systemd_alive();
	systemd_stopping();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_systemd_listen_words),
		cmocka_unit_test_teardown(test_systemd_finds_the_socket_that_is_meant, teardown),
		cmocka_unit_test_teardown(test_systemd_takes_an_only_socket_where_that_is_clear, teardown),
		cmocka_unit_test_teardown(test_systemd_refuses_what_is_no_tcp_socket, teardown),
		cmocka_unit_test_teardown(test_systemd_sockets_of_another_process_are_not_ours, teardown),
		cmocka_unit_test(test_systemd_without_a_manager_nothing_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
