/* The management API's calls for rooms: an app's rooms and who makes them, one room whole, and what an operator does to
 * them. Creation and destruction are the commands of the server API, so quota, alert and callbacks are the same; the
 * audit log names the operator.
 *
 * A page comes to its first row by an index and looks at no other. So rooms that begin with some text come in the order of
 * their ids, whatever order was asked for. Creators are counted over the newest rooms, at most ROOM_CREATORS_LOOK_MAX. */
#include "api/manage.h"
#include "api/page.h"
#include "api/names.h"
#include "base/clock.h"

#include <inttypes.h>

#define ROOMS_COUNT_DEFAULT 50
#define ROOM_CREATORS_DEFAULT 10
#define ROOM_CREATORS_LOOK_MAX 10000
#define ROOM_DESTROY_COUNT_MAX 100

enum rooms_order { ROOMS_NEWEST, ROOMS_OLDEST, ROOMS_BY_ID };
static const char *const rooms_orders[] = {"newest", "oldest", "room_id"};

/* The app's state; -1 with the outcome set, also when it was deleted a moment ago. */
static int rooms_find_app(struct api_request *request, struct store_reader *reader, struct store_app **app_out)
{
	struct store_app *app = arena_new(request->arena, struct store_app);
	struct error err;
	int found = store_app_get(reader, request->look.sdkappid, app, &err);

	if (found < 0)
		api_read_failed(request, &err);
	else if (found == 0)
		api_read_refused(request, HW_UNKNOWN_SDKAPPID, NULL);
	*app_out = app;
	return found == 1 ? 0 : -1;
}

/* ---- pages of rooms ---- */

static void rooms_append_room(struct buf *out, const struct store_room *room, struct arena *arena)
{
	static const enum room_field fields[] = {ROOM_NAME};
	struct room_info info;

	buf_append_c(out, "{\"RoomId\":");
	buf_append_json_string(out, room->room_id);
	buf_append_c(out, ",\"Owner\":");
	buf_append_json_string(out, room->owner);
	buf_printf(out, ",\"CreateTime\":%" PRId64 ",\"Visible\":%s,", room->create_ms,
		   room->visible ? "true" : "false");
	room_info_read(room->info, room->room_id, arena, &info);
	room_info_append(&info, fields, ARRAY_LEN(fields), out);
}

static int rooms_read_page(struct api_request *request, struct store_reader *reader, struct store_room *rooms,
			   size_t limit, size_t *count_out, struct error *err)
{
	uint32_t number = request->app->config.number;

	switch ((enum rooms_order)request->look.order) {
	case ROOMS_BY_ID:
		return store_room_list_named(reader, request->arena, number, request->look.search, request->look.after,
					     limit, rooms, count_out, err);
	case ROOMS_OLDEST:
		return store_room_list_oldest(reader, request->arena, number, request->look.before_id, limit, rooms,
					      count_out, err);
	default:
		return store_room_list(reader, request->arena, number, request->look.before_id, false, limit, rooms,
				       count_out, err);
	}
}

/* What the next page starts after. */
static void rooms_append_next(struct api_request *request, const struct store_room *last)
{
	struct buf *out = &request->response;

	if (request->look.order == ROOMS_BY_ID) {
		buf_append_json_string(out, last->room_id);
		return;
	}
	buf_append_char(out, '"');
	page_token_append(out, store_secret(engine_store(request->api->engine)), request->app->config.number,
			  last->create_ms / 1000, app_id_sequence(last->id));
	buf_append_char(out, '"');
}

static void rooms_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	size_t limit = request->look.count + 1; /* one more tells whether there is a next page */
	struct store_room *rooms = arena_array(request->arena, limit, sizeof(*rooms));
	struct buf *out = &request->response;
	struct store_app *app;
	struct error err;
	size_t count;
	bool more;

	if (rooms_find_app(request, reader, &app))
		return;
	if (rooms_read_page(request, reader, rooms, limit, &count, &err)) {
		api_read_failed(request, &err);
		return;
	}
	more = count == limit;
	count -= more;
	buf_append_c(out, "{\"RoomList\":[");
	for (size_t i = 0; i < count; i++) {
		buf_append_c(out, i ? "," : "");
		rooms_append_room(out, &rooms[i], request->arena);
		buf_append_char(out, '}');
	}
	buf_printf(out, "],\"Order\":\"%s\",\"Next\":", rooms_orders[request->look.order]);
	if (more)
		rooms_append_next(request, &rooms[count - 1]);
	else
		buf_append_c(out, "\"\"");
	buf_printf(out, ",\"RoomCount\":%" PRIu64 ",\"MaxRoomCount\":%" PRIu32 "}", app->state.room_count,
		   app->config.room_count_max);
}

