/* `highwater demo`: shows on one machine, with real processes and real HTTPS, that an app is told before it runs out of
 * rooms.
 *
 * The story: demo_setup.c starts `highwater receive` (the App backend) and `highwater serve` (the Live backend). Then
 * an app with a maximum of 10 rooms; its callback URL, switch and token through the REST API; seven rooms, by clients
 * and by REST in turn. Before the seventh no alert may exist, after it exactly one, delivered and verified. All of that
 * is checked and said; the exit code is 0 only when it was so. Then the demonstration stays up for the user until
 * Ctrl-C, unless --once.
 *
 * It waits for nothing without a limit but for Ctrl-C. The folder is removed at the end, but kept for a look when
 * something went wrong; one named with --dir always stays. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/demo_setup.h"
#include "cli/demo_show.h"
#include "cli/files.h"
#include "cli/remote.h"

#include <highwater/callback.h>

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define DEMO_ROOM_MAX 10
#define DEMO_ALERT_AT 7
#define DEMO_ALERT_MS 10000 /* for the alert to arrive */
#define DEMO_QUIET_MS 500   /* in which no second alert may come */
#define DEMO_LOOK_MS 10	    /* between two questions to the server */
#define DEMO_PATH_BYTES_MAX 4096

static const struct demo_room demo_rooms[DEMO_ALERT_AT] = {
	{"alice", "Web", "demo-1"},   {"administrator", "RESTAPI", "demo-2"},
	{"bob", "Android", "demo-3"}, {"administrator", "RESTAPI", "demo-4"},
	{"carol", "iOS", "demo-5"},   {"administrator", "RESTAPI", "demo-6"},
	{"alice", "Web", "demo-7"},
};

struct demo {
	struct demo_setup setup;
	struct remote remote;
	struct remote_sender sender; /* holds the app's key */
	unsigned differences;	     /* from what must be */
};

/* ---- calls ---- */

static int demo_judge(struct demo *demo, int result, struct remote_answer *answer, const struct error *err)
{
	int exit;

	if (result) {
		demo_setup_pump(&demo->setup, 0);
		return demo_setup_is_fine(&demo->setup) ? cli_fail(demo->setup.line, CLI_IO, "%s", err->text)
							: demo_setup_tell_end(&demo->setup);
	}
	exit = remote_tell(demo->setup.line, answer);
	if (exit != CLI_DONE)
		remote_answer_free(answer);
	return exit;
}

static int demo_manage(struct demo *demo, const char *command, const char *body, struct remote_answer *answer_out)
{
	struct error err;
	int result = remote_manage(&demo->remote, command, str_c(body), answer_out, &err);

	return demo_judge(demo, result, answer_out, &err);
}

/* As `who`: over REST, or with the platform as a client. */
static int demo_send(struct demo *demo, const char *who, const char *platform, const char *path, const char *body)
{
	struct remote_answer answer;
	struct error err;
	int result;
	int exit;

	demo->sender.identifier = who;
	demo->sender.platform = platform;
	result = remote_send(&demo->remote, &demo->sender, path, str_c(body), &answer, &err);
	exit = demo_judge(demo, result, &answer, &err);
	if (exit == CLI_DONE)
		remote_answer_free(&answer);
	return exit;
}

static int demo_create_app(struct demo *demo)
{
	struct remote_answer answer;
	struct str key;
	char body[96];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"SdkAppid\":%d,\"MaxRoomCount\":%d}", DEMO_SDKAPPID,
		       DEMO_ROOM_MAX); /* fits */
	exit = demo_manage(demo, "app_create", body, &answer);
	if (exit != CLI_DONE)
		return exit;
	demo->sender.sdkappid = DEMO_SDKAPPID;
	if (json_field_str(answer.response, "Key", &key) != JSON_FOUND || key.len > HW_USERSIG_KEY_BYTES_MAX) {
		exit = cli_fail(demo->setup.line, CLI_IO, "the server did not give the app's key");
	} else {
		memcpy(demo->sender.key, key.ptr, key.len);
		demo->sender.key_len = key.len;
	}
	remote_answer_free(&answer);
	return exit;
}

/* The secret that the App backend was started with becomes the app's only one. */
static int demo_configure_secret(struct demo *demo)
{
	struct remote_answer answer;
	char body[192];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"SdkAppid\":%d,\"Kind\":\"v1\",\"Secret\":\"%s\",\"Overlap\":0}",
		       DEMO_SDKAPPID, demo->setup.secret); /* fits */
	exit = demo_manage(demo, "app_secret_rotate", body, &answer);
	mem_wipe(body, sizeof(body));
	if (exit == CLI_DONE)
		remote_answer_free(&answer);
	return exit;
}

