#pragma once
/* The file that verified callbacks are appended to, one line each.
 *
 * Only whole lines ever count: an append that fails is taken back, and one that a crash has torn is cut off at the next
 * open. Threads: one at a time. */
#include "base/error.h"
#include "base/str.h"

struct lines;

/* Opens or makes the file (mode 0600) and locks it against other receivers. The bytes after the last line's end are cut
 * off, with a line in the log, when they look like the start of one of ours: at most `line_bytes_max` of them,
 * beginning like `line_start` or with the zeros that a power cut may leave. Otherwise the file is left as it is. Errors
 * ERR_INVALID (not a regular file, or not a record), ERR_BUSY (locked), ERR_IO, ERR_FULL. */
MUST_CHECK int lines_open(const char *path, struct str line_start, size_t line_bytes_max, struct lines **record_out,
			  struct error *err);
/* Accepts NULL. */
void lines_close(struct lines **record);

/* Appends whole lines with one write and one sync. On 0 they are durable. On -1 (ERR_FULL, ERR_IO) nothing of them is
 * in the file and the next append may succeed. Where what is on disk is not known any more (the sync failed, or a part
 * that was written could not be taken back), ends the process with EX_IOERR: nothing was acknowledged, and the next
 * open finds what is true. */
MUST_CHECK int lines_append(struct lines *record, struct str lines, struct error *err);
