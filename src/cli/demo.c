/* `highwater demo`: shows on one machine, with real processes and real HTTPS, that an app is told before it runs out of
 * rooms.
 *
 * The story: a folder, a throw-away certificate authority, a callback token; `highwater receive` (the App backend) and
 * `highwater serve` (the Live backend) as child processes on free loopback ports; an app with a maximum of 10 rooms; its
 * callback URL, switch and token through the REST API; seven rooms, by clients and by REST in turn. Before the seventh no
 * alert may exist, after it exactly one, delivered and verified. All of that is checked and said; the exit code is 0 only
 * when it was so. Then the demonstration stays up for the user until Ctrl-C, unless --once.
 *
 * It refuses to touch a folder that has something in it. It waits for nothing without a limit. A child that ends is told
 * with the end of its log. The folder is removed at the end, but kept for a look when something went wrong; one named
 * with --dir always stays. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/child.h"
#include "cli/demo_show.h"
#include "cli/files.h"
#include "cli/remote.h"
#include "cli/tls_files.h"

#include <highwater/callback.h>
#include <highwater/code.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DEMO_SDKAPPID 1400000001
#define DEMO_ROOM_MAX 10
#define DEMO_ALERT_AT 7
#define DEMO_START_MS 20000   /* for a child to be ready */
#define DEMO_ALERT_MS 10000   /* for the alert to arrive */
#define DEMO_QUIET_MS 500     /* in which no second alert may come */
#define DEMO_STOP_MS 20000    /* for a child to end */
#define DEMO_LOOK_MS 10	      /* between two looks at a file */
#define DEMO_PATH_BYTES_MAX 4096
#define DEMO_LINES_BYTES_MAX (1024 * 1024)

static const struct demo_room demo_rooms[DEMO_ALERT_AT] = {
	{"alice", "Web", "demo-1"},	      {"administrator", "RESTAPI", "demo-2"}, {"bob", "Android", "demo-3"},
	{"administrator", "RESTAPI", "demo-4"}, {"carol", "iOS", "demo-5"},	      {"administrator", "RESTAPI", "demo-6"},
	{"alice", "Web", "demo-7"},
};

enum demo_file {
	DEMO_CA,
	DEMO_CERT,
	DEMO_KEY,
	DEMO_TOKEN,
	DEMO_RECEIVE_PORT,
	DEMO_SERVE_PORT,
	DEMO_RECEIVE_LOG,
	DEMO_SERVE_LOG,
	DEMO_RECORD,
	DEMO_DATA,
	DEMO_ADMIN_TOKEN,
	DEMO_FILE_COUNT
};

static const char *const demo_file_names[DEMO_FILE_COUNT] = {
	[DEMO_CA] = "ca.pem",
	[DEMO_CERT] = "receive.pem",
	[DEMO_KEY] = "receive.key",
	[DEMO_TOKEN] = "callback-token",
	[DEMO_RECEIVE_PORT] = "receive.port",
	[DEMO_SERVE_PORT] = "serve.port",
	[DEMO_RECEIVE_LOG] = "receive.log",
	[DEMO_SERVE_LOG] = "serve.log",
	[DEMO_RECORD] = "callbacks.jsonl",
	[DEMO_DATA] = "data",
	[DEMO_ADMIN_TOKEN] = "data/admin-token",
};

struct demo {
	const struct cli_line *line;
	char *folder;
	bool folder_is_ours; /* made here, to be removed */
	char *files[DEMO_FILE_COUNT];
	int signals; /* signalfd */
	bool interrupted;
	struct child receiver;
	struct child server;
	char server_url[64];
	char callback_url[64];
	struct remote remote;
	struct remote_sender sender; /* holds the app's key */
	char token[33];		     /* of the callbacks */
	struct buf pending;	     /* what the receiver printed after the last whole line */
	json_t *alerts;		     /* lines of the receiver, in order */
	bool lines_broken;	     /* it printed something that is no line */
	unsigned differences;	     /* from what must be */
};

/* ---- waiting ---- */