/* Order and Search. Returns 0, or -1 when answered. */
static int rooms_take_order(struct api_request *request)
{
	struct str word = {0};

	if (api_take_str(request, request->body, "Order", 0, 16, &word) < 0 ||
	    api_take_str(request, request->body, "Search", 0, HW_ROOM_ID_BYTES_MAX, &request->look.search) < 0)
		return -1;
	if (word.len && !str_eq(word, STR("newest")) && !str_eq(word, STR("oldest"))) {
		api_answer(request, HW_BAD_PARAMETER, "Order must be newest or oldest");
		return -1;
	}
	if (!str_is_printable_ascii(request->look.search)) {
		api_answer(request, HW_BAD_PARAMETER, "Search must be printable ASCII, as RoomIds are");
		return -1;
	}
	request->look.order = request->look.search.len	    ? ROOMS_BY_ID
			      : str_eq(word, STR("oldest")) ? ROOMS_OLDEST
							    : ROOMS_NEWEST;
	return 0;
}

/* Where a page starts. Returns 0, or -1 when answered. */
static int rooms_take_next(struct api_request *request)
{
	uint32_t number = request->app->config.number;
	struct str next = {0};
	uint64_t sequence;

	request->look.before_id = request->look.order == ROOMS_OLDEST ? 0 : INT64_MAX;
	if (api_take_str(request, request->body, "Next", 0, PAGE_TOKEN_BYTES_MAX, &next) < 0)
		return -1;
	if (next.len == 0)
		return 0;
	if (request->look.order == ROOMS_BY_ID) {
		request->look.after = next;
		if (str_starts_with(next, request->look.search))
			return 0;
	} else if (page_token_read(next, store_secret(engine_store(request->api->engine)), number, &sequence) == 0) {
		request->look.before_id = app_id_make(number, sequence);
		return 0;
	}
	api_answer(request, HW_BAD_PARAMETER, "Next must be \"\" or what the previous page gave");
	return -1;
}

