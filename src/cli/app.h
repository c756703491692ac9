#pragma once
/* What the files of `highwater app` share. Functions that return int give CLI_DONE, or the exit code after telling what
 * is wrong. Threads: the main thread. */
#include "cli/remote.h"

#define APPS_BODY_BYTES_MAX (16 * 1024)

/* The app: the first argument, or --app; `more` further arguments follow. */
MUST_CHECK int apps_sdkappid_before(const struct cli_line *line, unsigned more, uint32_t *out);
MUST_CHECK int apps_sdkappid(const struct cli_line *line, uint32_t *out);
/* `,"Key":"..."` from --key-file, when it is given; the caller wipes `body`. */
MUST_CHECK int apps_append_key(const struct cli_line *line, struct buf *body);
/* A command whose answer is only that it was done, told as `done`. */
MUST_CHECK int apps_run_plain(const struct cli_line *line, const char *command, const struct buf *body,
			      const char *done);

/* All apps in one list, as app_list gives them, by rising SDKAppID; owned by the caller. */
MUST_CHECK int apps_fetch_all(const struct cli_line *line, json_t **apps_out);

/* A list of the app with commas between. */
void apps_append_joined(const json_t *app, const char *key, struct buf *out);
/* The app as lines for people, below a title. */
void apps_print(const struct cli_line *line, const char *title, const json_t *app);
/* What to know when a key was printed. */
void apps_print_advice(uint32_t sdkappid);

/* ---- commands ---- */

int apps_rotate_key(const struct cli_line *line);
int apps_revoke_key(const struct cli_line *line);
int apps_rotate_secret(const struct cli_line *line);
int apps_revoke_secret(const struct cli_line *line);
int apps_set_certificate(const struct cli_line *line);
int apps_delete_certificate(const struct cli_line *line);
int apps_export(const struct cli_line *line);
