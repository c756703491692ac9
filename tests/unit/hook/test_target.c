/* The table of targets: its ring and its counts, what a target may send, and what it keeps of a configuration. */
#include "hook/target.h"
#include "base/mem.h"
#include "live/key.h"
#include "unit/protocol/webhook_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1000000)

static const struct window_policy policy = {8, 1000, 16000, 60000};

static void fail_times(struct target *target, unsigned times)
{
	while (times--)
		window_failed(&target->window, &policy, &(struct window_failure){0}, NOW);
}

/* ---- the table ---- */

static void test_target_touch_makes_one_per_app(void **state)
{
	struct target_table table = {0};
	bool made;
	struct target *target = target_touch(&table, 7, &made);

	(void)state;
	assert_true(made);
	assert_int_equal(target->sdkappid, 7);
	assert_int_equal(target->window.size, 1);
	assert_true(target_due_ms(target) == INT64_MAX); /* nothing is known of it */
	assert_ptr_equal(target_touch(&table, 7, &made), target);
	assert_false(made);
	assert_ptr_equal(target_touch(&table, 7, NULL), target);
	assert_ptr_not_equal(target_touch(&table, 8, NULL), target);
	assert_int_equal(table.count, 2);
	target_remove(&table, target_touch(&table, 8, NULL));
	target_remove(&table, target);
	assert_int_equal(table.count, 0);
	assert_null(table.ring);
}

static void test_target_expect_brings_its_look_forward(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, NULL);

	(void)state;
	target->new_none = target->empty = true;
	target_expect(target, 100);
	assert_false(target->new_none || target->empty);
	assert_int_equal(target->next_due_ms, 100);
	target_expect(target, 200);
	assert_int_equal(target->next_due_ms, 100);
	target_expect(target, 50);
	assert_int_equal(target->next_due_ms, 50);
	target_remove(&table, target);
}

static void test_target_due_is_not_before_its_hold(void **state)
{
	static const struct {
		int64_t next_due_ms, hold_ms, want;
	} rows[] = {
		{100, 0, 100}, {100, 99, 100}, {100, 101, 101}, {100, INT64_MAX, INT64_MAX}, {INT64_MAX, 5, INT64_MAX},
		{0, 0, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct target target = {.next_due_ms = rows[i].next_due_ms, .window.hold_ms = rows[i].hold_ms};

		assert_true(target_due_ms(&target) == rows[i].want);
	}
}

/* The ring, walked both ways, as text. */
static void check_ring(const struct target_table *table, const char *want)
{
	char forth[64] = "";
	const struct target *target = table->ring;

	for (unsigned i = 0; i < table->count; i++, target = target->next) {
		assert_ptr_equal(target->next->previous, target);
		assert_ptr_equal(target->previous->next, target);
		(void)snprintf(forth + strlen(forth), sizeof(forth) - strlen(forth), "%u ",
			       target->sdkappid); /* fits */
	}
	assert_ptr_equal(target, table->ring);
	assert_string_equal(forth, want);
}

static void test_target_ring_keeps_order(void **state)
{
	struct target_table table = {0};
	struct target *targets[5];

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		targets[i] = target_touch(&table, i, NULL);
	check_ring(&table, "1 2 3 4 ");
	target_remove(&table, targets[1]); /* the one where the round starts */
	check_ring(&table, "2 3 4 ");
	target_remove(&table, targets[3]);
	check_ring(&table, "2 4 ");
	table.ring = table.ring->next;
	targets[1] = target_touch(&table, 1, NULL);
	check_ring(&table, "4 2 1 ");
	target_remove(&table, targets[1]);
	target_remove(&table, targets[4]);
	check_ring(&table, "2 ");
	target_remove(&table, targets[2]);
	check_ring(&table, "");
}

/* ---- attempts ---- */

static void test_target_hold_takes_what_the_row_says(void **state)
{
	const struct store_callback row = {.id = 5,
					   .threshold = 70,
					   .attempts = 3,
					   .replays = 2,
					   .base_attempts = 1,
					   .base_ms = 77,
					   .attempt_ms = 88};
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, NULL);
	struct attempt *attempt = target_hold(&table, target, &row);

	(void)state;
	assert_ptr_equal(attempt->target, target);
	assert_int_equal(attempt->state, STATE_SCHEDULED);
	assert_int_equal(attempt->callback_id, 5);
	assert_int_equal(attempt->threshold, 70);
	assert_int_equal(attempt->attempts, 3);
	assert_int_equal(attempt->replays, 2);
	assert_int_equal(attempt->base_attempts, 1);
	assert_int_equal(attempt->base_ms, 77);
	assert_int_equal(attempt->attempt_ms, 88);
	assert_int_equal(attempt->log.len, 0);
	attempt->log = (struct str){mem_dup("log", 3), 3}; /* the attempt's: freed with it */
	target_release(&table, attempt);
	target_remove(&table, target);
}

