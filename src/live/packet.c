/* Bodies of the rooms' callbacks; see packet.h. */
#include "live/packet.h"

#include <assert.h>

/* Six bytes for each byte of a value and a key is what escaping costs at most. */
#define PACKET_BYTES_MAX                                                                                               \
	(6 * (ROOM_METADATA_BYTES_MAX + ROOM_METADATA_COUNT_MAX * ROOM_METADATA_KEY_BYTES_MAX) + ROOM_INFO_BYTES_MAX + \
	 4096)

_Static_assert(PACKET_BYTES_MAX <= HW_PACKET_BYTES_MAX, "receivers are told how long a packet may be");

static void packet_append_text(struct buf *out, const char *name, struct str value)
{
	buf_append_char(out, ',');
	buf_append_char(out, '"');
	buf_append_c(out, name);
	buf_append_c(out, "\":");
	buf_append_json_string(out, value);
}

static void packet_append_number(struct buf *out, const char *name, int64_t value)
{
	buf_append_c(out, ",\"");
	buf_append_c(out, name);
	buf_append_c(out, "\":");
	buf_append_i64(out, value);
}

static void packet_begin(struct buf *out, enum hw_callback which)
{
	buf_init(out, PACKET_BYTES_MAX);
	buf_append_c(out, "{\"CallbackCommand\":");
	buf_append_json_string(out, str_c(hw_callback_word(which)));
}

static struct str packet_end(struct buf *out, struct arena *arena)
{
	struct str text;

	buf_append_char(out, '}');
	assert(buf_ok(out)); /* every part has its limit */
	text = arena_dup(arena, buf_str(out));
	buf_fini(out);
	return text;
}

/* The first fields of most packets. */
static void packet_begin_room(struct buf *out, enum hw_callback which, const struct command *command)
{
	packet_begin(out, which);
	packet_append_text(out, "Operator_Account", command->origin.operator_account);
	packet_append_text(out, "RoomId", command->room_id);
}

static void packet_append_fields(struct buf *out, const struct room_info *info, const enum room_field *fields,
				 size_t count)
{
	buf_append_char(out, ',');
	room_info_append(info, fields, count, out);
}

static void packet_read_info(const struct live_room *room, struct arena *arena, struct room_info *info)
{
	room_info_read(room->info, room->room_id, arena, info);
	info->values[ROOM_VISIBLE].number = room->visible;
}

struct str packet_room_created(struct arena *arena, const struct command *command, const struct live_room *room)
{
	static const enum room_field first[] = {ROOM_MAX_MEMBER_COUNT, ROOM_MESSAGE_DISABLED};
	static const enum room_field second[] = {ROOM_SEAT_ENABLED, ROOM_TAKE_SEAT_MODE, ROOM_MAX_SEAT_COUNT};
	static const enum room_field third[] = {ROOM_VISIBLE, ROOM_COVER_URL, ROOM_CATEGORY};
	struct room_info info;
	struct buf out;

	packet_read_info(room, arena, &info);
	packet_begin(&out, HW_CALLBACK_ROOM_CREATED);
	packet_append_text(&out, "Operator_Account", command->origin.operator_account);
	buf_append_c(&out, ",\"RoomInfo\":{\"RoomId\":");
	buf_append_json_string(&out, room->room_id);
	packet_append_text(&out, "RoomName", info.values[ROOM_NAME].text);
	packet_append_text(&out, "RoomType", STR("Live"));
	packet_append_text(&out, "Owner_Account", str_c(room->owner));
	packet_append_fields(&out, &info, first, ARRAY_LEN(first));
	packet_append_text(&out, "CustomInfo", STR(""));
	packet_append_fields(&out, &info, second, ARRAY_LEN(second));
	packet_append_number(&out, "CreateTime", room->create_ms / 1000);
	packet_append_fields(&out, &info, third, ARRAY_LEN(third));
	buf_append_char(&out, '}');
	packet_append_number(&out, "EventTime", command->origin.wall_ms);
	return packet_end(&out, arena);
}

struct str packet_room_destroyed(struct arena *arena, const struct command *command, const struct live_room *room)
{
	static const enum room_field first[] = {ROOM_SEAT_ENABLED, ROOM_TAKE_SEAT_MODE, ROOM_MAX_MEMBER_COUNT,
						ROOM_MAX_SEAT_COUNT, ROOM_CATEGORY};
	static const enum room_field second[] = {ROOM_MESSAGE_DISABLED, ROOM_COVER_URL, ROOM_ACTIVITY_STATUS,
						 ROOM_VISIBLE};
	static const enum room_field third[] = {ROOM_UNLIMITED};
	struct room_info info;
	struct buf out;

