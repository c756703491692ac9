/* Connections to PostgreSQL; see postgres.h.
 *
 * The connection stays in libpq's pipeline mode: a trip queues its statements, ends them with one Sync, and takes the
 * results in the same order. After an error the server skips the rest up to the Sync. All waiting is done here, with
 * a deadline, so that a server that hangs costs one answer_timeout_ms and not for ever.
 *
 * A session is made so that: commits are durable (synchronous_commit is not below "on"), statements and waits for locks
 * end by themselves, and a process that stopped in the middle of a transaction loses it, with its locks, instead of
 * keeping everybody else waiting. Every statement of ours looks rows up by an index, so plans that would read whole
 * tables are switched off: what a plan costs must not hang on how old the statistics are. */
#include "postgres/postgres.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg {
	struct pg_options options;
	char *conninfo;
	PGconn *conn; /* NULL: none */
	size_t sent;  /* statements of the trip that is being put together */
	bool failed;  /* one of them could not be added */
	bool warned;  /* the server gave a warning since the trip began */
};

/* ---- errors ---- */

/* SQLSTATE or its class, in the manual's appendix A; the longest prefix counts. */
static const struct {
	const char *state;
	enum error_class class;
} pg_states[] = {
	{"40001", ERR_BUSY},	 /* serialization_failure */
	{"40P01", ERR_BUSY},	 /* deadlock_detected */
	{"23505", ERR_BUSY},	 /* unique_violation: another node was there first */
	{"55P03", ERR_TIMEOUT},	 /* lock_not_available */
	{"57014", ERR_TIMEOUT},	 /* query_canceled: statement_timeout */
	{"53100", ERR_FULL},	 /* disk_full */
	{"42501", ERR_DENIED},	 /* insufficient_privilege */
	{"XX001", ERR_INTERNAL}, /* data_corrupted */
	{"XX002", ERR_INTERNAL}, /* index_corrupted */
};

static enum error_class pg_class(const char *state)
{
	for (size_t i = 0; state && i < ARRAY_LEN(pg_states); i++)
		if (strcmp(state, pg_states[i].state) == 0)
			return pg_states[i].class;
	return ERR_IO;
}

/* libpq's texts end with a newline and may have several lines. */
static struct str pg_line(const char *text)
{
	struct str rest = str_c(text);
	struct str line;

	(void)str_cut(&rest, '\n', &line); /* the last line counts too */
	return line;
}

static int pg_fail_result(const PGresult *result, struct error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	struct str line = pg_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));

	if (!line.len)
		line = pg_line(PQresultErrorMessage(result));
	return error_set(err, pg_class(state), "PostgreSQL: %.*s (%s)", STR_ARG(line), state ? state : "no code");
}

/* The connection is of no use any more. */
static int pg_fail_connection(struct pg *pg, const char *doing, struct error *err)
{
	struct str line = pg_line(pg->conn ? PQerrorMessage(pg->conn) : "");

	(void)error_set(err, ERR_IO, "PostgreSQL, %s: %.*s", doing, STR_ARG(line)); /* -1 follows */
	pg_disconnect(pg);
	return -1;
}

static int pg_fail_slow(struct pg *pg, struct error *err)
{
	pg_disconnect(pg);
	return error_set(err, ERR_TIMEOUT, "PostgreSQL did not answer in %llu ms",
			 (unsigned long long)pg->options.answer_timeout_ms);
}

/* ---- waiting ---- */

/* For one of the events. Returns 0, or -1 when it is over. */
static int pg_poll(const struct pg *pg, short events, int64_t deadline_ms)
{
	struct pollfd poller = {.fd = PQsocket(pg->conn), .events = events};
	int rc;

	do {
		int64_t left_ms = deadline_ms - clock_mono_ms();

		if (left_ms <= 0)
			return -1;
		rc = poll(&poller, 1, (int)left_ms);
	} while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : -1;
}