/* Takes the whole lines out of `pending`. */
static void demo_take_lines(struct demo *demo)
{
	struct str rest = buf_str(&demo->pending);
	ptrdiff_t end;

	while ((end = str_find_char(rest, '\n')) >= 0) {
		struct error err;
		json_t *line;

		if (json_read(str_slice(rest, 0, (size_t)end), &line, &err) == 0)
			(void)json_array_append_new(demo->alerts, line); /* memory is there, or the process ends */
		else
			demo->lines_broken = true;
		rest = str_slice(rest, (size_t)end + 1, rest.len);
	}
	memmove(demo->pending.ptr, rest.ptr, rest.len);
	demo->pending.len = rest.len;
}

static void demo_read_lines(struct demo *demo)
{
	char chunk[16 * 1024];
	ssize_t got = read(demo->receiver.output, chunk, sizeof(chunk));

	if (got <= 0)
		return; /* its end shows as the end of the child */
	buf_append(&demo->pending, chunk, (size_t)got);
	if (!buf_ok(&demo->pending)) {
		demo->lines_broken = true;
		buf_reset(&demo->pending);
	} else {
		demo_take_lines(demo);
	}
}

static void demo_read_signals(struct demo *demo)
{
	struct signalfd_siginfo info;

	while (read(demo->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		demo->interrupted = demo->interrupted || info.ssi_signo != SIGCHLD;
}

/* True while nobody pressed Ctrl-C and every child that was started lives. */
static bool demo_is_fine(struct demo *demo)
{
	return !demo->interrupted && (!demo->receiver.pid || child_is_running(&demo->receiver)) &&
	       (!demo->server.pid || child_is_running(&demo->server));
}

/* Waits until something happens, at most `timeout_ms` (-1: no limit), and takes it in. */
static void demo_pump(struct demo *demo, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = demo->signals, .events = POLLIN},
		{.fd = demo->receiver.pid ? demo->receiver.output : -1, .events = POLLIN},
	};

	if (poll(fds, ARRAY_LEN(fds), timeout_ms) <= 0)
		return; /* time is up */
	if (fds[0].revents)
		demo_read_signals(demo);
	if (fds[1].revents & POLLIN)
		demo_read_lines(demo);
	else if (fds[1].revents)
		(void)child_is_running(&demo->receiver); /* it closed its output: notice its end */
}

/* Waits until there are `count` alerts, or the time is up. */
static void demo_wait_alerts(struct demo *demo, size_t count, int timeout_ms)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int64_t left_ms;

	while (json_array_size(demo->alerts) < count && demo_is_fine(demo) &&
	       (left_ms = deadline_ms - clock_mono_ms()) > 0)
		demo_pump(demo, (int)left_ms);
}

/* What ended the demonstration before its time. Returns the exit code. */
static int demo_tell_end(struct demo *demo)
{
	if (demo->interrupted)
		return cli_fail(demo->line, CLI_IO, "interrupted");
	if (demo->receiver.pid && !child_is_running(&demo->receiver))
		child_print_end(&demo->receiver);
	if (demo->server.pid && !child_is_running(&demo->server))
		child_print_end(&demo->server);
	return cli_fail(demo->line, CLI_IO, "a process of the demonstration ended");
}

/* ---- the folder ---- */

static int demo_open_folder(struct demo *demo)
{
	const struct option_value *dir = options_get(demo->line, OPTION_DIR);
	const char *temporary = getenv("TMPDIR");
	char path[DEMO_PATH_BYTES_MAX];
	struct error err;
	bool empty;

	if (!dir->set) {
		(void)snprintf(path, sizeof(path), "%.3900s/highwater-demo-XXXXXX",
			       temporary && *temporary ? temporary : "/tmp"); /* fits */
		if (!mkdtemp(path))
			return cli_fail(demo->line, CLI_IO, "making a folder like %s: %s", path, strerror(errno));
		demo->folder_is_ours = true;
	} else {
		(void)snprintf(path, sizeof(path), "%.3900s", dir->text); /* a name too long does not exist either */
		if (files_make_folder(path, 0700, &err) || files_folder_is_empty(path, &empty, &err))
			return cli_fail(demo->line, CLI_IO, "--dir: %s", err.text);
		if (!empty)
			return cli_fail(demo->line, CLI_USAGE, "--dir: %s is not empty: name a new folder", path);
	}
	demo->folder = realpath(path, NULL);
	if (!demo->folder)
		return cli_fail(demo->line, CLI_IO, "looking at %s: %s", path, strerror(errno));
	for (unsigned i = 0; i < DEMO_FILE_COUNT; i++) {
		(void)snprintf(path, sizeof(path), "%.3900s/%s", demo->folder, demo_file_names[i]); /* fits */
		demo->files[i] = mem_dup(path, strlen(path));
	}
	return CLI_DONE;
}