static void test_target_counts_held_and_on_wire(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, NULL);
	struct target *other = target_touch(&table, 8, NULL);
	struct attempt *attempts[20];

	(void)state;
	for (int64_t i = 0; i < 20; i++) {
		const struct store_callback row = {.id = i * 7 % 20};

		assert_false(target_holds(target, row.id));
		attempts[i] = target_hold(&table, target, &row);
		assert_true(target_holds(target, row.id));
	}
	assert_false(target_holds(other, 0));
	for (unsigned i = 0; i < 5; i++)
		target_send(&table, attempts[i]);
	assert_int_equal(attempts[0]->state, STATE_IN_FLIGHT);
	assert_int_equal(table.held, 20);
	assert_int_equal(target->held, 20);
	assert_int_equal(target->in_flight, 5);
	assert_int_equal(table.in_flight, 5);
	assert_int_equal(other->in_flight + other->held, 0);
	for (unsigned i = 0; i < 20; i++) {
		int64_t id = attempts[i]->callback_id;

		if (i < 5) {
			target_settle(&table, attempts[i], i % 2 ? STATE_DELIVERED : STATE_SCHEDULED);
			assert_int_equal(attempts[i]->state, i % 2 ? STATE_DELIVERED : STATE_SCHEDULED);
		}
		target_release(&table, attempts[i]);
		assert_false(target_holds(target, id));
	}
	assert_int_equal(table.held + table.in_flight + target->held + target->in_flight, 0);
	assert_null(target->attempts);
	target_remove(&table, target);
	target_remove(&table, other);
}

static void test_target_send_notes_what_the_endpoint_was_then(void **state)
{
	static const struct {
		unsigned failures;
		bool slow, lags, probe;
	} rows[] = {{0, false, false, false}, {1, false, true, false}, {2, false, true, false}, {3, false, true, true},
		    {9, false, true, true},   {0, true, true, false},  {3, true, true, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct store_callback row = {.id = 1};
		struct target_table table = {0};
		struct target *target = target_touch(&table, 7, NULL);
		struct attempt *attempt;

		window_init(&target->window, rows[i].failures);
		target->slow = rows[i].slow;
		attempt = target_hold(&table, target, &row);
		target_send(&table, attempt);
		assert_int_equal(attempt->probe, rows[i].probe);
		assert_int_equal(table.lagging_in_flight, rows[i].lags);
		window_delivered(&target->window, &policy); /* counted as it went out, whatever it became since */
		target->slow = !rows[i].slow;
		target_settle(&table, attempt, STATE_DELIVERED);
		assert_int_equal(table.lagging_in_flight, 0);
		target_release(&table, attempt);
		target_remove(&table, target);
	}
}

/* ---- what may be sent ---- */

static void test_target_sends_as_much_as_its_window_and_the_table_let(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, NULL);

	(void)state;
	assert_true(target_may_send(&table, target, 4, NOW));
	target->in_flight = 1;
	assert_false(target_may_send(&table, target, 4, NOW));
	target->window.size = 2;
	assert_true(target_may_send(&table, target, 4, NOW));
	table.in_flight = 4; /* by others */
	assert_false(target_may_send(&table, target, 4, NOW));
	table.in_flight = 3;
	target->window.hold_ms = NOW + 1;
	assert_false(target_may_send(&table, target, 4, NOW));
	assert_true(target_may_send(&table, target, 4, NOW + 1));
	target->in_flight = 0;
	target_remove(&table, target);
}

