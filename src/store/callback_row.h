#pragma once
/* A callback as a row of columns, for stores that keep it so: the order in which they select it, and what its values may
 * be. Threads: any. */
#include "store/app_row.h"

/* Whole numbers but for those of which callback_column_is_text says otherwise. */
enum callback_column {
	CALLBACK_COLUMN_ID,
	CALLBACK_COLUMN_SDKAPPID,
	CALLBACK_COLUMN_COMMAND,
	CALLBACK_COLUMN_THRESHOLD,
	CALLBACK_COLUMN_PLATFORM,
	CALLBACK_COLUMN_CLIENT_IP,
	CALLBACK_COLUMN_BODY,
	CALLBACK_COLUMN_EVENT_MS,
	CALLBACK_COLUMN_STATE,
	CALLBACK_COLUMN_ATTEMPTS,
	CALLBACK_COLUMN_DUE_MS,
	CALLBACK_COLUMN_ATTEMPT_MS,
	CALLBACK_COLUMN_HTTP_STATUS,
	CALLBACK_COLUMN_ERROR,
	CALLBACK_COLUMN_BASE_MS,
	CALLBACK_COLUMN_BASE_ATTEMPTS,
	CALLBACK_COLUMN_REPLAYS,
	CALLBACK_COLUMN_LOG,
	CALLBACK_COLUMN_COUNT
};

bool callback_column_is_text(enum callback_column column);

struct callback_row {
	int64_t numbers[CALLBACK_COLUMN_COUNT];	 /* or APP_NUMBER_NONE */
	struct str texts[CALLBACK_COLUMN_COUNT]; /* of columns that are text; borrowed */
};

/* Text goes to the arena; without `with_log` the log is left empty. Errors ERR_INTERNAL: the row holds what this program
 * never writes. */
MUST_CHECK int callback_row_read(const struct callback_row *row, struct arena *arena, bool with_log,
				 struct store_callback *callback_out, struct error *err);