/* `good`: there is nothing to look for in it. */
static void demo_close_folder(struct demo *demo, bool good)
{
	struct error err;

	if (demo->folder_is_ours && good && demo->folder && files_remove_tree(demo->folder, &err))
		(void)fprintf(stderr, "highwater demo: %s\n", err.text); /* nobody else to tell, as below */
	else if (demo->folder && !(demo->folder_is_ours && good))
		(void)fprintf(stderr, "Logs and data are kept in %s\n", demo->folder);
	for (unsigned i = 0; i < DEMO_FILE_COUNT; i++)
		mem_free(demo->files[i]);
	free(demo->folder); /* realpath's own */
}

static int demo_fill_folder(struct demo *demo)
{
	const struct tls_files tls = {demo->files[DEMO_CA], demo->files[DEMO_CERT], demo->files[DEMO_KEY]};
	unsigned char random[16];
	struct error err;
	struct buf hex;
	int result;

	random_bytes(random, sizeof(random));
	buf_init(&hex, sizeof(demo->token));
	buf_append_hex(&hex, random, sizeof(random));
	(void)str_copy(demo->token, sizeof(demo->token), buf_str(&hex)); /* fits */
	buf_fini(&hex);
	result = tls_files_make(&tls, &err) || files_write(demo->files[DEMO_TOKEN], str_c(demo->token), 0600, &err);
	return result ? cli_fail(demo->line, CLI_IO, "%s", err.text) : CLI_DONE;
}

/* ---- the two backends ---- */

/* Waits for the port file. Returns CLI_DONE with the port, or the exit code. */
static int demo_wait_port(struct demo *demo, const struct child *child, const char *path, unsigned *port_out)
{
	int64_t deadline_ms = clock_mono_ms() + DEMO_START_MS;

	while (demo_is_fine(demo)) {
		FILE *file = fopen(path, "re");
		int found = file ? fscanf(file, "%5u", port_out) : 0;

		if (file)
			(void)fclose(file); /* only read from */
		if (found == 1)
			return CLI_DONE;
		if (clock_mono_ms() >= deadline_ms) {
			child_print_end(child);
			return cli_fail(demo->line, CLI_IO, "highwater %s was not ready after %d s", child->name,
					DEMO_START_MS / 1000);
		}
		demo_pump(demo, DEMO_LOOK_MS);
	}
	return demo_tell_end(demo);
}

static int demo_start_receiver(struct demo *demo)
{
	const char *const arguments[] = {
		"highwater", "receive",
		"--http-listen", "127.0.0.1:0",
		"--http-port-file", demo->files[DEMO_RECEIVE_PORT],
		"--http-cert-file", demo->files[DEMO_CERT],
		"--http-key-file", demo->files[DEMO_KEY],
		"--receive-sdkappids", "1400000001",
		"--receive-path", "/callback",
		"--receive-token-file", demo->files[DEMO_TOKEN],
		"--receive-record", demo->files[DEMO_RECORD],
		NULL,
	};
	const struct child_options options = {arguments, demo->files[DEMO_RECEIVE_LOG], true};
	struct error err;
	unsigned port;
	int exit;

	if (child_start(&options, &demo->receiver, &err))
		return cli_fail(demo->line, CLI_IO, "%s", err.text);
	exit = demo_wait_port(demo, &demo->receiver, demo->files[DEMO_RECEIVE_PORT], &port);
	if (exit == CLI_DONE)
		(void)snprintf(demo->callback_url, sizeof(demo->callback_url), "https://127.0.0.1:%u/callback", port); /* fits */
	return exit;
}

