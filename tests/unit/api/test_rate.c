/* Rates: exactly which calls pass at which times, what is shared and what is not, threads, and fresh room ids. */
#include "api/rate.h"

#include <highwater/code.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define START (1000 * SECOND)
#define ROUTES 4
#define APP 1400000001

static struct rate *rate_with(struct rate_limits limits)
{
	return rate_new(&limits, ROUTES);
}

/* Calls until one is refused, at most `most`; the refused one must say `code`. */
static unsigned admitted(struct rate *rate, uint32_t sdkappid, size_t route, enum rate_class class, int64_t now_ns,
			 int code)
{
	for (unsigned count = 0; count < 2 * RATE_PER_SECOND_MAX; count++) {
		int got = rate_admit(rate, sdkappid, route, class, now_ns);

		if (got != HW_OK) {
			assert_int_equal(got, code);
			return count;
		}
	}
	fail_msg("no call was refused");
	return 0;
}

static unsigned admitted_lists(struct rate *rate, int64_t now_ns)
{
	return admitted(rate, APP, 0, RATE_LIST, now_ns, HW_API_BUSY);
}

/* ---- one bucket ---- */

/* Each step calls until it is refused. Those a row does not use call at the start once more, where nothing is left. */
static void test_admits_exactly_as_many(void **state)
{
	static const struct {
		const char *name;
		uint64_t limit;
		struct {
			int64_t after_ns; /* since the start */
			unsigned admitted;
		} steps[6];
	} rows[] = {
		{"one a second",
		 1,
		 {{0, 1}, {SECOND - 1, 0}, {SECOND, 1}, {2 * SECOND, 1}, {2 * SECOND + 1, 0}, {9 * SECOND, 1}}},
		{"a second burst after a second", 10, {{0, 10}, {0, 0}, {SECOND, 10}, {SECOND, 0}, {2 * SECOND, 10}}},
		{"one by one after the burst",
		 10,
		 {{0, 10}, {100 * MS - 1, 0}, {100 * MS, 1}, {199 * MS, 0}, {200 * MS, 1}, {500 * MS, 3}}},
		{"idle time beyond a second gives no more",
		 10,
		 {{0, 10}, {1500 * MS, 10}, {100 * SECOND, 10}, {RATE_NOW_NS_MAX - START, 10}}},
		{"two hundred", 200, {{0, 200}, {5 * MS - 1, 0}, {5 * MS, 1}, {12 * MS, 1}, {1005 * MS, 199}}},
		{"three, which do not divide a second",
		 3,
		 {{0, 3}, {333333333, 0}, {333333334, 1}, {666666668, 1}, {1000000001, 0}, {1000000002, 1}}},
		{"seven, whose interval is rounded up",
		 7,
		 {{0, 7}, {142857142, 0}, {142857143, 1}, {SECOND + 1, 6}, {100 * SECOND, 7}}},
		{"a million",
		 RATE_PER_SECOND_MAX,
		 {{0, 1000000}, {999, 0}, {1000, 1}, {500 * MS, 499999}, {2 * SECOND, 1000000}}},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rate *rate = rate_with((struct rate_limits){.list = rows[i].limit});

		for (size_t k = 0; k < ARRAY_LEN(rows[i].steps); k++) {
			unsigned want = rows[i].steps[k].admitted;
			unsigned got = admitted_lists(rate, START + rows[i].steps[k].after_ns);

			if (got != want)
				fail_msg("%s, step %zu: %u admitted, not %u", rows[i].name, k, got, want);
		}
		rate_free(&rate);
	}
}

static void test_bucket_is_full_at_the_clocks_first_moment(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.list = 10});

	(void)state; /* none */
	assert_int_equal(admitted_lists(rate, 0), 10);
	assert_int_equal(admitted_lists(rate, 100 * MS), 1);
	rate_free(&rate);
}

