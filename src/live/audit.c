/* The audit log; see audit.h. The details are written for whoever reads them, not to be parsed. */
#include "live/audit.h"
#include "base/buf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What a change is, from the configuration before it and after it. NULL: there was none. */
struct audit_change {
	const struct command *command;
	const struct app_config *before;
	const struct app_config *after;
	const struct live_app *app;
};

typedef void audit_detail(struct buf *out, const struct audit_change *change);

/* ---- parts of details ---- */

/* Begins the next part. */
static void audit_part(struct buf *out)
{
	if (out->len)
		buf_append_c(out, "; ");
}

static void audit_number(struct buf *out, const char *what, uint64_t before, uint64_t after)
{
	if (before == after)
		return;
	audit_part(out);
	buf_printf(out, "%s %" PRIu64 " -> %" PRIu64, what, before, after);
}

static void audit_switch(struct buf *out, const char *what, bool before, bool after)
{
	if (before == after)
		return;
	audit_part(out);
	buf_printf(out, "%s %s", what, after ? "on" : "off");
}

static void audit_append_thresholds(struct buf *out, const struct alert_policy *policy)
{
	for (unsigned i = 0; i < policy->threshold_count; i++)
		buf_printf(out, "%s%u", i ? "," : "", policy->thresholds[i]);
}

static void audit_append_admins(struct buf *out, const struct app_config *config)
{
	for (unsigned i = 0; i < config->admin_count; i++)
		buf_printf(out, "%s%s", i ? "," : "", config->admins[i]);
	if (config->admin_count == 0)
		buf_append_c(out, "none");
}

/* A query may hold a secret of the receiver's: it is not shown. */
static void audit_append_url(struct buf *out, const char *url)
{
	const char *query = strchr(url, '?');

	buf_append(out, url, query ? (size_t)(query - url) : strlen(url));
	if (query)
		buf_append_c(out, "?...");
}

static void audit_append_commands(struct buf *out, uint32_t commands)
{
	bool first = true;

	for (unsigned i = 0; i < HW_CALLBACK_COUNT; i++) {
		if (!(commands >> i & 1))
			continue;
		buf_append_c(out, first ? "" : ",");
		buf_append_c(out, hw_callback_word((enum hw_callback)i));
		first = false;
	}
	if (first)
		buf_append_c(out, "none");
}

static bool audit_same_policy(const struct alert_policy *a, const struct alert_policy *b)
{
	return a->threshold_count == b->threshold_count &&
	       memcmp(a->thresholds, b->thresholds, a->threshold_count * sizeof(a->thresholds[0])) == 0;
}

static bool audit_same_admins(const struct app_config *a, const struct app_config *b)
{
	if (a->admin_count != b->admin_count)
		return false;
	for (unsigned i = 0; i < a->admin_count; i++)
		if (strcmp(a->admins[i], b->admins[i]) != 0)
			return false;
	return true;
}

/* ---- the details of each kind ---- */

static void audit_app_create(struct buf *out, const struct audit_change *change)
{
	const struct app_config *config = change->after;

	buf_printf(out, "maximum %" PRIu32 "; mode %s; thresholds ", config->room_count_max,
		   alert_mode_word(config->alert.mode));
	audit_append_thresholds(out, &config->alert);
	buf_append_c(out, "; admins ");
	audit_append_admins(out, config);
}

static void audit_app_set_alert(struct buf *out, const struct alert_policy *before, const struct alert_policy *after)
{
	if (before->mode != after->mode) {
		audit_part(out);
		buf_printf(out, "mode %s -> %s", alert_mode_word(before->mode), alert_mode_word(after->mode));
	}
	if (!audit_same_policy(before, after)) {
		audit_part(out);
		buf_append_c(out, "thresholds ");
		audit_append_thresholds(out, before);
		buf_append_c(out, " -> ");
		audit_append_thresholds(out, after);
	}
	audit_number(out, "re-arm margin", before->rearm_margin, after->rearm_margin);
	audit_number(out, "step", before->step_percent, after->step_percent);
}

static void audit_app_set(struct buf *out, const struct audit_change *change)
{
	const struct app_config *before = change->before;
	const struct app_config *after = change->after;

	audit_number(out, "maximum", before->room_count_max, after->room_count_max);
	audit_app_set_alert(out, &before->alert, &after->alert);
	if (change->command->u.app_set.fields & APP_FIELD_KEY) {
		audit_part(out);
		buf_printf(out, "key %" PRIu32 " in place of all", after->keys.list[0].id);
	}
	if (!audit_same_admins(before, after)) {
		audit_part(out);
		buf_append_c(out, "admins ");
		audit_append_admins(out, before);
		buf_append_c(out, " -> ");
		audit_append_admins(out, after);
	}
	audit_switch(out, "callback overwrite", before->callback_overwrite, after->callback_overwrite);
	audit_switch(out, "accounts required", before->accounts_required, after->accounts_required);
	if (out->len == 0)
		buf_append_c(out, "nothing changed");
}

