#pragma once
/* Recorded events in words for a terminal. Pure. Threads: any. */
#include "base/buf.h"
#include "receive/record.h"

/* Appends text of a peer: UTF-8 as it is, but what would move the cursor, change colours or reverse the direction of
 * writing becomes '?', line ends and tabs become spaces. */
void record_append_safe(struct buf *out, struct str text);

/* "alert, 8 of 10 rooms", "test alert, ...", "CreateRoom room-7", "silent for 60 s"... */
void record_describe(const struct record_row *row, struct buf *out);