void api_manage_room_list(struct api_request *request)
{
	request->look.count = ROOMS_COUNT_DEFAULT;
	if (manage_hold_app(request) || rooms_take_order(request) || rooms_take_next(request) ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	api_submit_read(request, rooms_list_read);
}

/* ---- one room ---- */

struct rooms_part {
	enum item_kind kind;
	const char *name;
	void (*append)(struct buf *out, const struct store_item *item);
};

static void rooms_append_metadata(struct buf *out, const struct store_item *item)
{
	buf_append_c(out, "{\"Key\":");
	buf_append_json_string(out, item->name);
	buf_append_c(out, ",\"Value\":");
	buf_append_json_string(out, item->value);
	buf_append_char(out, '}');
}

static void rooms_append_name(struct buf *out, const struct store_item *item)
{
	buf_append_json_string(out, item->name);
}

static void rooms_append_mute(struct buf *out, const struct store_item *item)
{
	buf_append_c(out, "{\"UserId\":");
	buf_append_json_string(out, item->name);
	buf_printf(out, ",\"Until\":%" PRId64 "}", item->until_s * 1000);
}

static void rooms_append_ban(struct buf *out, const struct store_item *item)
{
	buf_append_c(out, "{\"UserId\":");
	buf_append_json_string(out, item->name);
	buf_printf(out, ",\"Until\":%" PRId64 ",\"Reason\":", item->until_s * 1000);
	buf_append_json_string(out, item->value);
	buf_append_char(out, '}');
}

/* `,"Name":[...]` of what has not ended. Returns 0, or -1. */
static int rooms_append_part(struct api_request *request, struct store_reader *reader, int64_t room,
			     const struct rooms_part *part, struct error *err)
{
	size_t limit = item_count_max(part->kind);
	struct store_item *items = arena_array(request->arena, limit, sizeof(*items));
	struct buf *out = &request->response;
	int64_t now_ms = clock_wall_ms();
	bool first = true;
	size_t count;

	if (store_room_items(reader, request->arena, room, part->kind, limit, items, &count, err))
		return -1;
	buf_printf(out, ",\"%s\":[", part->name);
	for (size_t i = 0; i < count; i++) {
		if (item_is_over(items[i].until_s, now_ms))
			continue;
		buf_append_c(out, first ? "" : ",");
		part->append(out, &items[i]);
		first = false;
	}
	buf_append_char(out, ']');
	return 0;
}

static void rooms_show_read(struct engine_read *read, struct store_reader *reader)
{
	static const struct rooms_part parts[] = {
		{ITEM_METADATA, "Metadata", rooms_append_metadata},
		{ITEM_ADMIN, "Admins", rooms_append_name},
		{ITEM_ROBOT, "Robots", rooms_append_name},
		{ITEM_MUTE, "Muted", rooms_append_mute},
		{ITEM_BAN, "Banned", rooms_append_ban},
	};
	struct api_request *request = api_request_of_read(read);
	struct buf *out = &request->response;
	struct store_room room;
	struct error err;
	int found =
		store_room_get(reader, request->arena, request->app->config.number, request->look.room_id, &room, &err);

	if (found == 0) {
		api_read_refused(request, HW_NO_ROOM, "RoomId: no such room, or it was destroyed");
		return;
	}
	if (found < 0)
		goto failed;
	rooms_append_room(out, &room, request->arena);
	buf_append_c(out, ",\"Info\":");
	buf_append_json_string(out, room.info);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (rooms_append_part(request, reader, room.id, &parts[i], &err))
			goto failed;
	buf_append_char(out, '}');
	return;
failed:
	api_read_failed(request, &err);
}

void api_manage_room_show(struct api_request *request)
{
	if (manage_hold_app(request) || api_need_room_id(request, request->body, &request->look.room_id))
		return;
	api_submit_read(request, rooms_show_read);
}

/* ---- who makes rooms ---- */

struct rooms_owners {
	struct arena *arena;
	struct str *names;
	size_t count;
};

static void rooms_add_owner(void *context, struct str owner)
{
	struct rooms_owners *owners = context;

	owners->names[owners->count++] = arena_dup(owners->arena, owner);
}

static void rooms_creators_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct rooms_owners owners = {request->arena,
				      arena_array(request->arena, ROOM_CREATORS_LOOK_MAX, sizeof(struct str)), 0};
	struct name_count *counts = arena_array(request->arena, ROOM_CREATORS_LOOK_MAX, sizeof(*counts));
	struct buf *out = &request->response;
	struct store_app *app;
	struct error err;
	size_t count;

	if (rooms_find_app(request, reader, &app))
		return;
	if (store_room_owner_each(reader, request->app->config.number, ROOM_CREATORS_LOOK_MAX, rooms_add_owner, &owners,
				  &err)) {
		api_read_failed(request, &err);
		return;
	}
	count = names_count(owners.names, owners.count, counts);
	buf_append_c(out, "{\"CreatorList\":[");
	for (size_t i = 0; i < count && i < request->look.count; i++) {
		buf_append_c(out, i ? ",{\"UserId\":" : "{\"UserId\":");
		buf_append_json_string(out, counts[i].name);
		buf_printf(out, ",\"RoomCount\":%" PRIu64 "}", counts[i].count);
	}
	buf_printf(out, "],\"Looked\":%zu,\"RoomCount\":%" PRIu64 "}", owners.count, app->state.room_count);
}

