/* The demonstration's folder, processes and waiting; see demo_setup.h.
 *
 * In order: signals become a descriptor; the folder, and in it a throw-away certificate authority, token and secret;
 * `highwater receive`, of which standard output is read here, a line per alert; `highwater serve`, which trusts that
 * authority. Each is ready when its port file is there. At the end the sender stops first.
 *
 * It refuses to touch a folder that has something in it. It waits for nothing without a limit, except when the caller
 * says so. A child that ends before its time is told with the end of its log. */
#include "cli/demo_setup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/files.h"
#include "cli/tls_files.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DEMO_SETUP_START_MS 20000 /* for a child to be ready */
#define DEMO_SETUP_STOP_MS 20000  /* for a child to end */
#define DEMO_SETUP_LOOK_MS 10	  /* between two looks at a file */
#define DEMO_SETUP_PATH_BYTES_MAX 4096
#define DEMO_SETUP_LINES_BYTES_MAX (1024 * 1024)
#define DEMO_SETUP_TEXT(number) #number
#define DEMO_SETUP_NUMBER_TEXT(macro) DEMO_SETUP_TEXT(macro)

static const char *const demo_setup_file_names[DEMO_FILE_COUNT] = {
	[DEMO_FILE_CA] = "ca.pem",
	[DEMO_FILE_CERT] = "receive.pem",
	[DEMO_FILE_KEY] = "receive.key",
	[DEMO_FILE_TOKEN] = "callback-token",
	[DEMO_FILE_SECRET] = "webhook-secret",
	[DEMO_FILE_RECEIVE_PORT] = "receive.port",
	[DEMO_FILE_SERVE_PORT] = "serve.port",
	[DEMO_FILE_RECEIVE_LOG] = "receive.log",
	[DEMO_FILE_SERVE_LOG] = "serve.log",
	[DEMO_FILE_RECORD] = "callbacks.db",
	[DEMO_FILE_DATA] = "data",
	[DEMO_FILE_ADMIN_TOKEN] = "data/admin-token",
};

/* ---- waiting ---- */

/* Takes the whole lines out of `pending`. */
static void demo_setup_take_lines(struct demo_setup *setup)
{
	struct str rest = buf_str(&setup->pending);
	ptrdiff_t end;

	while ((end = str_find_char(rest, '\n')) >= 0) {
		struct error err;
		json_t *line;

		if (json_read(str_slice(rest, 0, (size_t)end), &line, &err) == 0)
			(void)json_array_append_new(setup->alerts, line); /* memory is there, or the process ends */
		else
			setup->lines_broken = true;
		rest = str_slice(rest, (size_t)end + 1, rest.len);
	}
	memmove(setup->pending.ptr, rest.ptr, rest.len);
	setup->pending.len = rest.len;
}

static void demo_setup_read_lines(struct demo_setup *setup)
{
	char chunk[16 * 1024];
	ssize_t got = read(setup->receiver.output, chunk, sizeof(chunk));

	if (got <= 0)
		return; /* its end shows as the end of the child */
	buf_append(&setup->pending, chunk, (size_t)got);
	if (!buf_ok(&setup->pending)) {
		setup->lines_broken = true;
		buf_reset(&setup->pending);
	} else {
		demo_setup_take_lines(setup);
	}
}

static void demo_setup_read_signals(struct demo_setup *setup)
{
	struct signalfd_siginfo info;

	while (read(setup->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		setup->interrupted = setup->interrupted || info.ssi_signo != SIGCHLD;
}

bool demo_setup_is_fine(struct demo_setup *setup)
{
	return !setup->interrupted && (!setup->receiver.pid || child_is_running(&setup->receiver)) &&
	       (!setup->server.pid || child_is_running(&setup->server));
}

void demo_setup_pump(struct demo_setup *setup, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = setup->signals, .events = POLLIN},
		{.fd = setup->receiver.pid ? setup->receiver.output : -1, .events = POLLIN},
	};

	if (poll(fds, ARRAY_LEN(fds), timeout_ms) <= 0)
		return; /* time is up */
	if (fds[0].revents)
		demo_setup_read_signals(setup);
	if (fds[1].revents & POLLIN)
		demo_setup_read_lines(setup);
	else if (fds[1].revents)
		(void)child_is_running(&setup->receiver); /* it closed its output: notice its end */
}

int demo_setup_tell_end(struct demo_setup *setup)
{
	if (setup->interrupted)
		return cli_fail(setup->line, CLI_IO, "interrupted");
	if (setup->receiver.pid && !child_is_running(&setup->receiver))
		child_print_end(&setup->receiver);
	if (setup->server.pid && !child_is_running(&setup->server))
		child_print_end(&setup->server);
	return cli_fail(setup->line, CLI_IO, "a process of the demonstration ended");
}

/* ---- the folder ---- */

