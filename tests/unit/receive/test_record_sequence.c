/* Gaps in the sequence of an app. */
#include "unit/receive/record_fixture.h"

/* The numbers that come, in order, negative ones of tests, and the gaps then. */
static const struct {
	int64_t numbers[12];
	const char *gaps;
	int64_t last;
	uint64_t missing;
	uint64_t resets;
} sequence_cases[] = {
	{{1, 2, 3}, "", 3, 0, 0},
	{{5, 6}, "", 6, 0, 0}, /* what was before the first is none of ours */
	{{5, 2, 6}, "", 6, 0, 0},
	{{1, 3}, "1400000001:2-2", 3, 1, 0},
	{{1, 10}, "1400000001:2-9", 10, 8, 0},
	{{1, 10, 5}, "1400000001:2-4 1400000001:6-9", 10, 7, 0},
	{{1, 10, 2}, "1400000001:3-9", 10, 7, 0},
	{{1, 10, 9}, "1400000001:2-8", 10, 7, 0},
	{{1, 3, 2}, "", 3, 0, 0},
	{{1, 3, 6, 2, 5, 4}, "", 6, 0, 0},
	{{1, 4, 8}, "1400000001:2-3 1400000001:5-7", 8, 5, 0},
	{{1, 2, 3, 2}, "", 2, 0, 1}, /* a new event with an old number: the sender counts anew */
	{{1, 2, 9, 2, 3}, "", 3, 0, 1},
	{{1, 2, 9, 2, 5}, "1400000001:3-4", 5, 2, 1},
	{{1, -2, 3}, "", 3, 0, 0},
	{{1, 3, -2}, "", 3, 0, 0},
	{{-12, 1, 2}, "", 2, 0, 0}, /* a tool that makes numbers up opens no gap */
	{{1, -12, 2}, "", 2, 0, 0},
	{{1, 2, 3, -2, 4}, "", 4, 0, 0}, /* nor does the sender count anew */
	{{1, -INT64_MAX, 3, -2}, "", 3, 0, 0},
	{{INT64_MAX - 1, INT64_MAX}, "", INT64_MAX, 0, 0},
	{{1, INT64_MAX}, "1400000001:2-9223372036854775806", INT64_MAX, INT64_MAX - 2, 0},
};

static void test_sequence_gaps(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sequence_cases); i++) {
		struct record_fixture *fixture;
		struct record_app app;

		(void)fixture_setup(state);
		fixture = *state;
		for (size_t k = 0; k < ARRAY_LEN(sequence_cases[i].numbers) && sequence_cases[i].numbers[k]; k++)
			put_sequence(fixture, APP, sequence_cases[i].numbers[k]);
		fixture_reopen(fixture);
		assert_string_equal(gaps_text(fixture, 0), sequence_cases[i].gaps);
		app = read_app(fixture, APP);
		assert_int_equal(app.sequence, sequence_cases[i].last);
		assert_int_equal(app.missing, sequence_cases[i].missing);
		assert_int_equal(app.resets, sequence_cases[i].resets);
		(void)fixture_teardown(state); /* asserts for itself, as the set-up */
	}
}

static void test_sequence_is_of_each_app(void **state)
{
	struct record_fixture *fixture = *state;
	uint64_t removed;
	struct error err;

	put_sequence(fixture, APP, 1);
	put_sequence(fixture, OTHER, 7);
	put_sequence(fixture, APP, 3);
	put_sequence(fixture, OTHER, 9);
	assert_string_equal(gaps_text(fixture, 0), "1400000001:2-2 1400000002:8-8");
	assert_string_equal(gaps_text(fixture, OTHER), "1400000002:8-8");
	assert_int_equal(record_gaps_clear(fixture->path, OTHER, &removed, &err), 0);
	assert_int_equal(removed, 1);
	assert_string_equal(gaps_text(fixture, 0), "1400000001:2-2");
	assert_int_equal(record_gaps_clear(fixture->path, 0, &removed, &err), 0);
	assert_string_equal(gaps_text(fixture, 0), "");
	assert_int_equal(read_app(fixture, APP).missing, 0);
	put_sequence(fixture, APP, 2); /* comes after all */
	assert_int_equal(read_app(fixture, APP).resets, 0);
	assert_int_equal(record_gaps_clear(fixture->path, 0, &removed, &err), 0);
	assert_int_equal(removed, 0);
}

/* An event that comes again says nothing about its number. */
static void test_sequence_of_a_known_event_does_not_count(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row row = row_of_event(APP, 1);

	row.sequence = 1;
	row = put(fixture, 1, row);
	put_sequence(fixture, APP, 2);
	row.sequence = 1000;
	row = put(fixture, 1, row);
	assert_int_equal(row.times, 2);
	assert_string_equal(gaps_text(fixture, 0), "");
}

/* However hostile the numbers are, the newest are kept and no more. */
static void test_sequence_gaps_are_bounded(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_gap *gaps;
	struct error err;
	size_t count;

	fixture_begin(fixture);
	for (unsigned i = 0; i < RECORD_GAPS_MAX + 50; i++) {
		struct record_row row = row_of_event(APP, i);

		row.sequence = 1 + 2 * (int64_t)i;
		assert_true(add_row(fixture, i, &row));
	}
	fixture_commit(fixture);
	assert_int_equal(record_read_gaps(fixture->reader, &fixture->arena, APP, &gaps, &count, &err), 0);
	assert_int_equal(count, RECORD_GAPS_MAX);
	assert_int_equal(gaps[count - 1].last, 2 * (RECORD_GAPS_MAX + 49));
	put_sequence(fixture, APP, 2); /* of a gap that was forgotten */
	put_sequence(fixture, APP, gaps[0].last);
	assert_int_equal(read_app(fixture, APP).resets, 0);
	assert_int_equal(read_app(fixture, APP).missing, RECORD_GAPS_MAX - 1);
}

static void test_sequence_gaps_are_told_once_when_they_are_old(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_gap gaps[10];
	struct error err;
	size_t count;

	put_sequence(fixture, APP, 1);
	put_sequence(fixture, APP, 10); /* received at 5010 */
	assert_int_equal(record_tell_gaps(fixture->record, 5010, 10, gaps, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(record_tell_gaps(fixture->record, 5011, 10, gaps, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_true(gaps[0].sdkappid == APP && gaps[0].first == 2 && gaps[0].last == 9 && gaps[0].since_ms == 5010);
	put_sequence(fixture, APP, 5); /* what is left of it was told */
	fixture_reopen(fixture);
	assert_int_equal(record_tell_gaps(fixture->record, 9000, 10, gaps, &count, &err), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequence_gaps),
		WITH_RECORD(test_sequence_is_of_each_app),
		WITH_RECORD(test_sequence_of_a_known_event_does_not_count),
		WITH_RECORD(test_sequence_gaps_are_bounded),
		WITH_RECORD(test_sequence_gaps_are_told_once_when_they_are_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