static int demo_configure_callback(struct demo *demo)
{
	char body[256];
	int exit = demo_configure_secret(demo);

	if (exit != CLI_DONE)
		return exit;
	(void)snprintf(body, sizeof(body), "{\"Token\":\"%s\",\"IsTokenEnable\":true}",
		       demo->setup.token); /* fits, as below */
	exit = demo_send(demo, "administrator", NULL, "/v4/live_config/set_callback_token", body);
	if (exit != CLI_DONE)
		return exit;
	(void)snprintf(body, sizeof(body), "{\"Url\":\"%s\",\"CallbackCommandList\":[\"%s\"]}",
		       demo->setup.callback_url, hw_callback_word(HW_CALLBACK_THRESHOLD));
	return demo_send(demo, "administrator", NULL, "/v4/live_config/set_callback", body);
}

/* How many callbacks the server has made, and how many of them still wait. */
static int demo_count_callbacks(struct demo *demo, int64_t *made_out, int64_t *waiting_out)
{
	struct remote_answer answer;
	char body[48];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"SdkAppid\":%d}", DEMO_SDKAPPID); /* fits */
	exit = demo_manage(demo, "app_show", body, &answer);
	if (exit != CLI_DONE)
		return exit;
	*made_out = remote_number(answer.response, "CallbackSequence");
	*waiting_out = remote_number(answer.response, "CallbackPending");
	remote_answer_free(&answer);
	return CLI_DONE;
}

/* ---- checks ---- */

/* Waits until there are `count` alerts, or the time is up. */
static void demo_wait_alerts(struct demo *demo, size_t count, int timeout_ms)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int64_t left_ms;

	while (json_array_size(demo->setup.alerts) < count && demo_setup_is_fine(&demo->setup) &&
	       (left_ms = deadline_ms - clock_mono_ms()) > 0)
		demo_setup_pump(&demo->setup, (int)left_ms);
}

static void PRINTF_LIKE(3, 4) demo_check(struct demo *demo, bool good, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a text too long is cut */
	va_end(args);
	demo->differences += !good;
	demo_show_check(good, text);
}

struct demo_expected {
	const char *key;
	bool in_body;
	const char *text; /* NULL: a number */
	int64_t number;
};

/* Every field of the alert, against what the last creation must have caused. */
static void demo_check_fields(struct demo *demo, const json_t *line)
{
	const struct demo_room *last = &demo_rooms[DEMO_ALERT_AT - 1];
	const char *command = hw_callback_word(HW_CALLBACK_THRESHOLD);
	const struct demo_expected fields[] = {
		{"SdkAppid", false, NULL, DEMO_SDKAPPID},
		{"CallbackCommand", false, command, 0},
		{"ClientIP", false, "127.0.0.1", 0},
		{"OptPlatform", false, last->platform, 0},
		{"Attempt", false, NULL, 1},
		{"Sequence", false, NULL, 1},
		{"Threshold", false, NULL, 70},
		{"CallbackCommand", true, command, 0},
		{"Operator_Account", true, last->operator_account, 0},
		{"CurRoomCount", true, NULL, DEMO_ALERT_AT},
		{"MaxRoomCount", true, NULL, DEMO_ROOM_MAX},
	};
	unsigned before = demo->differences;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct demo_expected *field = &fields[i];
		const json_t *from = field->in_body ? json_object_get(line, "Body") : line;

		if (field->text && strcmp(remote_text(from, field->key), field->text))
			demo_check(demo, false, "%s is \"%s\", must be \"%s\"", field->key,
				   remote_text(from, field->key), field->text);
		else if (!field->text && remote_number(from, field->key) != field->number)
			demo_check(demo, false, "%s is %" PRId64 ", must be %" PRId64, field->key,
				   remote_number(from, field->key), field->number);
	}
	if (demo->differences == before)
		demo_check(demo, true, "it says %d of %d rooms, created by %s, %s", DEMO_ALERT_AT, DEMO_ROOM_MAX,
			   last->operator_account, last->platform);
	demo_check(demo, json_is_true(json_object_get(line, "Signed")), "its Sign was made with the callback token");
	demo_check(demo, strcmp(remote_text(line, "Signature"), "v1") == 0,
		   "its webhook-signature was made with the app's secret, over this body");
}

