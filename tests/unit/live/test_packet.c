/* The rooms' callbacks as they go out: each packet's text byte for byte, and that the largest ones that can occur fit. */
#include "live/packet.h"
#include "base/json.h"
#include "unit/live/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/live/arena_fixture.h"

#define APP 1400000001u
#define EVENT_MS 1739966441121

static struct command command_of(enum command_type type)
{
	struct command command = world_command(type, APP);

	command.room_id = STR("r1");
	command.origin.operator_account = STR("boss");
	command.origin.wall_ms = EVENT_MS;
	return command;
}

/* A room with no value that is a default. */
static struct live_room room_of(void)
{
	return (struct live_room){
		.room_id = STR("r1"),
		.owner = "ann",
		.create_ms = 1700000000999,
		.info = STR("{\"RoomName\":\"a \\\"name\\\"\",\"RoomType\":\"Live\",\"SeatTemplate\":\"Karaoke\","
			    "\"IsSeatEnabled\":true,\"TakeSeatMode\":\"ApplyToTake\",\"MaxSeatCount\":16,"
			    "\"MaxMemberCount\":300,\"IsMessageDisabled\":true,\"CoverURL\":\"https://h/c\","
			    "\"Category\":[1,-2,3],\"ActivityStatus\":4,\"IsUnlimitedRoomEnabled\":true,"
			    "\"SeatLayoutTemplateId\":600,\"KeepOwnerOnSeat\":true,\"Notice\":\"two\\nlines\"}"),
	};
}

static struct live_room room_of_defaults(void)
{
	return (struct live_room){
		.room_id = STR("r1"), .owner = "ann", .visible = true, .create_ms = 1000, .info = STR("{}")};
}

/* The packet is this text, and JSON. */
static void assert_packet(struct str packet, const char *want)
{
	struct error err;
	json_t *json;

	assert_string_equal(packet.ptr, want);
	assert_int_equal(packet.len, strlen(want));
	assert_int_equal(json_read(packet, &json, &err), 0);
	json_decref(json);
}

/* ---- the text of each ---- */

static void test_packet_of_a_created_room(void **state)
{
	struct command command = command_of(COMMAND_ROOM_CREATE);
	struct live_room room = room_of();

	assert_packet(packet_room_created(*state, &command, &room),
		      "{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\",\"Operator_Account\":\"boss\","
		      "\"RoomInfo\":{\"RoomId\":\"r1\",\"RoomName\":\"a \\\"name\\\"\",\"RoomType\":\"Live\","
		      "\"Owner_Account\":\"ann\",\"MaxMemberCount\":300,\"IsMessageDisabled\":true,\"CustomInfo\":\"\","
		      "\"IsSeatEnabled\":true,\"TakeSeatMode\":\"ApplyToTake\",\"MaxSeatCount\":16,"
		      "\"CreateTime\":1700000000,\"IsPublicVisible\":false,\"CoverURL\":\"https://h/c\","
		      "\"Category\":[1,-2,3]},\"EventTime\":1739966441121}");
}

static void test_packet_of_a_created_room_with_defaults(void **state)
{
	struct command command = command_of(COMMAND_ROOM_CREATE);
	struct live_room room = room_of_defaults();

	assert_packet(packet_room_created(*state, &command, &room),
		      "{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\",\"Operator_Account\":\"boss\","
		      "\"RoomInfo\":{\"RoomId\":\"r1\",\"RoomName\":\"r1\",\"RoomType\":\"Live\","
		      "\"Owner_Account\":\"ann\",\"MaxMemberCount\":0,\"IsMessageDisabled\":false,\"CustomInfo\":\"\","
		      "\"IsSeatEnabled\":false,\"TakeSeatMode\":\"FreeToTake\",\"MaxSeatCount\":0,"
		      "\"CreateTime\":1,\"IsPublicVisible\":true,\"CoverURL\":\"\",\"Category\":[]},"
		      "\"EventTime\":1739966441121}");
}

