/* `highwater serve --check`: whatever would keep the server from starting is told without starting it. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The exit code of `serve --check FLAG`. */
static int check(const char *flag)
{
	char serve[] = "serve";
	char option[] = "--check";
	char copy[256];
	char *argv[] = {serve, option, copy, NULL};

	(void)snprintf(copy, sizeof(copy), "%s", flag); /* fits */
	return cli_serve_group.run(3, argv);
}

static void test_serve_check_accepts_lists_of_proxies(void **state)
{
	static const char *const flags[] = {
		"--http-trusted-proxies=127.0.0.1",
		"--http-trusted-proxies=10.0.0.1, ::1",
		"--http-trusted-proxies=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		assert_int_equal(check(flags[i]), CLI_DONE);
}

static void test_serve_check_accepts_lists_of_allowed_addresses(void **state)
{
	static const char *const flags[] = {
		"--callback-allowed-addresses=",
		"--callback-allowed-addresses=*",
		"--callback-allowed-addresses=127.0.0.0/8, ::1, 10.1.2.3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		assert_int_equal(check(flags[i]), CLI_DONE);
}

static void test_serve_check_refuses_what_would_not_start(void **state)
{
	static const char *const flags[] = {
		"--http-trusted-proxies=proxy.local",
		"--http-trusted-proxies=127.0.0.1,,::1",
		"--http-trusted-proxies=10.0.0.0/8",
		"--http-listen=localhost:8080",
		"--http-listen=127.0.0.1",
		"--callback-allowed-addresses=localhost",
		"--callback-allowed-addresses=10.1.2.3/8",
		"--callback-allowed-addresses=*,::1",
		"--callback-on-fail=ignore",
		"--callback-in-flight-per-app=300",
		"--callback-retry-longest=1ms",
		"--log-level=loud",
		"--http-cert-file=/dev/null",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		assert_int_equal(check(flags[i]), CLI_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serve_check_accepts_lists_of_proxies),
		cmocka_unit_test(test_serve_check_accepts_lists_of_allowed_addresses),
		cmocka_unit_test(test_serve_check_refuses_what_would_not_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
