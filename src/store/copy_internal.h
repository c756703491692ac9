#pragma once
/* The two ends of a copy between kinds of stores; see copy.c. */
#include "base/buf.h"
#include "store/store_ops.h"

#define COPY_COLUMN_COUNT_MAX 32

/* A table as both kinds of stores have it. The columns of select and insert come in the same order; what only one kind
 * keeps is derived by its SQL. */
struct copy_table {
	const char *name;
	const char *kinds; /* a letter per column: n number, t text, b bytes */
	const char *sqlite_select;
	const char *sqlite_insert; /* parameters ?1, ?2, ... */
	const char *postgres_select;
	const char *postgres_insert; /* parameters $1, $2, ..., an array each */
};
#define COPY_TABLE_COUNT 9
extern const struct copy_table copy_tables[COPY_TABLE_COUNT];

struct copy_value {
	int64_t number;
	struct str text; /* of the other kinds; borrowed for the call */
};

/* Takes the rows of one table. Returns 0, or -1 with err filled: then the reading ends. */
typedef int (*copy_row)(void *context, const struct copy_value *values, struct error *err);

/* Words of the meta table that belong to the store's life. */
struct copy_meta {
	char store_id[24];
	char secret[2 * STORE_SECRET_BYTES + 8];
	char app_number_next[24];
};

struct copy_end;

struct copy_end_ops {
	int (*read_meta)(struct copy_end *end, struct copy_meta *meta_out, struct error *err);
	int (*write_meta)(struct copy_end *end, const struct copy_meta *meta, struct error *err);
	int (*read)(struct copy_end *end, const struct copy_table *table, copy_row row, void *context,
		    struct error *err);
	/* Rows may be written with the call of `flush` only. */
	int (*write)(struct copy_end *end, const struct copy_table *table, const struct copy_value *values,
		     struct error *err);
	int (*flush)(struct copy_end *end, const struct copy_table *table, struct error *err);
	/* Makes all that was written durable, and there. Without it nothing was written. */
	int (*commit)(struct copy_end *end, struct error *err);
	void (*close)(struct copy_end *end);
};

struct copy_end {
	const struct copy_end_ops *ops;
};

/* A store that is to be read, locked against a server; or, `to`, one that has nothing yet and is locked too. `look`: `to`
 * is only looked at, nothing is made; *end_out is NULL when there is nothing to read there. */
MUST_CHECK int copy_open_sqlite(const char *path, bool to, bool look, struct copy_end **end_out, struct error *err);
MUST_CHECK int copy_open_postgres(const struct store_postgres_options *options, bool to, bool look,
				  struct copy_end **end_out, struct error *err);