static int demo_start_server(struct demo *demo)
{
	const char *const arguments[] = {
		"highwater", "serve",
		"--http-listen", "127.0.0.1:0",
		"--http-port-file", demo->files[DEMO_SERVE_PORT],
		"--data-dir", demo->files[DEMO_DATA],
		"--callback-ca-file", demo->files[DEMO_CA],
		NULL,
	};
	const struct child_options options = {arguments, demo->files[DEMO_SERVE_LOG], false};
	struct error err;
	unsigned port;
	int exit;

	if (child_start(&options, &demo->server, &err))
		return cli_fail(demo->line, CLI_IO, "%s", err.text);
	exit = demo_wait_port(demo, &demo->server, demo->files[DEMO_SERVE_PORT], &port);
	if (exit != CLI_DONE)
		return exit;
	(void)snprintf(demo->server_url, sizeof(demo->server_url), "http://127.0.0.1:%u", port); /* fits */
	demo->remote = (struct remote){demo->server_url, "", demo->files[DEMO_ADMIN_TOKEN]};
	return CLI_DONE;
}

static int demo_start(struct demo *demo)
{
	int exit = demo_open_folder(demo);

	if (exit == CLI_DONE)
		exit = demo_fill_folder(demo);
	if (exit == CLI_DONE)
		exit = demo_start_receiver(demo);
	if (exit == CLI_DONE)
		exit = demo_start_server(demo);
	return exit;
}

/* ---- calls ---- */

static int demo_judge(struct demo *demo, int result, struct remote_answer *answer, const struct error *err)
{
	int exit;

	if (result) {
		demo_pump(demo, 0);
		return demo_is_fine(demo) ? cli_fail(demo->line, CLI_IO, "%s", err->text) : demo_tell_end(demo);
	}
	exit = remote_tell(demo->line, answer);
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
	int exit;

	demo->sender.identifier = who;
	demo->sender.platform = platform;
	exit = demo_judge(demo, remote_send(&demo->remote, &demo->sender, path, str_c(body), &answer, &err), &answer, &err);
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

	(void)snprintf(body, sizeof(body), "{\"SdkAppid\":%d,\"MaxRoomCount\":%d}", DEMO_SDKAPPID, DEMO_ROOM_MAX); /* fits */
	exit = demo_manage(demo, "app_create", body, &answer);
	if (exit != CLI_DONE)
		return exit;
	demo->sender.sdkappid = DEMO_SDKAPPID;
	if (json_field_str(answer.response, "Key", &key) != JSON_FOUND || key.len > HW_USERSIG_KEY_BYTES_MAX) {
		exit = cli_fail(demo->line, CLI_IO, "the server did not give the app's key");
	} else {
		memcpy(demo->sender.key, key.ptr, key.len);
		demo->sender.key_len = key.len;
	}
	remote_answer_free(&answer);
	return exit;
}

static int demo_configure_callback(struct demo *demo)
{
	char body[256];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"Token\":\"%s\",\"IsTokenEnable\":true}", demo->token); /* fits, as below */
	exit = demo_send(demo, "administrator", NULL, "/v4/live_config/set_callback_token", body);
	if (exit != CLI_DONE)
		return exit;
	(void)snprintf(body, sizeof(body), "{\"Url\":\"%s\",\"CallbackCommandList\":[\"%s\"]}", demo->callback_url,
		       hw_callback_word(HW_CALLBACK_THRESHOLD));
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
			demo_check(demo, false, "%s is \"%s\", must be \"%s\"", field->key, remote_text(from, field->key),
				   field->text);
		else if (!field->text && remote_number(from, field->key) != field->number)
			demo_check(demo, false, "%s is %" PRId64 ", must be %" PRId64, field->key,
				   remote_number(from, field->key), field->number);
	}
	if (demo->differences == before)
		demo_check(demo, true, "it says %d of %d rooms, created by %s, %s", DEMO_ALERT_AT, DEMO_ROOM_MAX,
			   last->operator_account, last->platform);
	demo_check(demo, json_is_true(json_object_get(line, "Signed")), "its Sign was made with the callback token");
}

