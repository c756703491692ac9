/* Rooms: create, destroy, look, list, for admins and for clients.
 *
 * What a room is made of stands in one table with type, limit and default; fields that are not in it are ignored,
 * because real callers send more. The fields are kept as one JSON object that only this file reads. */
#include "api/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_LIST_COUNT_MAX 20 /* vendor document 63405 */
#define ROOM_INFO_BYTES_MAX 4096

enum room_field_type {
	ROOM_FIELD_TEXT,
	ROOM_FIELD_WORD, /* one of a list */
	ROOM_FIELD_COUNT,
	ROOM_FIELD_FLAG,
	ROOM_FIELD_TAGS, /* array of at most `limit` integers */
};

struct room_field {
	const char *name;
	enum room_field_type type;
	uint64_t limit;	      /* bytes of a text, largest number, most tags */
	const char *fallback; /* JSON; NULL leaves the field out */
	const char *words;    /* "|A|B|" for ROOM_FIELD_WORD */
};

/* Vendor document 63401 and its editions; RoomId, RoomType, Owner_Account and RoomName are handled by hand. */
static const struct room_field room_fields[] = {
	{"SeatTemplate", ROOM_FIELD_WORD, 0, NULL,
	 "|VideoDynamicGrid9Seats|VideoDynamicFloat7Seats|VideoFixedGrid9Seats|VideoFixedFloat7Seats"
	 "|VideoLandscape4Seat|AudioSalon|Karaoke|karaoke|"},
	{"IsSeatEnabled", ROOM_FIELD_FLAG, 0, "false", NULL},
	{"TakeSeatMode", ROOM_FIELD_WORD, 0, "\"FreeToTake\"", "|FreeToTake|ApplyToTake|"},
	{"MaxSeatCount", ROOM_FIELD_COUNT, 1000, "0", NULL},
	{"MaxMemberCount", ROOM_FIELD_COUNT, INT32_MAX, "0", NULL},
	{"IsMessageDisabled", ROOM_FIELD_FLAG, 0, "false", NULL},
	{"CoverURL", ROOM_FIELD_TEXT, 200, "\"\"", NULL},
	{"Category", ROOM_FIELD_TAGS, 3, "[]", NULL},
	{"ActivityStatus", ROOM_FIELD_COUNT, INT32_MAX, "0", NULL},
	{"IsUnlimitedRoomEnabled", ROOM_FIELD_FLAG, 0, "false", NULL},
	{"SeatLayoutTemplateId", ROOM_FIELD_COUNT, INT32_MAX, NULL, NULL},
	{"KeepOwnerOnSeat", ROOM_FIELD_FLAG, 0, NULL, NULL},
};

static bool room_word_ok(const char *words, struct str word)
{
	struct buf needle;
	bool found;

	buf_init(&needle, 128);
	buf_printf(&needle, "|%.*s|", STR_ARG(word));
	found = buf_ok(&needle) && str_find_char(word, '|') < 0 && strstr(words, buf_c(&needle)) != NULL;
	buf_fini(&needle);
	return found;
}

/* Each appends the JSON value. 1 done, 0 the field is absent, -1 answered. */
static int room_append_text(struct api_request *request, const json_t *info, const struct room_field *field,
			    struct buf *out)
{
	struct str value;
	int found =
		api_take_str(request, info, field->name, 0, field->type == ROOM_FIELD_WORD ? 64 : field->limit, &value);

	if (found != 1)
		return found;
	if (field->type == ROOM_FIELD_WORD && !room_word_ok(field->words, value)) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be one of %.180s", field->name, field->words);
		return -1;
	}
	buf_append_json_string(out, value);
	return 1;
}

static int room_append_number(struct api_request *request, const json_t *info, const struct room_field *field,
			      struct buf *out)
{
	uint64_t value;
	int found = api_take_u64(request, info, field->name, 0, field->limit, &value);

	if (found == 1)
		buf_append_u64(out, value);
	return found;
}

static int room_append_flag(struct api_request *request, const json_t *info, const struct room_field *field,
			    struct buf *out)
{
	bool value;
	int found = api_take_bool(request, info, field->name, &value);

	if (found == 1)
		buf_append_c(out, value ? "true" : "false");
	return found;
}

static int room_append_tags(struct api_request *request, const json_t *info, const struct room_field *field,
			    struct buf *out)
{
	json_t *array;
	enum json_found found = json_field_array(info, field->name, &array);
	bool good = found == JSON_FOUND && json_array_size(array) <= field->limit;