/* The mark that an alert was delivered is stored a moment after the reply. */
static int demo_wait_delivered(struct demo *demo, int64_t *made_out, int64_t *waiting_out)
{
	int64_t deadline_ms = clock_mono_ms() + DEMO_ALERT_MS;
	int exit;

	while ((exit = demo_count_callbacks(demo, made_out, waiting_out)) == CLI_DONE && *waiting_out != 0 &&
	       clock_mono_ms() < deadline_ms && demo_setup_is_fine(&demo->setup))
		demo_setup_pump(&demo->setup, DEMO_LOOK_MS);
	return exit;
}

static int demo_check_all(struct demo *demo, int64_t made_early, size_t early)
{
	int64_t made;
	int64_t waiting;
	size_t arrived;
	int exit = demo_wait_delivered(demo, &made, &waiting);

	if (exit != CLI_DONE)
		return exit;
	demo_wait_alerts(demo, 2, DEMO_QUIET_MS); /* none may come */
	if (!demo_setup_is_fine(&demo->setup))
		return demo_setup_tell_end(&demo->setup);
	arrived = json_array_size(demo->setup.alerts);
	demo_show_title("Checks");
	demo_check(demo, made_early == 0 && early == 0, "no alert for the first %d rooms", DEMO_ALERT_AT - 1);
	demo_check(demo, made == 1, "the Live backend made %" PRId64 " alert, with room %d", made, DEMO_ALERT_AT);
	demo_check(demo, arrived == 1, "the App backend got it once (%zu received)", arrived);
	if (arrived)
		demo_check_fields(demo, json_array_get(demo->setup.alerts, 0));
	demo_check(demo, waiting == 0, "it is marked as delivered, %" PRId64 " are waiting", waiting);
	demo_check(demo, !demo->setup.lines_broken, "everything the App backend printed is well formed");
	return demo->differences ? CLI_REFUSED : CLI_DONE;
}

/* ---- the story ---- */

static void demo_tell_setup(const struct demo_setup *setup)
{
	demo_show(DEMO_BOLD, "Highwater demo\n");
	demo_show(DEMO_PLAIN, "A Live backend warns an app before it runs out of rooms.\n\n");
	demo_show_fact("Live backend", "%s", setup->server_url);
	demo_show_fact("App backend", "%s  (HTTPS, private authority)", setup->callback_url);
	demo_show_fact("Callbacks", "may go to %s  (callback.allowed_addresses)", DEMO_ALLOWED_ADDRESSES);
	demo_show_fact("App", "SDKAppID %d, at most %d rooms, alert from 70 %%", DEMO_SDKAPPID, DEMO_ROOM_MAX);
	demo_show_fact("Folder", "%s", setup->folder);
}

static int demo_create_room(struct demo *demo, unsigned index)
{
	const struct demo_room *room = &demo_rooms[index];
	bool client = strcmp(room->platform, "RESTAPI") != 0;
	char body[128];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"RoomInfo\":{\"RoomId\":\"%s\",\"RoomType\":\"Live\"}}",
		       room->room_id); /* fits */
	exit = demo_send(demo, room->operator_account, client ? room->platform : NULL,
			 client ? "/v4/live_client/create_room" : "/v4/live_engine_http_srv/create_room", body);
	if (exit == CLI_DONE)
		demo_show_room(room, index + 1, DEMO_ROOM_MAX);
	return exit;
}

static int demo_create_rooms(struct demo *demo)
{
	int64_t made_early = 0;
	int64_t waiting;
	size_t early;
	int exit = CLI_DONE;

	demo_show_title("Rooms, created by clients and over REST in turn");
	demo_show_room_header();
	for (unsigned i = 0; i < DEMO_ALERT_AT - 1 && exit == CLI_DONE; i++)
		exit = demo_create_room(demo, i);
	if (exit == CLI_DONE) /* an alert would be stored with its room, so this look is not too early */
		exit = demo_count_callbacks(demo, &made_early, &waiting);
	demo_setup_pump(&demo->setup, 0);
	early = json_array_size(demo->setup.alerts);
	if (exit == CLI_DONE)
		exit = demo_create_room(demo, DEMO_ALERT_AT - 1);
	if (exit != CLI_DONE)
		return exit;
	demo_wait_alerts(demo, early + 1, DEMO_ALERT_MS);
	if (!demo_setup_is_fine(&demo->setup))
		return demo_setup_tell_end(&demo->setup);
	for (size_t i = 0; i < json_array_size(demo->setup.alerts); i++)
		demo_show_alert(json_array_get(demo->setup.alerts, i));
	return demo_check_all(demo, made_early, early);
}

