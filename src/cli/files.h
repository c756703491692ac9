#pragma once
/* The few files that commands read and write: keys and tokens, the port file, folders. Threads: the main thread. */
#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

/* Reads the one line of a secret file into `out` (whose maximum must be larger than `bytes_max`), without the line end.
 * "-" reads standard input. The caller wipes and frees `out`, also on -1. Errors ERR_IO, ERR_INVALID (empty, too long,
 * several lines). */
MUST_CHECK int files_read_secret(const char *path, size_t bytes_max, struct buf *out, struct error *err);
/* The same for text of many lines, such as PEM: all of the file, which must be UTF-8. */
MUST_CHECK int files_read_text(const char *path, size_t bytes_max, struct buf *out, struct error *err);
/* Overwrites what `secret` holds and frees it. */
void files_wipe(struct buf *secret);
/* ERR_DENIED, with what to do, when others than the owner may read or change the file. */
MUST_CHECK int files_check_private(const char *path, struct error *err);
/* ERR_IO when the file cannot be read, or is a folder. */
MUST_CHECK int files_check_readable(const char *path, struct error *err);

/* Writes the file beside its place, syncs it, moves it there and syncs the folder: whoever looks finds all of it or
 * nothing, also after a power cut. */
MUST_CHECK int files_write(const char *path, struct str text, mode_t mode, struct error *err);
/* The same for a report, which may go to what is there: a link, a pipe or a device is written to and not replaced. */
MUST_CHECK int files_write_report(const char *path, struct str text, struct error *err);
/* ERR_IO when that would fail, as far as can be told before. */
MUST_CHECK int files_check_report(const char *path, struct error *err);
/* Makes the folder when it is missing; one that is there keeps its mode. */
MUST_CHECK int files_make_folder(const char *path, mode_t mode, struct error *err);
/* True when there is nothing in it. Errors ERR_IO. */
MUST_CHECK int files_folder_is_empty(const char *path, bool *empty_out, struct error *err);
/* Removes the folder and all that is in it; follows no link. */
MUST_CHECK int files_remove_tree(const char *path, struct error *err);