#define FLIGHT_MAX 4

static void test_target_failing_ones_leave_half_to_the_others(void **state)
{
	const struct store_callback row = {.id = 1};
	struct target_table table = {0};
	struct target *dead[FLIGHT_MAX];
	struct attempt *attempts[FLIGHT_MAX / 2];
	struct target *good = target_touch(&table, 99, NULL);

	(void)state;
	for (unsigned i = 0; i < FLIGHT_MAX; i++) {
		dead[i] = target_touch(&table, i + 1, NULL);
		fail_times(dead[i], 1 + i % 2);
	}
	for (unsigned i = 0; i < FLIGHT_MAX / 2; i++) {
		assert_true(target_may_send(&table, dead[i], FLIGHT_MAX, NOW));
		attempts[i] = target_hold(&table, dead[i], &row);
		target_send(&table, attempts[i]);
		assert_false(target_may_send(&table, dead[i], FLIGHT_MAX, NOW)); /* one at a time */
	}
	for (unsigned i = FLIGHT_MAX / 2; i < FLIGHT_MAX; i++)
		assert_false(target_may_send(&table, dead[i], FLIGHT_MAX, NOW));
	assert_true(target_may_send(&table, good, FLIGHT_MAX, NOW));
	for (unsigned i = 0; i < FLIGHT_MAX / 2; i++) {
		target_settle(&table, attempts[i], STATE_SCHEDULED);
		target_release(&table, attempts[i]);
	}
	assert_true(target_may_send(&table, dead[FLIGHT_MAX - 1], FLIGHT_MAX, NOW));
	assert_true(target_may_send(&table, dead[FLIGHT_MAX - 1], 1, NOW)); /* half of one is one */
	for (unsigned i = 0; i < FLIGHT_MAX; i++)
		target_remove(&table, dead[i]);
	target_remove(&table, good);
}

/* ---- what is kept of a configuration ---- */

static void test_target_forgets_a_configuration(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, NULL);
	struct app_config config;

	(void)state;
	app_config_init(&config);
	app_key_add(&config.secrets, STR(VECTOR_SECRET), 0);
	for (unsigned i = 0; i < 2; i++) {
		request_signer_init(&target->signer, &config);
		target->certificate = (struct str){mem_dup("CHAIN", 5), 5};
		target->certificate_key = (struct str){mem_dup("KEY", 3), 3};
		target->generation = 9;
		if (i == 0)
			target_forget_config(target);
		else
			target_remove(&table, target); /* nothing is left, says the leak checker */
	}
	target = target_touch(&table, 7, NULL);
	target_forget_config(target); /* there is none: fine */
	assert_int_equal(target->generation, 0);
	assert_int_equal(target->certificate.len + target->certificate_key.len + target->signer.count, 0);
	target_remove(&table, target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_touch_makes_one_per_app),
		cmocka_unit_test(test_target_expect_brings_its_look_forward),
		cmocka_unit_test(test_target_due_is_not_before_its_hold),
		cmocka_unit_test(test_target_ring_keeps_order),
		cmocka_unit_test(test_target_hold_takes_what_the_row_says),
		cmocka_unit_test(test_target_counts_held_and_on_wire),
		cmocka_unit_test(test_target_send_notes_what_the_endpoint_was_then),
		cmocka_unit_test(test_target_sends_as_much_as_its_window_and_the_table_let),
		cmocka_unit_test(test_target_failing_ones_leave_half_to_the_others),
		cmocka_unit_test(test_target_forgets_a_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
