/* What rooms keep beside their properties: metadata, admins, robots, mutes and bans; and the app's accounts; see step.h.
 *
 * A list is looked at as a whole before anything is changed, so a command that would make it too long changes nothing.
 * Mutes and bans whose time is over count no more and leave with the next change of their list. */
#include "live/packet.h"
#include "live/step_internal.h"

struct live_item *step_find_item(const struct live_room *room, enum item_kind kind, struct str name)
{
	struct live_item *item = room->items[kind];

	while (item && !str_eq(item->name, name))
		item = item->next;
	return item;
}

static bool step_item_lives(const struct live_item *item, const struct command *command)
{
	return item && item->exists && !item_is_over(item->until_s, command->origin.wall_ms);
}

static size_t step_count_items(const struct live_room *room, enum item_kind kind, const struct command *command)
{
	size_t count = 0;

	for (const struct live_item *item = room->items[kind]; item; item = item->next)
		count += step_item_lives(item, command);
	return count;
}

/* One that the store has stays in the list until it was told; one of this batch is forgotten, so that a list never gets
 * longer than what was loaded and what may be there, however often names come and go in a batch. */
static void step_drop_item(struct live_item **at)
{
	if ((*at)->exists_before)
		(*at)->exists = false;
	else
		*at = (*at)->next;
}

static void step_drop_over(struct live_room *room, enum item_kind kind, const struct command *command)
{
	for (struct live_item **at = &room->items[kind]; *at;) {
		struct live_item *item = *at;

		if (item->exists && item_is_over(item->until_s, command->origin.wall_ms))
			step_drop_item(at);
		if (*at == item)
			at = &item->next;
	}
}

/* Where the item of that name is, or would go. */
static struct live_item **step_item_place(struct live_room *room, enum item_kind kind, struct str name)
{
	struct live_item **at = &room->items[kind];