static int demo_setup_open_folder(struct demo_setup *setup)
{
	const struct option_value *dir = options_get(setup->line, OPTION_DIR);
	const char *temporary = getenv("TMPDIR");
	char path[DEMO_SETUP_PATH_BYTES_MAX];
	struct error err;
	bool empty;

	if (!dir->set) {
		(void)snprintf(path, sizeof(path), "%.3900s/highwater-demo-XXXXXX",
			       temporary && *temporary ? temporary : "/tmp"); /* fits */
		if (!mkdtemp(path))
			return cli_fail(setup->line, CLI_IO, "making a folder like %s: %s", path, strerror(errno));
		setup->folder_is_ours = true;
	} else {
		(void)snprintf(path, sizeof(path), "%.3900s", dir->text); /* a name too long does not exist either */
		if (files_make_folder(path, 0700, &err) || files_folder_is_empty(path, &empty, &err))
			return cli_fail(setup->line, CLI_IO, "--dir: %s", err.text);
		if (!empty)
			return cli_fail(setup->line, CLI_USAGE, "--dir: %s is not empty: name a new folder", path);
	}
	setup->folder = realpath(path, NULL);
	if (!setup->folder)
		return cli_fail(setup->line, CLI_IO, "looking at %s: %s", path, strerror(errno));
	for (unsigned i = 0; i < DEMO_FILE_COUNT; i++) {
		(void)snprintf(path, sizeof(path), "%.3900s/%s", setup->folder, demo_setup_file_names[i]); /* fits */
		setup->files[i] = mem_dup(path, strlen(path));
	}
	return CLI_DONE;
}

/* `good`: there is nothing to look for in it. */
static void demo_setup_close_folder(struct demo_setup *setup, bool good)
{
	struct error err;

	if (setup->folder_is_ours && good && setup->folder && files_remove_tree(setup->folder, &err))
		(void)fprintf(stderr, "highwater demo: %s\n", err.text); /* nobody else to tell, as below */
	else if (setup->folder && !(setup->folder_is_ours && good))
		(void)fprintf(stderr, "Logs and data are kept in %s\n", setup->folder);
	for (unsigned i = 0; i < DEMO_FILE_COUNT; i++)
		mem_free(setup->files[i]);
	free(setup->folder); /* realpath's own */
}

static void demo_setup_make_secret(struct demo_setup *setup)
{
	unsigned char random[32];
	struct hw_webhook_key key;
	int rc;

	random_bytes(random, sizeof(random));
	rc = hw_webhook_key_make(HW_WEBHOOK_SECRET, random, sizeof(random), &key);
	assert(rc == 0); /* as long as it must be */
	rc = hw_webhook_key_text(&key, setup->secret, sizeof(setup->secret));
	assert(rc > 0);
	hw_webhook_key_wipe(&key);
	mem_wipe(random, sizeof(random));
}

static int demo_setup_fill_folder(struct demo_setup *setup)
{
	const struct tls_files tls = {setup->files[DEMO_FILE_CA], setup->files[DEMO_FILE_CERT],
				      setup->files[DEMO_FILE_KEY]};
	unsigned char random[16];
	struct error err;
	struct buf hex;
	int result;

	random_bytes(random, sizeof(random));
	buf_init(&hex, sizeof(setup->token));
	buf_append_hex(&hex, random, sizeof(random));
	(void)str_copy(setup->token, sizeof(setup->token), buf_str(&hex)); /* fits */
	buf_fini(&hex);
	demo_setup_make_secret(setup);
	result = tls_files_make(&tls, &err) ||
		 files_write(setup->files[DEMO_FILE_TOKEN], str_c(setup->token), 0600, &err) ||
		 files_write(setup->files[DEMO_FILE_SECRET], str_c(setup->secret), 0600, &err);
	return result ? cli_fail(setup->line, CLI_IO, "%s", err.text) : CLI_DONE;
}

/* ---- the two backends ---- */

/* Waits for the port file. Returns CLI_DONE with the port, or the exit code. */
static int demo_setup_wait_port(struct demo_setup *setup, const struct child *child, const char *path,
				unsigned *port_out)
{
	int64_t deadline_ms = clock_mono_ms() + DEMO_SETUP_START_MS;

	while (demo_setup_is_fine(setup)) {
		FILE *file = fopen(path, "re");
		int found = file ? fscanf(file, "%5u", port_out) : 0;

		if (file)
			(void)fclose(file); /* only read from */
		if (found == 1)
			return CLI_DONE;
		if (clock_mono_ms() >= deadline_ms) {
			child_print_log(child);
			return cli_fail(setup->line, CLI_IO, "highwater %s was not ready after %d s", child->name,
					DEMO_SETUP_START_MS / 1000);
		}
		demo_setup_pump(setup, DEMO_SETUP_LOOK_MS);
	}
	return demo_setup_tell_end(setup);
}

/* Starts a child and waits until it is ready. */
static int demo_setup_start_child(struct demo_setup *setup, const struct child_options *options, struct child *child,
				  const char *port_file, unsigned *port_out)
{
	struct error err;

	if (child_start(options, child, &err))
		return cli_fail(setup->line, CLI_IO, "%s", err.text);
	return demo_setup_wait_port(setup, child, port_file, port_out);
}

