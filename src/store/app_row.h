#pragma once
/* An app as a row of columns, for stores that keep it so: which columns there are, and how lists stand in text.
 *
 * Threads: any. */
#include "base/buf.h"
#include "store/store.h"

/* What is stored of an app: constant, column. The tables' key, sdkappid, stands last in what these make. Whole numbers
 * but for the columns of APP_ROW_TEXTS. */
#define APP_CONFIG_COLUMNS(X)                                                                                          \
	X(CONFIG_NUMBER, "number")                                                                                     \
	X(CONFIG_CREATE_MS, "create_ms")                                                                               \
	X(CONFIG_ROOM_COUNT_MAX, "room_count_max")                                                                     \
	X(CONFIG_ALERT_MODE, "alert_mode")                                                                             \
	X(CONFIG_THRESHOLDS, "thresholds")                                                                             \
	X(CONFIG_REARM_MARGIN, "rearm_margin")                                                                         \
	X(CONFIG_STEP_PERCENT, "step_percent")                                                                         \
	X(CONFIG_KEYS, "keys")                                                                                         \
	X(CONFIG_KEY_ID_NEXT, "key_id_next")                                                                           \
	X(CONFIG_ADMINS, "admins")                                                                                     \
	X(CONFIG_CALLBACK_SET, "callback_set")                                                                         \
	X(CONFIG_CALLBACK_URL, "callback_url")                                                                         \
	X(CONFIG_CALLBACK_COMMANDS, "callback_commands")                                                               \
	X(CONFIG_CALLBACK_OVERWRITE, "callback_overwrite")                                                             \
	X(CONFIG_TOKEN_SET, "token_set")                                                                               \
	X(CONFIG_TOKEN_ENABLED, "token_enabled")                                                                       \
	X(CONFIG_TOKEN, "token")                                                                                       \
	X(CONFIG_ACCOUNTS_REQUIRED, "accounts_required")                                                               \
	X(CONFIG_SECRETS, "secrets")                                                                                   \
	X(CONFIG_SECRET_ID_NEXT, "secret_id_next")                                                                     \
	X(CONFIG_SIGNERS, "signers")                                                                                   \
	X(CONFIG_SIGNER_ID_NEXT, "signer_id_next")                                                                     \
	X(CONFIG_CERTIFICATE_SET, "certificate_set")                                                                   \
	X(CONFIG_PAUSE, "pause")                                                                                       \
	X(CONFIG_PAUSE_MS, "pause_ms")
#define APP_STATE_COLUMNS(X)                                                                                           \
	X(STATE_ROOM_COUNT, "room_count")                                                                              \
	X(STATE_ROOM_SEQUENCE, "room_sequence")                                                                        \
	X(STATE_CALLBACK_SEQUENCE, "callback_sequence")                                                                \
	X(STATE_CALLBACK_PENDING, "callback_pending")                                                                  \
	X(STATE_ALERT_LEVEL, "alert_level")                                                                            \
	X(STATE_FAILURES, "failures")                                                                                  \
	X(STATE_FAILING_MS, "failing_ms")                                                                              \
	X(STATE_DELIVERED_MS, "delivered_ms")                                                                          \
	X(STATE_MINUTE_MS, "minute_ms")                                                                                \
	X(STATE_MINUTE_HIGHEST, "minute_highest")

#define APP_COLUMN_ENUM(name, column) name,
enum app_config_column { APP_CONFIG_COLUMNS(APP_COLUMN_ENUM) CONFIG_SDKAPPID, CONFIG_COLUMN_COUNT };
enum app_state_column { APP_STATE_COLUMNS(APP_COLUMN_ENUM) STATE_SDKAPPID, STATE_COLUMN_COUNT };

bool app_column_is_text(enum app_config_column column);
/* Text of any bytes, NUL too; the rest is UTF-8. */
bool app_column_is_bytes(enum app_config_column column);

#define APP_NUMBER_NONE INT64_MIN /* in place of a number: NULL, or none */

struct app_row {
	struct {
		int64_t number;	 /* or APP_NUMBER_NONE */
		struct str text; /* of a column that is text; borrowed, may be secret */
	} config[CONFIG_COLUMN_COUNT];
	int64_t state[STATE_COLUMN_COUNT]; /* or APP_NUMBER_NONE */
};

/* Each reads its part. Errors ERR_INTERNAL: the row holds what this program never writes. */
MUST_CHECK int app_row_read_config(const struct app_row *row, struct app_config *config_out, struct error *err);
MUST_CHECK int app_row_read_state(const struct app_row *row, struct app_state *state_out, struct error *err);

/* Text that a row borrows: of one made of a configuration, or where a store had to convert what it has. */
struct app_row_text {
	struct buf texts[CONFIG_COLUMN_COUNT]; /* may be secret; those of other columns stay empty */
};
void app_row_text_init(struct app_row_text *text);
/* Fills row->config; it borrows from `config` and `text`, which is initialised here; app_row_text_fini wipes and frees. */
void app_row_write_config(const struct app_config *config, struct app_row *row, struct app_row_text *text);
void app_row_text_fini(struct app_row_text *text);
/* Fills row->state. */
void app_row_write_state(uint32_t sdkappid, const struct app_state *state, struct app_row *row);
