/* Small pieces that the SQLite store's files share: connections, statements, errors, and an app's columns. */
#include "base/mem.h"
#include "store/sqlite_internal.h"

#include <inttypes.h>
#include <string.h>

int sqlite_fail(sqlite3 *db, int rc, const char *doing, struct error *err)
{
	int extended = db ? sqlite3_extended_errcode(db) : rc;
	const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	enum error_class class;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		class = ERR_FULL;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		class = ERR_BUSY;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		class = ERR_INTERNAL;
		break;
	default:
		class = extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC ? ERR_INTERNAL : ERR_IO;
		break;
	}
	return error_set(err, class, "SQLite, %s: %s (code %d)", doing, text, extended);
}

int sqlite_execute(sqlite3 *db, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_fail(db, rc, "executing", err);
}

int sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement_out, struct error *err)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement_out, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_fail(db, rc, "preparing a statement", err);
}

int sqlite_connect(const char *path, int flags, sqlite3 **db_out, struct error *err)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int result = 0;

	if (rc != SQLITE_OK)
		result = sqlite_fail(db, rc, "opening", err);
	else if (sqlite3_busy_timeout(db, 2000) != SQLITE_OK)
		result = sqlite_fail(db, SQLITE_ERROR, "setting the busy timeout", err);
	if (result) {
		(void)sqlite3_close(db); /* nothing is open in it */
		return -1;
	}
	*db_out = db;
	return 0;
}

struct str sqlite_column_str(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return (struct str){text, (size_t)sqlite3_column_bytes(statement, column)};
}

void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s)
{
	/* binding fails only for an index that does not exist, which the tests would meet at once */
	(void)sqlite3_bind_text(statement, index, s.ptr ? s.ptr : "", (int)s.len, SQLITE_STATIC);
}

static int sqlite_read_admins(struct str text, struct app_config *config)
{
	while (text.len) {
		struct str name;

		(void)str_cut(&text, '\n', &name); /* the loop looks at the rest, as below */
		if (config->admin_count == APP_ADMIN_COUNT_MAX ||
		    !str_copy(config->admins[config->admin_count], sizeof(config->admins[0]), name))
			return -1;
		config->admin_count++;
	}
	return 0;
}

/* A line "ID CREATED EXPIRES BYTES". The bytes are last because spaces may be in them. */
static int sqlite_read_key(struct str line, struct app_key_entry *key)
{
	uint64_t numbers[3];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct str number;

		if (!str_cut(&line, ' ', &number) || str_to_u64(number, INT64_MAX, &numbers[i]))
			return -1;
	}
	if (numbers[0] > APP_KEY_ID_MAX || line.len > sizeof(key->bytes))
		return -1;
	key->id = (uint32_t)numbers[0];
	key->create_ms = (int64_t)numbers[1];
	key->expire_ms = (int64_t)numbers[2];
	key->len = (uint16_t)line.len;
	memcpy(key->bytes, line.ptr, line.len);
	return 0;
}

static int sqlite_read_keys(struct str text, struct app_config *config)
{
	while (text.len) {
		struct str line;

		(void)str_cut(&text, '\n', &line);
		if (config->keys.count == APP_KEY_COUNT_MAX ||
		    sqlite_read_key(line, &config->keys.list[config->keys.count]))
			return -1;
		config->keys.count++;
	}
	return 0;
}

static void sqlite_append_keys(struct buf *out, const struct app_config *config)
{
	for (unsigned i = 0; i < config->keys.count; i++) {
		const struct app_key_entry *key = &config->keys.list[i];

		buf_printf(out, "%s%" PRIu32 " %" PRId64 " %" PRId64 " ", i ? "\n" : "", key->id, key->create_ms,
			   key->expire_ms);
		buf_append_str(out, secret_reveal(app_key_at(&config->keys, i)));
	}
}

