#pragma once
/* What the files of `highwater room` share. Threads: the main thread. */
#include "cli/remote.h"

#define ROOMS_BODY_BYTES_MAX (16 * 1024)

/* Begins a call's body: `{"SdkAppid":...`; the caller frees it. */
void rooms_start_body(const struct cli_line *line, struct buf *body);

/* ---- commands ---- */

int rooms_list(const struct cli_line *line);
int rooms_show(const struct cli_line *line);
int rooms_creators(const struct cli_line *line);
