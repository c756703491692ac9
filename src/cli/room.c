/* `highwater room`: an app's rooms, as the operator sees and makes them, over the management API. With --client `create`
 * and `destroy` are what a user's app does instead: the client path, with a UserSig made from the app's key. How rooms are
 * listed and shown stands in room_show.c. */
#include "cli/room.h"
#include "base/mem.h"

#include <highwater/platform.h>

#include <inttypes.h>
#include <string.h>

#define ROOMS_OWNER "administrator" /* of a room that the operator makes, unless --owner says otherwise */

/* ---- as a user ---- */

static int rooms_call_client(const struct cli_line *line, const char *command, const struct buf *body,
			     struct remote_answer *answer_out)
{
	struct remote_sender sender;
	char path[64];
	int exit = remote_sender_of_line(line, &sender);

	(void)snprintf(path, sizeof(path), "/v4/live_client/%s", command); /* fits */
	if (exit == CLI_DONE)
		exit = remote_run_send(line, &sender, path, body, answer_out);
	mem_wipe(&sender, sizeof(sender));
	return exit;
}

/* What the table of options cannot say. Returns CLI_DONE or the exit code. */
static int rooms_check_client(const struct cli_line *line)
{
	static const struct {
		enum option_id id;
		const char *name;
	} needing[] = {{OPTION_PLATFORM, "platform"}, {OPTION_AS, "as"}, {OPTION_KEY_FILE, "key-file"}};
	const struct option_value *platform = options_get(line, OPTION_PLATFORM);
	enum hw_platform parsed;

	for (size_t i = 0; i < ARRAY_LEN(needing) && !options_get(line, OPTION_CLIENT)->set; i++)
		if (options_get(line, needing[i].id)->set)
			return cli_fail(line, CLI_USAGE,
					"--%s needs --client: without it the server's operator makes the call",
					needing[i].name);
	if (platform->set &&
	    (hw_platform_parse(platform->text, strlen(platform->text), &parsed) || parsed == HW_PLATFORM_RESTAPI))
		return cli_fail(line, CLI_USAGE,
				"--platform: \"%.40s\" is none of Web, Android, iOS, Windows, Mac, iPad and "
				"Unknown",
				platform->text);
	return CLI_DONE;
}

static int rooms_check_names(const struct cli_line *line)
{
	for (unsigned i = 0; i < line->argument_count; i++)
		if (!str_is_printable_ascii(str_c(line->arguments[i])))
			return cli_fail(line, CLI_USAGE, "the room id must be printable ASCII");
	if (!str_is_utf8(str_c(options_get(line, OPTION_NAME)->text)) ||
	    !str_is_utf8(str_c(options_get(line, OPTION_OWNER)->text)))
		return cli_fail(line, CLI_USAGE, "--name and --owner must be UTF-8");
	return CLI_DONE;
}

static void rooms_append_text(struct buf *body, const char *key, const char *text)
{
	buf_printf(body, ",\"%s\":", key);
	buf_append_json_string(body, str_c(text));
}

/* ---- create ---- */

static int rooms_create_client(const struct cli_line *line, struct remote_answer *answer_out)
{
	struct buf body;
	int exit;

	buf_init(&body, ROOMS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"RoomInfo\":{\"RoomType\":\"Live\"");
	rooms_append_text(&body, "RoomId", line->arguments[0]);
	if (options_get(line, OPTION_NAME)->set)
		rooms_append_text(&body, "RoomName", options_get(line, OPTION_NAME)->text);
	if (options_get(line, OPTION_OWNER)->set)
		rooms_append_text(&body, "Owner_Account", options_get(line, OPTION_OWNER)->text);
	buf_append_c(&body, options_get(line, OPTION_HIDDEN)->set ? ",\"IsPublicVisible\":false}}" : "}}");
	exit = rooms_call_client(line, "create_room", &body, answer_out);
	buf_fini(&body);
	return exit;
}

static int rooms_create_operator(const struct cli_line *line, struct remote_answer *answer_out)
{
	const struct option_value *owner = options_get(line, OPTION_OWNER);
	struct buf body;
	int exit;

	rooms_start_body(line, &body);
	rooms_append_text(&body, "RoomId", line->arguments[0]);
	rooms_append_text(&body, "Owner", owner->set ? owner->text : ROOMS_OWNER);
	if (options_get(line, OPTION_NAME)->set)
		rooms_append_text(&body, "RoomName", options_get(line, OPTION_NAME)->text);
	buf_append_c(&body, options_get(line, OPTION_HIDDEN)->set ? ",\"Visible\":false}" : "}");
	exit = remote_run_manage(line, "room_create", &body, answer_out);
	buf_fini(&body);
	return exit;
}

static int rooms_create(const struct cli_line *line)
{
	struct remote_answer answer;
	int exit = rooms_check_client(line);

	if (exit == CLI_DONE)
		exit = rooms_check_names(line);
	if (exit == CLI_DONE)
		exit = options_get(line, OPTION_CLIENT)->set ? rooms_create_client(line, &answer)
							     : rooms_create_operator(line, &answer);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)printf("created room %s\n", line->arguments[0]); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* ---- destroy ---- */