static void test_packet_of_a_destroyed_room(void **state)
{
	struct command command = command_of(COMMAND_ROOM_DESTROY);
	struct live_room room = room_of();

	assert_packet(packet_room_destroyed(*state, &command, &room),
		      "{\"CallbackCommand\":\"Live.CallbackAfterDestroyRoom\",\"Operator_Account\":\"boss\","
		      "\"RoomId\":\"r1\",\"EventType\":\"DestroyByUser\",\"EventTime\":1739966441121,"
		      "\"RoomInfo\":{\"RoomName\":\"a \\\"name\\\"\",\"RoomType\":\"Live\",\"Owner_Account\":\"ann\","
		      "\"IsSeatEnabled\":true,\"TakeSeatMode\":\"ApplyToTake\",\"MaxMemberCount\":300,"
		      "\"MaxSeatCount\":16,\"Category\":[1,-2,3],\"CustomInfo\":\"\",\"IsMessageDisabled\":true,"
		      "\"CoverURL\":\"https://h/c\",\"ActivityStatus\":4,\"IsPublicVisible\":false,\"ViewCount\":0,"
		      "\"BackgroundURL\":\"\",\"IsUnlimitedRoomEnabled\":true},\"Statistic\":{\"TotalViewers\":0,"
		      "\"TotalGiftsSent\":0,\"TotalGiftCoins\":0,\"TotalUniqueGiftSenders\":0,"
		      "\"TotalLikesReceived\":0}}");
}

static void test_packet_of_an_updated_room(void **state)
{
	struct command command = command_of(COMMAND_ROOM_UPDATE);
	struct live_room room = room_of();

	assert_packet(packet_room_updated(*state, &command, &room),
		      "{\"CallbackCommand\":\"Live.CallbackAfterUpdateRoomInfo\",\"Operator_Account\":\"boss\","
		      "\"RoomInfo\":{\"RoomId\":\"r1\",\"RoomName\":\"a \\\"name\\\"\",\"MaxMemberCount\":300,"
		      "\"IsMessageDisabled\":true,\"CoverURL\":\"https://h/c\",\"Category\":[1,-2,3],"
		      "\"ActivityStatus\":4,\"IsPublicVisible\":false,\"TakeSeatMode\":\"ApplyToTake\","
		      "\"Notice\":\"two\\nlines\",\"CustomInfo\":\"\"},\"EventTime\":1739966441121}");
}

static void test_packet_of_a_changed_owner(void **state)
{
	struct command command = command_of(COMMAND_OWNER_CHANGE);

	command.u.owner_change = STR("bob");
	assert_packet(packet_owner_changed(*state, &command, STR("ann")),
		      "{\"CallbackCommand\":\"Live.CallbackAfterChangeOwner\",\"RoomId\":\"r1\","
		      "\"EventTime\":1739966441121,\"Operator_Account\":\"boss\",\"CurrentOwner_Account\":\"bob\","
		      "\"OriginalOwner_Account\":\"ann\"}");
}

