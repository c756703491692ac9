/* Looking at rooms: one, a page of them, statistics, and what they keep. All on the reader thread; see request.h. */
#include "api/page.h"
#include "api/request.h"
#include "base/clock.h"

#include <inttypes.h>

#define ROOM_LIST_COUNT_MAX 20	/* vendor document 63405 */
#define LOOK_PAGE_COUNT_MAX 100 /* of muted and banned members: vendor document 63424 */

/* ---- one room ---- */

/* Finds the room that was asked for. Returns 0, or -1 with the outcome set. */
static int look_find_room(struct api_request *request, struct store_reader *reader, struct store_room *room_out)
{
	struct error err;
	int found = store_room_get(reader, request->arena, request->app->config.number, request->look.room_id, room_out,
				   &err);

	if (found < 0) {
		api_read_failed(request, &err);
	} else if (found == 0) {
		request->code = HW_NO_ROOM;
		(void)str_copy(request->text, sizeof(request->text),
			       STR("RoomId: no such room, or it was destroyed")); /* fits */
	}
	return found == 1 ? 0 : -1;
}

/* The part that get_room_info and get_room_list have in common. */
static void look_append_room(struct buf *out, const struct store_room *room)
{
	buf_append_c(out, "{\"RoomId\":");
	buf_append_json_string(out, room->room_id);
	buf_append_c(out, ",\"Owner_Account\":");
	buf_append_json_string(out, room->owner);
	buf_printf(out, ",\"CreateTime\":%" PRId64 ",\"ViewCount\":0,", room->create_ms / 1000);
}

static void look_room_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct buf *out = &request->response;
	struct store_room room;

	if (look_find_room(request, reader, &room))
		return;
	buf_append_c(out, "{\"RoomInfo\":");
	look_append_room(out, &room);
	buf_printf(out, "\"IsPublicVisible\":%s,", room.visible ? "true" : "false");
	buf_append_str(out, str_slice(room.info, 1, room.info.len)); /* its "{" is ours already */
	buf_append_char(out, '}');
}

static void look_submit(struct api_request *request, void (*read)(struct engine_read *, struct store_reader *))
{
	if (api_need_room_id(request, request->body, &request->look.room_id) == 0)
		api_submit_read(request, read);
}

void api_room_get(struct api_request *request)
{
	look_submit(request, look_room_read);
}

static void look_statistic_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_room room;

	if (look_find_room(request, reader, &room))
		return;
	/* nobody watches, likes or gives here, so there is nothing to count */
	buf_append_c(&request->response, ROOM_STATISTIC_NONE);
	request->response.len--;
	buf_append_c(&request->response, ",\"TotalMsgCount\":0}");
}

void api_room_statistic(struct api_request *request)
{
	look_submit(request, look_statistic_read);
}

/* ---- pages of rooms ---- */

static void look_append_listed(struct buf *out, const struct store_room *room, struct arena *arena)
{
	static const enum room_field fields[] = {ROOM_NAME, ROOM_COVER_URL, ROOM_CATEGORY, ROOM_ACTIVITY_STATUS};
	struct room_info info;

	look_append_room(out, room);
	room_info_read(room->info, room->room_id, arena, &info);
	room_info_append(&info, fields, ARRAY_LEN(fields), out);
	buf_append_char(out, '}');
}