static int rooms_destroy_client(const struct cli_line *line)
{
	struct remote_answer answer;
	struct buf body;
	int exit;

	if (line->argument_count > 1)
		return cli_fail(line, CLI_USAGE, "--client takes one room");
	buf_init(&body, ROOMS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"RoomId\":");
	buf_append_json_string(&body, str_c(line->arguments[0]));
	buf_append_char(&body, '}');
	exit = rooms_call_client(line, "destroy_room", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)printf("destroyed room %s\n", line->arguments[0]); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* Those that were not destroyed, on standard error. */
static int rooms_tell_failed(const struct cli_line *line, const json_t *failed)
{
	for (size_t i = 0; i < json_array_size(failed); i++) {
		const json_t *row = json_array_get(failed, i);

		(void)cli_fail(line, CLI_REFUSED, "room %s: the server refused (%" PRId64 "): %s",
			       remote_text(row, "RoomId"), remote_number(row, "ErrorCode"),
			       remote_text(row, "ErrorInfo")); /* the exit code is the same for all */
	}
	return json_array_size(failed) ? CLI_REFUSED : CLI_DONE;
}

static int rooms_destroy_operator(const struct cli_line *line)
{
	struct remote_answer answer;
	struct buf body;
	int64_t destroyed;
	int exit;

	rooms_start_body(line, &body);
	buf_append_c(&body, ",\"RoomIdList\":");
	for (unsigned i = 0; i < line->argument_count; i++) {
		buf_append_char(&body, i ? ',' : '[');
		buf_append_json_string(&body, str_c(line->arguments[i]));
	}
	buf_append_c(&body, "]}");
	exit = remote_run_manage(line, "room_destroy", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	destroyed = remote_number(answer.response, "Destroyed");
	if (!remote_print_json(line, answer.response)) {
		if (line->argument_count == 1)
			(void)printf("destroyed room %s\n", line->arguments[0]); /* standard output is all there is */
		else
			(void)printf("destroyed %" PRId64 " room%s\n", destroyed, destroyed == 1 ? "" : "s");
	}
	exit = rooms_tell_failed(line, json_object_get(answer.response, "FailedList"));
	remote_answer_free(&answer);
	return exit;
}

static int rooms_destroy(const struct cli_line *line)
{
	int exit = rooms_check_client(line);

	if (exit == CLI_DONE)
		exit = rooms_check_names(line);
	if (exit != CLI_DONE)
		return exit;
	return options_get(line, OPTION_CLIENT)->set ? rooms_destroy_client(line) : rooms_destroy_operator(line);
}

#define ROOMS_COMMAND(word, line_arguments, least, most, taken, text, more, function)                                  \
	{                                                                                                              \
		.group = "room", .name = word, .arguments = line_arguments, .argument_min = least,                     \
		.argument_max = most, .options = REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | (taken),                    \
		.required = OPTION_BIT(OPTION_APP), .summary = text, .details = more, .run = function                  \
	}
#define ROOMS_CLIENT                                                                                                   \
	(OPTION_BIT(OPTION_CLIENT) | OPTION_BIT(OPTION_PLATFORM) | OPTION_BIT(OPTION_AS) | OPTION_BIT(OPTION_KEY_FILE))
#define ROOMS_KEY                                                                                                      \
	"A user's call is signed with the app's key: from --key-file, else asked for with the server's admin token.\n"

static const struct cli_command rooms_commands[] = {
	ROOMS_COMMAND("create", "ROOM", 1, 1,
		      ROOMS_CLIENT | OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_OWNER) | OPTION_BIT(OPTION_HIDDEN),
		      "Creates a room, as the operator or, with --client, as an app user", ROOMS_KEY, rooms_create),
	ROOMS_COMMAND("list", "", 0, 0, OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_SEARCH) | OPTION_BIT(OPTION_ORDER),
		      "Lists rooms, also those that are left out of lists for users",
		      "Shows the newest 50 unless --order, --search or --limit say otherwise.\n", rooms_list),
	ROOMS_COMMAND("show", "ROOM", 1, 1, UINT64_C(0), "Shows one room with all that it keeps", "", rooms_show),
	ROOMS_COMMAND(
		"creators", "", 0, 0, OPTION_BIT(OPTION_LIMIT), "Tells who owns how many of the newest rooms",
		"Looks at the newest 10000 rooms. Shows the first 10 unless --limit says otherwise, at most 100.\n",
		rooms_creators),
	ROOMS_COMMAND("destroy", "ROOM...", 1, OPTIONS_ARGUMENT_COUNT_MAX, ROOMS_CLIENT, "Destroys rooms", ROOMS_KEY,
		      rooms_destroy),
};

const struct cli_group cli_room_group = {
	.name = "room",
	.summary = "Creates, lists, shows and destroys rooms of an app; tells who makes them",
	.commands = rooms_commands,
	.command_count = ARRAY_LEN(rooms_commands),
};