static void audit_app_delete(struct buf *out, const struct audit_change *change)
{
	if (change->app->state.callback_pending)
		buf_printf(out, "forced: %" PRIu64 " waiting callbacks given up", change->app->state.callback_pending);
}

static void audit_rotated(struct buf *out, const char *what, uint32_t id, int64_t overlap_ms)
{
	buf_printf(out, "%s %" PRIu32 " made; earlier ones end in %" PRId64 " s", what, id, overlap_ms / 1000);
}

static void audit_key_rotate(struct buf *out, const struct audit_change *change)
{
	audit_rotated(out, "key", change->command->key_id, change->command->u.key_rotate.overlap_ms);
}

static void audit_key_revoke(struct buf *out, const struct audit_change *change)
{
	buf_printf(out, "key %" PRIu32, change->command->u.key_revoke.key_id);
}

static const char *audit_secret_word(bool private_key)
{
	return private_key ? "private key" : "secret";
}

static void audit_secret_rotate(struct buf *out, const struct audit_change *change)
{
	audit_rotated(out, audit_secret_word(change->command->u.secret_rotate.private_key), change->command->key_id,
		      change->command->u.secret_rotate.overlap_ms);
}

static void audit_secret_revoke(struct buf *out, const struct audit_change *change)
{
	buf_printf(out, "%s %" PRIu32, audit_secret_word(change->command->u.secret_revoke.private_key),
		   change->command->u.secret_revoke.id);
}

static void audit_token(struct buf *out, const struct token_change *token, const struct audit_change *change)
{
	if (token->has_token) {
		audit_part(out);
		buf_append_c(out, "token given");
	}
	audit_switch(out, "Sign", change->before->token_enabled, change->after->token_enabled);
}

static void audit_callback_set(struct buf *out, const struct audit_change *change)
{
	const struct app_config *before = change->before;
	const struct app_config *after = change->after;

	if (strcmp(before->callback_url, after->callback_url) != 0) {
		buf_append_c(out, "URL ");
		if (before->callback_set) {
			audit_append_url(out, before->callback_url);
			buf_append_c(out, " -> ");
		}
		audit_append_url(out, after->callback_url);
	}
	if (before->callback_commands != after->callback_commands) {
		audit_part(out);
		buf_append_c(out, "switched on ");
		audit_append_commands(out, after->callback_commands);
	}
	audit_token(out, &change->command->u.callback.token, change);
	if (out->len == 0)
		buf_append_c(out, "nothing changed");
}

static void audit_callback_delete(struct buf *out, const struct audit_change *change)
{
	if (!change->before->callback_set) {
		buf_append_c(out, "nothing changed");
		return;
	}
	buf_append_c(out, "URL was ");
	audit_append_url(out, change->before->callback_url);
}

static void audit_token_set(struct buf *out, const struct audit_change *change)
{
	audit_token(out, &change->command->u.token, change);
}

static void audit_callback_test(struct buf *out, const struct audit_change *change)
{
	buf_printf(out, "callback %" PRIu64, app_id_sequence(change->command->callback_id));
}

static void audit_callback_replay(struct buf *out, const struct audit_change *change)
{
	buf_printf(out, "%" PRIu64 " callbacks wait again", change->command->count);
}

static void audit_room(struct buf *out, const struct audit_change *change)
{
	buf_append_c(out, "room ");
	buf_append_str(out, change->command->room_id);
}

static void audit_nothing(struct buf *out, const struct audit_change *change)
{
	(void)out;
	(void)change; /* the action says it all */
}

static void audit_gone(struct buf *out, const struct audit_change *change)
{
	buf_append_c(out, "the endpoint answered 410: ");
	audit_append_url(out, change->after->callback_url);
}

struct audit_kind {
	const char *action;   /* NULL: not logged */
	bool when_managed;    /* only when it came through the management API */
	audit_detail *detail; /* called with a configuration before and after, but for the creation of an app */
};