/* The mark that an alert was delivered is stored a moment after the reply. */
static int demo_wait_delivered(struct demo *demo, int64_t *made_out, int64_t *waiting_out)
{
	int64_t deadline_ms = clock_mono_ms() + DEMO_ALERT_MS;
	int exit;

	while ((exit = demo_count_callbacks(demo, made_out, waiting_out)) == CLI_DONE && *waiting_out != 0 &&
	       clock_mono_ms() < deadline_ms && demo_is_fine(demo))
		demo_pump(demo, DEMO_LOOK_MS);
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
	if (!demo_is_fine(demo))
		return demo_tell_end(demo);
	arrived = json_array_size(demo->alerts);
	demo_show_title("Checks");
	demo_check(demo, made_early == 0 && early == 0, "no alert for the first %d rooms", DEMO_ALERT_AT - 1);
	demo_check(demo, made == 1, "the Live backend made %" PRId64 " alert, with room %d", made, DEMO_ALERT_AT);
	demo_check(demo, arrived == 1, "the App backend got it once (%zu received)", arrived);
	if (arrived)
		demo_check_fields(demo, json_array_get(demo->alerts, 0));
	demo_check(demo, waiting == 0, "it is marked as delivered, %" PRId64 " are waiting", waiting);
	demo_check(demo, !demo->lines_broken, "everything the App backend printed is well formed");
	return demo->differences ? CLI_REFUSED : CLI_DONE;
}

/* ---- the story ---- */

static void demo_tell_setup(const struct demo *demo)
{
	demo_show(DEMO_BOLD, "Highwater demo\n");
	demo_show(DEMO_PLAIN, "A Live backend warns an app before it runs out of rooms.\n\n");
	demo_show_fact("Live backend", "%s", demo->server_url);
	demo_show_fact("App backend", "%s  (HTTPS, private authority)", demo->callback_url);
	demo_show_fact("App", "SDKAppID %d, at most %d rooms, alert from 70 %%", DEMO_SDKAPPID, DEMO_ROOM_MAX);
	demo_show_fact("Folder", "%s", demo->folder);
}

static int demo_create_room(struct demo *demo, unsigned index)
{
	const struct demo_room *room = &demo_rooms[index];
	bool client = strcmp(room->platform, "RESTAPI") != 0;
	char body[128];
	int exit;

	(void)snprintf(body, sizeof(body), "{\"RoomInfo\":{\"RoomId\":\"%s\",\"RoomType\":\"Live\"}}", room->room_id); /* fits */
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
	demo_pump(demo, 0);
	early = json_array_size(demo->alerts);
	if (exit == CLI_DONE)
		exit = demo_create_room(demo, DEMO_ALERT_AT - 1);
	if (exit != CLI_DONE)
		return exit;
	demo_wait_alerts(demo, early + 1, DEMO_ALERT_MS);
	if (!demo_is_fine(demo))
		return demo_tell_end(demo);
	for (size_t i = 0; i < json_array_size(demo->alerts); i++)
		demo_show_alert(json_array_get(demo->alerts, i));
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
		exit = cli_fail(demo->line, CLI_INTERNAL, "%s", err.text);
	demo_show_title("Try it, in another terminal");
	demo_show(DEMO_PLAIN,
		  "  export HIGHWATER_SERVER=%s\n"
		  "  export HIGHWATER_ADMIN_TOKEN_FILE=%s\n"
		  "  alias highwater=%s\n\n"
		  "  highwater room create demo-8 --app %d                    one more alert, sequence 2\n"
		  "  highwater room create demo-9 --app %d --client --as dave --platform Mac\n"
		  "  highwater app show %d\n"
		  "  highwater callback list --app %d\n"
		  "  highwater room list --app %d\n\n"
		  "  The same over plain HTTP, with a UserSig of the app's admin:\n\n"
		  "  curl -s -d '{\"RoomInfo\":{\"RoomId\":\"demo-10\",\"RoomType\":\"Live\"}}' \\\n    '%s'\n",
		  demo->server_url, demo->files[DEMO_ADMIN_TOKEN], len > 0 ? program : "highwater", DEMO_SDKAPPID,
		  DEMO_SDKAPPID, DEMO_SDKAPPID, DEMO_SDKAPPID, DEMO_SDKAPPID, buf_c(&url));
	demo_show_title("Running. Further alerts appear here; Ctrl-C stops everything");
	files_wipe(&url);
	return exit;
}

