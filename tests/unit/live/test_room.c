/* Properties of rooms: their defaults, what is kept of them and what is read again, also from a store that holds nonsense;
 * and when an item is over. */
#include "live/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/live/arena_fixture.h"

#define BIT(field) (UINT32_C(1) << (field))
#define GIVEN_BY_DEFAULT                                                                                               \
	(BIT(ROOM_FIELD_COUNT) - 1 - BIT(ROOM_SEAT_TEMPLATE) - BIT(ROOM_SEAT_LAYOUT) - BIT(ROOM_KEEP_OWNER_ON_SEAT))

static const char defaults[] =
	"{\"RoomName\":\"r\",\"RoomType\":\"Live\",\"IsSeatEnabled\":false,\"TakeSeatMode\":\"FreeToTake\","
	"\"MaxSeatCount\":0,\"MaxMemberCount\":0,\"IsMessageDisabled\":false,\"CoverURL\":\"\",\"Category\":[],"
	"\"ActivityStatus\":0,\"IsUnlimitedRoomEnabled\":false,\"Notice\":\"\"}";

/* The object that is kept of `info`, in the arena. */
static struct str written(const struct room_info *info, struct arena *arena)
{
	struct buf text;
	struct str copy;

	buf_init(&text, ROOM_INFO_BYTES_MAX);
	room_info_write(info, &text);
	assert_true(buf_ok(&text));
	copy = arena_dup(arena, buf_str(&text)); /* with a NUL */
	buf_fini(&text);
	return copy;
}

static struct room_info parsed(struct str text, struct arena *arena)
{
	struct room_info info;

	memset(&info, 0xa5, sizeof(info)); /* nothing may be taken for granted */
	room_info_read(text, STR("r"), arena, &info);
	return info;
}

