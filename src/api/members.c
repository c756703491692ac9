/* What rooms keep beside their properties: metadata, admins, robots, mutes and bans. The limits of a room are the
 * domain's (live/step_item.c); here stand those of one call. */
#include "api/request.h"

#include <string.h>

#define MEMBERS_BAN_CALL_MAX 20	  /* vendor document 63426 */
#define MEMBERS_CALL_MAX 100	  /* mutes and robots: the vendor names no limit */
#define MEMBERS_KEYS_CALL_MAX 100 /* of a deletion */

static void members_submit(struct api_request *request, enum command_type type)
{
	if (api_need_room_id(request, request->body, &request->job.command.room_id) == 0)
		api_submit(request, type, request->app->config.sdkappid, api_command_done);
}

/* ---- metadata ---- */

/* Returns 0, or -1 when the request was answered. */
static int members_take_metadata(struct api_request *request, const json_t *json, struct metadata *out)
{
	struct str key;
	struct str value;

	if (!json_is_object(json) || json_field_str(json, "Key", &key) != JSON_FOUND ||
	    json_field_str(json, "Value", &value) != JSON_FOUND) {
		api_answer(request, HW_BAD_PARAMETER,
			   "Metadata: each element must be an object with Key and Value, strings");
		return -1;
	}
	if (key.len < 1 || key.len > ROOM_METADATA_KEY_BYTES_MAX) {
		api_refuse_with(request, HW_METADATA_KEY_TOO_LONG, "Metadata: Key must have 1 to %d bytes",
				ROOM_METADATA_KEY_BYTES_MAX);
		return -1;
	}
	if (!api_is_plain_text(key)) {
		api_answer(request, HW_BAD_PARAMETER, "Metadata: Key must not hold control characters");
		return -1;
	}
	if (value.len > ROOM_METADATA_VALUE_BYTES_MAX) {
		api_refuse_with(request, HW_METADATA_VALUE_TOO_LONG,
				"Metadata: Value of \"%.*s\" has more than %d bytes", STR_ARG(key),
				ROOM_METADATA_VALUE_BYTES_MAX);
		return -1;
	}
	*out = (struct metadata){key, value};
	return 0;
}

/* Puts it into the list; of two with one key the later wins. Returns false when there are too many. */
static bool members_put_metadata(struct metadata *list, size_t *count, struct metadata one)
{
	for (size_t i = 0; i < *count; i++) {
		if (str_eq(list[i].key, one.key)) {
			list[i] = one;
			return true;
		}
	}
	if (*count == ROOM_METADATA_COUNT_MAX)
		return false;
	list[(*count)++] = one;
	return true;
}

void api_metadata_set(struct api_request *request)
{
	struct metadata *list = arena_array(request->arena, ROOM_METADATA_COUNT_MAX, sizeof(*list));
	struct command *command = &request->job.command;
	size_t count = 0;
	json_t *array;

	if (json_field_array(request->body, "Metadata", &array) != JSON_FOUND || json_array_size(array) < 1) {
		api_answer(request, HW_BAD_PARAMETER, "Metadata is required, an array of objects with Key and Value");
		return;
	}
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct metadata one;

		if (members_take_metadata(request, json_array_get(array, i), &one))
			return;
		if (!members_put_metadata(list, &count, one)) {
			api_refuse_with(request, HW_METADATA_TOO_MANY, "Metadata: %s",
					hw_code_text(HW_METADATA_TOO_MANY));
			return;
		}
	}
	command->u.metadata.set = list;
	command->u.metadata.count = count;
	members_submit(request, COMMAND_METADATA_SET);
}

void api_metadata_delete(struct api_request *request)
{
	static const struct api_names_rule rule = {.key = "Keys", .count_max = MEMBERS_KEYS_CALL_MAX};
	struct command *command = &request->job.command;

	if (api_need_names(request, &rule, &command->u.metadata.keys, &command->u.metadata.count) == 0)
		members_submit(request, COMMAND_METADATA_DELETE);
}

/* ---- accounts in lists ---- */

/* Takes the accounts. Returns 0, or -1 when the request was answered. */
static int members_take(struct api_request *request, enum item_kind kind, const char *key, size_t count_max)
{
	const struct api_names_rule rule = {.key = key, .count_max = count_max, .accounts = true};
	struct command *command = &request->job.command;

	command->u.members.kind = kind;
	command->u.members.reason = STR("");
	return api_need_names(request, &rule, &command->u.members.accounts, &command->u.members.count);
}

void api_admins_modify(struct api_request *request)
{
	struct str type;

	if (members_take(request, ITEM_ADMIN, "Admin_Account", ROOM_ADMIN_COUNT_MAX) ||
	    api_need_str(request, request->body, "OpType", 0, 16, &type))
		return;
	if (str_eq(type, STR("add")))
		members_submit(request, COMMAND_MEMBERS_ADD);
	else if (str_eq(type, STR("delete")))
		members_submit(request, COMMAND_MEMBERS_REMOVE);
	else
		api_answer(request, HW_BAD_PARAMETER, "OpType must be add or delete");
}

void api_robots_change(struct api_request *request)
{
	if (members_take(request, ITEM_ROBOT, "RobotList_Account", MEMBERS_CALL_MAX) == 0)
		members_submit(request, (enum command_type)request->route->command);
}

void api_member_mute(struct api_request *request)
{
	uint64_t *seconds = &request->job.command.u.members.seconds;

	if (members_take(request, ITEM_MUTE, "MemberList_Account", MEMBERS_CALL_MAX) == 0 &&
	    api_need_u64(request, request->body, "MuteTime", 0, UINT32_MAX, seconds) == 0)
		members_submit(request, *seconds ? COMMAND_MEMBERS_ADD : COMMAND_MEMBERS_REMOVE);
}

void api_member_ban(struct api_request *request)
{
	struct command *command = &request->job.command;

	if (members_take(request, ITEM_BAN, "MemberList_Account", MEMBERS_BAN_CALL_MAX) == 0 &&
	    api_need_u64(request, request->body, "Duration", 1, UINT32_MAX, &command->u.members.seconds) == 0 &&
	    api_take_str(request, request->body, "Reason", 0, ROOM_BAN_REASON_BYTES_MAX, &command->u.members.reason) >=
		    0)
		members_submit(request, COMMAND_MEMBERS_ADD);
}

void api_member_unban(struct api_request *request)
{
	if (members_take(request, ITEM_BAN, "MemberList_Account", MEMBERS_BAN_CALL_MAX) == 0)
		members_submit(request, COMMAND_MEMBERS_REMOVE);
}
