/* Comparing the file with the server; see apply_plan.h. Both lists are sorted by SDKAppID and walked side by side. */
#include "cli/apply_plan.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void apply_step_compare(struct apply_step *step, json_t *before)
{
	if (step->before != before)
		json_decref(step->before);
	step->before = before;
	for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++) {
		const json_t *wanted = step->app->wanted[field];
		const json_t *is = json_object_get(before, apply_field_name((enum apply_field)field));

		step->differs[field] = wanted && !json_equal(wanted, is);
	}
	/* a new app has none, which needs no call */
	if (!before && step->differs[APPLY_CALLBACK_URL] &&
	    json_string_length(step->app->wanted[APPLY_CALLBACK_URL]) == 0)
		step->differs[APPLY_CALLBACK_URL] = false;
	if (!before && json_is_false(step->app->wanted[APPLY_TOKEN_ENABLE]))
		step->differs[APPLY_TOKEN_ENABLE] = false;
}

bool apply_step_needs_set(const struct apply_step *step)
{
	for (unsigned field = 0; field < APPLY_CALLBACK_URL; field++)
		if (step->differs[field])
			return true;
	return false;
}

bool apply_step_needs_callback(const struct apply_step *step)
{
	for (unsigned field = APPLY_CALLBACK_URL; field < APPLY_FIELD_COUNT; field++)
		if (step->differs[field])
			return true;
	return step->token != APPLY_TOKEN_SAME;
}

/* ---- the plan ---- */

static uint32_t plan_number(const json_t *app)
{
	int64_t number = 0;

	(void)json_field_i64(app, "SdkAppid", 0, UINT32_MAX, &number); /* stays 0, which no app has */
	return (uint32_t)number;
}

static int plan_compare_apps(const void *a, const void *b)
{
	uint32_t left = plan_number(*(json_t *const *)a);
	uint32_t right = plan_number(*(json_t *const *)b);

	return left < right ? -1 : left > right;
}

static struct apply_step *plan_add(struct apply_plan *plan, uint32_t sdkappid, const struct apply_app *app)
{
	struct apply_step *step = &plan->steps[plan->count++];

	step->sdkappid = sdkappid;
	step->app = app;
	return step;
}

/* An app of the server that the file does not name. */
static void plan_add_stranger(struct apply_plan *plan, json_t *is, bool prune)
{
	struct apply_step *step;

	if (!prune) {
		plan->kept_count++;
		return;
	}
	step = plan_add(plan, plan_number(is), NULL);
	step->action = APPLY_DELETE;
	step->before = json_incref(is);
}

static void plan_add_wanted(struct apply_plan *plan, const struct apply_app *app, json_t *is)
{
	struct apply_step *step = plan_add(plan, app->sdkappid, app);

	apply_step_compare(step, is ? json_incref(is) : NULL);
	if (!is)
		step->token = app->token.len ? APPLY_TOKEN_NEW : APPLY_TOKEN_SAME;
	if (!is)
		step->action = APPLY_CREATE;
	else
		step->action =
			apply_step_needs_set(step) || apply_step_needs_callback(step) ? APPLY_CHANGE : APPLY_SAME;
}

void apply_plan_make(const struct apply_file *file, const json_t *apps, bool prune, struct apply_plan *out)
{
	size_t app_count = json_array_size(apps);
	json_t **sorted = mem_zalloc((app_count + 1) * sizeof(json_t *));
	size_t at = 0;

	for (size_t i = 0; i < app_count; i++)
		sorted[i] = json_array_get(apps, i);
	qsort(sorted, app_count, sizeof(json_t *), plan_compare_apps);
	*out = (struct apply_plan){.steps = mem_zalloc((file->count + app_count + 1) * sizeof(struct apply_step))};
	for (size_t i = 0; i < file->count; i++) {
		while (at < app_count && plan_number(sorted[at]) < file->apps[i].sdkappid)
			plan_add_stranger(out, sorted[at++], prune);
		if (at < app_count && plan_number(sorted[at]) == file->apps[i].sdkappid)
			plan_add_wanted(out, &file->apps[i], sorted[at++]);
		else
			plan_add_wanted(out, &file->apps[i], NULL);
	}
	while (at < app_count)
		plan_add_stranger(out, sorted[at++], prune);
	mem_free(sorted);
}

void apply_plan_free(struct apply_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		json_decref(plan->steps[i].before);
	mem_free(plan->steps);
	*plan = (struct apply_plan){0};
}

/* ---- values ---- */

/* A query may hold a secret of the receiver. */
static void plan_append_text(const char *text, struct buf *out)
{
	const char *query = strchr(text, '?');

	buf_append(out, text, query ? (size_t)(query - text) : strlen(text));
	if (query)
		buf_append_c(out, "?...");
}

void apply_append_value(const json_t *value, struct buf *out)
{
	if (json_is_string(value)) {
		plan_append_text(json_string_value(value), out);
	} else if (json_is_integer(value)) {
		buf_append_i64(out, json_integer_value(value));
	} else if (json_is_boolean(value)) {
		buf_append_c(out, json_is_true(value) ? "true" : "false");
	} else if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			buf_append_c(out, i ? "," : "");
			apply_append_value(json_array_get(value, i), out);
		}
	}
}
