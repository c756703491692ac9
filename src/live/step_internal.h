#pragma once
/* What the files of the step share; see step.h. */
#include "live/step.h"

/* The command's answer. */
void PRINTF_LIKE(3, 4) step_answer(struct command *command, int code, const char *format, ...);
/* The command succeeded. */
void step_ok(struct command *command, const struct live_app *app);
/* Stores a callback with the batch; its switch must be on. `body` must live as long as the set. */
void step_add_callback(struct live_set *set, struct live_app *app, const struct command *command,
		       enum hw_callback which, struct str body, unsigned threshold);
/* Adds an alert for `line` percent, 0 for a test. Returns false, and leaves the line armed, when the app has it not
 * switched on. */
bool step_add_alert(struct live_set *set, struct live_app *app, const struct command *command,
		    struct str operator_account, unsigned line);
/* Delivery shall be told of the app when the batch is stored. */
void step_wake(struct live_app *app, enum delivery_wake wake);
/* A copy of the configuration, in the arena. */
struct app_config *step_copy(struct live_set *set, const struct live_app *app);
/* The same, as the app's configuration from now on. */
struct app_config *step_edit(struct live_set *set, struct live_app *app);
/* Makes `config` the app's when it is in bounds as a whole. Returns 0, or -1 with the answer given. */
MUST_CHECK int step_use(struct live_app *app, const struct app_config *config, struct command *command);
/* Looks at the alert policy after the count or the configuration has changed. */
void step_evaluate_alert(struct live_set *set, struct live_app *app, const struct command *command, bool created);

typedef void step_function(struct live_set *set, struct live_app *app, struct command *command);

/* step_delivery.c */
step_function step_delivery_mark;
step_function step_callback_pause;
step_function step_callback_resume;
step_function step_callback_test;
step_function step_callback_replay;
step_function step_secret_rotate;
step_function step_secret_revoke;
step_function step_certificate_set;
step_function step_certificate_delete;
/* step_room.c */
step_function step_room_create;
step_function step_room_destroy;
step_function step_room_update;
step_function step_owner_change;
/* step_item.c */
step_function step_metadata_set;
step_function step_metadata_delete;
step_function step_members_add;
step_function step_members_remove;
step_function step_account_import;

/* The room of the command, or NULL when it does not exist: then the command is answered. */
struct live_room *step_need_room(const struct live_set *set, struct command *command);
/* May whoever sent the command change the room's properties and metadata? Else the command is answered. An app admin
 * may, the room's owner and its admins; their list must have been loaded. */
bool step_check_editor(struct live_room *room, struct command *command);
/* Is `name` an account of the app, or does it become one by this use? An app admin always may. Else, when the
 * app requires accounts to be imported, the command is answered. Look first, then use. */
bool step_check_account(const struct live_set *set, const struct live_app *app, struct command *command,
			struct str name);
void step_use_account(struct live_set *set, const struct live_app *app, const struct command *command, struct str name);
/* The item of that name, also one that was deleted in this batch; NULL when there was none. */
struct live_item *step_find_item(const struct live_room *room, enum item_kind kind, struct str name);
