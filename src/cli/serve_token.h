#pragma once
/* The admin token of `highwater serve`: made at the first start and kept in DATA/admin-token, for its owner's eyes only.
 * It is never logged. Threads: the main thread. */
#include "base/buf.h"
#include "base/error.h"
#include "cli/look.h"

/* Reads the token, or makes it. The data folder is there, and the store is open: its lock keeps two servers from making
 * two. `token` is initialised here and to be wiped by the caller, whatever is returned. Errors ERR_IO, ERR_DENIED (others
 * may read it), ERR_INVALID (too short). */
MUST_CHECK int serve_token_open(const char *data_dir, struct buf *token, struct error *err);
/* Says what serve_token_open would meet, without changing anything. */
void serve_token_look(const char *data_dir, struct look *look);