/* Bounds that the casts below, and the asserts of live/, rely on. NULL, as from a missing row of app_state, is out. */
static bool sqlite_app_in_bounds(sqlite3_stmt *statement)
{
	/* a number that is nearly used up is none that this program made: it leaves room for four thousand million more */
	static const int64_t sequence_max = (INT64_C(1) << APP_ID_SEQUENCE_BITS) - (INT64_C(1) << 32);
	const struct {
		int column;
		int64_t min, max;
	} bounds[] = {
		{0, 1, HW_SDKAPPID_MAX},
		{1, 1, APP_NUMBER_MAX},
		{3, 0, APP_ROOM_COUNT_MAX_LIMIT},
		{6, 0, 50},
		{7, 0, 50},
		{12, 0, UINT32_MAX},
		{17, 0, sequence_max},
		{18, 0, sequence_max},
		{19, 0, sequence_max},
		{20, 0, sequence_max},
		{21, 0, 100},
		{22, 1, APP_KEY_ID_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		int64_t value = sqlite3_column_int64(statement, bounds[i].column);

		if (sqlite3_column_type(statement, bounds[i].column) != SQLITE_INTEGER || value < bounds[i].min ||
		    value > bounds[i].max)
			return false;
	}
	return true;
}

static int sqlite_read_config(sqlite3_stmt *statement, struct app_config *config)
{
	struct str token = sqlite_column_str(statement, 16);
	struct error ignored; /* the caller names the app */

	*config = (struct app_config){
		.sdkappid = (uint32_t)sqlite3_column_int64(statement, 0),
		.number = (uint32_t)sqlite3_column_int64(statement, 1),
		.create_ms = sqlite3_column_int64(statement, 2),
		.room_count_max = (uint32_t)sqlite3_column_int64(statement, 3),
		.alert = {.rearm_margin = (uint8_t)sqlite3_column_int(statement, 6),
			  .step_percent = (uint8_t)sqlite3_column_int(statement, 7)},
		.callback_set = sqlite3_column_int(statement, 10) != 0,
		.callback_commands = (uint32_t)sqlite3_column_int64(statement, 12),
		.callback_overwrite = sqlite3_column_int(statement, 13) != 0,
		.token_set = sqlite3_column_int(statement, 14) != 0,
		.token_enabled = sqlite3_column_int(statement, 15) != 0,
		.keys.id_next = (uint32_t)sqlite3_column_int64(statement, 22),
		.accounts_required = sqlite3_column_int(statement, 23) != 0,
	};
	if (token.len > sizeof(config->token))
		return -1;
	memcpy(config->token, token.ptr, token.len);
	config->token_len = (uint16_t)token.len;
	if (alert_mode_parse(sqlite_column_str(statement, 4), &config->alert.mode) ||
	    alert_thresholds_parse(sqlite_column_str(statement, 5), &config->alert, &ignored) ||
	    sqlite_read_keys(sqlite_column_str(statement, 8), config) ||
	    sqlite_read_admins(sqlite_column_str(statement, 9), config) ||
	    !str_copy(config->callback_url, sizeof(config->callback_url), sqlite_column_str(statement, 11)))
		return -1;
	return app_config_check(config, &ignored);
}

int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err)
{
	if (!sqlite_app_in_bounds(statement) || sqlite_read_config(statement, &app_out->config))
		return error_set(err, ERR_INTERNAL, "the row of app %lld holds values out of bounds",
				 (long long)sqlite3_column_int64(statement, 0));
	app_out->state = (struct app_state){
		.room_count = (uint64_t)sqlite3_column_int64(statement, 17),
		.room_sequence = (uint64_t)sqlite3_column_int64(statement, 18),
		.callback_sequence = (uint64_t)sqlite3_column_int64(statement, 19),
		.callback_pending = (uint64_t)sqlite3_column_int64(statement, 20),
		.alert_level = (uint8_t)sqlite3_column_int(statement, 21),
	};
	return 0;
}

void sqlite_bind_app(sqlite3_stmt *statement, const struct app_config *config, struct sqlite_app_text *scratch)
{
	const int64_t numbers[][2] = {
		{1, config->sdkappid},
		{2, config->number},
		{3, config->create_ms},
		{4, config->room_count_max},
		{7, config->alert.rearm_margin},
		{8, config->alert.step_percent},
		{11, config->callback_set},
		{13, config->callback_commands},
		{14, config->callback_overwrite},
		{15, config->token_set},
		{16, config->token_enabled},
		{18, config->keys.id_next},
		{19, config->accounts_required},
	};

	buf_init(&scratch->thresholds, 64);
	buf_init(&scratch->admins, sizeof(config->admins));
	buf_init(&scratch->keys, sizeof(config->keys) * 2); /* 55 bytes of numbers each */
	for (unsigned i = 0; i < config->alert.threshold_count; i++)
		buf_printf(&scratch->thresholds, "%s%u", i ? "," : "", config->alert.thresholds[i]);
	for (unsigned i = 0; i < config->admin_count; i++)
		buf_printf(&scratch->admins, "%s%s", i ? "\n" : "", config->admins[i]);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sqlite3_bind_int64(statement, (int)numbers[i][0], numbers[i][1]); /* as sqlite_bind_str */
	sqlite_bind_str(statement, 5, str_c(alert_mode_word(config->alert.mode)));
	sqlite_bind_str(statement, 6, buf_str(&scratch->thresholds));
	sqlite_append_keys(&scratch->keys, config);
	sqlite_bind_str(statement, 9, buf_str(&scratch->keys));
	sqlite_bind_str(statement, 10, buf_str(&scratch->admins));
	sqlite_bind_str(statement, 12, str_c(config->callback_url));
	sqlite_bind_str(statement, 17, secret_reveal(app_token(config)));
}

void sqlite_app_text_fini(struct sqlite_app_text *scratch)
{
	buf_fini(&scratch->thresholds);
	buf_fini(&scratch->admins);
	if (scratch->keys.ptr)
		mem_wipe(scratch->keys.ptr, scratch->keys.capacity);
	buf_fini(&scratch->keys);
}