static void assert_str(struct str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

/* Every field given, none with its default. */
static struct room_info full_info(void)
{
	struct room_info info = {.given = BIT(ROOM_FIELD_COUNT) - 1};

	info.values[ROOM_NAME].text = STR("a \"b\" \\ \n\t\x01\x1f / \xe6\x88\xbf");
	info.values[ROOM_SEAT_TEMPLATE].text = STR("Karaoke");
	info.values[ROOM_SEAT_ENABLED].number = 1;
	info.values[ROOM_TAKE_SEAT_MODE].text = STR("ApplyToTake");
	info.values[ROOM_MAX_SEAT_COUNT].number = 16;
	info.values[ROOM_MAX_MEMBER_COUNT].number = INT32_MAX;
	info.values[ROOM_MESSAGE_DISABLED].number = 1;
	info.values[ROOM_COVER_URL].text = STR("https://h/?a=\"\xc3\xa9\"");
	info.values[ROOM_CATEGORY] = (struct room_value){.tag_count = 3, .tags = {INT64_MIN, 0, INT64_MAX}};
	info.values[ROOM_ACTIVITY_STATUS].number = 7;
	info.values[ROOM_UNLIMITED].number = 1;
	info.values[ROOM_SEAT_LAYOUT].number = 600;
	info.values[ROOM_KEEP_OWNER_ON_SEAT].number = 1;
	info.values[ROOM_NOTICE].text = STR("\b\f\r");
	info.values[ROOM_VISIBLE].number = 1;
	return info;
}

/* ---- words ---- */

static void test_room_word_is_one_of_the_list_as_a_whole(void **state)
{
	static const struct {
		enum room_field field;
		const char *word;
		bool ok;
	} rows[] = {
		{ROOM_TAKE_SEAT_MODE, "FreeToTake", true},
		{ROOM_TAKE_SEAT_MODE, "ApplyToTake", true},
		{ROOM_TAKE_SEAT_MODE, "", false},
		{ROOM_TAKE_SEAT_MODE, "FreeToTak", false},
		{ROOM_TAKE_SEAT_MODE, "reeToTake", false},
		{ROOM_TAKE_SEAT_MODE, "FreeToTakeX", false},
		{ROOM_TAKE_SEAT_MODE, "freetotake", false},
		{ROOM_TAKE_SEAT_MODE, " FreeToTake", false},
		{ROOM_TAKE_SEAT_MODE, "|", false},
		{ROOM_TAKE_SEAT_MODE, "||", false},
		{ROOM_TAKE_SEAT_MODE, "|FreeToTake", false},
		{ROOM_TAKE_SEAT_MODE, "FreeToTake|", false},
		{ROOM_TAKE_SEAT_MODE, "FreeToTake|ApplyToTake", false},
		{ROOM_TAKE_SEAT_MODE, "Karaoke", false},
		{ROOM_SEAT_TEMPLATE, "VideoDynamicGrid9Seats", true}, /* the first */
		{ROOM_SEAT_TEMPLATE, "AudioSalon", true},
		{ROOM_SEAT_TEMPLATE, "Karaoke", true}, /* both spellings stand on the vendor's pages */
		{ROOM_SEAT_TEMPLATE, "karaoke", true}, /* the last */
		{ROOM_SEAT_TEMPLATE, "KARAOKE", false},
		{ROOM_SEAT_TEMPLATE, "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (room_word_ok(&room_fields[rows[i].field], str_c(rows[i].word)) != rows[i].ok)
			fail_msg("%s: \"%s\"", room_fields[rows[i].field].name, rows[i].word);
}

static void test_room_word_with_a_nul_is_no_word(void **state)
{
	(void)state;
	assert_false(room_word_ok(&room_fields[ROOM_TAKE_SEAT_MODE], STR("FreeToTake\0")));
	assert_false(room_word_ok(&room_fields[ROOM_TAKE_SEAT_MODE], STR("\0")));
}

static void test_room_words_of_the_table_have_bars_at_both_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		const char *words = room_fields[i].words;

		assert_int_equal(words != NULL, room_fields[i].type == ROOM_FIELD_WORD);
		if (!words)
			continue;
		assert_true(words[0] == '|' && words[strlen(words) - 1] == '|');
		assert_null(strstr(words, "||"));
	}
}

/* ---- defaults and merging ---- */

static void test_room_complete_gives_every_default(void **state)
{
	struct room_info info;

	memset(&info, 0xa5, sizeof(info));
	info.given = 0;
	room_info_complete(&info, STR("r"));
	assert_int_equal(info.given, GIVEN_BY_DEFAULT);
	assert_string_equal(written(&info, *state).ptr, defaults);
	assert_int_equal(info.values[ROOM_VISIBLE].number, 1);
}

static void test_room_complete_keeps_what_is_given(void **state)
{
	struct room_info info = full_info();
	struct room_info before = info;

	(void)state;
	room_info_complete(&info, STR("r"));
	assert_memory_equal(&info, &before, sizeof(info));
}

static void test_room_complete_keeps_a_room_invisible(void **state)
{
	struct room_info info = {.given = BIT(ROOM_VISIBLE)};

	(void)state;
	room_info_complete(&info, STR("r"));
	assert_int_equal(info.values[ROOM_VISIBLE].number, 0);
}

static void test_room_complete_names_a_room_without_name_by_its_id(void **state)
{
	struct room_info info = {.given = BIT(ROOM_NAME), .values[ROOM_NAME].text = STR("")};

	(void)state;
	room_info_complete(&info, STR("an id"));
	assert_str(info.values[ROOM_NAME].text, "an id");
}

static void test_room_merge_takes_exactly_what_is_given(void **state)
{
	const struct room_info full = full_info();

	(void)state;
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		struct room_info info = {0};
		struct room_info want = {0};
		struct room_info change = full;

		room_info_complete(&info, STR("r"));
		want = info;
		change.given = BIT(i);
		want.values[i] = full.values[i];
		want.given |= BIT(i);
		room_info_merge(&info, &change);
		if (memcmp(&info, &want, sizeof(info)) != 0)
			fail_msg("%s", room_fields[i].name);
	}
}

static void test_room_merge_of_nothing_changes_nothing(void **state)
{
	struct room_info info = full_info();
	struct room_info before = info;
	struct room_info change = {0};

	(void)state;
	room_info_merge(&info, &change);
	assert_memory_equal(&info, &before, sizeof(info));
}

/* ---- writing ---- */

static void test_room_write_has_every_field_but_visibility(void **state)
{
	struct room_info info = full_info();

	assert_string_equal(
		written(&info, *state).ptr,
		"{\"RoomName\":\"a \\\"b\\\" \\\\ \\n\\t\\u0001\\u001f / \xe6\x88\xbf\",\"RoomType\":\"Live\","
		"\"SeatTemplate\":\"Karaoke\",\"IsSeatEnabled\":true,\"TakeSeatMode\":\"ApplyToTake\","
		"\"MaxSeatCount\":16,\"MaxMemberCount\":2147483647,\"IsMessageDisabled\":true,"
		"\"CoverURL\":\"https://h/?a=\\\"\xc3\xa9\\\"\","
		"\"Category\":[-9223372036854775808,0,9223372036854775807],\"ActivityStatus\":7,"
		"\"IsUnlimitedRoomEnabled\":true,\"SeatLayoutTemplateId\":600,\"KeepOwnerOnSeat\":true,"
		"\"Notice\":\"\\b\\f\\r\"}");
}

