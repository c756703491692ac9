#pragma once
/* What the subcommands share: how a command is described, the exit codes, and how a failure is told.
 *
 * A command is a row of a table: its words, its arguments, the options it takes, and a function. Main finds the row,
 * options.c reads the line, the function does the work and returns an exit code. Threads: the main thread. */
#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* name, number, meaning for people */
#define CLI_EXITS(X)                                                                                                   \
	X(CLI_DONE, 0, "done")                                                                                         \
	X(CLI_REFUSED, 1, "refused: the server, or the check that was asked for, said no")                             \
	X(CLI_USAGE, 2, "wrong usage: an option, an argument or a setting")                                            \
	X(CLI_IO, 3, "cannot reach the server, or a file, an address or a disk failed")                                \
	X(CLI_INTERNAL, 70, "internal error: please report it")                                                        \
	X(CLI_DISK, 74, "the disk failed while the server ran: it stopped so that the next start recovers")

enum cli_exit {
#define CLI_ENUM(name, number, text) name = number,
	CLI_EXITS(CLI_ENUM)
#undef CLI_ENUM
};

struct cli_line;

/* A bit for each option, see options.h: more than 64. */
__extension__ typedef unsigned __int128 option_mask;

struct cli_command {
	const char *group;     /* first word: "app" */
	const char *name;      /* second word: "create"; "" when the group is the command */
	const char *arguments; /* as the usage line shows them: "[SDKAPPID]" */
	unsigned argument_min;
	unsigned argument_max;
	option_mask options;  /* OPTION_BIT of each that it takes */
	option_mask required; /* of those, the ones that must be given */
	const char *summary;
	const char *details; /* more lines for --help, or "" */
	int (*run)(const struct cli_line *line);
};

struct cli_group {
	const char *name;
	const char *summary;
	const struct cli_command *commands; /* NULL for a group that reads its own line */
	size_t command_count;
	int (*run)(int argc, char **argv); /* for those; argv[0] is the group's word */
};

extern const struct cli_group cli_serve_group;
extern const struct cli_group cli_receive_group;
extern const struct cli_group cli_demo_group;
extern const struct cli_group cli_apply_group;
extern const struct cli_group cli_app_group;
extern const struct cli_group cli_room_group;
extern const struct cli_group cli_callback_group;
extern const struct cli_group cli_doctor_group;
extern const struct cli_group cli_audit_group;
extern const struct cli_group cli_store_group;
extern const struct cli_group cli_usersig_group;
extern const struct cli_group cli_record_group;
extern const struct cli_group cli_trigger_group;
extern const struct cli_group cli_check_group;
extern const struct cli_group cli_listen_group;
extern const struct cli_group cli_replay_group;

/* Prints "highwater app create: TEXT" on standard error and returns `exit`. */
int cli_fail(const struct cli_line *line, enum cli_exit exit, const char *format, ...) PRINTF_LIKE(3, 4);