static void look_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_room rooms[ROOM_LIST_COUNT_MAX];
	uint32_t number = request->app->config.number;
	struct buf *out = &request->response;
	struct error err;
	size_t count;

	if (store_room_list(reader, request->arena, number, request->look.before_id, true, request->look.count, rooms,
			    &count, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_append_c(out, "{\"Next\":\"");
	if (count == request->look.count) /* there may be more; an empty page ends it */
		page_token_append(out, store_secret(engine_store(request->api->engine)), number,
				  rooms[count - 1].create_ms / 1000, app_id_sequence(rooms[count - 1].id));
	buf_append_c(out, "\",\"RoomList\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		look_append_listed(out, &rooms[i], request->arena);
	}
	buf_append_c(out, "]}");
}

/* Where a page starts. Returns 0, or -1 when the request was answered. */
static int look_take_next(struct api_request *request)
{
	struct str next = {0};
	uint64_t sequence;

	request->look.before_id = INT64_MAX;
	if (api_take_str(request, request->body, "Next", 0, PAGE_TOKEN_BYTES_MAX, &next) < 0)
		return -1;
	if (next.len == 0 || str_eq(next, STR("0")))
		return 0;
	if (page_token_read(next, store_secret(engine_store(request->api->engine)), request->app->config.number,
			    &sequence)) {
		api_answer(request, HW_BAD_PARAMETER, "Next must be \"\" or what the previous page gave");
		return -1;
	}
	request->look.before_id = app_id_make(request->app->config.number, sequence);
	return 0;
}

void api_room_list(struct api_request *request)
{
	request->look.count = ROOM_LIST_COUNT_MAX;
	if (look_take_next(request) == 0 &&
	    api_take_u64(request, request->body, "Count", 1, ROOM_LIST_COUNT_MAX, &request->look.count) >= 0)
		api_submit_read(request, look_list_read);
}

/* ---- what a room keeps ---- */

/* The room's items of that kind which are not over, in the arena. Returns 0, or -1 with the outcome set. */
static int look_find_items(struct api_request *request, struct store_reader *reader, enum item_kind kind,
			   struct store_item **items_out, size_t *count_out)
{
	int64_t now_ms = clock_wall_ms();
	size_t count_max = item_count_max(kind);
	struct store_item *items;
	struct store_room room;
	struct error err;
	size_t count;
	size_t kept = 0;

	if (look_find_room(request, reader, &room))
		return -1;
	items = arena_array(request->arena, count_max, sizeof(*items));
	if (store_room_items(reader, request->arena, room.id, kind, count_max, items, &count, &err)) {
		api_read_failed(request, &err);
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (!item_is_over(items[i].until_s, now_ms))
			items[kept++] = items[i];
	*items_out = items;
	*count_out = kept;
	return 0;
}

/* {"Name":["a","b"]} */
static void look_names_read(struct api_request *request, struct store_reader *reader, enum item_kind kind,
			    const char *name)
{
	struct buf *out = &request->response;
	struct store_item *items;
	size_t count;

	if (look_find_items(request, reader, kind, &items, &count))
		return;
	buf_printf(out, "{\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_json_string(out, items[i].name);
	}
	buf_append_c(out, "]}");
}

static void look_admins_read(struct engine_read *read, struct store_reader *reader)
{
	look_names_read(api_request_of_read(read), reader, ITEM_ADMIN, "Admin_Account");
}

static void look_robots_read(struct engine_read *read, struct store_reader *reader)
{
	look_names_read(api_request_of_read(read), reader, ITEM_ROBOT, "RobotList_Account");
}

void api_admins_get(struct api_request *request)
{
	look_submit(request, look_admins_read);
}

void api_robots_get(struct api_request *request)
{
	look_submit(request, look_robots_read);
}

static void look_append_member(struct buf *out, enum item_kind kind, const struct store_item *item)
{
	buf_append_c(out, "{\"Member_Account\":");
	buf_append_json_string(out, item->name);
	buf_printf(out, ",\"%s\":%" PRId64, kind == ITEM_BAN ? "BannedUntil" : "MutedUntil", item->until_s);
	if (kind == ITEM_BAN) {
		buf_append_c(out, ",\"Reason\":");
		buf_append_json_string(out, item->value);
	}
	buf_append_char(out, '}');
}

static void look_members_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	enum item_kind kind = request->look.kind;
	struct buf *out = &request->response;
	struct store_item *items;
	size_t count;
	size_t end;

	if (look_find_items(request, reader, kind, &items, &count))
		return;
	end = request->look.offset + request->look.count < count ? request->look.offset + request->look.count : count;
	buf_printf(out, "{\"%s\":[", kind == ITEM_BAN ? "BannedAccountList" : "MutedAccountList");
	for (size_t i = request->look.offset; i < end; i++) {
		if (i > request->look.offset)
			buf_append_char(out, ',');
		look_append_member(out, kind, &items[i]);
	}
	buf_append_char(out, ']');
	if (request->look.paged)
		buf_printf(out, ",\"NextOffset\":%zu", end < count ? end : 0);
	buf_append_char(out, '}');
}

/* The vendor pages the banned members and not the muted ones; its panel asks for pages of both. */
static void look_submit_members(struct api_request *request, enum item_kind kind)
{
	int has_offset = api_take_u64(request, request->body, "Offset", 0, UINT32_MAX, &request->look.offset);
	int has_limit;

	if (has_offset < 0)
		return;
	request->look.kind = kind;
	request->look.count = LOOK_PAGE_COUNT_MAX;
	has_limit = api_take_u64(request, request->body, "Limit", 1, LOOK_PAGE_COUNT_MAX, &request->look.count);
	if (has_limit < 0)
		return;
	request->look.paged = kind == ITEM_BAN || has_offset || has_limit;
	if (!request->look.paged)
		request->look.count = ROOM_ITEM_COUNT_MAX;
	look_submit(request, look_members_read);
}

void api_muted_get(struct api_request *request)
{
	look_submit_members(request, ITEM_MUTE);
}

void api_banned_get(struct api_request *request)
{
	look_submit_members(request, ITEM_BAN);
}

/* ---- metadata ---- */

static bool look_is_wanted(const struct api_request *request, struct str key)
{
	return request->look.name_count == 0 || api_has_name(request->look.names, request->look.name_count, key);
}

static void look_metadata_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct buf *out = &request->response;
	struct store_item *items;
	bool first = true;
	size_t count;

	if (look_find_items(request, reader, ITEM_METADATA, &items, &count))
		return;
	buf_append_c(out, "{\"Metadata\":[");
	for (size_t i = 0; i < count; i++) {
		if (!look_is_wanted(request, items[i].name))
			continue;
		buf_append_c(out, first ? "{\"Key\":" : ",{\"Key\":");
		buf_append_json_string(out, items[i].name);
		buf_append_c(out, ",\"Value\":");
		buf_append_json_string(out, items[i].value);
		buf_append_char(out, '}');
		first = false;
	}
	buf_append_c(out, "]}");
}

void api_metadata_get(struct api_request *request)
{
	static const struct api_names_rule rule = {.key = "Keys", .count_max = LOOK_PAGE_COUNT_MAX};
	json_t *keys;
	enum json_found found = json_field_array(request->body, "Keys", &keys);

	if ((found == JSON_WRONG || (found == JSON_FOUND && json_array_size(keys) > 0)) &&
	    api_need_names(request, &rule, &request->look.names, &request->look.name_count))
		return;
	look_submit(request, look_metadata_read);
}
