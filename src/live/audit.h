#pragma once
/* The audit log: who changed what, and when. A row is part of the batch that makes the change, so that there is no
 * change without its row and no row without its change.
 *
 * Logged are the changes of an app's configuration, whoever makes them (the system too, when an endpoint answers 410),
 * and what somebody does to rooms through the management API. What app users and app admins do to rooms is their daily
 * work and is not. No row holds a secret: of keys and tokens it tells that they changed, of a URL not its query. */
#include "live/set.h"

#define AUDIT_ACTOR_BYTES_MAX (HW_IDENTIFIER_BYTES_MAX + 8)
#define AUDIT_DETAIL_BYTES_MAX 8192 /* always enough */

/* Adds the row of a command that succeeded, or nothing when it is of no kind that is logged. `before` is the app's
 * configuration before it, NULL when there was none; it may be the same as after it. */
void audit_note(struct live_set *set, const struct live_app *app, const struct app_config *before,
		const struct command *command);
