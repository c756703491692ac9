/* The history of the room count; see sample.h. */
#include "live/sample.h"

/* The sample of the minute that has ended. */
static void sample_add(struct live_set *set, const struct live_app *app, uint64_t count, uint32_t max)
{
	struct live_sample *sample = arena_new(set->arena, struct live_sample);

	*sample = (struct live_sample){
		.number = app->config->number,
		.minute_ms = app->state.minute_ms,
		.room_count = count,
		.room_count_highest = app->state.minute_highest,
		.room_count_max = max,
	};
	if (set->sample_last)
		set->sample_last->next = sample;
	else
		set->samples = sample;
	set->sample_last = sample;
}

static uint64_t sample_higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void sample_note(struct live_set *set, struct live_app *app, uint64_t count_before, uint32_t max_before, int64_t now_ms)
{
	struct app_state *state = &app->state;
	int64_t minute_ms = now_ms - now_ms % SAMPLE_MS;

	if (state->room_count == count_before && app->config->room_count_max == max_before)
		return;
	app->state_changed = true;
	if (minute_ms <= state->minute_ms && state->minute_ms - minute_ms < SAMPLE_STEP_MS) {
		state->minute_highest = sample_higher(state->minute_highest, state->room_count);
		return;
	}
	if (state->minute_ms) /* 0: nothing has changed yet */
		sample_add(set, app, count_before, max_before);
	state->minute_ms = minute_ms;
	state->minute_highest = sample_higher(count_before, state->room_count);
}
