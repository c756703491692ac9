/* Counts of answers: every code has a class, every path a place of its own. */
#include "api/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_every_place_is_a_path_of_its_own(void **state)
{
	size_t last = api_route_count();

	(void)state;
	for (size_t i = 0; i < last; i++) {
		const struct api_route *route = api_route_at(i);

		assert_non_null(route);
		assert_int_equal(api_route_place(route), i);
	}
	assert_null(api_route_at(last));
	assert_int_equal(api_route_place(NULL), last);
	assert_ptr_equal(api_route_at(api_route_place(api_find_route(STR("/healthz")))),
			 api_find_route(STR("/healthz")));
	assert_string_equal(api_route_at(last - 1)->path, "not supported");
}

/* What nobody has thought of counts as a wrong request, so only the others are named here. */
static void test_codes_have_the_right_class(void **state)
{
	static const struct {
		int code;
		enum api_result result;
	} cases[] = {
		{HW_OK, RESULT_OK},
		{HW_BAD_JSON, RESULT_BAD},
		{HW_BAD_PARAMETER, RESULT_BAD},
		{HW_SIG_EXPIRED, RESULT_DENIED},
		{HW_NEEDS_ADMIN, RESULT_DENIED},
		{HW_NO_PERMISSION, RESULT_DENIED},
		{HW_NO_ROOM, RESULT_UNKNOWN},
		{HW_NO_RESOURCE, RESULT_UNKNOWN},
		{HW_ROOM_EXISTS, RESULT_CONFLICT},
		{HW_ROOM_TOO_SOON, RESULT_CONFLICT},
		{HW_QUOTA_FULL, RESULT_FULL},
		{HW_API_BUSY, RESULT_BUSY},
		{HW_APP_BUSY, RESULT_BUSY},
		{HW_INTERNAL, RESULT_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(api_result_of(cases[i].code), cases[i].result);
	assert_string_equal(api_result_word(RESULT_OK), "ok");
	assert_string_equal(api_result_word(RESULT_FAILED), "failed");
}

static void test_counts_add_up(void **state)
{
	const struct api_route *route = api_find_route(STR("/manage/v1/app_list"));
	struct tally *first = tally_new();
	struct tally *second = tally_new();
	uint64_t counts[API_RESULT_COUNT] = {0};
	uint64_t unknown[API_RESULT_COUNT] = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		tally_count(first, route, HW_OK);
	tally_count(second, route, HW_OK);
	tally_count(second, route, HW_INTERNAL);
	tally_count(second, NULL, HW_NO_RESOURCE);
	tally_add(first, api_route_place(route), counts);
	tally_add(second, api_route_place(route), counts);
	assert_int_equal(counts[RESULT_OK], 4);
	assert_int_equal(counts[RESULT_FAILED], 1);
	assert_int_equal(counts[RESULT_UNKNOWN], 0);
	tally_add(second, api_route_count(), unknown);
	assert_int_equal(unknown[RESULT_UNKNOWN], 1);
	assert_int_equal(unknown[RESULT_OK], 0);
	tally_free(&first);
	tally_free(&second);
	assert_null(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_place_is_a_path_of_its_own),
		cmocka_unit_test(test_codes_have_the_right_class),
		cmocka_unit_test(test_counts_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