/* A caller who waits just long enough for one call never meets a refusal. */
static void test_calls_at_the_pace_all_pass(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.list = 7});
	int64_t now_ns = START;

	(void)state; /* none */
	(void)admitted_lists(rate, now_ns);
	for (unsigned i = 0; i < 10000; i++) {
		now_ns += 142857143;
		assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, now_ns), HW_OK);
	}
	assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, now_ns), HW_API_BUSY);
	rate_free(&rate);
}

static void test_refused_calls_do_not_put_off_the_next(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.list = 10});

	(void)state; /* none */
	assert_int_equal(admitted_lists(rate, START), 10);
	for (int64_t ns = 0; ns < 100 * MS; ns += MS)
		assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, START + ns), HW_API_BUSY);
	assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, START + 100 * MS), HW_OK);
	rate_free(&rate);
}

static void test_time_that_goes_back_admits_no_more(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.list = 10});

	(void)state; /* none */
	assert_int_equal(admitted_lists(rate, START), 10);
	assert_int_equal(admitted_lists(rate, START - 1), 0);
	assert_int_equal(admitted_lists(rate, START - 5 * SECOND), 0);
	assert_int_equal(admitted_lists(rate, 0), 0);
	assert_int_equal(admitted_lists(rate, START + 100 * MS), 1);
	rate_free(&rate);
}

/* Two threads may have read the clock in the other order than they get the lock. */
static void test_an_earlier_call_still_passes_while_there_is_room(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.list = 10});

	(void)state; /* none */
	assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, START + MS), HW_OK);
	assert_int_equal(admitted_lists(rate, START), 8); /* the ninth would lie a millisecond beyond the burst */
	assert_int_equal(admitted_lists(rate, START + MS), 1);
	rate_free(&rate);
}

/* ---- what has a limit ---- */

static void test_class_has_its_own_limit(void **state)
{
	static const struct {
		enum rate_class class;
		unsigned admitted;
	} rows[] = {{RATE_API, 5}, {RATE_SLOW, 4}, {RATE_LIST, 3}, {RATE_CLIENT, 2}};
	struct rate *rate = rate_with((struct rate_limits){.api = 5, .slow = 4, .list = 3, .client = 2});

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(admitted(rate, APP, i, rows[i].class, START, HW_API_BUSY), rows[i].admitted);
	rate_free(&rate);
}

static void test_limit_0_is_off(void **state)
{
	static const struct {
		enum rate_class class;
		struct rate_limits limits;
	} rows[] = {
		{RATE_NONE, {.api = 1, .slow = 1, .list = 1, .client = 1}},
		{RATE_API, {.slow = 1, .list = 1, .client = 1}},
		{RATE_SLOW, {.api = 1, .list = 1, .client = 1}},
		{RATE_LIST, {.api = 1, .slow = 1, .client = 1}},
		{RATE_CLIENT, {.api = 1, .slow = 1, .list = 1}},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rate *rate = rate_with(rows[i].limits);

		for (unsigned k = 0; k < 10000; k++)
			assert_int_equal(rate_admit(rate, APP, 0, rows[i].class, START), HW_OK);
		rate_free(&rate);
	}
}

static void test_routes_share_nothing(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 5});

	(void)state; /* none */
	for (size_t route = 0; route < ROUTES; route++)
		assert_int_equal(admitted(rate, APP, route, RATE_API, START, HW_API_BUSY), 5);
	rate_free(&rate);
}

static void test_apps_share_nothing(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 5, .app = 8});

	(void)state; /* none */
	for (uint32_t app = APP; app < APP + 3; app++) {
		assert_int_equal(admitted(rate, app, 0, RATE_API, START, HW_API_BUSY), 5);
		assert_int_equal(admitted(rate, app, 1, RATE_API, START, HW_APP_BUSY), 3);
	}
	rate_free(&rate);
}

