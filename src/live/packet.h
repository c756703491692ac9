#pragma once
/* The bodies of the callbacks that rooms cause, beside the alert's (highwater/callback.h): field names and order are
 * the vendor's (documents 64422, 64423, 67938, 68222, 68223, 72553, 72554). Where a page's table and sample differ the
 * sample's form is written, and EventTime (milliseconds) is in every packet. What this backend has no notion of is there
 * as empty or 0: CustomInfo, BackgroundURL, ViewCount, Statistic.
 *
 * Each returns the text, which is the arena's. Threads: one at a time per arena. */
#include "live/set.h"

struct str packet_room_created(struct arena *arena, const struct command *command, const struct live_room *room);
/* Before the room is gone from the set. */
struct str packet_room_destroyed(struct arena *arena, const struct command *command, const struct live_room *room);
/* With the values after the update. */
struct str packet_room_updated(struct arena *arena, const struct command *command, const struct live_room *room);
struct str packet_owner_changed(struct arena *arena, const struct command *command, struct str previous_owner);
struct str packet_metadata_set(struct arena *arena, const struct command *command);
struct str packet_metadata_deleted(struct arena *arena, const struct command *command, const struct str *keys,
				   size_t count);
struct str packet_admins_modified(struct arena *arena, const struct command *command);