static int demo_tell_next(struct demo *demo)
{
	char program[DEMO_PATH_BYTES_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct error err;
	struct buf url;
	int exit = CLI_DONE;

	program[len > 0 ? len : 0] = '\0';
	demo->sender.identifier = "administrator";
	demo->sender.platform = NULL;
	demo->sender.expire_s = 30 * 86400;
	buf_init(&url, 8192);
	if (remote_build_url(&demo->remote, &demo->sender, "/v4/live_engine_http_srv/create_room", &url, &err))
		exit = cli_fail(demo->setup.line, CLI_INTERNAL, "%s", err.text);
	demo_show_title("Try it, in another terminal");
	demo_show(DEMO_PLAIN,
		  "  export HIGHWATER_SERVER=%s\n"
		  "  export HIGHWATER_ADMIN_TOKEN_FILE='%s'\n"
		  "  alias highwater=\"'%s'\"\n\n"
		  "  highwater room create demo-8 --app %d                    one more alert, sequence 2\n"
		  "  highwater room create demo-9 --app %d --client --as dave --platform Mac\n"
		  "  highwater app show %d\n"
		  "  highwater callback list --app %d\n"
		  "  highwater room list --app %d\n\n"
		  "  The same over plain HTTP, with a UserSig of the app's admin:\n\n"
		  "  curl -s -d '{\"RoomInfo\":{\"RoomId\":\"demo-10\",\"RoomType\":\"Live\"}}' \\\n    '%s'\n",
		  demo->setup.server_url, demo->setup.files[DEMO_FILE_ADMIN_TOKEN], len > 0 ? program : "highwater",
		  DEMO_SDKAPPID, DEMO_SDKAPPID, DEMO_SDKAPPID, DEMO_SDKAPPID, DEMO_SDKAPPID, buf_c(&url));
	demo_show_title("Running. Further alerts appear here; Ctrl-C stops everything");
	files_wipe(&url);
	return exit;
}

static int demo_stay(struct demo *demo)
{
	size_t shown = json_array_size(demo->setup.alerts);
	int exit = demo_tell_next(demo);

	while (exit == CLI_DONE && demo_setup_is_fine(&demo->setup)) {
		demo_setup_pump(&demo->setup, -1);
		for (; shown < json_array_size(demo->setup.alerts); shown++)
			demo_show_alert_short(json_array_get(demo->setup.alerts, shown));
	}
	if (exit == CLI_DONE && !demo->setup.interrupted)
		return demo_setup_tell_end(&demo->setup);
	demo_show(DEMO_PLAIN, "\n");
	return exit;
}

static int demo_tell_story(struct demo *demo)
{
	int exit = demo_setup_start(&demo->setup);

	if (exit != CLI_DONE)
		return exit;
	demo->remote = (struct remote){demo->setup.server_url, "", demo->setup.files[DEMO_FILE_ADMIN_TOKEN]};
	demo_tell_setup(&demo->setup);
	exit = demo_create_app(demo);
	if (exit == CLI_DONE)
		exit = demo_configure_callback(demo);
	if (exit == CLI_DONE)
		exit = demo_create_rooms(demo);
	if (exit == CLI_DONE && !options_get(demo->setup.line, OPTION_ONCE)->set)
		exit = demo_stay(demo);
	return exit;
}

static int demo_run(const struct cli_line *line)
{
	struct demo demo = {0};
	int exit;

	demo_setup_init(&demo.setup, line);
	exit = demo_tell_story(&demo);
	exit = demo_setup_stop(&demo.setup, exit);
	if (exit == CLI_DONE)
		demo_show(DEMO_GOOD, options_get(line, OPTION_ONCE)->set ? "\nAll as it must be.\n" : "Stopped.\n");
	else if (demo.differences)
		demo_show(DEMO_BAD, "\nNot as it must be: %u checks failed.\n", demo.differences);
	demo_setup_fini(&demo.setup, exit == CLI_DONE || demo.setup.interrupted);
	mem_wipe(&demo, sizeof(demo));
	return exit;
}

static const struct cli_command demo_commands[] = {
	{
		.group = "demo",
		.name = "",
		.arguments = "",
		.options = OPTION_BIT(OPTION_ONCE) | OPTION_BIT(OPTION_DIR),
		.summary = "Shows an alert from the creation of a room to the App backend, on this machine",
		.details = "Starts both backends on free loopback ports, creates rooms until 70 % of the app's "
			   "maximum, and\n"
			   "checks that exactly one alert arrived. Then it stays up until Ctrl-C.\n",
		.run = demo_run,
	},
};

const struct cli_group cli_demo_group = {
	.name = "demo",
	.summary = "Shows an alert on its way, on this machine, and checks it",
	.commands = demo_commands,
	.command_count = ARRAY_LEN(demo_commands),
};