static int pg_flush(struct pg *pg, int64_t deadline_ms, struct error *err)
{
	int rc;

	while ((rc = PQflush(pg->conn)) == 1) {
		if (pg_poll(pg, POLLIN | POLLOUT, deadline_ms))
			return pg_fail_slow(pg, err);
		if (!PQconsumeInput(pg->conn))
			return pg_fail_connection(pg, "sending", err);
	}
	return rc == 0 ? 0 : pg_fail_connection(pg, "sending", err);
}

/* The server's own words for why it ends the session go before libpq's "closed unexpectedly". Ends the result. */
static int pg_fail_ended(struct pg *pg, PGresult *why, struct error *err)
{
	if (why && PQresultErrorField(why, PG_DIAG_SQLSTATE))
		(void)pg_fail_result(why, err); /* -1 follows */
	else
		(void)error_set(err, ERR_IO, "PostgreSQL, waiting: %.*s",
				STR_ARG(pg_line(PQerrorMessage(pg->conn)))); /* -1 follows */
	err->class = ERR_IO; /* the connection is gone, whatever the reason */
	PQclear(why);
	pg_disconnect(pg);
	return -1;
}

/* The next thing libpq gives, NULL included. */
static int pg_take(struct pg *pg, int64_t deadline_ms, PGresult **result_out, struct error *err)
{
	while (PQisBusy(pg->conn)) {
		if (pg_poll(pg, POLLIN, deadline_ms))
			return pg_fail_slow(pg, err);
		if (!PQconsumeInput(pg->conn))
			return pg_fail_connection(pg, "waiting", err);
	}
	*result_out = PQgetResult(pg->conn);
	return PQstatus(pg->conn) == CONNECTION_OK ? 0 : pg_fail_ended(pg, *result_out, err);
}

/* ---- trips ---- */

static void pg_count(struct pg *pg, int sent)
{
	pg->sent++;
	pg->failed = pg->failed || !sent;
}

void pg_send(struct pg *pg, size_t statement, struct pg_params *params)
{
	const char *values[PG_PARAM_COUNT_MAX];
	char name[24];
	size_t count = params ? params->count : 0;

	assert(statement < pg->options.statement_count);
	(void)snprintf(name, sizeof(name), "s%zu", statement); /* fits: a table's index */
	for (size_t i = 0; i < count; i++) {
		if (params->arrays >> i & 1)
			buf_append_char(&params->values[i], '}');
		values[i] = buf_c(&params->values[i]);
		pg->failed = pg->failed || !buf_ok(&params->values[i]);
	}
	if (pg->conn)
		pg_count(pg, PQsendQueryPrepared(pg->conn, name, (int)count, values, NULL, NULL, 0));
}

void pg_send_sql(struct pg *pg, const char *sql)
{
	if (pg->conn)
		pg_count(pg, PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0));
}

/* Takes the results of one statement; the first error stays in `err`. Returns -1 when the connection is gone. */
static int pg_take_statement(struct pg *pg, int64_t deadline_ms, PGresult **result_out, int *failed, struct error *err)
{
	PGresult *result;
	PGresult *end;
	struct error lost;

	*result_out = NULL;
	if (pg_take(pg, deadline_ms, &result, &lost)) {
		if (!*failed)
			*err = lost;
		return -1;
	}
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		*result_out = result;
		break;
	case PGRES_PIPELINE_ABORTED: /* skipped because of one before */
		PQclear(result);
		break;
	default:
		if (!*failed)
			*failed = pg_fail_result(result, err);
		PQclear(result);
	}
	if (!result || pg_take(pg, deadline_ms, &end, &lost) == 0)
		return 0;
	PQclear(*result_out);
	*result_out = NULL;
	if (!*failed)
		*err = lost;
	else if (err->class == ERR_BUSY || err->class == ERR_TIMEOUT)
		err->class = ERR_IO; /* the session ended with it */
	return -1;
}

