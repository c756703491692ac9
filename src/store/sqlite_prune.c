/* Removing old callbacks from the SQLite store, a few rows at a time; the rule is store_prune_judge's.
 *
 * Looking comes first and writes nothing, so a round that finds nothing to remove costs no commit. Between looking and
 * removing nobody can change a row: the writer is the only one who writes, and this is its thread. */
#include "store/sqlite_internal.h"

/* Looks at rows from the cursor on until one says that its app is done. Returns the result code: SQLITE_ROW when there
 * may be more, SQLITE_DONE at the end of the table. */
static int sqlite_prune_look_on(sqlite3_stmt *statement, const struct store_retention *retention,
				struct sqlite_prune *prune, size_t *looked)
{
	int rc = sqlite3_step(statement);

	while (rc == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(statement, 0);
		enum store_prune_verdict verdict =
			store_prune_judge(retention, (enum callback_state)sqlite3_column_int(statement, 1),
					  sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3));

		++*looked;
		prune->cursor = verdict == PRUNE_NEXT_APP ? store_prune_next_app(id) : id;
		if (verdict == PRUNE_REMOVE)
			prune->ids[prune->count++] = id;
		if (verdict == PRUNE_NEXT_APP || *looked == STORE_PRUNE_ROWS_MAX)
			return SQLITE_ROW;
		rc = sqlite3_step(statement);
	}
	return rc;
}

int sqlite_prune_look(struct sqlite_writer *writer, const struct store_retention *retention, struct sqlite_prune *prune)
{
	sqlite3_stmt *statement = writer->statements[SQL_PRUNE_LOOK];
	size_t looked = 0;
	int rc;

	prune->count = 0;
	do {
		(void)sqlite3_bind_int64(statement, 1, prune->cursor); /* as sqlite_bind_str */
		rc = sqlite_prune_look_on(statement, retention, prune, &looked);
		(void)sqlite3_reset(statement); /* repeats the error that rc has */
	} while (rc == SQLITE_ROW && looked < STORE_PRUNE_ROWS_MAX);
	if (rc == SQLITE_DONE)
		prune->cursor = 0;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_prune_write(struct sqlite_writer *writer, const struct sqlite_prune *prune)
{
	int rc = sqlite_writer_run(writer, SQL_BEGIN);

	for (size_t i = 0; rc == SQLITE_OK && i < prune->count; i++)
		rc = sqlite_writer_run_with(writer, SQL_CALLBACK_DELETE, prune->ids[i]);
	return rc;
}