static void test_ten_thousand_apps_each_have_their_rate(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 2});

	(void)state; /* none */
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(rate_admit(rate, HW_SDKAPPID_MAX - i * 65536, 0, RATE_API, START), HW_OK);
	for (uint32_t i = 0; i < 10000; i++) /* the tables have grown in between, and no bucket was lost */
		assert_int_equal(admitted(rate, HW_SDKAPPID_MAX - i * 65536, 0, RATE_API, START, HW_API_BUSY), 1);
	rate_free(&rate);
}

/* ---- the app's limit ---- */

static void test_app_limit_counts_all_routes_together(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 100, .app = 10});

	(void)state; /* none */
	assert_int_equal(rate_admit(rate, APP, 0, RATE_API, START), HW_OK);
	assert_int_equal(rate_admit(rate, APP, 1, RATE_LIST, START), HW_OK); /* its class is off */
	assert_int_equal(rate_admit(rate, APP, 2, RATE_NONE, START), HW_OK);
	assert_int_equal(admitted(rate, APP, 3, RATE_API, START, HW_APP_BUSY), 7);
	assert_int_equal(rate_admit(rate, APP, 2, RATE_NONE, START), HW_APP_BUSY);
	assert_int_equal(admitted(rate, APP, 0, RATE_API, START + 100 * MS, HW_APP_BUSY), 1);
	rate_free(&rate);
}

static void test_call_refused_by_its_route_is_not_counted_for_the_app(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 100, .list = 2, .app = 10});

	(void)state; /* none */
	assert_int_equal(admitted(rate, APP, 0, RATE_LIST, START, HW_API_BUSY), 2);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, START), HW_API_BUSY);
	assert_int_equal(admitted(rate, APP, 1, RATE_API, START, HW_APP_BUSY), 8);
	rate_free(&rate);
}

static void test_call_refused_by_the_app_is_not_counted_for_its_route(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 100, .list = 2, .app = 10});

	(void)state; /* none */
	assert_int_equal(admitted(rate, APP, 1, RATE_API, START, HW_APP_BUSY), 10);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rate_admit(rate, APP, 0, RATE_LIST, START), HW_APP_BUSY);
	assert_int_equal(admitted(rate, APP, 0, RATE_LIST, START + 500 * MS, HW_API_BUSY), 2);
	rate_free(&rate);
}

static void test_route_is_named_when_both_are_over(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 5, .app = 5});

	(void)state; /* none */
	assert_int_equal(admitted(rate, APP, 0, RATE_API, START, HW_API_BUSY), 5);
	assert_int_equal(rate_admit(rate, APP, 1, RATE_API, START), HW_APP_BUSY);
	rate_free(&rate);
}

/* ---- threads ---- */

#define THREADS 4
#define THREAD_CALLS 20000
#define THREAD_APPS 50

struct hammer {
	struct rate *rate;
	_Atomic int64_t clock_ns;
	_Atomic unsigned admitted[THREAD_APPS];
	_Atomic unsigned others;
};

static void *hammer_run(void *context)
{
	struct hammer *hammer = context;

	for (unsigned i = 0; i < THREAD_CALLS; i++) {
		int64_t now_ns = atomic_fetch_add(&hammer->clock_ns, 10000);
		unsigned app = i % THREAD_APPS;
		int code = rate_admit(hammer->rate, 1 + app, 0, RATE_API, now_ns);
		char id[16];

		if (code == HW_OK)
			atomic_fetch_add(&hammer->admitted[app], 1);
		else if (code != HW_API_BUSY)
			atomic_fetch_add(&hammer->others, 1);
		(void)snprintf(id, sizeof(id), "r%u", i % 100); /* fits */
		rate_room_created(hammer->rate, 1, str_c(id), now_ns);
		if (!rate_room_is_fresh(hammer->rate, 1, str_c(id), now_ns))
			atomic_fetch_add(&hammer->others, 1);
	}
	return NULL;
}