static int demo_stay(struct demo *demo)
{
	size_t shown = json_array_size(demo->alerts);
	int exit = demo_tell_next(demo);

	while (exit == CLI_DONE && demo_is_fine(demo)) {
		demo_pump(demo, -1);
		for (; shown < json_array_size(demo->alerts); shown++)
			demo_show_alert_short(json_array_get(demo->alerts, shown));
	}
	if (exit == CLI_DONE && !demo->interrupted)
		return demo_tell_end(demo);
	demo_show(DEMO_PLAIN, "\n");
	return exit;
}

static int demo_stop(struct demo *demo, int exit)
{
	struct child *const children[] = {&demo->server, &demo->receiver}; /* the sender first */

	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		bool was_running = child_is_running(children[i]);

		if (child_stop(children[i], DEMO_STOP_MS) || !was_running)
			continue; /* one that ended before was told already */
		child_print_end(children[i]);
		exit = exit == CLI_DONE ? CLI_REFUSED : exit;
	}
	return exit;
}

static int demo_tell_story(struct demo *demo)
{
	int exit = demo_start(demo);

	if (exit != CLI_DONE)
		return exit;
	demo_tell_setup(demo);
	exit = demo_create_app(demo);
	if (exit == CLI_DONE)
		exit = demo_configure_callback(demo);
	if (exit == CLI_DONE)
		exit = demo_create_rooms(demo);
	if (exit == CLI_DONE && !options_get(demo->line, OPTION_ONCE)->set)
		exit = demo_stay(demo);
	return exit;
}

/* The settings of this shell are not those of the demonstration. */
static void demo_clean_environment(void)
{
	for (size_t i = 0; environ && environ[i];) {
		char *name = strncmp(environ[i], "HIGHWATER_", 10) == 0 ? strndup(environ[i], strcspn(environ[i], "=")) : NULL;

		if (!name || unsetenv(name))
			i++; /* removing one moves the rest down */
		free(name); /* strndup's own */
	}
}

static int demo_open_signals(struct demo *demo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail */
	(void)signal(SIGPIPE, SIG_IGN);		  /* cannot fail */
	demo->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return demo->signals < 0 ? cli_fail(demo->line, CLI_IO, "waiting for signals: %s", strerror(errno)) : CLI_DONE;
}

static int demo_run(const struct cli_line *line)
{
	struct demo demo = {.line = line, .receiver.output = -1, .server.output = -1, .alerts = json_array()};
	int exit;

	assert(demo.alerts);
	buf_init(&demo.pending, DEMO_LINES_BYTES_MAX);
	demo_clean_environment();
	exit = demo_open_signals(&demo);
	if (exit == CLI_DONE)
		exit = demo_stop(&demo, demo_tell_story(&demo));
	if (exit == CLI_DONE)
		demo_show(DEMO_GOOD, options_get(line, OPTION_ONCE)->set ? "\nAll as it must be.\n" : "Stopped.\n");
	else if (demo.differences)
		demo_show(DEMO_BAD, "\nNot as it must be: %u checks failed.\n", demo.differences);
	demo_close_folder(&demo, exit == CLI_DONE || demo.interrupted);
	if (demo.signals >= 0)
		(void)close(demo.signals); /* only read from */
	json_decref(demo.alerts);
	buf_fini(&demo.pending);
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
		.details = "Starts both backends on free loopback ports, creates rooms until 70 % of the app's maximum, and\n"
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
