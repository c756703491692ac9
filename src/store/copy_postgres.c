/* The PostgreSQL end of a copy between kinds of stores.
 *
 * One transaction: what is read is one moment of the database, what is written is there as a whole or not at all. */
#include "base/mem.h"
#include "store/copy_internal.h"
#include "store/postgres_internal.h"

#include <stdio.h>

#define COPY_FETCH_ROWS 1000
#define COPY_WRITE_ROWS 500
#define COPY_CONNECT_TIMEOUT_MS 5000

struct copy_postgres {
	struct copy_end base;
	struct pg *pg;
	struct pg_params params; /* rows that wait to be written */
	size_t waiting;
	struct buf bytes[COPY_COLUMN_COUNT_MAX]; /* of one row that is read; may be secret */
};

/* ---- reading ---- */

static int copy_postgres_read_meta(struct copy_end *base, struct copy_meta *meta_out, struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;
	PGresult *result;
	bool whole;

	pg_send_sql(end->pg, "SELECT (SELECT value FROM meta WHERE key = 'store_id'), "
			     "(SELECT value FROM meta WHERE key = 'secret'), "
			     "(SELECT value FROM meta WHERE key = 'app_number_next')");
	if (pg_trip(end->pg, &result, 1, err))
		return -1;
	whole = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0) && !PQgetisnull(result, 0, 1) &&
		!PQgetisnull(result, 0, 2) &&
		str_copy(meta_out->store_id, sizeof(meta_out->store_id), pg_str(result, 0, 0)) &&
		str_copy(meta_out->secret, sizeof(meta_out->secret), pg_str(result, 0, 1)) &&
		str_copy(meta_out->app_number_next, sizeof(meta_out->app_number_next), pg_str(result, 0, 2));
	PQclear(result);
	return whole ? 0 : error_set(err, ERR_INTERNAL, "its meta table is incomplete");
}

static int copy_postgres_take(struct copy_postgres *end, const struct copy_table *table, const PGresult *result,
			      int row, struct copy_value *values, struct error *err)
{
	for (int i = 0; table->kinds[i]; i++) {
		values[i].number = table->kinds[i] == 'n' ? pg_i64(result, row, i, 0) : 0;
		values[i].text = table->kinds[i] == 't' ? pg_str(result, row, i) : STR("");
		if (table->kinds[i] != 'b')
			continue;
		buf_reset(&end->bytes[i]);
		if (pg_append_bytes(result, row, i, &end->bytes[i]))
			return error_set(err, ERR_INTERNAL, "a column that should hold bytes holds none");
		values[i].text = buf_str(&end->bytes[i]);
	}
	return 0;
}

/* Takes one piece of the cursor. Returns how many rows it had, or -1. */
static int copy_postgres_fetch(struct copy_postgres *end, const struct copy_table *table, copy_row row, void *context,
			       struct error *err)
{
	char sql[48];
	PGresult *result;
	int count;

	(void)snprintf(sql, sizeof(sql), "FETCH %d FROM copied", COPY_FETCH_ROWS); /* fits */
	pg_send_sql(end->pg, sql);
	if (pg_trip(end->pg, &result, 1, err))
		return -1;
	count = PQntuples(result);
	for (int i = 0; count >= 0 && i < PQntuples(result); i++) {
		struct copy_value values[COPY_COLUMN_COUNT_MAX];

		if (copy_postgres_take(end, table, result, i, values, err) || row(context, values, err))
			count = -1;
	}
	PQclear(result);
	return count;
}

static int copy_postgres_read(struct copy_end *base, const struct copy_table *table, copy_row row, void *context,
			      struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;
	char sql[1024];
	int count;

	(void)snprintf(sql, sizeof(sql), "DECLARE copied NO SCROLL CURSOR FOR %s", table->postgres_select); /* fits */
	pg_send_sql(end->pg, sql);
	if (pg_trip(end->pg, NULL, 0, err))
		return -1;
	do {
		count = copy_postgres_fetch(end, table, row, context, err);
	} while (count == COPY_FETCH_ROWS);
	if (count < 0)
		return -1;
	pg_send_sql(end->pg, "CLOSE copied");
	return pg_trip(end->pg, NULL, 0, err);
}

/* ---- writing ---- */

static int copy_postgres_write_meta(struct copy_end *base, const struct copy_meta *meta, struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;
	const struct {
		const char *key;
		const char *value;
	} rows[] = {{"store_id", meta->store_id}, {"secret", meta->secret}, {"app_number_next", meta->app_number_next}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pg_params_begin(&end->params, 2, false);
		pg_param_str(&end->params, 0, str_c(rows[i].key));
		pg_param_str(&end->params, 1, str_c(rows[i].value));
		pg_send(end->pg, COPY_TABLE_COUNT, &end->params);
	}
	/* numbers of the audit log are never used twice */
	pg_send_sql(end->pg,
		    "SELECT setval(pg_get_serial_sequence('audit', 'id'), coalesce((SELECT max(id) FROM audit), "
		    "1), EXISTS (SELECT 1 FROM audit))");
	return pg_trip(end->pg, NULL, 0, err);
}

static int copy_postgres_flush(struct copy_end *base, const struct copy_table *table, struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;

	if (!end->waiting)
		return 0;
	end->waiting = 0;
	pg_send(end->pg, (size_t)(table - copy_tables), &end->params);
	return pg_trip(end->pg, NULL, 0, err);
}