static int demo_setup_start_receiver(struct demo_setup *setup)
{
	const char *const arguments[] = {
		"highwater",
		"receive",
		"--http-listen",
		"127.0.0.1:0",
		"--http-port-file",
		setup->files[DEMO_FILE_RECEIVE_PORT],
		"--http-cert-file",
		setup->files[DEMO_FILE_CERT],
		"--http-key-file",
		setup->files[DEMO_FILE_KEY],
		"--receive-sdkappids",
		DEMO_SETUP_NUMBER_TEXT(DEMO_SDKAPPID),
		"--receive-path",
		"/callback",
		"--receive-token-file",
		setup->files[DEMO_FILE_TOKEN],
		"--receive-secret-file",
		setup->files[DEMO_FILE_SECRET],
		"--receive-record",
		setup->files[DEMO_FILE_RECORD],
		"--status-listen",
		"127.0.0.1:0",
		NULL,
	};
	const struct child_options options = {arguments, setup->files[DEMO_FILE_RECEIVE_LOG], true};
	unsigned port;
	int exit =
		demo_setup_start_child(setup, &options, &setup->receiver, setup->files[DEMO_FILE_RECEIVE_PORT], &port);

	if (exit == CLI_DONE)
		(void)snprintf(setup->callback_url, sizeof(setup->callback_url), "https://127.0.0.1:%u/callback",
			       port); /* fits */
	return exit;
}

static int demo_setup_start_server(struct demo_setup *setup)
{
	const char *const arguments[] = {
		"highwater",
		"serve",
		"--http-listen",
		"127.0.0.1:0",
		"--http-port-file",
		setup->files[DEMO_FILE_SERVE_PORT],
		"--data-dir",
		setup->files[DEMO_FILE_DATA],
		"--callback-ca-file",
		setup->files[DEMO_FILE_CA],
		"--callback-allowed-addresses",
		DEMO_ALLOWED_ADDRESSES,
		NULL,
	};
	const struct child_options options = {arguments, setup->files[DEMO_FILE_SERVE_LOG], false};
	unsigned port;
	int exit = demo_setup_start_child(setup, &options, &setup->server, setup->files[DEMO_FILE_SERVE_PORT], &port);

	if (exit == CLI_DONE)
		(void)snprintf(setup->server_url, sizeof(setup->server_url), "http://127.0.0.1:%u", port); /* fits */
	return exit;
}

/* ---- life ---- */

/* The settings of this shell are not those of the demonstration. */
static void demo_setup_clean_environment(void)
{
	for (size_t i = 0; environ && environ[i];) {
		bool is_ours = strncmp(environ[i], "HIGHWATER_", 10) == 0;
		char *name = is_ours ? strndup(environ[i], strcspn(environ[i], "=")) : NULL;

		if (!name || unsetenv(name))
			i++; /* removing one moves the rest down */
		free(name);  /* strndup's own */
	}
}

static int demo_setup_open_signals(struct demo_setup *setup)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail */
	(void)signal(SIGPIPE, SIG_IGN);		  /* cannot fail */
	setup->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return setup->signals < 0 ? cli_fail(setup->line, CLI_IO, "waiting for signals: %s", strerror(errno))
				  : CLI_DONE;
}

void demo_setup_init(struct demo_setup *setup, const struct cli_line *line)
{
	*setup = (struct demo_setup){
		.line = line, .signals = -1, .receiver.output = -1, .server.output = -1, .alerts = json_array()};
	assert(setup->alerts);
	buf_init(&setup->pending, DEMO_SETUP_LINES_BYTES_MAX);
}

int demo_setup_start(struct demo_setup *setup)
{
	int exit;

	demo_setup_clean_environment();
	exit = demo_setup_open_signals(setup);
	if (exit == CLI_DONE)
		exit = demo_setup_open_folder(setup);
	if (exit == CLI_DONE)
		exit = demo_setup_fill_folder(setup);
	if (exit == CLI_DONE)
		exit = demo_setup_start_receiver(setup);
	if (exit == CLI_DONE)
		exit = demo_setup_start_server(setup);
	return exit;
}

int demo_setup_stop(struct demo_setup *setup, int exit)
{
	struct child *const children[] = {&setup->server, &setup->receiver}; /* the sender first */

	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		bool was_running = child_is_running(children[i]);

		if (child_stop(children[i], DEMO_SETUP_STOP_MS) || !was_running)
			continue; /* one that ended before was told already */
		child_print_end(children[i]);
		exit = exit == CLI_DONE ? CLI_REFUSED : exit;
	}
	return exit;
}

void demo_setup_fini(struct demo_setup *setup, bool good)
{
	demo_setup_close_folder(setup, good);
	if (setup->signals >= 0)
		(void)close(setup->signals); /* only read from */
	json_decref(setup->alerts);
	buf_fini(&setup->pending);
	mem_wipe(setup, sizeof(*setup));
}
