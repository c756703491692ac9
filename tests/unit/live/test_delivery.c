/* States of callbacks and endpoints: every move, every word. */
#include "live/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The legal moves, a word each, written from the manual and not from the code's table. */
static const char *const legal_moves[] = {
	/* its turn comes, its endpoint cannot take it, a newer alert, the app is deleted */
	"pending scheduled",
	"pending parked",
	"pending superseded",
	"pending failed",
	/* it is sent, or the same as above */
	"scheduled in_flight",
	"scheduled parked",
	"scheduled superseded",
	"scheduled failed",
	/* the endpoint is back, or the same as above */
	"parked scheduled",
	"parked superseded",
	"parked failed",
	/* delivered; or that attempt failed, and it waits, or has ended */
	"in_flight delivered",
	"in_flight scheduled",
	"in_flight parked",
	"in_flight superseded",
	"in_flight failed",
	/* replays */
	"delivered scheduled",
	"superseded scheduled",
	"failed scheduled",
};

static bool is_listed(enum delivery_state from, enum delivery_state to)
{
	char move[64];

	(void)snprintf(move, sizeof(move), "%s %s", delivery_state_word(from), delivery_state_word(to)); /* fits */
	for (size_t i = 0; i < ARRAY_LEN(legal_moves); i++)
		if (strcmp(legal_moves[i], move) == 0)
			return true;
	return false;
}

static void test_delivery_moves_are_those_of_the_list_and_no_others(void **state)
{
	size_t legal = 0;

	(void)state;
	for (unsigned from = 0; from < DELIVERY_STATE_COUNT; from++) {
		for (unsigned to = 0; to < DELIVERY_STATE_COUNT; to++) {
			bool want = is_listed((enum delivery_state)from, (enum delivery_state)to);

			if (delivery_move_is_legal((enum delivery_state)from, (enum delivery_state)to) != want)
				fail_msg("%s to %s", delivery_state_word((enum delivery_state)from),
					 delivery_state_word((enum delivery_state)to));
			legal += want;
		}
	}
	assert_int_equal(legal, ARRAY_LEN(legal_moves)); /* each line of the list names a move */
}

static void test_delivery_move_moves(void **state)
{
	enum delivery_state at = STATE_PENDING;

	(void)state;
	delivery_move(&at, STATE_SCHEDULED);
	assert_int_equal(at, STATE_SCHEDULED);
	delivery_move(&at, STATE_IN_FLIGHT);
	delivery_move(&at, STATE_DELIVERED);
	assert_int_equal(at, STATE_DELIVERED);
}

static void test_delivery_state_words(void **state)
{
	static const char *const want[] = {"pending",	"scheduled",  "in_flight", "parked",
					   "delivered", "superseded", "failed"};
	static const char *const wrong[] = {"", "Pending", "pendin", "pendings", "waiting", "in flight"};
	enum delivery_state parsed = STATE_PARKED;

	(void)state;
	assert_int_equal(ARRAY_LEN(want), DELIVERY_STATE_COUNT);
	for (unsigned i = 0; i < DELIVERY_STATE_COUNT; i++) {
		assert_string_equal(delivery_state_word((enum delivery_state)i), want[i]);
		assert_int_equal(delivery_state_parse(str_c(want[i]), &parsed), 0);
		assert_int_equal(parsed, i);
	}
	parsed = STATE_PARKED;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(delivery_state_parse(str_c(wrong[i]), &parsed), -1);
	assert_int_equal(parsed, STATE_PARKED);
}

static void test_delivery_stored_numbers_are_those_of_the_database(void **state)
{
	(void)state;
	assert_int_equal(CALLBACK_WAITING, 0);
	assert_int_equal(CALLBACK_DELIVERED, 1);
	assert_int_equal(CALLBACK_FAILED, 2);
	assert_int_equal(CALLBACK_SUPERSEDED, 3);
	assert_int_equal(CALLBACK_STATE_COUNT, 4);
}