static int copy_postgres_write(struct copy_end *base, const struct copy_table *table, const struct copy_value *values,
			       struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;

	if (!end->waiting)
		pg_params_begin(&end->params, str_c(table->kinds).len, true);
	for (size_t i = 0; table->kinds[i]; i++) {
		if (table->kinds[i] == 'n')
			pg_param_i64(&end->params, i, values[i].number);
		else if (table->kinds[i] == 't')
			pg_param_str(&end->params, i, values[i].text);
		else
			pg_param_bytes(&end->params, i, values[i].text);
	}
	end->waiting++;
	return end->waiting == COPY_WRITE_ROWS ? copy_postgres_flush(base, table, err) : 0;
}

static int copy_postgres_commit(struct copy_end *base, struct error *err)
{
	struct copy_postgres *end = (struct copy_postgres *)base;

	pg_send_sql(end->pg, "COMMIT");
	return pg_trip(end->pg, NULL, 0, err);
}

static void copy_postgres_close(struct copy_end *base)
{
	struct copy_postgres *end = (struct copy_postgres *)base;

	pg_close(&end->pg); /* the session's end undoes what was not committed, and gives the lock back */
	pg_params_fini(&end->params);
	for (size_t i = 0; i < COPY_COLUMN_COUNT_MAX; i++) {
		if (end->bytes[i].ptr)
			mem_wipe(end->bytes[i].ptr, end->bytes[i].capacity);
		buf_fini(&end->bytes[i]);
	}
	mem_free(end);
}

static const struct copy_end_ops copy_postgres_ops = {
	.read_meta = copy_postgres_read_meta,
	.write_meta = copy_postgres_write_meta,
	.read = copy_postgres_read,
	.write = copy_postgres_write,
	.flush = copy_postgres_flush,
	.commit = copy_postgres_commit,
	.close = copy_postgres_close,
};

/* ---- opening ---- */

/* Answers one question of yes or no. Returns 1, 0, or -1. */
static int copy_postgres_ask(struct pg *pg, const char *sql, struct error *err)
{
	PGresult *result;
	int yes;

	pg_send_sql(pg, sql);
	if (pg_trip(pg, &result, 1, err))
		return -1;
	yes = PQntuples(result) == 1 && str_eq(pg_str(result, 0, 0), STR("t"));
	PQclear(result);
	return yes;
}

static int copy_postgres_begin(struct copy_postgres *end, bool to, struct error *err)
{
	int answer;

	if (pg_connect(end->pg, err))
		return -1;
	answer = copy_postgres_ask(end->pg, "SELECT " POSTGRES_OWNER_LOCK, err);
	if (answer == 0)
		return error_set(err, ERR_BUSY, "another highwater process uses this database");
	pg_send_sql(end->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ");
	if (answer < 0 || pg_trip(end->pg, NULL, 0, err))
		return -1;
	if (!to)
		return 0;
	answer = copy_postgres_ask(end->pg,
				   "SELECT EXISTS (SELECT 1 FROM apps) OR EXISTS (SELECT 1 FROM callbacks) OR "
				   "EXISTS (SELECT 1 FROM audit)",
				   err);
	return answer == 1 ? error_set(err, ERR_INVALID, "the database holds something already") : answer;
}

/* Of a database that is only looked at: could it be written to? Tables that are there must be empty. */
static int copy_postgres_look(const struct store_postgres_options *options, struct error *err)
{
	struct copy_end *end;
	unsigned steps;
	struct error busy;

	if (store_postgres_inspect(options, &steps, err))
		return -1;
	if (steps) /* none of ours yet, or of an older version: the copy itself brings it forward and looks */
		return 0;
	if (copy_open_postgres(options, true, false, &end, &busy)) {
		*err = busy;
		return -1;
	}
	end->ops->close(end); /* nothing was written */
	return 0;
}

int copy_open_postgres(const struct store_postgres_options *options, bool to, bool look, struct copy_end **end_out,
		       struct error *err)
{
	static const char *statements[COPY_TABLE_COUNT + 1];
	struct pg_options pg_options = {.conninfo = options->conninfo,
					.connect_timeout_ms = COPY_CONNECT_TIMEOUT_MS,
					.answer_timeout_ms = options->answer_timeout_ms,
					.statements = statements,
					.statement_count = COPY_TABLE_COUNT + 1};
	struct copy_postgres *end;
	unsigned steps = 0;

	*end_out = NULL;
	if (look)
		return copy_postgres_look(options, err);
	if (to ? postgres_migrate(options->conninfo, options->answer_timeout_ms, err)
	       : store_postgres_inspect(options, &steps, err))
		return -1;
	if (steps)
		return error_set(err, ERR_INVALID,
				 "the database has no tables of this version: a start of the server "
				 "makes them, or brings them forward");
	for (size_t i = 0; i < COPY_TABLE_COUNT; i++)
		statements[i] = copy_tables[i].postgres_insert;
	statements[COPY_TABLE_COUNT] = "UPDATE meta SET value = $2 WHERE key = $1";
	end = mem_zalloc(sizeof(*end));
	end->base.ops = &copy_postgres_ops;
	pg_params_init(&end->params);
	for (size_t i = 0; i < COPY_COLUMN_COUNT_MAX; i++)
		buf_init(&end->bytes[i], STORE_COPY_ROW_BYTES_MAX);
	if (pg_open(&pg_options, &end->pg, err) || copy_postgres_begin(end, to, err)) {
		copy_postgres_close(&end->base);
		return -1;
	}
	*end_out = &end->base;
	return 0;
}