/* Every text at its limit in control characters, which escaping makes longest; every number at its longest. */
static void test_room_longest_legal_room_is_kept(void **state)
{
	struct arena *arena = *state;
	struct room_info info = full_info();
	char control[256];

	memset(control, 1, sizeof(control));
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		const struct room_field_rule *rule = &room_fields[i];

		if (rule->type == ROOM_FIELD_TEXT) {
			assert_in_range(rule->limit, 1, sizeof(control));
			info.values[i].text = (struct str){control, rule->limit};
		} else if (rule->type == ROOM_FIELD_NUMBER) {
			info.values[i].number = (int64_t)rule->limit;
		} else if (rule->type == ROOM_FIELD_TAGS) {
			info.values[i].tags[0] = info.values[i].tags[1] = info.values[i].tags[2] = INT64_MIN;
		} else if (rule->type != ROOM_FIELD_WORD) {
			info.values[i].number = 0; /* "false" is the longer one */
		}
	}
	info.values[ROOM_SEAT_TEMPLATE].text = STR("VideoDynamicFloat7Seats");
	(void)written(&info, arena); /* it asserts that all of it fitted */
}

static void test_room_append_keeps_the_order_that_is_asked_for(void **state)
{
	static const enum room_field nothing_first[] = {ROOM_SEAT_LAYOUT, ROOM_NAME, ROOM_CATEGORY};
	static const enum room_field backwards[] = {ROOM_VISIBLE, ROOM_CATEGORY, ROOM_MAX_SEAT_COUNT, ROOM_NAME};
	static const enum room_field gap[] = {ROOM_NAME, ROOM_SEAT_TEMPLATE, ROOM_UNLIMITED};
	static const enum room_field none[] = {ROOM_SEAT_LAYOUT, ROOM_KEEP_OWNER_ON_SEAT};
	static const struct {
		const enum room_field *fields;
		size_t count;
		const char *want;
	} rows[] = {
		{nothing_first, ARRAY_LEN(nothing_first), "\"RoomName\":\"r\",\"Category\":[5,-6]"},
		{backwards, ARRAY_LEN(backwards),
		 "\"IsPublicVisible\":true,\"Category\":[5,-6],\"MaxSeatCount\":0,\"RoomName\":\"r\""},
		{gap, ARRAY_LEN(gap), "\"RoomName\":\"r\",\"IsUnlimitedRoomEnabled\":false"},
		{gap, 1, "\"RoomName\":\"r\""},
		{none, ARRAY_LEN(none), ""},
		{none, 0, ""},
	};
	struct room_info info = {.given = BIT(ROOM_CATEGORY)};

	(void)state;
	info.values[ROOM_CATEGORY] = (struct room_value){.tag_count = 2, .tags = {5, -6}};
	room_info_complete(&info, STR("r"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text;

		buf_init(&text, 1024);
		room_info_append(&info, rows[i].fields, rows[i].count, &text);
		assert_string_equal(buf_c(&text), rows[i].want);
		buf_fini(&text);
	}
}

/* ---- reading ---- */

static void test_room_read_gives_every_field_back(void **state)
{
	struct room_info info = full_info();
	struct room_info again;

	again = parsed(written(&info, *state), *state);
	assert_int_equal(again.given, info.given);
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		const struct room_value *got = &again.values[i];
		const struct room_value *want = &info.values[i];

		if (!str_eq(got->text, want->text) || got->number != want->number ||
		    got->tag_count != want->tag_count || memcmp(got->tags, want->tags, sizeof(got->tags)) != 0)
			fail_msg("%s", room_fields[i].name);
	}
}

static void test_room_read_leaves_out_what_was_left_out(void **state)
{
	struct room_info info = parsed(str_c(defaults), *state);

	assert_int_equal(info.given, GIVEN_BY_DEFAULT);
	assert_string_equal(written(&info, *state).ptr, defaults);
}

