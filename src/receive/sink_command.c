/* A program per event; see sink_command.h.
 *
 * One runs at a time, in a process group of its own, with the default signals, with nothing open but its three standard
 * descriptors, and with a small environment: PATH, HOME and LANG as they are here, and the event's facts. What it says on
 * standard output is thrown away; the beginning of what it says on standard error is told when it fails. When it takes
 * too long, or the process ends, its whole group is killed. Its standard input is a file in memory that holds the whole
 * packet before the program begins: however this process may die, the program never sees a part of it. */
#include "receive/sink_command.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_ENVIRONMENT_MAX 20
#define COMMAND_ENVIRONMENT_BYTES_MAX 8192
#define COMMAND_INHERITED_BYTES_MAX 16384 /* of each variable */
#define COMMAND_SAID_BYTES 160		  /* of standard error */
#define COMMAND_STOP_MS 200		  /* look so often whether the process ends */

struct sink_command {
	char *path;
	uint64_t timeout_ms;
	enum sink_events events;
};

/* A program that runs. Descriptors are -1 when closed. */
struct command_run {
	pid_t pid;
	int pid_fd;
	int errors; /* what it says, from it */
	char said[COMMAND_SAID_BYTES + 1];
	size_t said_len;
};

static bool sink_command_wants(const void *sink, const struct record_row *row)
{
	return sink_wants(((const struct sink_command *)sink)->events, row);
}

/* ---- its environment ---- */

struct command_environment {
	struct buf text;
	size_t offsets[COMMAND_ENVIRONMENT_MAX];
	size_t count;
	char *list[COMMAND_ENVIRONMENT_MAX + 1];
};

static void environment_add(struct command_environment *environment, const char *name, struct str value)
{
	environment->offsets[environment->count++] = environment->text.len;
	buf_append_c(&environment->text, name);
	buf_append_char(&environment->text, '=');
	buf_append_str(&environment->text, value);
	buf_append_char(&environment->text, '\0');
}

static void environment_add_number(struct command_environment *environment, const char *name, int64_t value)
{
	char text[24];

	if (value < 0)
		return;					       /* the sender did not say */
	(void)snprintf(text, sizeof(text), "%" PRId64, value); /* fits */
	environment_add(environment, name, str_c(text));
}

static void environment_inherit(struct command_environment *environment, const char *name)
{
	const char *value = getenv(name);

	if (value && strlen(value) < COMMAND_INHERITED_BYTES_MAX)
		environment_add(environment, name, str_c(value));
}

static void environment_make(struct command_environment *environment, const struct record_row *row)
{
	environment->count = 0;
	buf_init(&environment->text, COMMAND_ENVIRONMENT_BYTES_MAX + 3 * COMMAND_INHERITED_BYTES_MAX);
	environment_inherit(environment, "PATH");
	environment_inherit(environment, "HOME");
	environment_inherit(environment, "LANG");
	environment_add(environment, "HIGHWATER_KIND", str_c(record_kind_word(row->kind)));
	environment_add(environment, "HIGHWATER_COMMAND", row->command);
	environment_add_number(environment, "HIGHWATER_ID", row->id);
	environment_add_number(environment, "HIGHWATER_SDKAPPID", row->sdkappid);
	environment_add_number(environment, "HIGHWATER_RECEIVED_TIME", row->receive_ms);
	environment_add(environment, "HIGHWATER_WEBHOOK_ID", row->webhook_id);
	environment_add_number(environment, "HIGHWATER_SEQUENCE", row->sequence);
	environment_add_number(environment, "HIGHWATER_THRESHOLD", row->threshold);
	environment_add(environment, "HIGHWATER_TEST", row->is_test ? STR("1") : STR("0"));
	for (size_t i = 0; i < environment->count; i++)
		environment->list[i] = environment->text.ptr + environment->offsets[i];
	environment->list[environment->count] = NULL;
}

/* ---- starting it ---- */

static void command_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* a pipe, or a pid: nothing can be lost */
	*fd = -1;
}