	if (found == JSON_ABSENT)
		return 0;
	for (size_t i = 0; good && i < json_array_size(array); i++) {
		const json_t *tag = json_array_get(array, i);

		good = json_is_integer(tag);
		buf_append_char(out, i ? ',' : '[');
		buf_append_i64(out, good ? json_integer_value(tag) : 0);
	}
	if (!good) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be an array of at most %" PRIu64 " integers",
				field->name, field->limit);
		return -1;
	}
	buf_append_c(out, json_array_size(array) ? "]" : "[]");
	return 1;
}

static int room_append_field(struct api_request *request, const json_t *info, const struct room_field *field,
			     struct buf *out)
{
	switch (field->type) {
	case ROOM_FIELD_COUNT:
		return room_append_number(request, info, field, out);
	case ROOM_FIELD_FLAG:
		return room_append_flag(request, info, field, out);
	case ROOM_FIELD_TAGS:
		return room_append_tags(request, info, field, out);
	default:
		return room_append_text(request, info, field, out);
	}
}

/* Checks RoomInfo and writes the kept object. Returns 0, or -1 when the request was answered. */
static int room_build_info(struct api_request *request, const json_t *info, struct str room_id, struct buf *out)
{
	struct str name = room_id;

	if (api_take_str(request, info, "RoomName", 0, 100, &name) < 0)
		return -1;
	buf_append_c(out, "{\"RoomName\":");
	buf_append_json_string(out, name.len ? name : room_id);
	buf_append_c(out, ",\"RoomType\":\"Live\"");
	for (size_t i = 0; i < ARRAY_LEN(room_fields); i++) {
		size_t before = out->len;
		int found;

		buf_append_c(out, ",\""); /* not buf_printf: twenty fields a creation */
		buf_append_c(out, room_fields[i].name);
		buf_append_c(out, "\":");
		found = room_append_field(request, info, &room_fields[i], out);
		if (found < 0)
			return -1;
		if (found == 0 && room_fields[i].fallback)
			buf_append_c(out, room_fields[i].fallback);
		else if (found == 0)
			out->len = before;
	}
	buf_append_char(out, '}');
	return 0;
}

static int room_check_type(struct api_request *request, const json_t *info)
{
	struct str type;

	if (api_need_str(request, info, "RoomType", 0, 64, &type))
		return -1;
	if (!str_eq(type, STR("Live"))) {
		api_answer(request, HW_BAD_ROOM_TYPE, NULL);
		return -1;
	}
	return 0;
}

/* An admin may create for others; a client only for itself. */
static int room_check_owner(struct api_request *request, const json_t *info, struct str *owner_out)
{
	struct str owner = request->identifier;

	if (api_take_str(request, info, "Owner_Account", 0, HW_IDENTIFIER_BYTES_MAX, &owner) < 0)
		return -1;
	if (owner.len == 0)
		owner = request->identifier;
	if (!app_identifier_ok(owner)) {
		api_refuse_with(request, HW_BAD_PARAMETER,
				"Owner_Account must be 1 to %d bytes of printable ASCII without space",
				HW_IDENTIFIER_BYTES_MAX);
		return -1;
	}
	if (request->route->access == API_CLIENT && !str_eq(owner, request->identifier)) {
		api_answer(request, HW_NO_PERMISSION, "Owner_Account: a client can only create rooms of its own");
		return -1;
	}
	*owner_out = owner;
	return 0;
}

static void room_created(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK) {
		buf_append_c(&request->response, "{\"RoomId\":");
		buf_append_json_string(&request->response, command->u.room_create.room_id);
		buf_append_char(&request->response, '}');
	}
	api_answer(request, command->code, command->text);
}

void api_room_create(struct api_request *request)
{
	struct command *command = &request->job.command;
	struct buf kept;
	json_t *info;

	if (json_field_object(request->body, "RoomInfo", &info) != JSON_FOUND) {
		api_answer(request, HW_BAD_PARAMETER, "RoomInfo is required, an object");
		return;
	}
	command->u.room_create.visible = true;
	if (api_need_room_id(request, info, &command->u.room_create.room_id) || room_check_type(request, info) ||
	    room_check_owner(request, info, &command->u.room_create.owner) ||
	    api_take_bool(request, info, "IsPublicVisible", &command->u.room_create.visible) < 0)
		return;
	buf_init(&kept, ROOM_INFO_BYTES_MAX);
	if (room_build_info(request, info, command->u.room_create.room_id, &kept) == 0) {
		command->u.room_create.info = arena_dup(request->arena, buf_str(&kept));
		api_submit(request, COMMAND_ROOM_CREATE, request->app->config.sdkappid, room_created);
	}
	buf_fini(&kept);
}