/* 80,000 calls in 0.8 s of the test's own clock, 1,600 for each app: 100 at once and 100 per second. */
static void test_threads_together_stay_within_the_limit(void **state)
{
	static struct hammer hammer;
	pthread_t threads[THREADS];

	(void)state; /* none */
	hammer.rate = rate_with((struct rate_limits){.api = 100, .room_id_ms = 1000});
	hammer.clock_ns = START;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer_run, &hammer), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(hammer.others, 0);
	for (size_t i = 0; i < THREAD_APPS; i++)
		assert_in_range(hammer.admitted[i], 100, 180);
	rate_free(&hammer.rate);
}

/* ---- room ids ---- */

static bool is_fresh(struct rate *rate, const char *room_id, int64_t now_ns)
{
	return rate_room_is_fresh(rate, APP, str_c(room_id), now_ns);
}

static void test_room_id_is_fresh_for_its_time(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.room_id_ms = 1000});

	(void)state; /* none */
	assert_false(is_fresh(rate, "r", START));
	rate_room_created(rate, APP, STR("r"), START);
	assert_true(is_fresh(rate, "r", START));
	assert_true(is_fresh(rate, "r", START + SECOND - 1));
	assert_false(is_fresh(rate, "r", START + SECOND));
	rate_room_created(rate, APP, STR("r"), START + 5 * SECOND);
	assert_true(is_fresh(rate, "r", START + 6 * SECOND - 1));
	assert_false(is_fresh(rate, "r", START + 6 * SECOND));
	rate_free(&rate);
}

static void test_room_id_time_is_the_setting(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.room_id_ms = RATE_ROOM_ID_MS_MAX});

	(void)state; /* none */
	rate_room_created(rate, APP, STR("r"), START);
	assert_true(is_fresh(rate, "r", START + RATE_ROOM_ID_MS_MAX * MS - 1));
	assert_false(is_fresh(rate, "r", START + RATE_ROOM_ID_MS_MAX * MS));
	rate_free(&rate);
}

static void test_room_id_of_another_app_or_name_is_not_fresh(void **state)
{
	static const char longest[HW_ROOM_ID_BYTES_MAX + 1] = "123456789-123456789-123456789-123456789-12345678";
	struct rate *rate = rate_with((struct rate_limits){.room_id_ms = 1000});

	(void)state; /* none */
	rate_room_created(rate, APP, STR("r"), START);
	rate_room_created(rate, APP, str_c(longest), START);
	assert_true(rate_room_is_fresh(rate, APP, STR("r"), START));
	assert_true(rate_room_is_fresh(rate, APP, str_c(longest), START));
	assert_false(rate_room_is_fresh(rate, APP + 1, STR("r"), START));
	assert_false(rate_room_is_fresh(rate, APP, STR("R"), START));
	assert_false(rate_room_is_fresh(rate, APP, STR("r "), START));
	assert_false(rate_room_is_fresh(rate, APP, (struct str){longest, HW_ROOM_ID_BYTES_MAX - 1}, START));
	assert_false(rate_room_is_fresh(rate, APP, (struct str){0}, START));
	rate_free(&rate);
}

static void test_room_ids_are_off_with_0(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){0});

	(void)state; /* none */
	rate_room_created(rate, APP, STR("r"), START);
	assert_false(is_fresh(rate, "r", START));
	rate_free(&rate);
}

/* The latest of far more ids than the table takes; none is ever held for one that was not created. */
static void test_room_ids_beyond_the_table_forget_the_oldest(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.room_id_ms = 1000});
	unsigned late = 0;
	unsigned early = 0;
	char id[16];

	(void)state; /* none */
	for (unsigned i = 0; i < 300000; i++) {
		(void)snprintf(id, sizeof(id), "r%u", i); /* fits */
		rate_room_created(rate, APP, str_c(id), START + i);
		assert_true(is_fresh(rate, id, START + i));
	}
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(id, sizeof(id), "r%u", i); /* fits */
		early += is_fresh(rate, id, START + 300000);
		(void)snprintf(id, sizeof(id), "r%u", 299800 + i); /* fits */
		late += is_fresh(rate, id, START + 300000);
		(void)snprintf(id, sizeof(id), "other%u", i); /* fits */
		assert_false(is_fresh(rate, id, START + 300000));
	}
	assert_in_range(early, 0, 3); /* to a set of 4 have come 18 others since, with few exceptions */
	assert_int_equal(late, 200);
	rate_free(&rate);
}