/* Returns 0 or an error number. */
static int command_spawn(struct sink_command *command, char *const *environment, int input, int errors, pid_t *pid_out)
{
	char *const arguments[] = {command->path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigset_t all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	/* fail only when memory is out, or for values that are not ours */
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes,
				       POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	rc = posix_spawn(pid_out, command->path, &actions, &attributes, arguments, environment);
	(void)posix_spawnattr_destroy(&attributes); /* as above */
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Kills the whole group and waits for its leader. */
static void command_kill(struct command_run *run)
{
	int status;

	(void)kill(-run->pid, SIGKILL); /* may have ended */
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* A file in memory with the packet, to be read from its beginning; -1 with errno. */
static int command_input(struct str packet)
{
	int fd = memfd_create("packet", MFD_CLOEXEC);

	while (fd >= 0 && packet.len) {
		ssize_t wrote = write(fd, packet.ptr, packet.len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			command_close(&fd);
			return -1;
		}
		packet = str_slice(packet, (size_t)wrote, packet.len);
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET))
		command_close(&fd);
	return fd;
}

static int command_start(struct sink_command *command, const struct record_row *row, struct command_run *run,
			 struct error *err)
{
	struct command_environment environment;
	int input = command_input(row->body);
	int errors[2] = {-1, -1};
	int rc = 0;

	*run = (struct command_run){.pid_fd = -1, .errors = -1};
	environment_make(&environment, row);
	if (input < 0 || pipe2(errors, O_CLOEXEC))
		rc = errno;
	if (rc == 0)
		rc = command_spawn(command, environment.list, input, errors[1], &run->pid);
	buf_fini(&environment.text);
	command_close(&input);
	command_close(&errors[1]);
	run->errors = errors[0];
	if (rc == 0) {
		run->pid_fd = pidfd_open(run->pid, 0);
		if (run->pid_fd >= 0) {
			(void)fcntl(run->errors, F_SETFL, O_NONBLOCK); /* cannot fail for a pipe */
			return 0;
		}
		rc = errno;
		command_kill(run);
	}
	command_close(&run->errors);
	return error_set_errno(err, rc, "starting %s", command->path);
}

/* ---- while it runs ---- */

/* Keeps the beginning, in printable ASCII. */
static void command_read(struct command_run *run)
{
	char chunk[512];
	ssize_t got = read(run->errors, chunk, sizeof(chunk));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		command_close(&run->errors);
		return;
	}
	for (ssize_t i = 0; i < got && run->said_len < COMMAND_SAID_BYTES; i++)
		run->said[run->said_len++] = chunk[i] < ' ' || chunk[i] > '~' ? ' ' : chunk[i];
	run->said[run->said_len] = '\0';
}

/* Moves data until it has ended. Returns false when it did not, in time. */
static bool command_wait(struct command_run *run, uint64_t timeout_ms, const atomic_bool *stop)
{
	int64_t deadline_ms = clock_mono_ms() + (int64_t)timeout_ms;

	while (!atomic_load(stop) && clock_mono_ms() < deadline_ms) {
		struct pollfd fds[] = {{.fd = run->pid_fd, .events = POLLIN}, {.fd = run->errors, .events = POLLIN}};
		int64_t left_ms = deadline_ms - clock_mono_ms();

		if (poll(fds, ARRAY_LEN(fds), left_ms < COMMAND_STOP_MS ? (int)left_ms : COMMAND_STOP_MS) < 0)
			continue; /* interrupted */
		if (fds[1].revents)
			command_read(run);
		if (fds[0].revents)
			return true;
	}
	return false;
}

static int command_judge(const struct sink_command *command, const struct command_run *run, struct error *err)
{
	int status = 0;

	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, ERR_IO, "%s was ended by signal %d%s%s", command->path, WTERMSIG(status),
				 run->said_len ? ": " : "", run->said);
	return error_set(err, ERR_IO, "%s ended with exit code %d%s%s", command->path, WEXITSTATUS(status),
			 run->said_len ? ": " : "", run->said);
}

static int command_run_one(struct sink_command *command, const struct record_row *row, const atomic_bool *stop,
			   struct error *err)
{
	struct command_run run;
	int result;

	if (command_start(command, row, &run, err))
		return -1;
	if (command_wait(&run, command->timeout_ms, stop)) {
		if (run.errors >= 0)
			command_read(&run); /* what came last */
		result = command_judge(command, &run, err);
	} else {
		command_kill(&run);
		result = error_set(err, ERR_TIMEOUT, "%s did not end within %" PRIu64 " ms and was killed%s%s",
				   command->path, command->timeout_ms, run.said_len ? ": " : "", run.said);
	}
	command_close(&run.errors);
	command_close(&run.pid_fd);
	return result;
}

static size_t sink_command_deliver(void *sink, const struct record_row *rows, size_t count, const atomic_bool *stop,
				   struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (command_run_one(sink, &rows[i], stop, err))
			return i;
	return count;
}

/* ---- life ---- */

static void sink_command_close(void *sink)
{
	struct sink_command *command = sink;

	mem_free(command->path);
	mem_free(command);
}

static const struct sink_ops sink_command_ops = {.kind = SINK_COMMAND,
						 .wants = sink_command_wants,
						 .deliver = sink_command_deliver,
						 .close = sink_command_close};

int sink_command_open(const struct sink_command_options *options, struct sink *sink_out, struct error *err)
{
	struct sink_command *command;
	struct stat status;

	if (options->path[0] != '/')
		return error_set(err, ERR_INVALID, "receive.command: \"%.80s\" is no absolute path", options->path);
	if (access(options->path, X_OK))
		return error_set(err, ERR_INVALID, "receive.command: %s cannot be run: %s", options->path,
				 strerror(errno));
	if (stat(options->path, &status) || !S_ISREG(status.st_mode)) /* a folder has x, too */
		return error_set(err, ERR_INVALID, "receive.command: %s is no file", options->path);
	command = mem_zalloc(sizeof(*command));
	command->path = mem_dup(options->path, strlen(options->path));
	command->timeout_ms = options->timeout_ms;
	command->events = options->events;
	*sink_out = (struct sink){&sink_command_ops, command};
	return 0;
}