static void test_room_read_takes_each_optional_field_alone(void **state)
{
	static const enum room_field optional[] = {ROOM_SEAT_TEMPLATE, ROOM_SEAT_LAYOUT, ROOM_KEEP_OWNER_ON_SEAT};
	const struct room_info full = full_info();

	for (size_t i = 0; i < ARRAY_LEN(optional); i++) {
		struct room_info info = {.given = BIT(optional[i])};

		info.values[optional[i]] = full.values[optional[i]];
		room_info_complete(&info, STR("r"));
		info = parsed(written(&info, *state), *state);
		assert_int_equal(info.given, GIVEN_BY_DEFAULT | BIT(optional[i]));
		assert_int_equal(info.values[optional[i]].number, full.values[optional[i]].number);
		assert_true(str_eq(info.values[optional[i]].text, full.values[optional[i]].text));
	}
}

/* The text that was read from may be gone. */
static void test_room_read_borrows_nothing(void **state)
{
	char text[] = "{\"RoomName\":\"a\",\"CoverURL\":\"b\",\"TakeSeatMode\":\"ApplyToTake\"}";
	struct room_info info = parsed(str_c(text), *state);

	memset(text, 'x', sizeof(text));
	assert_str(info.values[ROOM_NAME].text, "a");
	assert_str(info.values[ROOM_COVER_URL].text, "b");
	assert_str(info.values[ROOM_TAKE_SEAT_MODE].text, "ApplyToTake");
}

static void test_room_read_of_what_is_no_object_gives_the_defaults(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"nonsense",
		"{}",
		"[]",
		"null",
		"1",
		"\"",
		"\"",
		"{\"RoomName\":\"a\",}",
		"{\"RoomName\":\"a\"} x",
		"{\"RoomName\":\"\\u0000\"}",
		"{\"RoomName\":\"\xff\"}",
		"{\"RoomName\":\"a\",\"RoomName\":\"b\"}",
		"[{\"RoomName\":\"a\"}]",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct room_info info = parsed(str_c(rows[i]), *state);

		assert_string_equal(written(&info, *state).ptr, defaults);
		assert_int_equal(info.values[ROOM_VISIBLE].number, 1);
	}
}

/* An object of another program or version: what is known is taken, the rest is left alone. */
static void test_room_read_ignores_fields_of_others(void **state)
{
	struct room_info info = parsed(STR("{\"Unknown\":[{}],\"roomname\":\"a\",\"IsPublicVisible\":false,"
					   "\"RoomType\":7,\"Notice\":\"n\",\"CoverURL\":null}"),
				       *state);

	assert_str(info.values[ROOM_NAME].text, "r");
	assert_str(info.values[ROOM_NOTICE].text, "n");
	assert_str(info.values[ROOM_COVER_URL].text, "");
	assert_int_equal(info.values[ROOM_VISIBLE].number, 1); /* it has a column */
}

static void test_room_read_gives_the_default_for_a_value_that_makes_no_sense(void **state)
{
	static const char *const rows[] = {
		"{\"RoomName\":1}",
		"{\"RoomName\":\"\"}",
		"{\"RoomName\":[\"a\"]}",
		"{\"IsSeatEnabled\":\"true\"}",
		"{\"IsSeatEnabled\":1}",
		"{\"IsMessageDisabled\":\"true\"}", /* only callers may write it so */
		"{\"KeepOwnerOnSeat\":0}",
		"{\"TakeSeatMode\":null}",
		"{\"TakeSeatMode\":false}",
		"{\"MaxMemberCount\":-1}",
		"{\"MaxMemberCount\":2147483648}",
		"{\"MaxMemberCount\":1.5}",
		"{\"MaxMemberCount\":\"1\"}",
		"{\"SeatLayoutTemplateId\":true}",
		"{\"Category\":1}",
		"{\"Category\":{}}",
		"{\"Category\":[1,2,3,4]}",
		"{\"Notice\":{}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct room_info info = parsed(str_c(rows[i]), *state);

		if (strcmp(written(&info, *state).ptr, defaults) != 0)
			fail_msg("%s became %s", rows[i], written(&info, *state).ptr);
	}
}

