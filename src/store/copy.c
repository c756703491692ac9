/* Copies a whole store into an empty one of another kind, or of the same; see store.h.
 *
 * Both ends are locked against servers. Every row goes through here once: it is counted and hashed as it is read, and
 * again as it is read back from the other end, before that end makes it durable. Sums of hashes do not hang on the
 * order, which differs between engines. */
#include "base/random.h"
#include "store/copy_internal.h"

#include <inttypes.h>
#include <string.h>

static int copy_open(const char *place, const struct store_copy_options *options, bool to, struct copy_end **end_out,
		     struct error *err)
{
	const struct store_postgres_options postgres = {place, options->answer_timeout_ms};
	bool look = to && options->dry_run;

	return store_is_postgres(place) ? copy_open_postgres(&postgres, to, look, end_out, err)
					: copy_open_sqlite(place, to, look, end_out, err);
}

/* ---- counting ---- */

struct copy_sum {
	uint64_t rows;
	uint64_t hash;
};

struct copy_pass {
	const struct copy_table *table;
	struct copy_end *to; /* NULL: only counted */
	struct copy_sum sum;
	struct buf scratch; /* one row; may be secret */
};

static void copy_count(struct copy_pass *pass, const struct copy_value *values)
{
	static const struct hash_key key = {0x636f7079, 0x726f7773}; /* any: no peer chooses what is copied */
	struct buf *row = &pass->scratch;

	buf_reset(row);
	for (size_t i = 0; pass->table->kinds[i]; i++) {
		if (pass->table->kinds[i] == 'n') {
			buf_append(row, &values[i].number, sizeof(values[i].number));
		} else {
			buf_append(row, &values[i].text.len, sizeof(values[i].text.len));
			buf_append_str(row, values[i].text);
		}
	}
	pass->sum.rows++;
	pass->sum.hash += hash_bytes(key, row->ptr, row->len);
}

static int copy_take_row(void *context, const struct copy_value *values, struct error *err)
{
	struct copy_pass *pass = context;

	copy_count(pass, values);
	return pass->to ? pass->to->ops->write(pass->to, pass->table, values, err) : 0;
}

/* Reads a table, and writes it to `to` unless that is NULL. */
static int copy_pass(struct copy_end *from, struct copy_end *to, const struct copy_table *table,
		     struct copy_sum *sum_out, struct error *err)
{
	struct copy_pass pass = {.table = table, .to = to};
	int failed;

	buf_init(&pass.scratch, STORE_COPY_ROW_BYTES_MAX);
	failed = from->ops->read(from, table, copy_take_row, &pass, err) || (to && to->ops->flush(to, table, err));
	if (!failed && !buf_ok(&pass.scratch))
		failed = error_set(err, ERR_INTERNAL, "a row of %s is larger than any that is written", table->name);
	buf_fini(&pass.scratch);
	*sum_out = pass.sum;
	return failed ? error_wrap(err, "%s", table->name) : 0;
}

/* ---- the copy ---- */

static int copy_verify(struct copy_end *to, const struct copy_meta *meta, const struct copy_sum *sums,
		       struct error *err)
{
	struct copy_meta read;

	if (to->ops->read_meta(to, &read, err))
		return -1;
	if (strcmp(read.store_id, meta->store_id) || strcmp(read.secret, meta->secret) ||
	    strcmp(read.app_number_next, meta->app_number_next))
		return error_set(err, ERR_INTERNAL, "what was read back is not what was written: meta");
	for (size_t i = 0; i < COPY_TABLE_COUNT; i++) {
		struct copy_sum sum;

		if (copy_pass(to, NULL, &copy_tables[i], &sum, err))
			return -1;
		if (sum.rows != sums[i].rows || sum.hash != sums[i].hash)
			return error_set(err, ERR_INTERNAL,
					 "what was read back is not what was written: %s, %" PRIu64 " of %" PRIu64
					 " rows",
					 copy_tables[i].name, sum.rows, sums[i].rows);
	}
	return 0;
}

static int copy_run(struct copy_end *from, struct copy_end *to, struct store_copy_report *report, struct error *err)
{
	struct copy_sum sums[COPY_TABLE_COUNT];
	struct copy_meta meta;

	if (from->ops->read_meta(from, &meta, err))
		return -1;
	for (size_t i = 0; i < COPY_TABLE_COUNT; i++) {
		if (copy_pass(from, to, &copy_tables[i], &sums[i], err))
			return -1;
		report->tables[i].name = copy_tables[i].name;
		report->tables[i].rows = sums[i].rows;
	}
	report->table_count = COPY_TABLE_COUNT;
	if (!to)
		return 0;
	return to->ops->write_meta(to, &meta, err) || copy_verify(to, &meta, sums, err) || to->ops->commit(to, err) ? -1
														    : 0;
}

int store_copy(const struct store_copy_options *options, struct store_copy_report *report_out, struct error *err)
{
	struct copy_end *from = NULL;
	struct copy_end *to = NULL;
	int failed;

	_Static_assert(COPY_TABLE_COUNT <= STORE_COPY_TABLE_COUNT_MAX, "a report has room for all");
	failed = copy_open(options->from, options, false, &from, err) ? error_wrap(err, "from") : 0;
	if (!failed && copy_open(options->to, options, true, &to, err))
		failed = error_wrap(err, "to");
	if (!failed)
		failed = copy_run(from, options->dry_run ? NULL : to, report_out, err);
	if (to)
		to->ops->close(to);
	if (from)
		from->ops->close(from);
	return failed;
}
