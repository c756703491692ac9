/* How `highwater room` shows rooms. Names and values come from users: control characters in them never reach the
 * terminal. */
#include "cli/room.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS_LIMIT_DEFAULT 50
#define ROOMS_PAGE_COUNT 100 /* the server's largest page */
#define ROOMS_CREATORS_DEFAULT 10

void rooms_start_body(const struct cli_line *line, struct buf *body)
{
	buf_init(body, ROOMS_BODY_BYTES_MAX);
	buf_printf(body, "{\"SdkAppid\":%" PRIu64, options_get(line, OPTION_APP)->number);
}

/* Well-formed UTF-8, as all that was read; controls (C0, DEL, C1) become '?', what turns the direction is escaped. */
static void rooms_print_text(const char *text)
{
	struct buf safe;

	buf_init(&safe, 6 * strlen(text) + 1);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;

		buf_append_char(&safe, *at < 0x20 || *at == 0x7f || c1 ? '?' : (char)*at);
		at += c1;
	}
	json_escape_unsafe(&safe, 0);
	(void)fputs(buf_c(&safe), stdout); /* standard output is all there is */
	buf_fini(&safe);
}

static void rooms_print_time(int64_t wall_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(wall_ms, text);
	(void)printf("%.19sZ", text); /* as above, and so everywhere below */
}

/* ---- list ---- */

static void rooms_print_row(const json_t *room)
{
	(void)printf("%-24s  %-24s  ", remote_text(room, "RoomId"), remote_text(room, "Owner"));
	rooms_print_time(remote_number(room, "CreateTime"));
	(void)printf("  %-7s  ", json_is_true(json_object_get(room, "Visible")) ? "yes" : "no");
	rooms_print_text(remote_text(room, "RoomName"));
	(void)puts("");
}

static void rooms_print_list(const json_t *whole)
{
	const json_t *rooms = json_object_get(whole, "RoomList");

	if (json_array_size(rooms) == 0)
		(void)puts("no rooms");
	else
		(void)printf("%-24s  %-24s  %-20s  %-7s  %s\n", "ROOM", "OWNER", "CREATED", "VISIBLE", "NAME");
	for (size_t i = 0; i < json_array_size(rooms); i++)
		rooms_print_row(json_array_get(rooms, i));
	(void)printf("The app has %" PRId64 " of %" PRId64 " rooms.%s\n", remote_number(whole, "RoomCount"),
		     remote_number(whole, "MaxRoomCount"),
		     *remote_text(whole, "Next") ? " There are more than shown: --limit N shows up to N." : "");
}

/* Appends one page and takes over the counts and the name of the following page. */
static int rooms_fetch_page(const struct cli_line *line, uint64_t count, json_t *whole)
{
	const struct option_value *search = options_get(line, OPTION_SEARCH);
	const struct option_value *order = options_get(line, OPTION_ORDER);
	json_t *next = json_incref(json_object_get(whole, "Next"));
	struct remote_answer answer;
	struct buf body;
	int exit;

	rooms_start_body(line, &body);
	buf_printf(&body, ",\"Count\":%" PRIu64 ",\"Next\":", count);
	buf_append_json_string(&body, json_str(next));
	if (search->set) {
		buf_append_c(&body, ",\"Search\":");
		buf_append_json_string(&body, str_c(search->text));
	}
	if (order->set) {
		buf_append_c(&body, ",\"Order\":");
		buf_append_json_string(&body, str_c(order->text));
	}
	buf_append_char(&body, '}');
	exit = remote_run_manage(line, "room_list", &body, &answer);
	buf_fini(&body);
	if (exit == CLI_DONE) {
		(void)json_array_extend(json_object_get(whole, "RoomList"),
					json_object_get(answer.response, "RoomList")); /* memory ends the process */
		(void)json_object_set_new(whole, "Next", json_string(remote_text(answer.response, "Next")));
		(void)json_object_set(whole, "RoomCount", json_object_get(answer.response, "RoomCount"));
		(void)json_object_set(whole, "MaxRoomCount", json_object_get(answer.response, "MaxRoomCount"));
		remote_answer_free(&answer);
		if (json_string_length(next) && json_equal(next, json_object_get(whole, "Next")))
			exit = cli_fail(line, CLI_IO, "the server gave the same page twice");
	}
	json_decref(next);
	return exit;
}

