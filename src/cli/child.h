#pragma once
/* Another highwater process as a child of this one, which it never outlives. Threads: the main thread, and there must
 * be no other when a child is started. */
#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

struct child {
	const char *name; /* the subcommand */
	const char *log_path;
	pid_t pid;  /* 0: not started */
	bool ended; /* reaped: `status` is valid */
	int status; /* as waitpid gives it */
	int output; /* reading end of its standard output, non-blocking; -1 without */
};

struct child_options {
	const char *const *arguments; /* "highwater", the subcommand, its options; NULL ends them */
	const char *log_path;	      /* its standard error, and its output when that is not piped, are appended here */
	bool pipe_output;
};

/* Starts this very program with other arguments, in a process group of its own (Ctrl-C does not reach it), killed by
 * the kernel when this process ends. Errors ERR_IO; a program that cannot be run shows as a child that ends with 127.
 */
MUST_CHECK int child_start(const struct child_options *options, struct child *out, struct error *err);
/* False once it has ended, and for one never started. */
bool child_is_running(struct child *child);
/* SIGTERM, SIGKILL after `timeout_ms`, and waits. Returns true when it ended by itself with exit code 0. */
bool child_stop(struct child *child, int timeout_ms);
/* Prints the last lines of its log on standard error. */
void child_print_log(const struct child *child);
/* The same after how it ended. */
void child_print_end(const struct child *child);