void api_manage_room_creators(struct api_request *request)
{
	request->look.count = ROOM_CREATORS_DEFAULT;
	if (manage_hold_app(request) ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	api_submit_read(request, rooms_creators_read);
}

/* ---- create ---- */

/* The fields of RoomInfo stand in the body itself; Visible and Owner in this API's words. */
void api_manage_room_create(struct api_request *request)
{
	struct command *command = &request->job.command;
	struct room_info info;
	uint32_t sdkappid;
	bool visible = true;

	if (manage_need_sdkappid(request, &sdkappid) || api_need_room_id(request, request->body, &command->room_id) ||
	    api_need_str(request, request->body, "Owner", 1, HW_IDENTIFIER_BYTES_MAX, &command->u.room_create.owner) ||
	    api_check_account(request, "Owner", command->u.room_create.owner) ||
	    api_take_room_info(request, request->body, false, &info) ||
	    api_take_bool(request, request->body, "Visible", &visible) < 0)
		return;
	info.given |= UINT32_C(1) << ROOM_VISIBLE;
	info.values[ROOM_VISIBLE].number = visible;
	api_submit_room(request, sdkappid, &info);
}

/* ---- destroy ---- */

/* Several commands of one request. All are submitted at once, so that they are likely to be one batch; each that is
 * done counts, and the last one answers. Jobs are submitted and end on the request's own thread. */
struct rooms_destroy_job {
	struct engine_job job;
	struct rooms_destroy *all;
};

struct rooms_destroy {
	struct api_request *request;
	struct rooms_destroy_job *jobs;
	size_t count;
	size_t pending;
};

/* With no room destroyed the answer is what the first one was told. */
static void rooms_destroy_answer(struct rooms_destroy *all)
{
	const struct command *first = &all->jobs[0].job.command;
	struct buf *out = &all->request->response;
	size_t failed = 0;

	buf_append_c(out, "{\"FailedList\":[");
	for (size_t i = 0; i < all->count; i++) {
		const struct command *command = &all->jobs[i].job.command;

		if (command->code == HW_OK)
			continue;
		buf_append_c(out, failed++ ? ",{\"RoomId\":" : "{\"RoomId\":");
		buf_append_json_string(out, command->room_id);
		buf_printf(out, ",\"ErrorCode\":%d,\"ErrorInfo\":", command->code);
		buf_append_json_string(out, str_c(command->text[0] ? command->text : hw_code_text(command->code)));
		buf_append_char(out, '}');
	}
	buf_printf(out, "],\"Destroyed\":%zu}", all->count - failed);
	if (failed == all->count)
		api_answer(all->request, first->code, first->text[0] ? first->text : NULL);
	else
		api_answer(all->request, HW_OK, NULL);
}

static void rooms_destroyed(struct mail *mail)
{
	struct rooms_destroy *all = container_of(mail, struct rooms_destroy_job, job.mail)->all;

	if (--all->pending == 0)
		rooms_destroy_answer(all);
}

static void rooms_destroy_submit(struct rooms_destroy *all, uint32_t sdkappid)
{
	struct api_request *request = all->request;
	struct error err;

	all->pending = all->count;
	for (size_t i = 0; i < all->count; i++) {
		struct engine_job *job = &all->jobs[i].job;

		all->jobs[i].all = all;
		job->mail.run = rooms_destroyed;
		job->mailbox = http_call_mailbox(request->call);
		api_fill_command(request, &job->command, COMMAND_ROOM_DESTROY, sdkappid);
		if (engine_submit(request->api->engine, job, &err)) {
			job->command.code = err.class == ERR_BUSY ? HW_API_BUSY : HW_TIMED_OUT;
			all->pending--;
		}
	}
	if (all->pending == 0)
		rooms_destroy_answer(all);
}

void api_manage_room_destroy(struct api_request *request)
{
	static const struct api_names_rule rule = {.key = "RoomIdList", .count_max = ROOM_DESTROY_COUNT_MAX};
	struct rooms_destroy *all = arena_new(request->arena, struct rooms_destroy);
	const struct str *names;
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) || api_need_names(request, &rule, &names, &all->count))
		return;
	all->request = request;
	all->jobs = arena_array(request->arena, all->count, sizeof(*all->jobs));
	for (size_t i = 0; i < all->count; i++) {
		all->jobs[i].job.command.room_id = names[i];
		if (names[i].len < 1 || names[i].len > HW_ROOM_ID_BYTES_MAX || !str_is_printable_ascii(names[i])) {
			api_refuse_with(request, HW_BAD_PARAMETER,
					"RoomIdList must hold RoomIds of 1 to %d bytes, printable ASCII",
					HW_ROOM_ID_BYTES_MAX);
			return;
		}
	}
	rooms_destroy_submit(all, sdkappid);
}
