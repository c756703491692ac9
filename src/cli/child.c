/* Child processes; see child.h. */
#include "cli/child.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_POLL_MS 10
#define CHILD_TAIL_BYTES 2048

/* ---- in the child ---- */

static void child_die(const char *what)
{
	(void)dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno)); /* nobody else to tell */
	_exit(127);
}

static void child_become(const struct child_options *options, int log, int output, pid_t parent)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	if (dup2(log, STDERR_FILENO) < 0 || dup2(output >= 0 ? output : log, STDOUT_FILENO) < 0 || nothing < 0 ||
	    dup2(nothing, STDIN_FILENO) < 0)
		child_die("preparing the standard descriptors");
	if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		child_die("preparing the process");
	if (getppid() != parent) /* it ended before the line above */
		_exit(127);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
	execv("/proc/self/exe", (char *const *)(uintptr_t)options->arguments);
	child_die("running /proc/self/exe");
}

/* ---- in the parent ---- */

int child_start(const struct child_options *options, struct child *out, struct error *err)
{
	pid_t parent = getpid();
	int pipes[2] = {-1, -1};
	pid_t pid;
	int log = open(options->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (log < 0)
		return error_set_errno(err, errno, "opening %s", options->log_path);
	if (options->pipe_output && pipe2(pipes, O_CLOEXEC)) {
		(void)error_set_errno(err, errno, "making a pipe"); /* returned below */
		(void)close(log);				    /* nothing was written */
		return -1;
	}
	(void)fflush(NULL); /* so that the child has nothing of ours to write */
	pid = fork();
	if (pid == 0)
		child_become(options, log, pipes[1], parent);
	(void)close(log); /* the child's now, as the end of the pipe */
	if (pipes[1] >= 0)
		(void)close(pipes[1]);
	if (pid < 0) {
		(void)error_set_errno(err, errno, "starting highwater %s", options->arguments[1]); /* returned below */
		if (pipes[0] >= 0)
			(void)close(pipes[0]);
		return -1;
	}
	if (pipes[0] >= 0)
		(void)fcntl(pipes[0], F_SETFL, O_NONBLOCK); /* cannot fail for a pipe */
	*out = (struct child){
		.name = options->arguments[1], .log_path = options->log_path, .pid = pid, .output = pipes[0]};
	return 0;
}

bool child_is_running(struct child *child)
{
	if (child->pid && !child->ended && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
		child->ended = true;
	return child->pid && !child->ended;
}

static void child_wait(struct child *child, int timeout_ms)
{
	const struct timespec pause = {.tv_nsec = CHILD_POLL_MS * 1000000L};
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;

	while (child_is_running(child) && clock_mono_ms() < deadline_ms)
		(void)nanosleep(&pause, NULL); /* waking early only means looking early */
}

bool child_stop(struct child *child, int timeout_ms)
{
	if (child_is_running(child)) {
		(void)kill(child->pid, SIGTERM); /* ours and not reaped, so it is there */
		child_wait(child, timeout_ms);
	}
	if (child_is_running(child)) {
		(void)kill(child->pid, SIGKILL); /* as above */
		child_wait(child, 10000);
	}
	if (child->pid && child->output >= 0)
		(void)close(child->output); /* only read from */
	child->output = -1;
	return child->pid && child->ended && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
}

void child_print_log(const struct child *child)
{
	char tail[CHILD_TAIL_BYTES + 1];
	FILE *file = fopen(child->log_path, "re");
	const char *start = tail;
	size_t len;

	if (!file)
		return;
	if (fseek(file, -CHILD_TAIL_BYTES, SEEK_END) == 0)
		start = NULL; /* begins inside a line */
	else
		rewind(file);
	len = fread(tail, 1, CHILD_TAIL_BYTES, file);
	tail[len] = '\0';
	(void)fclose(file); /* only read from */
	if (!start)
		start = strchr(tail, '\n') ? strchr(tail, '\n') + 1 : tail;
	/* nobody else to tell, as below */
	(void)fprintf(stderr, "The end of the log of highwater %s, %s:\n%s%s", child->name, child->log_path,
		      *start ? start : "(nothing)\n", *start && tail[len - 1] != '\n' ? "\n" : "");
}

void child_print_end(const struct child *child)
{
	if (!child->ended)
		(void)fprintf(stderr, "highwater %s did not end\n", child->name);
	else if (WIFSIGNALED(child->status))
		(void)fprintf(stderr, "highwater %s was ended by signal %d (%s)\n", child->name,
			      WTERMSIG(child->status), strsignal(WTERMSIG(child->status)));
	else
		(void)fprintf(stderr, "highwater %s ended with exit code %d\n", child->name,
			      WEXITSTATUS(child->status));
	child_print_log(child);
}