static const struct audit_kind audit_kinds[] = {
	[COMMAND_APP_CREATE] = {"app_create", false, audit_app_create},
	[COMMAND_APP_SET] = {"app_set", false, audit_app_set},
	[COMMAND_APP_DELETE] = {"app_delete", false, audit_app_delete},
	[COMMAND_KEY_ROTATE] = {"app_key_rotate", false, audit_key_rotate},
	[COMMAND_KEY_REVOKE] = {"app_key_revoke", false, audit_key_revoke},
	[COMMAND_CALLBACK_SET] = {"callback_set", false, audit_callback_set},
	[COMMAND_CALLBACK_UPDATE] = {"callback_set", false, audit_callback_set},
	[COMMAND_CALLBACK_DELETE] = {"callback_clear", false, audit_callback_delete},
	[COMMAND_TOKEN_SET] = {"token_set", false, audit_token_set},
	[COMMAND_ROOM_CREATE] = {"room_create", true, audit_room},
	[COMMAND_ROOM_DESTROY] = {"room_destroy", true, audit_room},
	[COMMAND_ROOM_UPDATE] = {"room_update", true, audit_room},
	[COMMAND_OWNER_CHANGE] = {"room_owner", true, audit_room},
	[COMMAND_METADATA_SET] = {"room_metadata_set", true, audit_room},
	[COMMAND_METADATA_DELETE] = {"room_metadata_delete", true, audit_room},
	[COMMAND_MEMBERS_ADD] = {"room_members_add", true, audit_room},
	[COMMAND_MEMBERS_REMOVE] = {"room_members_remove", true, audit_room},
	[COMMAND_ACCOUNT_IMPORT] = {"account_import", true, audit_nothing},
	[COMMAND_DELIVERY_MARK] = {NULL, false, NULL}, /* see audit_find */
	[COMMAND_CALLBACK_PAUSE] = {"callback_pause", false, audit_nothing},
	[COMMAND_CALLBACK_RESUME] = {"callback_resume", false, audit_nothing},
	[COMMAND_CALLBACK_TEST] = {"callback_test", false, audit_callback_test},
	[COMMAND_CALLBACK_REPLAY] = {"callback_replay", false, audit_callback_replay},
	[COMMAND_SECRET_ROTATE] = {"app_secret_rotate", false, audit_secret_rotate},
	[COMMAND_SECRET_REVOKE] = {"app_secret_revoke", false, audit_secret_revoke},
	[COMMAND_CERTIFICATE_SET] = {"app_certificate_set", false, audit_nothing},
	[COMMAND_CERTIFICATE_DELETE] = {"app_certificate_delete", false, audit_nothing},
};

/* How to log it; NULL: not at all. The one thing a mark changes in a configuration is a pause. */
static const struct audit_kind *audit_find(const struct audit_change *change)
{
	static const struct audit_kind gone = {"callback_pause", false, audit_gone};
	const struct audit_kind *kind = &audit_kinds[change->command->type];

	if (change->command->type == COMMAND_DELIVERY_MARK)
		return change->before->pause != change->after->pause ? &gone : NULL;
	return kind->action && (!kind->when_managed || change->command->origin.actor.len) ? kind : NULL;
}

/* An app admin is named so that nobody can call himself as the management API's users are called. */
static struct str audit_actor(struct arena *arena, const struct command *command)
{
	char text[AUDIT_ACTOR_BYTES_MAX + 1] = "admin:";
	size_t prefix = strlen(text);

	if (command->type == COMMAND_DELIVERY_MARK)
		return STR("system");
	if (command->origin.actor.len)
		return arena_dup(arena, command->origin.actor);
	(void)str_copy(text + prefix, sizeof(text) - prefix, command->origin.operator_account); /* checked by the API */
	return arena_dup(arena, str_c(text));
}

static int64_t audit_time(const struct command *command)
{
	return command->type == COMMAND_DELIVERY_MARK ? command->u.delivery.attempt_ms : command->origin.wall_ms;
}

void audit_note(struct live_set *set, const struct live_app *app, const struct app_config *before,
		const struct command *command)
{
	struct audit_change change = {command, before, app->config, app};
	const struct audit_kind *kind = audit_find(&change);
	struct live_audit *audit;
	struct buf detail;

	if (!kind)
		return;
	buf_init(&detail, AUDIT_DETAIL_BYTES_MAX);
	kind->detail(&detail, &change);
	assert(buf_ok(&detail));
	audit = arena_new(set->arena, struct live_audit);
	*audit = (struct live_audit){
		.sdkappid = app->sdkappid,
		.time_ms = audit_time(command),
		.actor = audit_actor(set->arena, command),
		.client_ip = arena_dup(set->arena, command->origin.client_ip),
		.action = str_c(kind->action),
		.detail = arena_dup(set->arena, buf_str(&detail)),
	};
	buf_fini(&detail);
	if (set->audit_last)
		set->audit_last->next = audit;
	else
		set->audits = audit;
	set->audit_last = audit;
}