/* Takes everything up to the Sync, and keeps the first `count` results. */
static int pg_take_all(struct pg *pg, PGresult **results, size_t count, struct error *err)
{
	int64_t deadline_ms = clock_mono_ms() + (int64_t)pg->options.answer_timeout_ms;
	size_t sent = pg->sent;
	int failed = 0;
	struct error lost; /* goes after the first error */
	PGresult *sync;

	if (pg_flush(pg, deadline_ms, err))
		return -1;
	for (size_t i = 0; i < sent; i++) {
		PGresult *result;

		if (pg_take_statement(pg, deadline_ms, &result, &failed, err))
			return -1;
		if (i < count)
			results[i] = result;
		else
			PQclear(result);
	}
	if (pg_take(pg, deadline_ms, &sync, failed ? &lost : err))
		return -1;
	if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC) /* the session was ended after its last statement */
		return pg_fail_ended(pg, sync, failed ? &lost : err);
	PQclear(sync);
	return failed;
}

int pg_trip(struct pg *pg, PGresult **results_out, size_t count, struct error *err)
{
	int result;

	if (!pg->conn)
		return error_set(err, ERR_IO, "PostgreSQL: not connected");
	for (size_t i = 0; i < count; i++)
		results_out[i] = NULL;
	assert(count <= pg->sent);
	pg->warned = false;
	if (pg->failed || !PQpipelineSync(pg->conn)) {
		(void)pg_fail_connection(pg, "putting statements together", err); /* -1 follows */
		result = -1;
	} else {
		result = pg_take_all(pg, results_out, count, err);
	}
	for (size_t i = 0; result && i < count; i++) {
		PQclear(results_out[i]);
		results_out[i] = NULL;
	}
	pg->sent = 0;
	pg->failed = false;
	return result;
}

/* Several commands need the simple protocol, which a pipeline does not have. */
int pg_execute(struct pg *pg, const char *sql, struct error *err)
{
	PGresult *result;
	int failed = 0;

	if (!pg->conn)
		return error_set(err, ERR_IO, "PostgreSQL: not connected");
	if (!PQexitPipelineMode(pg->conn) || PQsetnonblocking(pg->conn, 0))
		return pg_fail_connection(pg, "ending a pipeline", err);
	result = PQexec(pg->conn, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		failed = pg_fail_result(result, err);
	PQclear(result);
	if (PQstatus(pg->conn) != CONNECTION_OK || PQsetnonblocking(pg->conn, 1) || !PQenterPipelineMode(pg->conn)) {
		pg_disconnect(pg);
		return failed ? -1 : error_set(err, ERR_IO, "PostgreSQL: the connection was lost");
	}
	return failed;
}

/* ---- parameters ---- */

void pg_params_init(struct pg_params *params)
{
	*params = (struct pg_params){0};
	for (size_t i = 0; i < PG_PARAM_COUNT_MAX; i++)
		buf_init(&params->values[i], PG_PARAM_BYTES_MAX);
}

void pg_params_fini(struct pg_params *params)
{
	for (size_t i = 0; i < PG_PARAM_COUNT_MAX; i++) {
		if (params->values[i].ptr)
			mem_wipe(params->values[i].ptr, params->values[i].capacity);
		buf_fini(&params->values[i]);
	}
}

void pg_params_begin(struct pg_params *params, size_t count, bool arrays)
{
	assert(count <= PG_PARAM_COUNT_MAX);
	params->count = count;
	params->arrays = arrays ? (unsigned)((UINT64_C(1) << count) - 1) : 0;
	for (size_t i = 0; i < count; i++) {
		buf_reset(&params->values[i]);
		if (arrays)
			buf_append_char(&params->values[i], '{');
	}
}

static struct buf *pg_param_next(struct pg_params *params, size_t index)
{
	struct buf *value = &params->values[index];

	assert(index < params->count);
	if (params->arrays >> index & 1 && value->len > 1)
		buf_append_char(value, ',');
	return value;
}

void pg_param_i64(struct pg_params *params, size_t index, int64_t number)
{
	buf_append_i64(pg_param_next(params, index), number);
}

void pg_param_scalar_i64(struct pg_params *params, size_t index, int64_t number)
{
	assert(index < params->count);
	params->arrays &= ~(1u << index);
	buf_reset(&params->values[index]);
	buf_append_i64(&params->values[index], number);
}

void pg_param_str(struct pg_params *params, size_t index, struct str text)
{
	struct buf *value = pg_param_next(params, index);
	size_t start = 0;

	if (!(params->arrays >> index & 1)) {
		buf_append_str(value, text);
		return;
	}
	buf_append_char(value, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '"' && text.ptr[i] != '\\')
			continue;
		buf_append(value, text.ptr + start, i - start);
		buf_append_char(value, '\\');
		start = i;
	}
	if (text.len)
		buf_append(value, text.ptr + start, text.len - start);
	buf_append_char(value, '"');
}

