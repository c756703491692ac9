#pragma once
/* Recorded events in words for a terminal, and from a word to an event. Threads: any. */
#include "base/buf.h"
#include "receive/record.h"

/* Appends text of a peer: UTF-8 as it is, but what would move the cursor, change colours or reverse the direction of
 * writing becomes '?', line ends and tabs become spaces. */
void record_append_safe(struct buf *out, struct str text);

/* "alert, 8 of 10 rooms", "test alert, ...", "CreateRoom room-7", "silent for 60 s"... */
void record_describe(const struct record_row *row, struct buf *out);

/* The event that a word of the line names: by its number in the record, or, where that is none, by its webhook-id. Returns
 * 1 with `row_out` in `arena`, 0 when there is none, -1. */
MUST_CHECK int record_find_word(struct record_reader *reader, struct arena *arena, const char *word,
				struct record_row *row_out, struct error *err);
