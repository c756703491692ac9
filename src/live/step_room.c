/* Rooms: creation, destruction, change of properties and owner; see step.h.
 *
 * The rules, in the order they are looked at for a creation: the app exists; the room id is free (100010 for a room of
 * the same owner, 100003 for another's: neither is a creation, so neither alerts); it was not created a moment ago
 * (100012); the count is below the maximum (100013); the owner is an account, or becomes one (70107). Then the room
 * gets the next id of its app, the counter rises, the creation's own callback is made, and then the alert policy looks
 * at the new count. */
#include "live/alert.h"
#include "live/packet.h"
#include "live/step_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct live_room *step_need_room(const struct live_set *set, struct command *command)
{
	struct live_room *room = live_set_room(set, command->sdkappid, command->room_id);

	assert(room);
	if (room->exists)
		return room;
	step_answer(command, HW_NO_ROOM, "RoomId: no such room, or it was destroyed");
	return NULL;
}

static bool step_is_owner(const struct live_room *room, const struct command *command)
{
	return str_eq(command->origin.operator_account, str_c(room->owner));
}

bool step_check_editor(struct live_room *room, struct command *command)
{
	const struct live_item *admin;

	if (command->origin.admin || step_is_owner(room, command))
		return true;
	admin = step_find_item(room, ITEM_ADMIN, command->origin.operator_account);
	if (admin && admin->exists)
		return true;
	step_answer(command, HW_NO_PERMISSION, "only the room's owner and its admins may change it");
	return false;
}

bool step_check_account(const struct live_set *set, const struct live_app *app, struct command *command,
			struct str name)
{
	const struct live_account *account = live_set_account(set, app->sdkappid, name);

	assert(account);
	if (account->exists || !app->config->accounts_required || app_is_admin(app->config, name))
		return true;
	step_answer(command, HW_ACCOUNT_UNKNOWN, "account \"%.*s\" was not imported, and this app requires it",
		    STR_ARG(name));
	return false;
}

void step_use_account(struct live_set *set, const struct live_app *app, const struct command *command, struct str name)
{
	struct live_account *account = live_set_account(set, app->sdkappid, name);

	assert(account);
	if (account->exists)
		return;
	account->exists = true;
	account->create_ms = command->origin.wall_ms;
	account->nick = account->face_url = STR("");
}

/* Answers and returns false when the room cannot be created. */
static bool step_check_creation(const struct live_set *set, const struct live_app *app, const struct live_room *room,
				struct command *command)
{
	if (room->exists) {
		int code = str_eq(command->u.room_create.owner, str_c(room->owner)) ? HW_ROOM_EXISTS_OWNED
										    : HW_ROOM_EXISTS;

		step_answer(command, code, "RoomId: %s", hw_code_text(code));
		return false;
	}
	if (command->u.room_create.too_soon) {
		step_answer(command, HW_ROOM_TOO_SOON, "RoomId: %s", hw_code_text(HW_ROOM_TOO_SOON));
		return false;
	}
	if (app->state.room_count >= app->config->room_count_max) {
		step_answer(command, HW_QUOTA_FULL,
			    "the app has %" PRIu64 " rooms and its maximum is %" PRIu32
			    ": destroy rooms or raise the maximum",
			    app->state.room_count, app->config->room_count_max);
		return false;
	}
	return step_check_account(set, app, command, command->u.room_create.owner);
}

void step_room_create(struct live_set *set, struct live_app *app, struct command *command)
{
	struct live_room *room = live_set_room(set, app->sdkappid, command->room_id);

	assert(room);
	if (!step_check_creation(set, app, room, command))
		return;
	step_use_account(set, app, command, command->u.room_create.owner);
	room->exists = true;
	room->id = app_id_make(app->config->number, ++app->state.room_sequence);
	(void)str_copy(room->owner, sizeof(room->owner), command->u.room_create.owner); /* checked by the API */
	room->create_ms = command->origin.wall_ms;
	room->visible = command->u.room_create.visible;
	room->info = command->u.room_create.info;
	app->state.room_count++;
	if (app_callback_on(app->config, HW_CALLBACK_ROOM_CREATED))
		step_add_callback(set, app, command, HW_CALLBACK_ROOM_CREATED,
				  packet_room_created(set->arena, command, room), 0);
	step_evaluate_alert(set, app, command, true);
	step_ok(command, app);
}

void step_room_destroy(struct live_set *set, struct live_app *app, struct command *command)
{
	struct live_room *room = step_need_room(set, command);

	if (!room)
		return;
	if (!command->origin.admin && !step_is_owner(room, command)) {
		step_answer(command, HW_NO_PERMISSION, "only the room's owner may destroy it");
		return;
	}
	if (app_callback_on(app->config, HW_CALLBACK_ROOM_DESTROYED))
		step_add_callback(set, app, command, HW_CALLBACK_ROOM_DESTROYED,
				  packet_room_destroyed(set->arena, command, room), 0);
	room->exists = false;
	memset(room->items, 0, sizeof(room->items)); /* a store deletes those of a room that is gone by the room */
	if (app->state.room_count > 0)		     /* 0: a file that was tampered with */
		app->state.room_count--;
	app->state.alert_level = alert_rearm(&app->config->alert, app->state.alert_level, app->state.room_count,
					     app->config->room_count_max);
	app->state_changed = true;
	step_ok(command, app);
}

void step_room_update(struct live_set *set, struct live_app *app, struct command *command)
{
	const struct room_info *change = command->u.room_update;
	struct live_room *room = step_need_room(set, command);
	struct room_info info;
	struct buf text;

	if (!room || !step_check_editor(room, command))
		return;
	if (change->given) {
		room_info_read(room->info, room->room_id, set->arena, &info);
		info.values[ROOM_VISIBLE].number = room->visible;
		room_info_merge(&info, change);
		room_info_complete(&info, room->room_id); /* an empty name is the id */
		buf_init(&text, ROOM_INFO_BYTES_MAX);
		room_info_write(&info, &text);
		assert(buf_ok(&text));
		room->info = arena_dup(set->arena, buf_str(&text));
		buf_fini(&text);
		room->visible = info.values[ROOM_VISIBLE].number != 0;
		room->changed = true;
		if (app_callback_on(app->config, HW_CALLBACK_ROOM_UPDATED))
			step_add_callback(set, app, command, HW_CALLBACK_ROOM_UPDATED,
					  packet_room_updated(set->arena, command, room), 0);
	}
	step_ok(command, app);
}

void step_owner_change(struct live_set *set, struct live_app *app, struct command *command)
{
	struct live_room *room = step_need_room(set, command);
	struct str previous;

	if (!room || !step_check_account(set, app, command, command->u.owner_change))
		return;
	if (!str_eq(command->u.owner_change, str_c(room->owner))) {
		previous = arena_dup(set->arena, str_c(room->owner));
		step_use_account(set, app, command, command->u.owner_change);
		(void)str_copy(room->owner, sizeof(room->owner), command->u.owner_change); /* checked by the API */
		room->changed = true;
		if (app_callback_on(app->config, HW_CALLBACK_OWNER_CHANGED))
			step_add_callback(set, app, command, HW_CALLBACK_OWNER_CHANGED,
					  packet_owner_changed(set->arena, command, previous), 0);
	}
	step_ok(command, app);
}
