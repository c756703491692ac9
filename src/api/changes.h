#pragma once
/* What has changed of the apps, for who wants to hear of it as it happens: of each app and kind of change only the
 * newest, in the order in which they came.
 *
 * The writer notes what a batch has done, at the price of one atomic load when nobody listens; readers each remember how
 * far they have read. Memory is bounded: when too much has changed since a reader last looked, the oldest is dropped
 * and he is told. Threads: any, but for new and free. */
#include "live/app.h"
#include "live/set.h"

#define CHANGES_COUNT_MAX 8192

enum change_kind {
	CHANGE_APP,	  /* the numbers below are new; the app exists */
	CHANGE_CONFIG,	  /* its configuration is, or it came or went */
	CHANGE_CALLBACKS, /* a callback of it was made, or changed its state */
};

struct change {
	enum change_kind kind;
	uint32_t sdkappid;
	/* of CHANGE_APP */
	uint32_t room_count_max;
	uint64_t room_count;
	uint64_t callback_pending;
	uint8_t alert_level; /* percent */
	enum endpoint_state endpoint;
};

struct changes;

struct changes *changes_new(void);
/* Nobody may listen any more. Accepts NULL. */
void changes_free(struct changes **changes);

/* What a stored batch has done. Never blocks for long: readers hold the lock while they copy a few hundred changes. */
void changes_note(struct changes *changes, const struct live_set *set);

/* From now on changes are noted; writes how far the listener has read: up to here. */
void changes_listen(struct changes *changes, uint64_t *seen_out);
void changes_leave(struct changes *changes);
/* Gives at most `count_max` changes that came after `seen`, the oldest first, and moves `seen` on. `lost_out`: some were
 * dropped; then none is given and `seen` stands at the end, so whatever is looked up after this call is not older. */
size_t changes_read(struct changes *changes, uint64_t *seen, struct change *out, size_t count_max, bool *lost_out);
