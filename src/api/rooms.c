/* Rooms: create, destroy, update, change of owner, for admins and, but for the last, for clients. What a room is made of
 * stands in live/room.h; fields that are not there are ignored, because real callers send more. */
#include "api/rate.h"
#include "api/request.h"
#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

#define ROOM_WORD_BYTES_MAX 64

/* Each takes a value. 1 done, 0 the field is absent, -1 answered. */
static int room_take_text(struct api_request *request, const json_t *json, const struct room_field_rule *rule,
			  struct room_value *out)
{
	bool word = rule->type == ROOM_FIELD_WORD;
	int found = api_take_str(request, json, rule->name, 0, word ? ROOM_WORD_BYTES_MAX : rule->limit, &out->text);

	if (found == 1 && word && !room_word_ok(rule, out->text)) {
		api_refuse_with(request, HW_BAD_PARAMETER, "%s must be one of %.180s", rule->name, rule->words);
		return -1;
	}
	return found;
}

static int room_take_number(struct api_request *request, const json_t *json, const struct room_field_rule *rule,
			    struct room_value *out)
{
	uint64_t value;
	int found = api_take_u64(request, json, rule->name, 0, rule->limit, &value);

	if (found == 1)
		out->number = (int64_t)value;
	return found;
}

static int room_take_flag(struct api_request *request, const json_t *json, const struct room_field_rule *rule,
			  struct room_value *out)
{
	struct str text;
	bool flag;
	int found;

	if (rule->type == ROOM_FIELD_LOOSE_FLAG && json_field_str(json, rule->name, &text) == JSON_FOUND &&
	    (str_eq(text, STR("true")) || str_eq(text, STR("false")))) {
		out->number = text.len == 4;
		return 1;
	}
	found = api_take_bool(request, json, rule->name, &flag);
	if (found == 1)
		out->number = flag;
	return found;
}

static int room_take_tags(struct api_request *request, const json_t *json, const struct room_field_rule *rule,
			  struct room_value *out)
{
	json_t *array;
	enum json_found found = json_field_array(json, rule->name, &array);
	bool good = found == JSON_FOUND && json_array_size(array) <= rule->limit;

	if (found == JSON_ABSENT)
		return 0;
	out->tag_count = 0;
	for (size_t i = 0; good && i < json_array_size(array); i++) {
		const json_t *tag = json_array_get(array, i);

		good = json_is_integer(tag);
		out->tags[out->tag_count++] = json_integer_value(tag);
	}
	if (good)
		return 1;
	api_refuse_with(request, HW_BAD_PARAMETER, "%s must be an array of at most %" PRIu64 " integers", rule->name,
			rule->limit);
	return -1;
}

static int room_take_value(struct api_request *request, const json_t *json, const struct room_field_rule *rule,
			   struct room_value *out)
{
	switch (rule->type) {
	case ROOM_FIELD_NUMBER:
		return room_take_number(request, json, rule, out);
	case ROOM_FIELD_FLAG:
	case ROOM_FIELD_LOOSE_FLAG:
		return room_take_flag(request, json, rule, out);
	case ROOM_FIELD_TAGS:
		return room_take_tags(request, json, rule, out);
	default:
		return room_take_text(request, json, rule, out);
	}
}

int api_take_room_info(struct api_request *request, const json_t *json, bool update, struct room_info *out)
{
	out->given = 0;
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++) {
		int found;

		if (update && !room_fields[i].updatable)
			continue;
		found = room_take_value(request, json, &room_fields[i], &out->values[i]);
		if (found < 0)
			return -1;
		out->given |= (uint32_t)found << i;
	}
	return 0;
}

static int room_need_info(struct api_request *request, json_t **info_out)
{
	if (json_field_object(request->body, "RoomInfo", info_out) != JSON_FOUND) {
		api_answer(request, HW_BAD_PARAMETER, "RoomInfo is required, an object");
		return -1;
	}
	return api_need_room_id(request, *info_out, &request->job.command.room_id);
}

static int room_check_type(struct api_request *request, const json_t *info)
{
	struct str type;

	if (api_need_str(request, info, "RoomType", 0, ROOM_WORD_BYTES_MAX, &type))
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
	if (api_check_account(request, "Owner_Account", owner))
		return -1;
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
		rate_room_created(request->api->rate, command->sdkappid, command->room_id, clock_mono_ns());
		buf_append_c(&request->response, "{\"RoomId\":");
		buf_append_json_string(&request->response, command->room_id);
		buf_append_char(&request->response, '}');
	}
	api_answer(request, command->code, command->text);
}

void api_submit_room(struct api_request *request, uint32_t sdkappid, struct room_info *info)
{
	struct command *command = &request->job.command;
	struct buf kept;

	room_info_complete(info, command->room_id);
	buf_init(&kept, ROOM_INFO_BYTES_MAX);
	room_info_write(info, &kept);
	command->u.room_create.info = arena_dup(request->arena, buf_str(&kept));
	buf_fini(&kept);
	command->u.room_create.visible = info->values[ROOM_VISIBLE].number != 0;
	command->u.room_create.too_soon =
		rate_room_is_fresh(request->api->rate, sdkappid, command->room_id, clock_mono_ns());
	api_submit(request, COMMAND_ROOM_CREATE, sdkappid, room_created);
}

void api_room_create(struct api_request *request)
{
	struct room_info info;
	json_t *json;

	if (room_need_info(request, &json) || room_check_type(request, json) ||
	    room_check_owner(request, json, &request->job.command.u.room_create.owner) ||
	    api_take_room_info(request, json, false, &info))
		return;
	api_submit_room(request, request->app->config.sdkappid, &info);
}

static void room_destroyed(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);

	if (request->job.command.code == HW_OK)
		buf_append_c(&request->response, "{\"Statistic\":" ROOM_STATISTIC_NONE "}");
	api_command_done(mail);
}

void api_room_destroy(struct api_request *request)
{
	if (api_need_room_id(request, request->body, &request->job.command.room_id))
		return;
	api_submit(request, COMMAND_ROOM_DESTROY, request->app->config.sdkappid, room_destroyed);
}

void api_room_update(struct api_request *request)
{
	struct room_info *change = arena_new(request->arena, struct room_info);
	json_t *json;

	if (room_need_info(request, &json) || api_take_room_info(request, json, true, change))
		return;
	request->job.command.u.room_update = change;
	api_submit(request, COMMAND_ROOM_UPDATE, request->app->config.sdkappid, api_command_done);
}

void api_room_change_owner(struct api_request *request)
{
	struct command *command = &request->job.command;
	struct str owner;

	if (api_need_room_id(request, request->body, &command->room_id) ||
	    api_need_str(request, request->body, "NewOwner_Account", 1, HW_IDENTIFIER_BYTES_MAX, &owner) ||
	    api_check_account(request, "NewOwner_Account", owner))
		return;
	command->u.owner_change = owner;
	api_submit(request, COMMAND_OWNER_CHANGE, request->app->config.sdkappid, api_command_done);
}
