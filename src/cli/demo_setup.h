#pragma once
/* What the demonstration stands on: a folder with everything in it, both backends as child processes on free loopback
 * ports, and the one place where it waits. Functions that return an exit code have told what went wrong.
 * Threads: the main thread. */
#include "base/json.h"
#include "cli/child.h"
#include "cli/options.h"

#include <highwater/webhook.h>

#define DEMO_SDKAPPID 1400000001
#define DEMO_ALLOWED_ADDRESSES "127.0.0.0/8, ::1" /* for callbacks, which go to loopback here */

enum demo_file {
	DEMO_FILE_CA,
	DEMO_FILE_CERT,
	DEMO_FILE_KEY,
	DEMO_FILE_TOKEN,
	DEMO_FILE_SECRET,
	DEMO_FILE_RECEIVE_PORT,
	DEMO_FILE_SERVE_PORT,
	DEMO_FILE_RECEIVE_LOG,
	DEMO_FILE_SERVE_LOG,
	DEMO_FILE_RECORD,
	DEMO_FILE_DATA,
	DEMO_FILE_ADMIN_TOKEN,
	DEMO_FILE_COUNT
};

/* Others read it; only demo_setup.c writes it. */
struct demo_setup {
	const struct cli_line *line;
	char *folder;
	bool folder_is_ours; /* made here, to be removed */
	char *files[DEMO_FILE_COUNT];
	int signals;	  /* signalfd */
	bool interrupted; /* Ctrl-C, SIGTERM or SIGHUP */
	struct child receiver;
	struct child server;
	char server_url[64];
	char callback_url[64];
	char token[33];					/* of the callbacks */
	char secret[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1]; /* of their webhook signatures */
	struct buf pending;				/* what the receiver printed after the last whole line */
	json_t *alerts;					/* lines of the receiver, in order */
	bool lines_broken;				/* it printed something that is no line */
};

void demo_setup_init(struct demo_setup *setup, const struct cli_line *line);
/* Takes the signals over, fills the folder, starts both backends and waits until they are ready. */
MUST_CHECK int demo_setup_start(struct demo_setup *setup);
/* Ends both backends, also after a start that failed half-way. Returns `exit`, or CLI_REFUSED when all was well until
 * one of them did not end cleanly. */
MUST_CHECK int demo_setup_stop(struct demo_setup *setup, int exit);
/* Frees everything. A temporary folder is removed when there is nothing to look for in it (`good`); one that stays is
 * named on standard error. */
void demo_setup_fini(struct demo_setup *setup, bool good);

/* True while nobody pressed Ctrl-C and every child that was started lives. */
bool demo_setup_is_fine(struct demo_setup *setup);
/* Waits until something happens, at most `timeout_ms` (-1: no limit), and takes it in: signals and what the receiver
 * printed. */
void demo_setup_pump(struct demo_setup *setup, int timeout_ms);
/* Tells what ended the demonstration before its time. Returns the exit code. */
int demo_setup_tell_end(struct demo_setup *setup);