	while (*at && !str_eq((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static void step_put_item(struct live_set *set, struct live_room *room, enum item_kind kind,
			  const struct live_item *value)
{
	struct live_item **at = step_item_place(room, kind, value->name);
	struct live_item *item = *at;

	if (!item)
		item = *at = arena_new(set->arena, struct live_item);
	item->name = value->name;
	item->value = value->value;
	item->until_s = value->until_s;
	item->exists = true;
	item->changed = true;
}

/* ---- metadata ---- */

/* Answers and returns false when the room's metadata would pass a limit. */
static bool step_check_metadata(const struct live_room *room, struct command *command)
{
	size_t count = 0;
	size_t bytes = 0;

	for (const struct live_item *item = room->items[ITEM_METADATA]; item; item = item->next) {
		count += item->exists;
		bytes += item->exists ? item->value.len : 0;
	}
	for (size_t i = 0; i < command->u.metadata.count; i++) {
		const struct metadata *set = &command->u.metadata.set[i];
		const struct live_item *item = step_find_item(room, ITEM_METADATA, set->key);
		bool there = item && item->exists;

		count += !there;
		bytes += set->value.len;
		bytes -= there ? item->value.len : 0;
	}
	if (count > ROOM_METADATA_COUNT_MAX) {
		step_answer(command, HW_METADATA_TOO_MANY, "Metadata: a room has at most %d keys, not %zu",
			    ROOM_METADATA_COUNT_MAX, count);
		return false;
	}
	if (bytes > ROOM_METADATA_BYTES_MAX) {
		step_answer(command, HW_METADATA_TOO_LARGE,
			    "Metadata: the values of a room have at most %d bytes together, not %zu",
			    ROOM_METADATA_BYTES_MAX, bytes);
		return false;
	}
	return true;
}

void step_metadata_set(struct live_set *set, struct live_app *app, struct command *command)
{
	struct live_room *room = step_need_room(set, command);

	if (!room || !step_check_editor(room, command) || !step_check_metadata(room, command))
		return;
	for (size_t i = 0; i < command->u.metadata.count; i++)
		step_put_item(set, room, ITEM_METADATA,
			      &(struct live_item){.name = command->u.metadata.set[i].key,
						  .value = command->u.metadata.set[i].value});
	if (app_callback_on(app->config, HW_CALLBACK_METADATA_SET))
		step_add_callback(set, app, command, HW_CALLBACK_METADATA_SET, packet_metadata_set(set->arena, command),
				  0);
	step_ok(command, app);
}

static size_t step_delete_items(struct live_room *room, const struct str *keys, size_t count, struct str *deleted_out)
{
	size_t deleted = 0;

	for (size_t i = 0; i < count; i++) {
		struct live_item **at = step_item_place(room, ITEM_METADATA, keys[i]);

		if (!*at || !(*at)->exists)
			continue;
		deleted_out[deleted++] = (*at)->name;
		step_drop_item(at);
	}
	return deleted;
}

static bool step_has_any(const struct live_room *room, const struct str *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct live_item *item = step_find_item(room, ITEM_METADATA, keys[i]);

		if (item && item->exists)
			return true;
	}
	return false;
}

void step_metadata_delete(struct live_set *set, struct live_app *app, struct command *command)
{
	struct live_room *room = step_need_room(set, command);
	const struct str *keys = command->u.metadata.keys;
	struct str *deleted;
	size_t count;

	if (!room || !step_check_editor(room, command))
		return;
	if (!step_has_any(room, keys, command->u.metadata.count)) {
		step_answer(command, HW_NO_METADATA, "Keys: %s", hw_code_text(HW_NO_METADATA));
		return;
	}
	deleted = arena_array(set->arena, command->u.metadata.count, sizeof(*deleted));
	count = step_delete_items(room, keys, command->u.metadata.count, deleted);
	if (app_callback_on(app->config, HW_CALLBACK_METADATA_DELETED))
		step_add_callback(set, app, command, HW_CALLBACK_METADATA_DELETED,
				  packet_metadata_deleted(set->arena, command, deleted, count), 0);
	step_ok(command, app);
}

/* ---- members ---- */

static void step_admins_modified(struct live_set *set, struct live_app *app, const struct command *command)
{
	if (command->u.members.kind == ITEM_ADMIN && app_callback_on(app->config, HW_CALLBACK_ADMIN_MODIFIED))
		step_add_callback(set, app, command, HW_CALLBACK_ADMIN_MODIFIED,
				  packet_admins_modified(set->arena, command), 0);
}

/* Answers and returns false when a robot is no account, or the list would be too long. */
static bool step_check_members(const struct live_set *set, const struct live_app *app, const struct live_room *room,
			       struct command *command)
{
	enum item_kind kind = command->u.members.kind;
	size_t count = step_count_items(room, kind, command);

	for (size_t i = 0; i < command->u.members.count; i++) {
		struct str name = command->u.members.accounts[i];

		if (kind == ITEM_ROBOT && !step_check_account(set, app, command, name))
			return false;
		count += !step_item_lives(step_find_item(room, kind, name), command);
	}
	if (count > item_count_max(kind)) {
		step_answer(command, kind == ITEM_ADMIN ? HW_TOO_MANY_ADMINS : HW_BAD_PARAMETER,
			    "a room has at most %zu accounts in this list, not %zu", item_count_max(kind), count);
		return false;
	}
	return true;
}

void step_members_add(struct live_set *set, struct live_app *app, struct command *command)
{
	enum item_kind kind = command->u.members.kind;
	struct live_room *room = step_need_room(set, command);
	int64_t until_s = 0;

	if (!room || !step_check_members(set, app, room, command))
		return;
	if (kind == ITEM_MUTE || kind == ITEM_BAN)
		until_s = command->origin.wall_ms / 1000 + (int64_t)command->u.members.seconds;
	step_drop_over(room, kind, command);
	for (size_t i = 0; i < command->u.members.count; i++) {
		struct str name = command->u.members.accounts[i];

		if (kind == ITEM_ROBOT)
			step_use_account(set, app, command, name);
		step_put_item(
			set, room, kind,
			&(struct live_item){.name = name, .value = command->u.members.reason, .until_s = until_s});
	}
	step_admins_modified(set, app, command);
	step_ok(command, app);
}

void step_members_remove(struct live_set *set, struct live_app *app, struct command *command)
{
	enum item_kind kind = command->u.members.kind;
	struct live_room *room = step_need_room(set, command);

	if (!room)
		return;
	step_drop_over(room, kind, command);
	for (size_t i = 0; i < command->u.members.count; i++) {
		struct live_item **at = step_item_place(room, kind, command->u.members.accounts[i]);

		if (*at)
			step_drop_item(at);
	}
	step_admins_modified(set, app, command);
	step_ok(command, app);
}

/* ---- accounts ---- */

void step_account_import(struct live_set *set, struct live_app *app, struct command *command)
{
	for (size_t i = 0; i < command->u.account_import.count; i++) {
		const struct account *given = &command->u.account_import.accounts[i];
		struct live_account *account = live_set_account(set, app->sdkappid, given->name);

		step_use_account(set, app, command, given->name);
		if (given->nick.ptr && !str_eq(given->nick, account->nick)) {
			account->nick = given->nick;
			account->changed = true;
		}
		if (given->face_url.ptr && !str_eq(given->face_url, account->face_url)) {
			account->face_url = given->face_url;
			account->changed = true;
		}
	}
	step_ok(command, app);
}
