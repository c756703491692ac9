#pragma once
/* What a kind of store implements, see store.h for the meaning of each; and rules that all kinds follow. */
#include "store/store.h"

struct store_ops {
	int (*load)(struct store *store, struct live_set *set, struct error *err);
	int (*commit)(struct store *store, struct live_set *set, struct error *err);
	void (*abandon)(struct store *store);
	void (*tidy)(struct store *store);
	int (*prune)(struct store *store, const struct store_retention *retention, int64_t *cursor, size_t *removed_out,
		     struct error *err);
	int (*clip_due)(struct store *store, int64_t latest_ms, struct error *err);
	int (*probe)(struct store *store, struct error *err);
	void (*close)(struct store *store);
	int (*reader_open)(struct store *store, struct store_reader **reader_out, struct error *err);
};

struct store_reader_ops {
	void (*close)(struct store_reader *reader);
	int (*app_each)(struct store_reader *reader, void (*each)(void *context, const struct store_app *app),
			void *context, struct error *err);
	int (*app_line_each)(struct store_reader *reader,
			     void (*each)(void *context, const struct store_app_line *line), void *context,
			     struct error *err);
	int (*app_get)(struct store_reader *reader, uint32_t sdkappid, struct store_app *app_out, struct error *err);
	int (*room_get)(struct store_reader *reader, struct arena *arena, uint32_t number, struct str room_id,
			struct store_room *room_out, struct error *err);
	int (*room_list)(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t before_id,
			 bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
			 struct error *err);
	int (*room_list_oldest)(struct store_reader *reader, struct arena *arena, uint32_t number, int64_t after_id,
				size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err);
	int (*room_list_named)(struct store_reader *reader, struct arena *arena, uint32_t number, struct str prefix,
			       struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			       struct error *err);
	int (*room_owner_each)(struct store_reader *reader, uint32_t number, size_t limit,
			       void (*each)(void *context, struct str owner), void *context, struct error *err);
	int (*room_items)(struct store_reader *reader, struct arena *arena, int64_t room, enum item_kind kind,
			  size_t limit, struct store_item *items_out, size_t *count_out, struct error *err);
	int (*account_get)(struct store_reader *reader, struct arena *arena, uint32_t number, struct str name,
			   struct store_account *account_out, struct error *err);
	int (*room_count)(struct store_reader *reader, uint32_t number, uint64_t *count_out, struct error *err);
	int (*waiting_each)(struct store_reader *reader,
			    void (*each)(void *context, uint32_t sdkappid, uint32_t failures), void *context,
			    struct error *err);
	int (*waiting_count)(struct store_reader *reader, uint32_t sdkappid, uint64_t *count_out, struct error *err);
	int (*waiting_oldest)(struct store_reader *reader, uint32_t sdkappid, int64_t *event_ms_out, struct error *err);
	int (*callback_next)(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			     struct store_callback *callback_out, struct error *err);
	int (*callback_due)(struct store_reader *reader, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			    size_t *count_out, struct error *err);
	int (*callback_get)(struct store_reader *reader, struct arena *arena, int64_t id,
			    struct store_callback *callback_out, struct error *err);
	int (*alert_newest)(struct store_reader *reader, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			    struct error *err);
	int (*callback_list)(struct store_reader *reader, struct arena *arena,
			     const struct store_callback_filter *filter, size_t limit,
			     struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			     struct error *err);
	int (*audit_list)(struct store_reader *reader, struct arena *arena, uint32_t sdkappid, int64_t before_id,
			  size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err);
	int (*sample_list)(struct store_reader *reader, uint32_t number, int64_t since_ms, size_t limit,
			   struct store_sample *samples_out, size_t *count_out, struct error *err);
	int (*sample_at)(struct store_reader *reader, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
			 struct error *err);
	int (*certificate_get)(struct store_reader *reader, struct arena *arena, uint32_t sdkappid,
			       struct str *chain_out, struct str *key_out, struct error *err);
};

struct store {
	const struct store_ops *ops;
	uint64_t id;
	unsigned char secret[STORE_SECRET_BYTES];
};

struct store_reader {
	const struct store_reader_ops *ops;
};

/* ---- rules for stores ---- */

/* Reads a store's secret from its hexadecimal digits. Returns 0, or -1 when the text is none. */
MUST_CHECK int store_read_secret(const char *hex, unsigned char out[STORE_SECRET_BYTES]);

/* Does the list hold a callback with this state and time? */
bool store_filter_passes(const struct store_callback_filter *filter, enum callback_state state, int64_t event_ms);
/* It holds none but those that have failed or were superseded: a store looks at no others. */
bool store_filter_is_of_ended(const struct store_callback_filter *filter);

enum store_prune_verdict {
	PRUNE_KEEP,
	PRUNE_REMOVE,
	PRUNE_NEXT_APP, /* it stays, and so do all later ones of its app */
};
/* What becomes of a callback when old ones are removed. */
enum store_prune_verdict store_prune_judge(const struct store_retention *retention, enum callback_state state,
					   int64_t event_ms, int64_t attempt_ms);
/* The largest id that a callback of the same app can have. */
int64_t store_prune_next_app(int64_t id);
