#pragma once
/* Between the files of the record. */
#include "receive/record.h"
#include "sqlite/sqlite.h"

extern const struct sqlite_schema record_schema;

#define RECORD_ROW_COLUMNS                                                                                             \
	"id, kind, receive_ms, sdkappid, command, client_ip, platform, peer, signed, webhook_kind, webhook_id, "       \
	"attempt, sequence, threshold, replay, test, body, times, last_ms"

/* Opens a file that exists. Errors ERR_INVALID (none there, or not a record of this version), as sqlite_fail's. */
MUST_CHECK int record_connect(const char *path, int flags, sqlite3 **db_out, struct error *err);

/* Binds the numbers to parameters 1, 2, ... */
void record_bind(sqlite3_stmt *statement, size_t count, const int64_t *numbers);

/* Inserts a note's row and sets its id. Returns an SQLite result code. `statement` is RECORD_NOTE_INSERT. */
#define RECORD_NOTE_INSERT                                                                                             \
	"INSERT INTO callbacks (kind, receive_ms, sdkappid, command, body, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?2)"
int record_note_insert(sqlite3 *db, sqlite3_stmt *statement, struct record_note *note);

/* ---- sequences (record_sequence.c) ---- */

/* What became of a gap: the column `told`. */
enum record_gap_state {
	RECORD_GAP_NEW,
	RECORD_GAP_TOLD,
	RECORD_GAP_FORGIVEN, /* it does not count any more, but what is missing there may come */
};

/* What is known of an app's sequence: numbers from first to last came, but for the gaps in the table. */
struct record_sequence {
	int64_t first; /* -1 before the first, as the next */
	int64_t last;
	uint64_t resets;
};

#define RECORD_SEQUENCE_STATEMENTS(X)                                                                                  \
	X(GAP_INSERT, "INSERT OR REPLACE INTO gaps (sdkappid, first, last, since_ms, told) VALUES (?1, ?2, ?3, ?4, "   \
		      "?5)")                                                                                           \
	X(GAP_FIND, "SELECT first, last, since_ms, told FROM gaps WHERE sdkappid = ?1 AND first <= ?2 "                \
		    "ORDER BY first DESC LIMIT 1")                                                                     \
	X(GAP_DELETE, "DELETE FROM gaps WHERE sdkappid = ?1 AND first = ?2")                                           \
	X(GAPS_DELETE, "DELETE FROM gaps WHERE sdkappid = ?1")                                                         \
	X(GAPS_TRIM, "DELETE FROM gaps WHERE sdkappid = ?1 AND first <= (SELECT first FROM gaps WHERE sdkappid = ?1 "  \
		     "ORDER BY first DESC LIMIT 1 OFFSET ?2) RETURNING last")

enum record_sequence_statement {
#define RECORD_SEQUENCE_ENUM(name, sql) name,
	RECORD_SEQUENCE_STATEMENTS(RECORD_SEQUENCE_ENUM)
#undef RECORD_SEQUENCE_ENUM
		RECORD_SEQUENCE_STATEMENT_COUNT
};

/* A new event with this number came. Returns an SQLite result code. */
int record_sequence_take(sqlite3_stmt *const statements[RECORD_SEQUENCE_STATEMENT_COUNT],
			 struct record_sequence *sequence, uint32_t sdkappid, int64_t number, int64_t now_ms);