/* What no version of the program could have written: the limits of the table hold for what is read too. */
static void test_room_read_gives_the_default_for_a_value_out_of_its_limit(void **state)
{
	static const char *const rows[] = {
		"{\"TakeSeatMode\":\"PayToTake\"}",
		"{\"TakeSeatMode\":\"\"}",
		"{\"SeatTemplate\":\"Sofa\"}",
		"{\"MaxSeatCount\":1001}",
		"{\"Category\":[\"a\"]}",
		"{\"Category\":[1.5]}",
		"{\"Category\":[null]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct room_info info = parsed(str_c(rows[i]), *state);

		if (strcmp(written(&info, *state).ptr, defaults) != 0)
			fail_msg("%s became %s", rows[i], written(&info, *state).ptr);
	}
}

/* Else an update of such a room would have more to keep than there is place for. */
static void test_room_read_gives_the_default_for_a_text_that_is_too_long(void **state)
{
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		const struct room_field_rule *rule = &room_fields[i];
		struct room_info info;
		struct buf text;

		if (rule->type != ROOM_FIELD_TEXT)
			continue;
		buf_init(&text, 65536);
		buf_printf(&text, "{\"%s\":\"%0*d\"}", rule->name, (int)rule->limit, 1);
		info = parsed(buf_str(&text), *state);
		assert_int_equal(info.values[i].text.len, rule->limit);
		buf_reset(&text);
		buf_printf(&text, "{\"%s\":\"%0*d\"}", rule->name, (int)rule->limit + 1, 1);
		info = parsed(buf_str(&text), *state);
		if (strcmp(written(&info, *state).ptr, defaults) != 0)
			fail_msg("%s with %zu bytes", rule->name, info.values[i].text.len);
		buf_fini(&text);
	}
}

/* ---- items ---- */

static void test_room_items_have_a_limit_of_each_kind(void **state)
{
	static const size_t most[ITEM_KIND_COUNT] = {10, 5, 100, 1000, 1000};

	(void)state;
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++) {
		assert_int_equal(item_count_max((enum item_kind)kind), most[kind]);
		assert_true(item_count_max((enum item_kind)kind) <= ROOM_ITEM_COUNT_MAX);
	}
}

static void test_room_item_is_over_from_its_second_on(void **state)
{
	static const struct {
		int64_t until_s;
		int64_t now_ms;
		bool over;
	} rows[] = {
		{0, 0, false},
		{0, INT64_MAX, false}, /* 0 is never */
		{1, 0, false},
		{1, 999, false},
		{1, 1000, true},
		{1, 1001, true},
		{1700000000, 1699999999999, false},
		{1700000000, 1700000000000, true},
		{1700000000 + INT64_C(4294967295), 1700000000000, false}, /* the longest of now */
		{INT64_MAX, INT64_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (item_is_over(rows[i].until_s, rows[i].now_ms) != rows[i].over)
			fail_msg("until %lld at %lld", (long long)rows[i].until_s, (long long)rows[i].now_ms);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_word_is_one_of_the_list_as_a_whole),
		cmocka_unit_test(test_room_word_with_a_nul_is_no_word),
		cmocka_unit_test(test_room_words_of_the_table_have_bars_at_both_ends),
		WITH_ARENA(test_room_complete_gives_every_default),
		cmocka_unit_test(test_room_complete_keeps_what_is_given),
		cmocka_unit_test(test_room_complete_keeps_a_room_invisible),
		cmocka_unit_test(test_room_complete_names_a_room_without_name_by_its_id),
		cmocka_unit_test(test_room_merge_takes_exactly_what_is_given),
		cmocka_unit_test(test_room_merge_of_nothing_changes_nothing),
		WITH_ARENA(test_room_write_has_every_field_but_visibility),
		WITH_ARENA(test_room_longest_legal_room_is_kept),
		cmocka_unit_test(test_room_append_keeps_the_order_that_is_asked_for),
		WITH_ARENA(test_room_read_gives_every_field_back),
		WITH_ARENA(test_room_read_leaves_out_what_was_left_out),
		WITH_ARENA(test_room_read_takes_each_optional_field_alone),
		WITH_ARENA(test_room_read_borrows_nothing),
		WITH_ARENA(test_room_read_of_what_is_no_object_gives_the_defaults),
		WITH_ARENA(test_room_read_ignores_fields_of_others),
		WITH_ARENA(test_room_read_gives_the_default_for_a_value_that_makes_no_sense),
		WITH_ARENA(test_room_read_gives_the_default_for_a_value_out_of_its_limit),
		WITH_ARENA(test_room_read_gives_the_default_for_a_text_that_is_too_long),
		cmocka_unit_test(test_room_items_have_a_limit_of_each_kind),
		cmocka_unit_test(test_room_item_is_over_from_its_second_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