/* What has run out gives way before what is fresh. */
static void test_room_ids_of_the_past_give_way(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.room_id_ms = 1000});
	unsigned fresh = 0;
	char id[16];

	(void)state; /* none */
	for (unsigned i = 0; i < 300000; i++) {
		(void)snprintf(id, sizeof(id), "old%u", i); /* fits */
		rate_room_created(rate, APP, str_c(id), START);
	}
	for (unsigned i = 0; i < 8000; i++) {		    /* half an id for each set */
		(void)snprintf(id, sizeof(id), "new%u", i); /* fits */
		rate_room_created(rate, APP, str_c(id), START + 2 * SECOND);
	}
	for (unsigned i = 0; i < 8000; i++) {
		(void)snprintf(id, sizeof(id), "new%u", i); /* fits */
		fresh += is_fresh(rate, id, START + 2 * SECOND);
	}
	assert_in_range(fresh, 7900, 8000); /* a few are lost, where more than four came to one set */
	rate_free(&rate);
}

static void test_free_accepts_null(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){0});

	(void)state; /* none */
	rate_free(&rate);
	assert_null(rate);
	rate_free(&rate);
}

static void test_other_limits_hold_from_then_on(void **state)
{
	struct rate *rate = rate_with((struct rate_limits){.api = 5});
	const struct rate_limits more = {.api = 10, .app = 12};
	const struct rate_limits none = {0};

	(void)state;
	assert_int_equal(admitted(rate, APP, 0, RATE_API, START, HW_API_BUSY), 5);
	rate_set_limits(rate, &more);
	assert_int_equal(admitted(rate, APP, 1, RATE_API, START, HW_API_BUSY), 10);
	assert_int_equal(admitted(rate, APP, 2, RATE_API, START, HW_APP_BUSY), 2);
	rate_set_limits(rate, &none);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rate_admit(rate, APP, 0, RATE_API, START), HW_OK);
	rate_free(&rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_admits_exactly_as_many),
		cmocka_unit_test(test_other_limits_hold_from_then_on),
		cmocka_unit_test(test_bucket_is_full_at_the_clocks_first_moment),
		cmocka_unit_test(test_calls_at_the_pace_all_pass),
		cmocka_unit_test(test_refused_calls_do_not_put_off_the_next),
		cmocka_unit_test(test_time_that_goes_back_admits_no_more),
		cmocka_unit_test(test_an_earlier_call_still_passes_while_there_is_room),
		cmocka_unit_test(test_class_has_its_own_limit),
		cmocka_unit_test(test_limit_0_is_off),
		cmocka_unit_test(test_routes_share_nothing),
		cmocka_unit_test(test_apps_share_nothing),
		cmocka_unit_test(test_ten_thousand_apps_each_have_their_rate),
		cmocka_unit_test(test_app_limit_counts_all_routes_together),
		cmocka_unit_test(test_call_refused_by_its_route_is_not_counted_for_the_app),
		cmocka_unit_test(test_call_refused_by_the_app_is_not_counted_for_its_route),
		cmocka_unit_test(test_route_is_named_when_both_are_over),
		cmocka_unit_test(test_threads_together_stay_within_the_limit),
		cmocka_unit_test(test_room_id_is_fresh_for_its_time),
		cmocka_unit_test(test_room_id_time_is_the_setting),
		cmocka_unit_test(test_room_id_of_another_app_or_name_is_not_fresh),
		cmocka_unit_test(test_room_ids_are_off_with_0),
		cmocka_unit_test(test_room_ids_beyond_the_table_forget_the_oldest),
		cmocka_unit_test(test_room_ids_of_the_past_give_way),
		cmocka_unit_test(test_free_accepts_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