int rooms_list(const struct cli_line *line)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	const char *order = options_get(line, OPTION_ORDER)->text;
	uint64_t left = limit->set ? limit->number : ROOMS_LIMIT_DEFAULT;
	json_t *whole;
	int exit = CLI_DONE;

	if (*order && strcmp(order, "newest") && strcmp(order, "oldest"))
		return cli_fail(line, CLI_USAGE, "--order: must be newest or oldest");
	if (!str_is_printable_ascii(str_c(options_get(line, OPTION_SEARCH)->text)))
		return cli_fail(line, CLI_USAGE, "--search: must be printable ASCII, as room ids are");
	whole = json_pack("{s:[],s:s}", "RoomList", "Next", "");
	while (exit == CLI_DONE && left > 0) {
		size_t before = json_array_size(json_object_get(whole, "RoomList"));
		uint64_t got;

		exit = rooms_fetch_page(line, left < ROOMS_PAGE_COUNT ? left : ROOMS_PAGE_COUNT, whole);
		got = json_array_size(json_object_get(whole, "RoomList")) - before;
		left -= got < left ? got : left;
		if (!*remote_text(whole, "Next"))
			break;
		if (got == 0 && exit == CLI_DONE) /* else this could go on for ever */
			exit = cli_fail(line, CLI_IO, "the server's pages do not end");
	}
	if (exit == CLI_DONE && !remote_print_json(line, whole))
		rooms_print_list(whole);
	json_decref(whole);
	return exit;
}

/* ---- show ---- */

/* What the room was made with, as name and value. */
static void rooms_print_info(const char *text)
{
	json_t *info = NULL;
	struct error err;
	const char *name;
	json_t *value;

	if (json_read(str_c(text), &info, &err))
		return; /* nothing that is for people */
	json_object_foreach(info, name, value)
	{
		char *shown = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		(void)printf("  %-24s", name);
		rooms_print_text(shown ? shown : json_string_value(value));
		(void)puts("");
		free(shown); /* jansson's own */
	}
	json_decref(info);
}

static void rooms_print_names(const json_t *room, const char *key, const char *title)
{
	const json_t *names = json_object_get(room, key);

	for (size_t i = 0; i < json_array_size(names); i++)
		(void)printf("  %-24s%s\n", i ? "" : title, json_string_value(json_array_get(names, i)));
}

/* Users with an end, and a reason where there is one. */
static void rooms_print_ended(const json_t *room, const char *key, const char *title)
{
	const json_t *rows = json_object_get(room, key);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		(void)printf("  %-24s%s", i ? "" : title, remote_text(row, "UserId"));
		if (remote_number(row, "Until")) {
			(void)printf(", until ");
			rooms_print_time(remote_number(row, "Until"));
		}
		if (*remote_text(row, "Reason")) {
			(void)printf(": ");
			rooms_print_text(remote_text(row, "Reason"));
		}
		(void)puts("");
	}
}

static void rooms_print_room(const json_t *room)
{
	const json_t *metadata = json_object_get(room, "Metadata");

	(void)printf("room %s\n  %-24s%s\n  %-24s", remote_text(room, "RoomId"), "owner", remote_text(room, "Owner"),
		     "created");
	rooms_print_time(remote_number(room, "CreateTime"));
	(void)printf("\n  %-24s%s\n", "visible", json_is_true(json_object_get(room, "Visible")) ? "yes" : "no");
	rooms_print_info(remote_text(room, "Info"));
	for (size_t i = 0; i < json_array_size(metadata); i++) {
		(void)printf("  %-24s", i ? "" : "metadata");
		rooms_print_text(remote_text(json_array_get(metadata, i), "Key"));
		(void)printf(" = ");
		rooms_print_text(remote_text(json_array_get(metadata, i), "Value"));
		(void)puts("");
	}
	rooms_print_names(room, "Admins", "admins");
	rooms_print_names(room, "Robots", "robots");
	rooms_print_ended(room, "Muted", "muted");
	rooms_print_ended(room, "Banned", "banned");
}

int rooms_show(const struct cli_line *line)
{
	struct remote_answer answer;
	struct buf body;
	int exit;

	if (!str_is_printable_ascii(str_c(line->arguments[0])))
		return cli_fail(line, CLI_USAGE, "the room id must be printable ASCII");
	rooms_start_body(line, &body);
	buf_append_c(&body, ",\"RoomId\":");
	buf_append_json_string(&body, str_c(line->arguments[0]));
	buf_append_char(&body, '}');
	exit = remote_run_manage(line, "room_show", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		rooms_print_room(answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* ---- creators ---- */

int rooms_creators(const struct cli_line *line)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	uint64_t count = limit->set ? limit->number : ROOMS_CREATORS_DEFAULT;
	struct remote_answer answer;
	const json_t *list;
	struct buf body;
	int exit;

	rooms_start_body(line, &body);
	buf_printf(&body, ",\"Count\":%" PRIu64 "}", count < ROOMS_PAGE_COUNT ? count : ROOMS_PAGE_COUNT);
	exit = remote_run_manage(line, "room_creators", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response)) {
		list = json_object_get(answer.response, "CreatorList");
		(void)printf("%10s  %s\n", "ROOMS", "OWNER");
		for (size_t i = 0; i < json_array_size(list); i++)
			(void)printf("%10" PRId64 "  %s\n", remote_number(json_array_get(list, i), "RoomCount"),
				     remote_text(json_array_get(list, i), "UserId"));
		(void)printf("Counted over the newest %" PRId64 " of %" PRId64 " rooms.\n",
			     remote_number(answer.response, "Looked"), remote_number(answer.response, "RoomCount"));
	}
	remote_answer_free(&answer);
	return CLI_DONE;
}
