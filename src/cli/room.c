/* `highwater room`: creates, lists, shows and destroys rooms, over the same paths that apps use. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/remote.h"

#include <highwater/platform.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS_BODY_BYTES_MAX (16 * 1024)
#define ROOMS_PAGE_COUNT 20 /* the server's largest page */

/* Sends `body` to the REST path, or the client's, as who the line says. */
static int rooms_call(const struct cli_line *line, const char *command, const struct buf *body,
		      struct remote_answer *answer_out)
{
	bool client = options_get(line, OPTION_CLIENT)->set;
	struct remote_sender sender;
	char path[96];
	int exit = remote_sender_of_line(line, &sender);

	(void)snprintf(path, sizeof(path), "/v4/%s/%s", client ? "live_client" : "live_engine_http_srv",
		       command); /* fits */
	if (exit == CLI_DONE)
		exit = remote_run_send(line, &sender, path, body, answer_out);
	mem_wipe(&sender, sizeof(sender));
	return exit;
}

/* What the table of options cannot say. Returns CLI_DONE or the exit code. */
static int rooms_check(const struct cli_line *line)
{
	const struct option_value *platform = options_get(line, OPTION_PLATFORM);
	enum hw_platform parsed;

	for (unsigned i = 0; i < line->argument_count; i++)
		if (!str_is_utf8(str_c(line->arguments[i])))
			return cli_fail(line, CLI_USAGE, "the room id must be printable ASCII");
	if (!str_is_utf8(str_c(options_get(line, OPTION_NAME)->text)) ||
	    !str_is_utf8(str_c(options_get(line, OPTION_OWNER)->text)))
		return cli_fail(line, CLI_USAGE, "--name and --owner must be UTF-8");
	if (platform->set && !options_get(line, OPTION_CLIENT)->set)
		return cli_fail(line, CLI_USAGE, "--platform needs --client: over REST the platform is always RESTAPI");
	if (platform->set &&
	    (hw_platform_parse(platform->text, strlen(platform->text), &parsed) || parsed == HW_PLATFORM_RESTAPI))
		return cli_fail(line, CLI_USAGE,
				"--platform: \"%.40s\" is none of Web, Android, iOS, Windows, Mac, iPad and "
				"Unknown",
				platform->text);
	return CLI_DONE;
}

static int rooms_create(const struct cli_line *line)
{
	const struct option_value *name = options_get(line, OPTION_NAME);
	const struct option_value *owner = options_get(line, OPTION_OWNER);
	struct remote_answer answer;
	struct buf body;
	int exit = rooms_check(line);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, ROOMS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"RoomInfo\":{\"RoomType\":\"Live\",\"RoomId\":");
	buf_append_json_string(&body, str_c(line->arguments[0]));
	if (name->set) {
		buf_append_c(&body, ",\"RoomName\":");
		buf_append_json_string(&body, str_c(name->text));
	}
	if (owner->set) {
		buf_append_c(&body, ",\"Owner_Account\":");
		buf_append_json_string(&body, str_c(owner->text));
	}
	buf_append_c(&body, options_get(line, OPTION_HIDDEN)->set ? ",\"IsPublicVisible\":false}}" : "}}");
	exit = rooms_call(line, "create_room", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)printf("created room %s\n", line->arguments[0]); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* A call whose body is the room's id. */
static int rooms_call_by_id(const struct cli_line *line, const char *command, struct remote_answer *answer_out)
{
	struct buf body;
	int exit = rooms_check(line);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, ROOMS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"RoomId\":");
	buf_append_json_string(&body, str_c(line->arguments[0]));
	buf_append_char(&body, '}');
	exit = rooms_call(line, command, &body, answer_out);
	buf_fini(&body);
	return exit;
}

static int rooms_destroy(const struct cli_line *line)
{
	struct remote_answer answer;
	int exit = rooms_call_by_id(line, "destroy_room", &answer);

	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)printf("destroyed room %s\n", line->arguments[0]); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

static void rooms_print_info(const json_t *info)
{
	void *at;

	for (at = json_object_iter((json_t *)(uintptr_t)info); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)info, at)) {
		const json_t *value = json_object_iter_value(at);
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		/* standard output is all there is */
		(void)printf("  %-24s%s\n", json_object_iter_key(at), text ? text : json_string_value(value));
		free(text); /* jansson's own */
	}
}

static int rooms_show(const struct cli_line *line)
{
	struct remote_answer answer;
	int exit = rooms_call_by_id(line, "get_room_info", &answer);

	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response)) {
		(void)printf("room %s\n", line->arguments[0]); /* standard output is all there is */
		rooms_print_info(json_object_get(answer.response, "RoomInfo"));
	}
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* ---- list ---- */