	packet_read_info(room, arena, &info);
	packet_begin_room(&out, HW_CALLBACK_ROOM_DESTROYED, command);
	packet_append_text(&out, "EventType", STR("DestroyByUser"));
	packet_append_number(&out, "EventTime", command->origin.wall_ms);
	buf_append_c(&out, ",\"RoomInfo\":{\"RoomName\":");
	buf_append_json_string(&out, info.values[ROOM_NAME].text);
	packet_append_text(&out, "RoomType", STR("Live"));
	packet_append_text(&out, "Owner_Account", str_c(room->owner));
	packet_append_fields(&out, &info, first, ARRAY_LEN(first));
	packet_append_text(&out, "CustomInfo", STR(""));
	packet_append_fields(&out, &info, second, ARRAY_LEN(second));
	packet_append_number(&out, "ViewCount", 0);
	packet_append_text(&out, "BackgroundURL", STR(""));
	packet_append_fields(&out, &info, third, ARRAY_LEN(third));
	buf_append_c(&out, "},\"Statistic\":" ROOM_STATISTIC_NONE);
	return packet_end(&out, arena);
}

struct str packet_room_updated(struct arena *arena, const struct command *command, const struct live_room *room)
{
	static const enum room_field fields[] = {
		ROOM_NAME,	ROOM_MAX_MEMBER_COUNT, ROOM_MESSAGE_DISABLED,
		ROOM_COVER_URL, ROOM_CATEGORY,	       ROOM_ACTIVITY_STATUS,
		ROOM_VISIBLE,	ROOM_TAKE_SEAT_MODE,   ROOM_NOTICE,
	};
	struct room_info info;
	struct buf out;

	packet_read_info(room, arena, &info);
	packet_begin(&out, HW_CALLBACK_ROOM_UPDATED);
	packet_append_text(&out, "Operator_Account", command->origin.operator_account);
	buf_append_c(&out, ",\"RoomInfo\":{\"RoomId\":");
	buf_append_json_string(&out, room->room_id);
	packet_append_fields(&out, &info, fields, ARRAY_LEN(fields));
	packet_append_text(&out, "CustomInfo", STR(""));
	buf_append_char(&out, '}');
	packet_append_number(&out, "EventTime", command->origin.wall_ms);
	return packet_end(&out, arena);
}

/* The pages of owner and admins have another order than the rest. */
static void packet_begin_people(struct buf *out, enum hw_callback which, const struct command *command)
{
	packet_begin(out, which);
	packet_append_text(out, "RoomId", command->room_id);
	packet_append_number(out, "EventTime", command->origin.wall_ms);
	packet_append_text(out, "Operator_Account", command->origin.operator_account);
}

struct str packet_owner_changed(struct arena *arena, const struct command *command, struct str previous_owner)
{
	struct buf out;

	packet_begin_people(&out, HW_CALLBACK_OWNER_CHANGED, command);
	packet_append_text(&out, "CurrentOwner_Account", command->u.owner_change);
	packet_append_text(&out, "OriginalOwner_Account", previous_owner);
	return packet_end(&out, arena);
}

static void packet_append_texts(struct buf *out, const char *name, const struct str *texts, size_t count)
{
	buf_append_c(out, ",\"");
	buf_append_c(out, name);
	buf_append_c(out, "\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_json_string(out, texts[i]);
	}
	buf_append_char(out, ']');
}

struct str packet_admins_modified(struct arena *arena, const struct command *command)
{
	struct buf out;

	packet_begin_people(&out, HW_CALLBACK_ADMIN_MODIFIED, command);
	packet_append_texts(&out, "Admin_Account", command->u.members.accounts, command->u.members.count);
	packet_append_text(&out, "opType", command->type == COMMAND_MEMBERS_ADD ? STR("add") : STR("delete"));
	return packet_end(&out, arena);
}

struct str packet_metadata_set(struct arena *arena, const struct command *command)
{
	struct buf out;

	packet_begin_room(&out, HW_CALLBACK_METADATA_SET, command);
	buf_append_c(&out, ",\"Metadata\":[");
	for (size_t i = 0; i < command->u.metadata.count; i++) {
		buf_append_c(&out, i ? ",{\"Key\":" : "{\"Key\":");
		buf_append_json_string(&out, command->u.metadata.set[i].key);
		packet_append_text(&out, "Value", command->u.metadata.set[i].value);
		buf_append_char(&out, '}');
	}
	buf_append_char(&out, ']');
	packet_append_number(&out, "EventTime", command->origin.wall_ms);
	return packet_end(&out, arena);
}

struct str packet_metadata_deleted(struct arena *arena, const struct command *command, const struct str *keys,
				   size_t count)
{
	struct buf out;

	packet_begin_room(&out, HW_CALLBACK_METADATA_DELETED, command);
	packet_append_texts(&out, "Keys", keys, count);
	packet_append_number(&out, "EventTime", command->origin.wall_ms);
	return packet_end(&out, arena);
}
