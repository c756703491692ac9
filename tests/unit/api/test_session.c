/* Browser sessions: who has one, how long, and how many there are. */
#include "api/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT 60000

static int setup(void **state)
{
	*state = sessions_new(TIMEOUT);
	return 0;
}

static int teardown(void **state)
{
	struct sessions *sessions = *state;

	sessions_free(&sessions);
	assert_null(sessions);
	return 0;
}

static void test_session_is_known_by_its_token_only(void **state)
{
	struct sessions *sessions = *state;
	char token[SESSION_TOKEN_BYTES + 1];
	char wrong[SESSION_TOKEN_BYTES + 1];
	struct session_view opened;
	struct session_view view;

	assert_int_equal(sessions_use(sessions, STR(""), 5, &view), -1);
	sessions_open(sessions, 5, token, &opened);
	assert_int_equal(strlen(token), SESSION_TOKEN_BYTES);
	assert_int_equal(strspn(token, "0123456789abcdef"), SESSION_TOKEN_BYTES);
	assert_int_equal(strlen(opened.guard), SESSION_TOKEN_BYTES);
	assert_true(strcmp(opened.guard, token) != 0);
	assert_int_equal(strncmp(opened.name, "session:", 8), 0);
	assert_int_equal(sessions_use(sessions, str_c(token), 6, &view), 0);
	assert_string_equal(view.guard, opened.guard);
	assert_string_equal(view.name, opened.name);
	(void)strcpy(wrong, token);
	wrong[10] = wrong[10] == '0' ? '1' : '0';
	assert_int_equal(sessions_use(sessions, str_c(wrong), 6, &view), -1);
	assert_int_equal(sessions_use(sessions, str_slice(str_c(token), 0, 63), 6, &view), -1);
	assert_int_equal(sessions_use(sessions, str_c(opened.guard), 6, &view), -1);
}

static void test_sessions_are_apart(void **state)
{
	struct sessions *sessions = *state;
	char first[SESSION_TOKEN_BYTES + 1];
	char second[SESSION_TOKEN_BYTES + 1];
	struct session_view one;
	struct session_view two;

	sessions_open(sessions, 5, first, &one);
	sessions_open(sessions, 5, second, &two);
	assert_true(strcmp(first, second) != 0 && strcmp(one.guard, two.guard) != 0 && strcmp(one.name, two.name) != 0);
	sessions_close(sessions, str_c(first));
	assert_int_equal(sessions_use(sessions, str_c(first), 6, &one), -1);
	assert_int_equal(sessions_use(sessions, str_c(second), 6, &two), 0);
	sessions_close(sessions, str_c(first)); /* again: nothing */
	assert_int_equal(sessions_count(sessions, 6), 1);
}

static void test_session_ends_when_it_is_idle(void **state)
{
	struct sessions *sessions = *state;
	char token[SESSION_TOKEN_BYTES + 1];
	struct session_view view;

	sessions_open(sessions, 1000, token, &view);
	assert_true(view.end_ms == 1000 + TIMEOUT);
	assert_int_equal(sessions_look(sessions, str_c(token), 1000 + TIMEOUT - 1, &view), 0);
	assert_true(view.end_ms == 1000 + TIMEOUT); /* looking is no use */
	assert_int_equal(sessions_use(sessions, str_c(token), 1000 + TIMEOUT - 1, &view), 0);
	assert_true(view.end_ms == 1000 + 2 * TIMEOUT - 1);
	assert_int_equal(sessions_use(sessions, str_c(token), 500, &view), 0); /* a thread that is late */
	assert_true(view.end_ms == 1000 + 2 * TIMEOUT - 1);
	assert_int_equal(sessions_use(sessions, str_c(token), view.end_ms, &view), -1);
	assert_int_equal(sessions_count(sessions, 1000 + 2 * TIMEOUT), 0);
}

static void test_session_ends_after_a_week_of_use(void **state)
{
	struct sessions *sessions = *state;
	char token[SESSION_TOKEN_BYTES + 1];
	struct session_view view;
	int64_t now_ms = 7;

	sessions_open(sessions, now_ms, token, &view);
	while (now_ms + TIMEOUT / 2 < 7 + SESSION_LIFE_MS) {
		now_ms += TIMEOUT / 2;
		assert_int_equal(sessions_use(sessions, str_c(token), now_ms, &view), 0);
	}
	assert_true(view.end_ms == 7 + SESSION_LIFE_MS);
	assert_int_equal(sessions_use(sessions, str_c(token), 7 + SESSION_LIFE_MS, &view), -1);
}

static void test_session_one_too_many_ends_the_one_idle_longest(void **state)
{
	static char tokens[SESSION_COUNT_MAX + 2][SESSION_TOKEN_BYTES + 1];
	struct sessions *sessions = *state;
	struct session_view view;

	for (int i = 0; i < SESSION_COUNT_MAX; i++)
		sessions_open(sessions, 100 + i, tokens[i], &view);
	assert_int_equal(sessions_use(sessions, str_c(tokens[0]), 1000, &view), 0);
	sessions_open(sessions, 1001, tokens[SESSION_COUNT_MAX], &view);
	assert_int_equal(sessions_count(sessions, 1001), SESSION_COUNT_MAX);
	assert_int_equal(sessions_look(sessions, str_c(tokens[0]), 1001, &view), 0);
	assert_int_equal(sessions_look(sessions, str_c(tokens[1]), 1001, &view), -1);
	assert_int_equal(sessions_look(sessions, str_c(tokens[2]), 1001, &view), 0);
	sessions_close(sessions, str_c(tokens[200]));
	sessions_open(sessions, 1002, tokens[SESSION_COUNT_MAX + 1], &view); /* a place is free */
	assert_int_equal(sessions_look(sessions, str_c(tokens[2]), 1002, &view), 0);
}

#define WITH_SESSIONS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SESSIONS(test_session_is_known_by_its_token_only),
		WITH_SESSIONS(test_sessions_are_apart),
		WITH_SESSIONS(test_session_ends_when_it_is_idle),
		WITH_SESSIONS(test_session_ends_after_a_week_of_use),
		WITH_SESSIONS(test_session_one_too_many_ends_the_one_idle_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
