#pragma once
/* What `highwater apply` prints: a step with its fields, the sums, all of it as JSON. Threads: the main thread. */
#include "cli/apply_plan.h"

/* "~ app 1400000001" and a line for each field that differs. Nothing for an app that is as it shall be. */
void apply_show_step(const struct apply_step *step);
/* The last lines. */
void apply_show_sum(const struct apply_plan *plan, bool dry_run);
/* For --json; owned by the caller. */
json_t *apply_show_json(const struct apply_plan *plan, bool dry_run);