static void test_packet_of_modified_admins(void **state)
{
	static const struct str accounts[] = {{"bob", 3}, {"a\"\\b", 4}};
	static const struct {
		enum command_type type;
		size_t count;
		const char *tail;
	} rows[] = {
		{COMMAND_MEMBERS_ADD, 2, "[\"bob\",\"a\\\"\\\\b\"],\"opType\":\"add\"}"},
		{COMMAND_MEMBERS_REMOVE, 1, "[\"bob\"],\"opType\":\"delete\"}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = command_of(rows[i].type);
		char want[256] = "{\"CallbackCommand\":\"Live.CallbackAfterModifyAdmin\",\"RoomId\":\"r1\","
				 "\"EventTime\":1739966441121,\"Operator_Account\":\"boss\",\"Admin_Account\":";

		command.u.members.kind = ITEM_ADMIN;
		command.u.members.accounts = accounts;
		command.u.members.count = rows[i].count;
		(void)strcat(want, rows[i].tail); /* fits */
		assert_packet(packet_admins_modified(*state, &command), want);
	}
}

static void test_packet_of_metadata_that_was_set(void **state)
{
	static const struct metadata set[] = {{{"k\"1", 3}, {"", 0}}, {{"k2", 2}, {"\x01 \xe6\x88\xbf\x7f", 6}}};
	struct command command = command_of(COMMAND_METADATA_SET);

	command.u.metadata.set = set;
	command.u.metadata.count = 2;
	assert_packet(packet_metadata_set(*state, &command),
		      "{\"CallbackCommand\":\"Live.CallbackAfterSetMetadata\",\"Operator_Account\":\"boss\","
		      "\"RoomId\":\"r1\",\"Metadata\":[{\"Key\":\"k\\\"1\",\"Value\":\"\"},"
		      "{\"Key\":\"k2\",\"Value\":\"\\u0001 \xe6\x88\xbf\x7f\"}],\"EventTime\":1739966441121}");
}

static void test_packet_of_metadata_that_was_deleted(void **state)
{
	static const struct str keys[] = {{"k\"1", 3}, {"k2", 2}};
	struct command command = command_of(COMMAND_METADATA_DELETE);

	assert_packet(packet_metadata_deleted(*state, &command, keys, 2),
		      "{\"CallbackCommand\":\"Live.CallbackAfterDelMetadata\",\"Operator_Account\":\"boss\","
		      "\"RoomId\":\"r1\",\"Keys\":[\"k\\\"1\",\"k2\"],\"EventTime\":1739966441121}");
}

/* Room ids and operators are printable ASCII, which holds what JSON must escape. */
static void test_packet_escapes_names(void **state)
{
	struct command command = command_of(COMMAND_METADATA_DELETE);

	command.room_id = STR("r \"1\"");
	command.origin.operator_account = STR("a\\b\"");
	assert_packet(packet_metadata_deleted(*state, &command, &STR("k"), 1),
		      "{\"CallbackCommand\":\"Live.CallbackAfterDelMetadata\",\"Operator_Account\":\"a\\\\b\\\"\","
		      "\"RoomId\":\"r \\\"1\\\"\",\"Keys\":[\"k\"],\"EventTime\":1739966441121}");
}

/* ---- the largest of each ---- */

/* Ends the process when a packet is larger than its buffer: packet_end asserts that it is not. */
static void assert_whole(struct str packet)
{
	struct error err;
	json_t *json;

	assert_int_equal(json_read(packet, &json, &err), 0);
	json_decref(json);
}

static char control[ROOM_METADATA_VALUE_BYTES_MAX]; /* each byte is six when it is escaped */
static char quotes[HW_ROOM_ID_BYTES_MAX];	    /* printable, and two each */

static struct command largest_command(enum command_type type)
{
	struct command command = command_of(type);

	memset(control, 1, sizeof(control));
	memset(quotes, '"', sizeof(quotes));
	command.room_id = (struct str){quotes, HW_ROOM_ID_BYTES_MAX};
	command.origin.operator_account = (struct str){quotes, HW_IDENTIFIER_BYTES_MAX};
	command.origin.wall_ms = INT64_MIN; /* the longest number */
	return command;
}

/* Ten keys and values of this many bytes each. */
static void check_metadata(struct arena *arena, size_t key_bytes, const size_t value_bytes[ROOM_METADATA_COUNT_MAX])
{
	struct command command = largest_command(COMMAND_METADATA_SET);
	struct metadata set[ROOM_METADATA_COUNT_MAX];
	struct str keys[ROOM_METADATA_COUNT_MAX];
	size_t total = 0;

	for (size_t i = 0; i < ROOM_METADATA_COUNT_MAX; i++) {
		keys[i] = (struct str){control, key_bytes};
		set[i] = (struct metadata){keys[i], {control, value_bytes[i]}};
		total += value_bytes[i];
	}
	assert_int_equal(total, ROOM_METADATA_BYTES_MAX);
	command.u.metadata.set = set;
	command.u.metadata.count = ROOM_METADATA_COUNT_MAX;
	assert_whole(packet_metadata_set(arena, &command));
	assert_whole(packet_metadata_deleted(arena, &command, keys, ROOM_METADATA_COUNT_MAX));
}

static void test_packet_of_the_largest_metadata_fits(void **state)
{
	static const size_t few_large[ROOM_METADATA_COUNT_MAX] = {2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048};
	static const size_t even[ROOM_METADATA_COUNT_MAX] = {1638, 1638, 1638, 1638, 1638,
							     1638, 1639, 1639, 1639, 1639};

	check_metadata(*state, ROOM_METADATA_KEY_BYTES_MAX, few_large);
	check_metadata(*state, ROOM_METADATA_KEY_BYTES_MAX, even);
	check_metadata(*state, 1, even);
}

/* The info of a room whose every text is at its limit in control characters. */
static struct str largest_info(struct arena *arena)
{
	struct room_info info = {.given = (1u << ROOM_FIELD_COUNT) - 1};
	struct buf text;
	struct str copy;

	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		info.values[i].text = (struct str){control, room_fields[i].limit};
		if (room_fields[i].type == ROOM_FIELD_NUMBER)
			info.values[i].number = (int64_t)room_fields[i].limit;
	}
	info.values[ROOM_CATEGORY].tag_count = ROOM_TAG_COUNT_MAX;
	for (unsigned i = 0; i < ROOM_TAG_COUNT_MAX; i++)
		info.values[ROOM_CATEGORY].tags[i] = INT64_MIN;
	info.values[ROOM_SEAT_TEMPLATE].text = STR("VideoDynamicFloat7Seats");
	info.values[ROOM_TAKE_SEAT_MODE].text = STR("ApplyToTake");
	buf_init(&text, ROOM_INFO_BYTES_MAX);
	room_info_write(&info, &text);
	assert_true(buf_ok(&text));
	copy = arena_dup(arena, buf_str(&text));
	buf_fini(&text);
	return copy;
}