/* bytea's text is \x and hexadecimal digits; within an array the backslash is doubled. */
void pg_param_bytes(struct pg_params *params, size_t index, struct str bytes)
{
	struct buf *value = pg_param_next(params, index);
	bool array = params->arrays >> index & 1;

	buf_append_c(value, array ? "\"\\\\x" : "\\x");
	buf_append_hex(value, bytes.ptr, bytes.len);
	if (array)
		buf_append_char(value, '"');
}

/* ---- results ---- */

int64_t pg_i64(const PGresult *result, int row, int column, int64_t none)
{
	return PQgetisnull(result, row, column) ? none : strtoll(PQgetvalue(result, row, column), NULL, 10);
}

struct str pg_str(const PGresult *result, int row, int column)
{
	return (struct str){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

static int pg_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int pg_append_bytes(const PGresult *result, int row, int column, struct buf *out)
{
	struct str text = pg_str(result, row, column);

	if (text.len < 2 || text.len % 2 || text.ptr[0] != '\\' || text.ptr[1] != 'x')
		return -1;
	for (size_t i = 2; i < text.len; i += 2) {
		int high = pg_hex(text.ptr[i]);
		int low = pg_hex(text.ptr[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		buf_append_char(out, (char)(high << 4 | low));
	}
	return 0;
}

/* ---- connecting ---- */

/* The server's notices, such as "relation already exists, skipping", are nobody's news. */
static void pg_notice(void *context, const PGresult *result)
{
	struct pg *pg = context;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	pg->warned = pg->warned || (severity && strcmp(severity, "WARNING") == 0);
}

/* In another encoding there are characters that cannot be stored, and one of them would fail a whole batch. */
static int pg_check_encoding(struct pg *pg, struct error *err)
{
	static const char *const names[] = {"server_encoding", "client_encoding"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = PQparameterStatus(pg->conn, names[i]);

		if (!value || strcmp(value, "UTF8") != 0)
			return error_set(err, ERR_INVALID, "PostgreSQL: %s is %.40s and must be UTF8", names[i],
					 value ? value : "unknown");
	}
	return 0;
}

static PGconn *pg_dial(const struct pg *pg)
{
	char seconds[24];
	/* what stands in conninfo, which comes last, goes before what stands above it */
	const char *const keys[] = {"connect_timeout",
				    "target_session_attrs",
				    "fallback_application_name",
				    "client_encoding",
				    "tcp_user_timeout",
				    "dbname",
				    NULL};
	char user_timeout[24];
	const char *const values[] = {seconds, "read-write", "highwater", "UTF8", user_timeout, pg->conninfo, NULL};

	(void)snprintf(seconds, sizeof(seconds), "%llu",
		       (unsigned long long)(pg->options.connect_timeout_ms + 999) / 1000);
	(void)snprintf(user_timeout, sizeof(user_timeout), "%llu", (unsigned long long)pg->options.answer_timeout_ms);
	return PQconnectdbParams(keys, values, 1);
}

static int pg_prepare_session(struct pg *pg, struct error *err)
{
	unsigned long long answer_ms = (unsigned long long)pg->options.answer_timeout_ms;
	unsigned long long answer_s = (answer_ms + 999) / 1000;
	char settings[1280];

	/* the tcp_ ones: how soon the server notices that we, or our machine, are gone without a word; at most twice
	 * the time for an answer and a little */
	(void)snprintf(
		settings, sizeof(settings),
		"SELECT set_config('statement_timeout', '%llu', false), set_config('lock_timeout', '%llu', false), "
		"set_config('idle_in_transaction_session_timeout', '%llu', false), "
		"set_config('tcp_keepalives_idle', '%llu', false), set_config('tcp_keepalives_interval', '%llu', "
		"false), "
		"set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '%llu', false), "
		"set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') "
		"IN ('off', 'local') THEN 'on' ELSE current_setting('synchronous_commit') END, false), "
		"set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false), "
		"set_config('client_min_messages', 'warning', false), set_config('bytea_output', 'hex', false), "
		"set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)",
		answer_ms, answer_ms, answer_ms, answer_s, (answer_s + 2) / 3, answer_ms); /* fits */
	pg_send_sql(pg, settings);
	return pg_trip(pg, NULL, 0, err);
}

static int pg_prepare_statements(struct pg *pg, struct error *err)
{
	for (size_t i = 0; i < pg->options.statement_count; i++) {
		char name[24];

		(void)snprintf(name, sizeof(name), "s%zu", i); /* fits: a table's index */
		pg_count(pg, PQsendPrepare(pg->conn, name, pg->options.statements[i], 0, NULL));
	}
	return pg_trip(pg, NULL, 0, err);
}

int pg_connect(struct pg *pg, struct error *err)
{
	if (pg->conn)
		return 0;
	pg->conn = pg_dial(pg);
	if (PQstatus(pg->conn) != CONNECTION_OK)
		return pg_fail_connection(pg, "connecting", err);
	(void)PQsetNoticeReceiver(pg->conn, pg_notice, pg); /* the one before */
	if (PQsetnonblocking(pg->conn, 1) || !PQenterPipelineMode(pg->conn))
		return pg_fail_connection(pg, "beginning a pipeline", err);
	if (pg_check_encoding(pg, err) || pg_prepare_session(pg, err) || pg_prepare_statements(pg, err)) {
		pg_disconnect(pg);
		return -1;
	}
	return 0;
}

void pg_disconnect(struct pg *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->sent = 0;
	pg->failed = false;
}

bool pg_was_warned(const struct pg *pg)
{
	return pg->warned;
}

bool pg_is_connected(const struct pg *pg)
{
	return pg->conn != NULL;
}

int pg_open(const struct pg_options *options, struct pg **pg_out, struct error *err)
{
	char *reason = NULL;
	PQconninfoOption *parsed = PQconninfoParse(options->conninfo, &reason);
	struct pg *pg;

	if (!parsed) {
		/* the reason may repeat a part of conninfo, and so of a password */
		PQfreemem(reason);
		return error_set(err, ERR_INVALID, "the PostgreSQL URL cannot be read");
	}
	PQconninfoFree(parsed);
	pg = mem_zalloc(sizeof(*pg));
	pg->options = *options;
	pg->conninfo = mem_dup(options->conninfo, strlen(options->conninfo));
	*pg_out = pg;
	return 0;
}

void pg_close(struct pg **pg)
{
	if (!*pg)
		return;
	pg_disconnect(*pg);
	mem_wipe((*pg)->conninfo, strlen((*pg)->conninfo));
	mem_free((*pg)->conninfo);
	mem_free(*pg);
	*pg = NULL;
}
