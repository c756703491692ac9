/* Properties of rooms as a table; see room.h. */
#include "live/room.h"
#include "base/json.h"

#include <assert.h>
#include <string.h>

#define ROOM_NUMBER_MAX INT32_MAX

/* Vendor documents 63401 and 63403 with their editions. RoomId, RoomType and Owner_Account are not properties. */
const struct room_field_rule room_fields[ROOM_FIELD_COUNT] = {
	[ROOM_NAME] = {"RoomName", ROOM_FIELD_TEXT, 100, false, true, NULL},
	[ROOM_SEAT_TEMPLATE] = {"SeatTemplate", ROOM_FIELD_WORD, 0, true, false,
				"|VideoDynamicGrid9Seats|VideoDynamicFloat7Seats|VideoFixedGrid9Seats"
				"|VideoFixedFloat7Seats|VideoLandscape4Seat|AudioSalon|Karaoke|karaoke|"},
	[ROOM_SEAT_ENABLED] = {"IsSeatEnabled", ROOM_FIELD_FLAG, 0, false, false, NULL},
	[ROOM_TAKE_SEAT_MODE] = {"TakeSeatMode", ROOM_FIELD_WORD, 0, false, true, "|FreeToTake|ApplyToTake|"},
	[ROOM_MAX_SEAT_COUNT] = {"MaxSeatCount", ROOM_FIELD_NUMBER, 1000, false, false, NULL},
	[ROOM_MAX_MEMBER_COUNT] = {"MaxMemberCount", ROOM_FIELD_NUMBER, ROOM_NUMBER_MAX, false, true, NULL},
	[ROOM_MESSAGE_DISABLED] = {"IsMessageDisabled", ROOM_FIELD_LOOSE_FLAG, 0, false, true, NULL},
	[ROOM_COVER_URL] = {"CoverURL", ROOM_FIELD_TEXT, 200, false, true, NULL},
	[ROOM_CATEGORY] = {"Category", ROOM_FIELD_TAGS, ROOM_TAG_COUNT_MAX, false, true, NULL},
	[ROOM_ACTIVITY_STATUS] = {"ActivityStatus", ROOM_FIELD_NUMBER, ROOM_NUMBER_MAX, false, true, NULL},
	[ROOM_UNLIMITED] = {"IsUnlimitedRoomEnabled", ROOM_FIELD_FLAG, 0, false, false, NULL},
	[ROOM_SEAT_LAYOUT] = {"SeatLayoutTemplateId", ROOM_FIELD_NUMBER, ROOM_NUMBER_MAX, true, false, NULL},
	[ROOM_KEEP_OWNER_ON_SEAT] = {"KeepOwnerOnSeat", ROOM_FIELD_FLAG, 0, true, false, NULL},
	[ROOM_NOTICE] = {"Notice", ROOM_FIELD_TEXT, 100, false, true, NULL},
	[ROOM_VISIBLE] = {"IsPublicVisible", ROOM_FIELD_FLAG, 0, false, true, NULL},
};

static const enum room_field room_kept_fields[] = {
	ROOM_SEAT_TEMPLATE,    ROOM_SEAT_ENABLED,     ROOM_TAKE_SEAT_MODE, ROOM_MAX_SEAT_COUNT,
	ROOM_MAX_MEMBER_COUNT, ROOM_MESSAGE_DISABLED, ROOM_COVER_URL,	   ROOM_CATEGORY,
	ROOM_ACTIVITY_STATUS,  ROOM_UNLIMITED,	      ROOM_SEAT_LAYOUT,	   ROOM_KEEP_OWNER_ON_SEAT,
	ROOM_NOTICE,
};

bool room_word_ok(const struct room_field_rule *rule, struct str word)
{
	const char *at = rule->words;

	while (at[1]) { /* at a bar, with a word after it */
		const char *end = strchr(at + 1, '|');

		assert(end);
		if (str_eq(word, (struct str){at + 1, (size_t)(end - at - 1)}))
			return true;
		at = end;
	}
	return false;
}

static bool room_is_given(const struct room_info *info, enum room_field field)
{
	return (info->given >> field & 1) != 0;
}

void room_info_complete(struct room_info *info, struct str room_id)
{
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		const struct room_field_rule *rule = &room_fields[i];

		if (rule->optional || room_is_given(info, (enum room_field)i))
			continue;
		info->values[i] = (struct room_value){0};
		if (rule->type == ROOM_FIELD_WORD)
			info->values[i].text =
				(struct str){rule->words + 1, (size_t)(strchr(rule->words + 1, '|') - rule->words - 1)};
		if (i == ROOM_VISIBLE)
			info->values[i].number = 1;
		info->given |= UINT32_C(1) << i;
	}
	if (info->values[ROOM_NAME].text.len == 0)
		info->values[ROOM_NAME].text = room_id;
}

