#pragma once
/* What the files of `highwater callback` share. Threads: the main thread. */
#include "cli/remote.h"

#define CALLBACKS_BODY_BYTES_MAX (16 * 1024)

/* "alert, 8 of 10 rooms", "test, 8 of 10 rooms", or what happened to which room. `row` as the server lists it. */
void callbacks_describe(const json_t *row, char *out, size_t size);
/* A callback and its attempts, as callback_show gives them, as lines for people. */
void callbacks_print_attempts(const json_t *callback);
/* What the outcome of an attempt means, and what to do; "" when it was a delivery. Static. */
const char *callbacks_advice(const json_t *attempt);
/* `,"Since":...` and `,"Until":...` from the line. Returns CLI_DONE, or the exit code after telling what is wrong. */
MUST_CHECK int callbacks_append_times(const struct cli_line *line, struct buf *body);
/* The answer of callback_show, owned; with `webhook_id` as given by whoever called. */
MUST_CHECK int callbacks_fetch_one(const struct cli_line *line, const char *webhook_id,
				   struct remote_answer *answer_out);

/* ---- commands ---- */

int callbacks_list(const struct cli_line *line);
int callbacks_attempts(const struct cli_line *line);
int callbacks_replay(const struct cli_line *line);
int callbacks_pause(const struct cli_line *line);
int callbacks_resume(const struct cli_line *line);
int callbacks_test(const struct cli_line *line);
