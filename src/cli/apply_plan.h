#pragma once
/* What `highwater apply` would do: one step per app, with the fields that differ. Pure but for the secrets it is told of.
 * Threads: the main thread. */
#include "cli/apply_file.h"

enum apply_action { APPLY_SAME, APPLY_CREATE, APPLY_CHANGE, APPLY_DELETE };
enum apply_result {
	APPLY_PLANNED, /* nothing was done yet */
	APPLY_DONE,
	APPLY_FAILED, /* `error` says why; of a change some fields may be done */
};

/* How the wanted token compares with the server's. */
enum apply_token {
	APPLY_TOKEN_SAME, /* or none is wanted */
	APPLY_TOKEN_NEW,  /* the server has none */
	APPLY_TOKEN_OTHER,
	APPLY_TOKEN_UNKNOWN /* the server's cannot be asked for: it is set */
};

struct apply_step {
	uint32_t sdkappid;
	enum apply_action action;
	enum apply_result result;
	const struct apply_app *app; /* borrowed; NULL of a deletion */
	json_t *before;		     /* owned, the app as the server had it; NULL of a creation */
	bool differs[APPLY_FIELD_COUNT];
	bool done[APPLY_FIELD_COUNT]; /* of those */
	enum apply_token token;
	bool token_done;
	char error[640];
};

struct apply_plan {
	struct apply_step *steps;
	size_t count;
	size_t kept_count; /* apps of the server that are not in the file and stay */
};

/* `apps` is the server's list (as app_list has it, all pages) by rising SDKAppID, `file` outlives the plan. With `prune`
 * apps that are not in the file are to be deleted. */
void apply_plan_make(const struct apply_file *file, const json_t *apps, bool prune, struct apply_plan *out);
void apply_plan_free(struct apply_plan *plan);
/* Which fields differ between what the step wants and `before`, which it takes over (NULL for none). */
void apply_step_compare(struct apply_step *step, json_t *before);

/* Does any field of app_set, or of callback_set (the token too), differ? */
bool apply_step_needs_set(const struct apply_step *step);
bool apply_step_needs_callback(const struct apply_step *step);

/* A value for people and for --json: lists with commas, no query of a URL. */
void apply_append_value(const json_t *value, struct buf *out);