void room_info_merge(struct room_info *info, const struct room_info *change)
{
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++)
		if (room_is_given(change, (enum room_field)i))
			info->values[i] = change->values[i];
	info->given |= change->given;
}

static void room_append_value(const struct room_field_rule *rule, const struct room_value *value, struct buf *out)
{
	switch (rule->type) {
	case ROOM_FIELD_TEXT:
	case ROOM_FIELD_WORD:
		buf_append_json_string(out, value->text);
		break;
	case ROOM_FIELD_NUMBER:
		buf_append_i64(out, value->number);
		break;
	case ROOM_FIELD_FLAG:
	case ROOM_FIELD_LOOSE_FLAG:
		buf_append_c(out, value->number ? "true" : "false");
		break;
	case ROOM_FIELD_TAGS:
		buf_append_char(out, '[');
		for (unsigned i = 0; i < value->tag_count; i++) {
			if (i)
				buf_append_char(out, ',');
			buf_append_i64(out, value->tags[i]);
		}
		buf_append_char(out, ']');
		break;
	}
}

void room_info_append(const struct room_info *info, const enum room_field *fields, size_t count, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		const struct room_field_rule *rule = &room_fields[fields[i]];

		if (!room_is_given(info, fields[i]))
			continue;
		buf_append_c(out, first ? "\"" : ",\""); /* not buf_printf: fifteen fields a creation */
		buf_append_c(out, rule->name);
		buf_append_c(out, "\":");
		room_append_value(rule, &info->values[fields[i]], out);
		first = false;
	}
}

void room_info_write(const struct room_info *info, struct buf *out)
{
	static const enum room_field name[] = {ROOM_NAME};

	assert(room_is_given(info, ROOM_NAME) && room_is_given(info, ROOM_NOTICE)); /* it was completed */
	buf_append_char(out, '{');
	room_info_append(info, name, 1, out);
	buf_append_c(out, ",\"RoomType\":\"Live\",");
	room_info_append(info, room_kept_fields, ARRAY_LEN(room_kept_fields), out);
	buf_append_char(out, '}');
}

/* ---- reading the kept object ---- */

static bool room_read_tags(const json_t *json, const struct room_field_rule *rule, struct room_value *out)
{
	json_t *array;

	if (json_field_array(json, rule->name, &array) != JSON_FOUND || json_array_size(array) > ROOM_TAG_COUNT_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!json_is_integer(json_array_get(array, i)))
			return false;
		out->tags[out->tag_count++] = json_integer_value(json_array_get(array, i));
	}
	return true;
}

static bool room_read_value(const json_t *json, const struct room_field_rule *rule, struct arena *arena,
			    struct room_value *out)
{
	bool flag;

	*out = (struct room_value){0};
	switch (rule->type) {
	case ROOM_FIELD_TEXT:
	case ROOM_FIELD_WORD:
		if (json_field_str(json, rule->name, &out->text) != JSON_FOUND ||
		    !(rule->type == ROOM_FIELD_WORD ? room_word_ok(rule, out->text) : out->text.len <= rule->limit))
			return false;
		out->text = arena_dup(arena, out->text);
		return true;
	case ROOM_FIELD_NUMBER:
		return json_field_i64(json, rule->name, 0, (int64_t)rule->limit, &out->number) == JSON_FOUND;
	case ROOM_FIELD_FLAG:
	case ROOM_FIELD_LOOSE_FLAG:
		if (json_field_bool(json, rule->name, &flag) != JSON_FOUND)
			return false;
		out->number = flag;
		return true;
	case ROOM_FIELD_TAGS:
		return room_read_tags(json, rule, out);
	}
	return false;
}

void room_info_read(struct str text, struct str room_id, struct arena *arena, struct room_info *out)
{
	struct error err; /* what cannot be read is as if it were not there */
	json_t *json = NULL;

	memset(out, 0, sizeof(*out));
	if (json_read(text, &json, &err) == 0 && json_is_object(json))
		for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++)
			if (i != ROOM_VISIBLE && room_read_value(json, &room_fields[i], arena, &out->values[i]))
				out->given |= UINT32_C(1) << i;
	json_decref(json);
	room_info_complete(out, room_id);
}

/* ---- items ---- */

size_t item_count_max(enum item_kind kind)
{
	static const size_t most[ITEM_KIND_COUNT] = {
		[ITEM_METADATA] = ROOM_METADATA_COUNT_MAX, [ITEM_ADMIN] = ROOM_ADMIN_COUNT_MAX,
		[ITEM_ROBOT] = ROOM_ROBOT_COUNT_MAX,	   [ITEM_MUTE] = ROOM_MUTE_COUNT_MAX,
		[ITEM_BAN] = ROOM_BAN_COUNT_MAX,
	};

	return most[kind];
}

bool item_is_over(int64_t until_s, int64_t now_ms)
{
	return until_s != 0 && now_ms / 1000 >= until_s;
}
