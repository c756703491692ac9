/* A callback's columns; see callback_row.h. */
#include "store/callback_row.h"

bool callback_column_is_text(enum callback_column column)
{
	return column == CALLBACK_COLUMN_CLIENT_IP || column == CALLBACK_COLUMN_BODY ||
	       column == CALLBACK_COLUMN_ERROR || column == CALLBACK_COLUMN_LOG;
}

/* What the casts below rely on, and who indexes tables or computes with the values. */
static bool callback_row_in_bounds(const struct callback_row *row)
{
	const struct {
		enum callback_column column;
		int64_t min, max;
	} bounds[] = {
		{CALLBACK_COLUMN_SDKAPPID, 1, HW_SDKAPPID_MAX},
		{CALLBACK_COLUMN_COMMAND, 0, HW_CALLBACK_COUNT - 1},
		{CALLBACK_COLUMN_THRESHOLD, 0, 100},
		{CALLBACK_COLUMN_PLATFORM, 0, HW_PLATFORM_COUNT - 1},
		{CALLBACK_COLUMN_EVENT_MS, 0, INT64_MAX},
		{CALLBACK_COLUMN_STATE, 0, CALLBACK_STATE_COUNT - 1},
		{CALLBACK_COLUMN_ATTEMPTS, 0, UINT32_MAX},
		{CALLBACK_COLUMN_DUE_MS, 0, INT64_MAX},
		{CALLBACK_COLUMN_ATTEMPT_MS, 0, INT64_MAX},
		{CALLBACK_COLUMN_HTTP_STATUS, 0, INT32_MAX},
		{CALLBACK_COLUMN_BASE_MS, 0, INT64_MAX},
		{CALLBACK_COLUMN_BASE_ATTEMPTS, 0, row->numbers[CALLBACK_COLUMN_ATTEMPTS]},
		{CALLBACK_COLUMN_REPLAYS, 0, UINT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (row->numbers[bounds[i].column] < bounds[i].min || row->numbers[bounds[i].column] > bounds[i].max)
			return false;
	return true;
}

int callback_row_read(const struct callback_row *row, struct arena *arena, bool with_log,
		      struct store_callback *callback_out, struct error *err)
{
	if (!callback_row_in_bounds(row))
		return error_set(err, ERR_INTERNAL, "the row of callback %lld holds values out of bounds",
				 (long long)row->numbers[CALLBACK_COLUMN_ID]);
	*callback_out = (struct store_callback){
		.id = row->numbers[CALLBACK_COLUMN_ID],
		.sdkappid = (uint32_t)row->numbers[CALLBACK_COLUMN_SDKAPPID],
		.command = (enum hw_callback)row->numbers[CALLBACK_COLUMN_COMMAND],
		.threshold = (uint8_t)row->numbers[CALLBACK_COLUMN_THRESHOLD],
		.platform = (enum hw_platform)row->numbers[CALLBACK_COLUMN_PLATFORM],
		.client_ip = arena_dup(arena, row->texts[CALLBACK_COLUMN_CLIENT_IP]),
		.body = arena_dup(arena, row->texts[CALLBACK_COLUMN_BODY]),
		.event_ms = row->numbers[CALLBACK_COLUMN_EVENT_MS],
		.state = (enum callback_state)row->numbers[CALLBACK_COLUMN_STATE],
		.attempts = (uint32_t)row->numbers[CALLBACK_COLUMN_ATTEMPTS],
		.due_ms = row->numbers[CALLBACK_COLUMN_DUE_MS],
		.attempt_ms = row->numbers[CALLBACK_COLUMN_ATTEMPT_MS],
		.http_status = (int32_t)row->numbers[CALLBACK_COLUMN_HTTP_STATUS],
		.error = arena_dup(arena, row->texts[CALLBACK_COLUMN_ERROR]),
		.base_ms = row->numbers[CALLBACK_COLUMN_BASE_MS],
		.base_attempts = (uint32_t)row->numbers[CALLBACK_COLUMN_BASE_ATTEMPTS],
		.replays = (uint32_t)row->numbers[CALLBACK_COLUMN_REPLAYS],
		.log = with_log ? arena_dup(arena, row->texts[CALLBACK_COLUMN_LOG]) : STR(""),
	};
	return 0;
}