static void test_delivery_final_states_and_how_they_are_stored(void **state)
{
	static const enum delivery_state finals[] = {
		[CALLBACK_DELIVERED] = STATE_DELIVERED,
		[CALLBACK_FAILED] = STATE_FAILED,
		[CALLBACK_SUPERSEDED] = STATE_SUPERSEDED,
	};
	unsigned count = 0;

	(void)state;
	for (unsigned i = CALLBACK_WAITING + 1; i < CALLBACK_STATE_COUNT; i++) {
		assert_int_equal(delivery_state_of_final((enum callback_state)i), finals[i]);
		assert_true(delivery_state_is_final(finals[i]));
	}
	for (unsigned i = 0; i < DELIVERY_STATE_COUNT; i++)
		count += delivery_state_is_final((enum delivery_state)i);
	assert_int_equal(count, 3);
}

static void test_delivery_how_a_waiting_callback_waits(void **state)
{
	static const struct {
		bool due, in_flight;
		enum endpoint_state endpoint;
		enum delivery_state want;
	} rows[] = {
		{false, false, ENDPOINT_OK, STATE_PENDING},	 {false, false, ENDPOINT_FAILING, STATE_PENDING},
		{false, false, ENDPOINT_OPEN, STATE_PARKED},	 {false, false, ENDPOINT_PAUSED, STATE_PARKED},
		{true, false, ENDPOINT_OK, STATE_SCHEDULED},	 {true, false, ENDPOINT_FAILING, STATE_SCHEDULED},
		{true, false, ENDPOINT_OPEN, STATE_PARKED},	 {true, false, ENDPOINT_PAUSED, STATE_PARKED},
		{false, true, ENDPOINT_OK, STATE_IN_FLIGHT},	 {true, true, ENDPOINT_FAILING, STATE_IN_FLIGHT},
		{true, true, ENDPOINT_OPEN, STATE_IN_FLIGHT}, /* a probe */
		{false, true, ENDPOINT_PAUSED, STATE_IN_FLIGHT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(delivery_state_of_waiting(rows[i].due, rows[i].in_flight, rows[i].endpoint),
				 rows[i].want);
}

static void test_endpoint_state_follows_pause_and_failures(void **state)
{
	static const struct {
		enum app_pause pause;
		uint32_t failures;
		enum endpoint_state want;
		const char *word;
	} rows[] = {
		{PAUSE_NONE, 0, ENDPOINT_OK, "ok"},
		{PAUSE_NONE, 1, ENDPOINT_FAILING, "failing"},
		{PAUSE_NONE, ENDPOINT_OPEN_AFTER - 1, ENDPOINT_FAILING, "failing"},
		{PAUSE_NONE, ENDPOINT_OPEN_AFTER, ENDPOINT_OPEN, "open"},
		{PAUSE_NONE, UINT32_MAX, ENDPOINT_OPEN, "open"},
		{PAUSE_OPERATOR, 0, ENDPOINT_PAUSED, "paused"},
		{PAUSE_GONE, 1, ENDPOINT_PAUSED, "paused"},
		{PAUSE_GONE, UINT32_MAX, ENDPOINT_PAUSED, "paused"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(endpoint_state_of(rows[i].pause, rows[i].failures), rows[i].want);
		assert_string_equal(endpoint_state_word(rows[i].want), rows[i].word);
	}
}

static void test_endpoint_pause_words(void **state)
{
	(void)state;
	assert_string_equal(app_pause_word(PAUSE_NONE), "");
	assert_string_equal(app_pause_word(PAUSE_OPERATOR), "operator");
	assert_string_equal(app_pause_word(PAUSE_GONE), "gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivery_moves_are_those_of_the_list_and_no_others),
		cmocka_unit_test(test_delivery_move_moves),
		cmocka_unit_test(test_delivery_state_words),
		cmocka_unit_test(test_delivery_stored_numbers_are_those_of_the_database),
		cmocka_unit_test(test_delivery_final_states_and_how_they_are_stored),
		cmocka_unit_test(test_delivery_how_a_waiting_callback_waits),
		cmocka_unit_test(test_endpoint_state_follows_pause_and_failures),
		cmocka_unit_test(test_endpoint_pause_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
