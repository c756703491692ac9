/* What `highwater apply` prints; see apply_show.h. No secret is in it: of a token only that it is set. */
#include "cli/apply_show.h"

#include <inttypes.h>
#include <stdio.h>

#define APPLY_VALUE_BYTES_MAX 8192

/* ---- a step ---- */

static void apply_value_text(const json_t *value, struct buf *out)
{
	buf_reset(out);
	apply_append_value(value, out);
}

static void apply_print_field(const struct apply_step *step, unsigned field)
{
	const char *name = apply_field_name((enum apply_field)field);
	struct buf before;
	struct buf after;

	buf_init(&before, APPLY_VALUE_BYTES_MAX);
	buf_init(&after, APPLY_VALUE_BYTES_MAX);
	apply_value_text(json_object_get(step->before, name), &before);
	apply_value_text(step->app->wanted[field], &after);
	/* standard output is all there is, as everywhere here */
	if (before.len == 0)
		(void)printf("    + %s %s\n", name, after.len ? buf_c(&after) : "none");
	else if (after.len == 0)
		(void)printf("    - %s %s\n", name, buf_c(&before));
	else
		(void)printf("    ~ %s %s -> %s%s\n", name, buf_c(&before), buf_c(&after),
			     str_eq(buf_str(&before), buf_str(&after)) ? " (what differs is not shown)" : "");
	buf_fini(&before);
	buf_fini(&after);
}

static const char *apply_token_text(enum apply_token token)
{
	switch (token) {
	case APPLY_TOKEN_NEW:
		return "+ Token (is not shown)";
	case APPLY_TOKEN_OTHER:
		return "~ Token (is not shown)";
	case APPLY_TOKEN_UNKNOWN:
		return "~ Token (is not shown; the server's cannot be compared, so it is set)";
	case APPLY_TOKEN_SAME:
		break;
	}
	return "";
}

/* What keeps an app from being deleted, as far as was known at the beginning. */
static void apply_show_deletion(const struct apply_step *step)
{
	int64_t rooms = 0;
	int64_t waiting = 0;

	(void)json_field_i64(step->before, "RoomCount", 0, INT64_MAX, &rooms); /* stays 0, as the next */
	(void)json_field_i64(step->before, "CallbackPending", 0, INT64_MAX, &waiting);
	if (rooms || waiting)
		(void)printf("    it has %" PRId64 " rooms and %" PRId64
			     " waiting callbacks: the server refuses while there are any\n",
			     rooms, waiting);
}

void apply_show_step(const struct apply_step *step)
{
	static const char signs[] = {[APPLY_CREATE] = '+', [APPLY_CHANGE] = '~', [APPLY_DELETE] = '-'};

	if (step->action == APPLY_SAME)
		return;
	(void)printf("%c app %" PRIu32 "\n", signs[step->action], step->sdkappid);
	if (step->action == APPLY_DELETE)
		apply_show_deletion(step);
	for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++)
		if (step->differs[field])
			apply_print_field(step, field);
	if (step->token != APPLY_TOKEN_SAME)
		(void)printf("    %s\n", apply_token_text(step->token));
}

/* ---- sums ---- */

struct apply_sum {
	size_t created;
	size_t changed;
	size_t deleted;
	size_t same;
	size_t failed;
	size_t untried;
	bool made_keys; /* of apps that were created */
};

static void apply_count_done(const struct apply_step *step, struct apply_sum *sum)
{
	switch (step->action) {
	case APPLY_SAME:
		sum->same++;
		break;
	case APPLY_CREATE:
		sum->created++;
		sum->made_keys = sum->made_keys || step->app->key.len == 0;
		break;
	case APPLY_CHANGE:
		sum->changed++;
		break;
	case APPLY_DELETE:
		sum->deleted++;
		break;
	}
}

static struct apply_sum apply_count(const struct apply_plan *plan, bool dry_run)
{
	struct apply_sum sum = {0};

	for (size_t i = 0; i < plan->count; i++) {
		const struct apply_step *step = &plan->steps[i];

		if (dry_run || step->result == APPLY_DONE)
			apply_count_done(step, &sum);
		else if (step->result == APPLY_FAILED)
			sum.failed++;
		else
			sum.untried++;
	}
	return sum;
}

void apply_show_sum(const struct apply_plan *plan, bool dry_run)
{
	struct apply_sum sum = apply_count(plan, dry_run);

	/* standard output is all there is, as below */
	(void)printf("%s%zu created, %zu changed, %zu deleted, %zu as the file says",
		     dry_run ? "dry run, nothing was changed; would be: " : "", sum.created, sum.changed, sum.deleted,
		     sum.same);
	if (sum.failed)
		(void)printf(", %zu failed", sum.failed);
	if (sum.untried)
		(void)printf(", %zu not tried", sum.untried);
	(void)puts("");
	if (plan->kept_count)
		(void)printf("%zu of the server's apps are not in the file and stay; --prune deletes such apps\n",
			     plan->kept_count);
	if (sum.made_keys && !dry_run)
		(void)puts("The server made keys: `highwater app show SDKAPPID --reveal-key` shows them.");
}

/* ---- JSON ---- */

static json_t *apply_json_text(const json_t *value)
{
	struct buf text;
	json_t *result;

	if (!json_is_string(value))
		return value ? json_deep_copy(value) : json_null();
	buf_init(&text, APPLY_VALUE_BYTES_MAX);
	apply_append_value(value, &text);
	result = json_string(buf_c(&text));
	buf_fini(&text);
	return result;
}

static json_t *apply_json_changes(const struct apply_step *step)
{
	json_t *list = json_array();

	for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++) {
		const char *name = apply_field_name((enum apply_field)field);

		if (step->differs[field]) /* memory ends the process, as below */
			(void)json_array_append_new(
				list, json_pack("{s:s,s:o,s:o,s:b}", "Field", name, "Before",
						apply_json_text(json_object_get(step->before, name)), "After",
						apply_json_text(step->app->wanted[field]), "Done", step->done[field]));
	}
	if (step->token != APPLY_TOKEN_SAME)
		(void)json_array_append_new(list, json_pack("{s:s,s:n,s:n,s:b}", "Field", "Token", "Before", "After",
							    "Done", step->token_done));
	return list;
}

json_t *apply_show_json(const struct apply_plan *plan, bool dry_run)
{
	static const char *const actions[] = {"same", "create", "change", "delete"};
	static const char *const results[] = {"not tried", "done", "failed"};
	struct apply_sum sum = apply_count(plan, dry_run);
	json_t *list = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct apply_step *step = &plan->steps[i];

		(void)json_array_append_new(
			list, json_pack("{s:I,s:s,s:s,s:s,s:o}", "SdkAppid", (json_int_t)step->sdkappid, "Action",
					actions[step->action], "Result", dry_run ? "dry run" : results[step->result],
					"Error", step->error, "ChangeList", apply_json_changes(step)));
	}
	return json_pack("{s:b,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "DryRun", dry_run, "AppList", list, "Created",
			 (json_int_t)sum.created, "Changed", (json_int_t)sum.changed, "Deleted",
			 (json_int_t)sum.deleted, "Same", (json_int_t)sum.same, "Failed", (json_int_t)sum.failed,
			 "NotTried", (json_int_t)sum.untried, "Kept", (json_int_t)plan->kept_count);
}
