#pragma once
/* The part of the world that one batch of commands touches.
 *
 * The engine names what the commands touch (live_set_touch), a store loads it, live_step changes it, the store writes
 * the difference. `before` fields are what the store loaded; the others are what shall be. All memory is the arena's.
 * Threads: one at a time. */
#include "base/arena.h"
#include "base/random.h"
#include "live/command.h"
#include "live/delivery.h"

/* Must delivery be told of what a batch did to an app? */
enum delivery_wake {
	WAKE_NONE,
	WAKE_NEW, /* there is something to deliver */
	WAKE_NOW, /* the same, and whatever made its endpoint wait shall not count: it was changed, resumed or asked for */
};

struct live_app {
	uint32_t sdkappid;
	bool exists_before;
	bool exists;
	uint32_t number_before;		 /* when it existed */
	const struct app_config *config; /* when it exists; owned by the store until the batch ends, or by the arena */
	struct app_state state;
	bool config_changed;
	bool state_changed;
	bool callbacks_changed; /* a callback of it was made, or changed its state */
	bool pending_cancelled; /* the app was deleted: its waiting callbacks end as failed */
	bool certificate_changed;
	struct str certificate;	    /* PEM chain; empty: none any more */
	struct str certificate_key; /* secret */
	enum delivery_wake wake;
	struct live_app *hash_next;
};

/* One of the named things a room keeps; see live/room.h. */
struct live_item {
	struct str name;
	struct str value;
	int64_t until_s; /* 0 for never */
	bool exists_before;
	bool exists;
	bool changed; /* value or until_s is not what was loaded */
	struct live_item *next;
};

struct live_room {
	struct live_app *app;
	struct str room_id;
	unsigned items_needed; /* bit per enum item_kind: loaded when the room exists */
	bool exists_before;
	bool exists;
	int64_t id_before; /* when it existed */
	int64_t id;	   /* when it exists; names its row, as all that follows */
	char owner[HW_IDENTIFIER_BYTES_MAX + 1];
	int64_t create_ms;
	bool visible;
	struct str info;
	bool changed;				  /* owner, visible or info is not what was loaded */
	struct live_item *items[ITEM_KIND_COUNT]; /* of the kinds needed, by name; new ones at the end */
	struct live_room *hash_next;
};

/* An account of an app. */
struct live_account {
	struct live_app *app;
	struct str name;
	bool exists_before;
	bool exists;
	bool changed; /* nick or face_url is not what was loaded */
	struct str nick;
	struct str face_url;
	int64_t create_ms; /* for new ones */
	struct live_account *next;
	struct live_account *hash_next;
};

/* A callback to store with the batch. */
struct live_callback {
	int64_t id;
	uint32_t sdkappid;
	enum hw_callback command;
	uint8_t threshold; /* percent, of an alert; 0 for others */
	enum hw_platform platform;
	struct str client_ip;
	struct str body;
	int64_t event_ms; /* wall clock */
};

/* A stored callback that a command names. */
struct live_delivery {
	int64_t id;
	bool exists;
	enum callback_state state; /* as loaded, until it is replayed */
	bool replayed; /* waits again: state, due_ms, base_ms and base_attempts are set anew, replays counts one more */
	int64_t replay_ms; /* wall clock: its schedule starts then */
	int64_t due_ms;	   /* clock of deadlines */
	struct live_delivery *next;
	struct live_delivery *hash_next;
};

/* A row of the audit log to store with the batch; see live/audit.h. */
struct live_audit {
	uint32_t sdkappid;
	int64_t time_ms; /* wall clock */
	struct str actor;
	struct str client_ip; /* empty: nobody's */
	struct str action;    /* static */
	struct str detail;    /* plain text, no secret */
	struct live_audit *next;
};

/* A sample of an app's room count to store with the batch, in place of one of the same minute; see live/sample.h. */
struct live_sample {
	uint32_t number;	     /* of the app */
	int64_t minute_ms;	     /* when the minute began */
	uint64_t room_count;	     /* at its end */
	uint64_t room_count_highest; /* in it */
	uint32_t room_count_max;     /* at its end */
	struct live_sample *next;
};

#define LIVE_CALLBACKS_PER_COMMAND 2 /* a creation may make its own and the alert */

struct live_set {
	struct arena *arena;
	struct hash_key hash_key;
	struct live_app **apps; /* in order of first touch */
	size_t app_count;
	struct live_room **rooms;
	size_t room_count;
	struct live_account *accounts; /* newest touch first */
	struct live_app **app_buckets;
	struct live_room **room_buckets;
	struct live_account **account_buckets;
	size_t bucket_mask;
	struct live_callback *callbacks; /* new ones, in order: at most LIVE_CALLBACKS_PER_COMMAND for each command */
	size_t callback_count;
	const struct delivery_result **marks; /* in order; borrowed from the commands */
	size_t mark_count;
	struct live_delivery *deliveries; /* newest touch first */
	struct live_delivery **delivery_buckets;
	struct live_audit *audits; /* in order */
	struct live_audit *audit_last;
	struct live_sample *samples; /* in order */
	struct live_sample *sample_last;
	int64_t audit_before_ms;  /* audit rows older than this, and */
	int64_t sample_before_ms; /* samples, may be removed; 0: none; set by the engine */
	size_t capacity;	  /* of the arrays of apps, rooms and marks: the number of commands */
	uint32_t app_number_next; /* loaded when needs_app_number */
	bool needs_app_number;
	bool app_number_used;
};

/* Room for the touches of `command_count` commands. */
void live_set_init(struct live_set *set, struct arena *arena, struct hash_key key, size_t command_count);
/* Adds what the command touches. */
void live_set_touch(struct live_set *set, const struct command *command);
/* NULL when it was not touched. */
struct live_app *live_set_app(const struct live_set *set, uint32_t sdkappid);
struct live_room *live_set_room(const struct live_set *set, uint32_t sdkappid, struct str room_id);
struct live_account *live_set_account(const struct live_set *set, uint32_t sdkappid, struct str name);
struct live_delivery *live_set_delivery(const struct live_set *set, int64_t id);
/* For stores: a loaded item, to be added in the order of names. Text must live as long as the set. */
void live_room_add_item(struct live_set *set, struct live_room *room, enum item_kind kind, struct live_item **last,
			struct live_item item);

/* Tells one callback URL from another. */
uint64_t live_callback_url_hash(const struct app_config *config);

/* Rules for stores, so that each writes the same difference. */
bool live_app_is_new(const struct live_app *app);  /* insert config and state */
bool live_app_is_gone(const struct live_app *app); /* delete the row of number_before */
/* For an app with pending_cancelled: its waiting callbacks with an id below this end as failed. */
int64_t live_app_cancel_below(const struct live_app *app);
bool live_room_is_new(const struct live_room *room);	 /* insert under id */
bool live_room_is_gone(const struct live_room *room);	 /* delete id_before, and all of its items */
bool live_room_is_changed(const struct live_room *room); /* update owner, visible and info under id */
/* Of an item of the room as it is now: insert or replace it under the room's id; delete it there. */
bool live_item_is_written(const struct live_room *room, const struct live_item *item);
bool live_item_is_gone(const struct live_room *room, const struct live_item *item);
bool live_account_is_written(const struct live_account *account); /* insert or replace */
/* What a callback is stored as that was marked so. */
enum callback_state live_mark_state(enum delivery_mark mark);
