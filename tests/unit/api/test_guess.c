/* Waits for whoever guesses the admin token. */
#include "api/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOME STR("203.0.113.9")

static struct guesses *guesses;

static int setup(void **state)
{
	(void)state;
	guesses = guesses_new(3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guesses_free(&guesses);
	assert_null(guesses);
	return 0;
}

static void test_guess_waits_grow_up_to_a_bound(void **state)
{
	static const int64_t waits[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	int64_t now_ms = 1000;

	(void)state;
	assert_true(guesses_wait_ms(guesses, HOME, now_ms) == 0);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		guesses_wrong(guesses, HOME, now_ms);
		assert_true(guesses_wait_ms(guesses, HOME, now_ms) == waits[i]);
		now_ms += waits[i];
		assert_true(guesses_wait_ms(guesses, HOME, now_ms) == 0);
		if (waits[i])
			assert_true(guesses_wait_ms(guesses, HOME, now_ms - 1) == 1);
	}
}

static void test_guess_right_token_or_time_ends_it(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		guesses_wrong(guesses, HOME, 1000);
	assert_true(guesses_wait_ms(guesses, HOME, 1000) == GUESS_WAIT_MS_MAX);
	guesses_right(guesses, HOME);
	assert_true(guesses_wait_ms(guesses, HOME, 1000) == 0);
	guesses_wrong(guesses, HOME, 1000);
	assert_true(guesses_wait_ms(guesses, HOME, 1000) == 0); /* counts anew */
	for (int i = 0; i < 10; i++)
		guesses_wrong(guesses, HOME, 1000);
	guesses_wrong(guesses, HOME, 1000 + GUESS_FORGET_MS);
	assert_true(guesses_wait_ms(guesses, HOME, 1000 + GUESS_FORGET_MS) == 0);
}

static void test_guess_addresses_are_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		guesses_wrong(guesses, HOME, 1000);
		guesses_wrong(guesses, STR("2001:db8:1:2::1"), 1000);
	}
	assert_true(guesses_wait_ms(guesses, STR("203.0.113.10"), 1000) == 0);
	assert_true(guesses_wait_ms(guesses, STR("2001:db8:1:2:ffff::9"), 1000) > 0); /* the same /64 */
	assert_true(guesses_wait_ms(guesses, STR("2001:db8:1:3::1"), 1000) == 0);
	guesses_right(guesses, STR("203.0.113.10"));
	assert_true(guesses_wait_ms(guesses, HOME, 1000) > 0);
}

/* A flood from everywhere is kept in bounds, and the newest are remembered. */
static void test_guess_flood_of_addresses(void **state)
{
	char address[32];
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255); /* fits */
		for (int k = 0; k < 3; k++)
			guesses_wrong(guesses, str_c(address), 1000 + i / 1000);
	}
	for (unsigned i = 99000; i < 100000; i++) {
		(void)snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255); /* fits */
		known += guesses_wait_ms(guesses, str_c(address), 1100) > 0;
	}
	assert_true(known > 900);
}

static void test_guess_no_limit(void **state)
{
	struct guesses *none = guesses_new(0);

	(void)state;
	for (int i = 0; i < 100; i++)
		guesses_wrong(none, HOME, 1000);
	assert_true(guesses_wait_ms(none, HOME, 1000) == 0);
	guesses_right(none, HOME);
	guesses_free(&none);
}

#define WITH_GUESSES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GUESSES(test_guess_waits_grow_up_to_a_bound),
		WITH_GUESSES(test_guess_right_token_or_time_ends_it),
		WITH_GUESSES(test_guess_addresses_are_apart),
		WITH_GUESSES(test_guess_flood_of_addresses),
		WITH_GUESSES(test_guess_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