static void test_packet_of_the_largest_room_fits(void **state)
{
	struct command command = largest_command(COMMAND_ROOM_CREATE);
	struct live_room room = {.room_id = command.room_id, .create_ms = INT64_MIN, .info = largest_info(*state)};

	memset(room.owner, '"', HW_IDENTIFIER_BYTES_MAX);
	assert_whole(packet_room_created(*state, &command, &room));
	assert_whole(packet_room_updated(*state, &command, &room));
	assert_whole(packet_room_destroyed(*state, &command, &room));
}

static void test_packet_of_the_most_admins_fits(void **state)
{
	struct command command = largest_command(COMMAND_MEMBERS_ADD);
	struct str accounts[ROOM_ADMIN_COUNT_MAX];

	for (size_t i = 0; i < ROOM_ADMIN_COUNT_MAX; i++)
		accounts[i] = (struct str){quotes, HW_IDENTIFIER_BYTES_MAX};
	command.u.members.accounts = accounts;
	command.u.members.count = ROOM_ADMIN_COUNT_MAX;
	assert_whole(packet_admins_modified(*state, &command));
	command = largest_command(COMMAND_OWNER_CHANGE);
	command.u.owner_change = accounts[0];
	assert_whole(packet_owner_changed(*state, &command, accounts[1]));
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(test_packet_of_a_created_room),
		WITH_ARENA(test_packet_of_a_created_room_with_defaults),
		WITH_ARENA(test_packet_of_a_destroyed_room),
		WITH_ARENA(test_packet_of_an_updated_room),
		WITH_ARENA(test_packet_of_a_changed_owner),
		WITH_ARENA(test_packet_of_modified_admins),
		WITH_ARENA(test_packet_of_metadata_that_was_set),
		WITH_ARENA(test_packet_of_metadata_that_was_deleted),
		WITH_ARENA(test_packet_escapes_names),
		WITH_ARENA(test_packet_of_the_largest_metadata_fits),
		WITH_ARENA(test_packet_of_the_largest_room_fits),
		WITH_ARENA(test_packet_of_the_most_admins_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