static void rooms_print_list(const json_t *rooms, bool more)
{
	/* standard output is all there is */
	if (json_array_size(rooms) == 0)
		(void)puts("no visible rooms");
	else
		(void)printf("%-24s  %-24s  %-20s  %s\n", "ROOM", "OWNER", "CREATED", "NAME");
	for (size_t i = 0; i < json_array_size(rooms); i++) {
		const json_t *room = json_array_get(rooms, i);
		char created[CLOCK_TEXT_BYTES];
		int64_t created_s = 0;

		(void)json_field_i64(room, "CreateTime", 0, INT64_MAX / 1000, &created_s); /* stays 0 */
		clock_format(created_s * 1000, created);
		(void)printf("%-24s  %-24s  %.19sZ  %s\n", remote_text(room, "RoomId"),
			     remote_text(room, "Owner_Account"), created, remote_text(room, "RoomName"));
	}
	if (more)
		(void)puts("There may be more: --limit N shows up to N.");
}

/* Appends one page and replaces `next` by the name of the following one, "" at the end. */
static int rooms_fetch_page(const struct cli_line *line, const struct remote_sender *sender, uint64_t count,
			    struct buf *next, json_t *rooms)
{
	struct remote_answer answer;
	struct buf body;
	struct str following = {0};
	int exit;

	buf_init(&body, ROOMS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"Next\":");
	buf_append_json_string(&body, buf_str(next));
	buf_printf(&body, ",\"Count\":%" PRIu64 "}", count);
	exit = remote_run_send(line, sender, "/v4/live_engine_http_srv/get_room_list", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	(void)json_array_extend(rooms, json_object_get(answer.response, "RoomList")); /* a page without is empty */
	(void)json_field_str(answer.response, "Next", &following);		      /* absent at the end */
	if (following.len && str_eq(following, buf_str(next)))
		exit = cli_fail(line, CLI_IO, "the server gave the same page twice");
	buf_reset(next);
	buf_append_str(next, following);
	remote_answer_free(&answer);
	return exit;
}

static int rooms_fetch_list(const struct cli_line *line, struct buf *next, json_t *rooms)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	uint64_t left = limit->set ? limit->number : UINT64_MAX;
	struct remote_sender sender;
	int exit = remote_sender_of_line(line, &sender);

	while (exit == CLI_DONE && left > 0) {
		size_t before = json_array_size(rooms);
		uint64_t got;

		exit = rooms_fetch_page(line, &sender, left < ROOMS_PAGE_COUNT ? left : ROOMS_PAGE_COUNT, next, rooms);
		got = json_array_size(rooms) - before;
		left -= got < left ? got : left;
		if (next->len == 0)
			break;
		if (got == 0 && exit == CLI_DONE) /* else this could go on for ever */
			exit = cli_fail(line, CLI_IO, "the server's pages do not end");
	}
	mem_wipe(&sender, sizeof(sender));
	return exit;
}

static int rooms_list(const struct cli_line *line)
{
	json_t *whole = json_pack("{s:[]}", "RoomList");
	json_t *rooms = json_object_get(whole, "RoomList");
	struct buf next;
	int exit;

	buf_init(&next, 256);
	exit = rooms_fetch_list(line, &next, rooms);
	if (exit == CLI_DONE && !remote_print_json(line, whole))
		rooms_print_list(rooms, next.len > 0);
	buf_fini(&next);
	json_decref(whole);
	return exit;
}

#define ROOMS_COMMAND(word, line_arguments, count, taken, text, more, function)                                        \
	{                                                                                                              \
		.group = "room", .name = word, .arguments = line_arguments, .argument_min = count,                     \
		.argument_max = count, .options = REMOTE_APP_OPTIONS | (taken), .required = OPTION_BIT(OPTION_APP),    \
		.summary = text, .details = more, .run = function                                                      \
	}
#define ROOMS_CLIENT (OPTION_BIT(OPTION_CLIENT) | OPTION_BIT(OPTION_PLATFORM))
#define ROOMS_KEY                                                                                                      \
	"The call is signed with the app's key: from --key-file, else asked for with the server's admin token.\n"

static const struct cli_command rooms_commands[] = {
	ROOMS_COMMAND("create", "ROOM", 1,
		      ROOMS_CLIENT | OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_OWNER) | OPTION_BIT(OPTION_HIDDEN),
		      "Creates a room, as an app admin over REST or, with --client, as an app user", ROOMS_KEY,
		      rooms_create),
	ROOMS_COMMAND("list", "", 0, OPTION_BIT(OPTION_LIMIT), "Lists the visible rooms, newest first", ROOMS_KEY,
		      rooms_list),
	ROOMS_COMMAND("show", "ROOM", 1, UINT64_C(0), "Shows one room", ROOMS_KEY, rooms_show),
	ROOMS_COMMAND("destroy", "ROOM", 1, ROOMS_CLIENT, "Destroys a room", ROOMS_KEY, rooms_destroy),
};

const struct cli_group cli_room_group = {
	.name = "room",
	.summary = "Creates, lists, shows and destroys rooms of an app",
	.commands = rooms_commands,
	.command_count = ARRAY_LEN(rooms_commands),
};
