#pragma once
/* What the files of the memory store share. */
#include "store/store_ops.h"

#include <pthread.h>

struct memory_item {
	struct store_item row; /* its text is owned */
	struct memory_item *next;
};

struct memory_room {
	uint32_t number;
	struct store_room row;			    /* its text is owned */
	struct memory_item *items[ITEM_KIND_COUNT]; /* by name */
};

struct memory_account {
	uint32_t number;
	struct str name; /* owned, as the two below */
	struct str nick;
	struct str face_url;
	int64_t create_ms;
};

struct memory_app {
	struct store_app row;
	struct str certificate; /* owned, as the key; empty for none */
	struct str certificate_key;
};

struct memory_sample {
	uint32_t number; /* of the app */
	struct store_sample row;
};

struct memory_store {
	struct store base;
	pthread_rwlock_t lock;
	void *apps;			   /* struct memory_app by sdkappid */
	void *rooms;			   /* struct memory_room by number and room_id */
	void *accounts;			   /* struct memory_account by number and name */
	struct store_callback **callbacks; /* by id; their text is owned */
	size_t callback_count;
	size_t callback_capacity;
	struct store_audit *audits; /* by id; their text is owned */
	size_t audit_count;
	size_t audit_capacity;
	int64_t audit_id_last;
	struct memory_sample *samples; /* by number and minute */
	size_t sample_count;
	size_t sample_capacity;
	uint32_t app_number_next;
	bool in_batch; /* loaded, and neither committed nor abandoned */
};

struct memory_reader {
	struct store_reader base;
	struct memory_store *store;
};

/* Text of its own, and its end. */
struct str memory_dup(struct str s);
void memory_drop(struct str s);

/* NULL when there is none. The lock is held, or the caller is the writer. */
struct memory_app *memory_app(struct memory_store *store, uint32_t sdkappid);
struct memory_room *memory_room(struct memory_store *store, uint32_t number, struct str room_id);
struct memory_account *memory_account(struct memory_store *store, uint32_t number, struct str name);

int memory_reader_open(struct store *base, struct store_reader **reader_out, struct error *err);

/* ---- callbacks (memory_callbacks.c) ---- */

/* The write side's; the lock is held for writing, but for the load. */
void memory_load_deliveries(const struct memory_store *store, struct live_set *set);
void memory_write_callbacks(struct memory_store *store, const struct live_set *set);
void memory_cancel_callbacks(struct memory_store *store, const struct live_app *app);
void memory_free_callbacks(struct memory_store *store);
int memory_clip_due(struct store *base, int64_t latest_ms, struct error *err);
int memory_prune(struct store *base, const struct store_retention *retention, int64_t *cursor, size_t *removed_out,
		 struct error *err);

/* ---- the audit log and samples (memory_history.c); locks as above ---- */

void memory_write_history(struct memory_store *store, const struct live_set *set);
void memory_drop_samples(struct memory_store *store, uint32_t number);
void memory_free_history(struct memory_store *store);
int memory_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
		      size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err);
int memory_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
		       struct store_sample *samples_out, size_t *count_out, struct error *err);
int memory_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		     struct error *err);

int memory_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			void *context, struct error *err);
int memory_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err);
int memory_waiting_count(struct store_reader *base, uint32_t sdkappid, uint64_t *count_out, struct error *err);
int memory_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			 struct store_callback *callback_out, struct error *err);
int memory_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			size_t *count_out, struct error *err);
int memory_callback_get(struct store_reader *base, struct arena *arena, int64_t id, struct store_callback *callback_out,
			struct error *err);
int memory_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			struct error *err);
int memory_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			 size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			 struct error *err);