void api_room_destroy(struct api_request *request)
{
	if (api_need_room_id(request, request->body, &request->job.command.u.room_destroy.room_id))
		return;
	api_submit(request, COMMAND_ROOM_DESTROY, request->app->config.sdkappid, api_command_done);
}

/* ---- looking ---- */

static void room_get_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct buf *out = &request->response;
	struct store_room room;
	struct error err;
	int found =
		store_room_get(reader, request->arena, request->app->config.number, request->look.room_id, &room, &err);

	if (found < 0) {
		api_read_failed(request, &err);
		return;
	}
	if (found == 0) {
		request->code = HW_NO_ROOM;
		(void)str_copy(request->text, sizeof(request->text),
			       STR("RoomId: no such room, or it was destroyed")); /* fits */
		return;
	}
	buf_append_c(out, "{\"RoomInfo\":{\"RoomId\":");
	buf_append_json_string(out, room.room_id);
	buf_append_c(out, ",\"Owner_Account\":");
	buf_append_json_string(out, room.owner);
	buf_printf(out, ",\"CreateTime\":%" PRId64 ",\"ViewCount\":0,\"Notice\":\"\",\"IsPublicVisible\":%s,",
		   room.create_ms / 1000, room.visible ? "true" : "false");
	buf_append_str(out, str_slice(room.info, 1, room.info.len)); /* its "{" is ours already */
	buf_append_char(out, '}');
}

void api_room_get(struct api_request *request)
{
	if (api_need_room_id(request, request->body, &request->look.room_id) == 0)
		api_submit_read(request, room_get_read);
}

/* A page's end is named "seconds-sequence", as the vendor's sample looks; only the sequence counts. */
static int room_parse_next(const struct api_request *request, struct str next, int64_t *before_id_out)
{
	ptrdiff_t dash = str_find_char(next, '-');
	uint64_t sequence;

	if (next.len == 0 || str_eq(next, STR("0"))) {
		*before_id_out = INT64_MAX;
		return 0;
	}
	if (dash < 0 || str_to_u64(str_slice(next, (size_t)dash + 1, next.len),
				   (UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1, &sequence))
		return -1;
	*before_id_out = app_id_make(request->app->config.number, sequence);
	return 0;
}

static void room_append_listed(struct buf *out, const struct store_room *room)
{
	static const char *const copied[] = {"RoomName", "CoverURL", "Category", "ActivityStatus"};
	struct error err;
	json_t *info;

	buf_append_c(out, "{\"RoomId\":");
	buf_append_json_string(out, room->room_id);
	buf_append_c(out, ",\"Owner_Account\":");
	buf_append_json_string(out, room->owner);
	buf_printf(out, ",\"CreateTime\":%" PRId64 ",\"ViewCount\":0", room->create_ms / 1000);
	if (json_read(room->info, &info, &err) == 0) {
		for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
			char *text = json_dumps(json_object_get(info, copied[i]), JSON_COMPACT | JSON_ENCODE_ANY);

			if (text)
				buf_printf(out, ",\"%s\":%s", copied[i], text);
			free(text); /* jansson's own */
		}
		json_decref(info);
	}
	buf_append_char(out, '}');
}

static void room_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_room rooms[ROOM_LIST_COUNT_MAX];
	struct buf *out = &request->response;
	struct error err;
	size_t count;

	if (store_room_list(reader, request->arena, request->app->config.number, request->look.before_id, true,
			    request->look.count, rooms, &count, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_append_c(out, "{\"Next\":\"");
	if (count == request->look.count) /* there may be more; an empty page ends it */
		buf_printf(out, "%" PRId64 "-%" PRIu64, rooms[count - 1].create_ms / 1000,
			   app_id_sequence(rooms[count - 1].id));
	buf_append_c(out, "\",\"RoomList\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		room_append_listed(out, &rooms[i]);
	}
	buf_append_c(out, "]}");
}

void api_room_list(struct api_request *request)
{
	struct str next = {0};

	request->look.count = ROOM_LIST_COUNT_MAX;
	if (api_take_str(request, request->body, "Next", 0, 64, &next) < 0 ||
	    api_take_u64(request, request->body, "Count", 1, ROOM_LIST_COUNT_MAX, &request->look.count) < 0)
		return;
	if (room_parse_next(request, next, &request->look.before_id)) {
		api_answer(request, HW_BAD_PARAMETER, "Next must be \"\" or what the previous page gave");
		return;
	}
	api_submit_read(request, room_list_read);
}
