/* Figures of the apps; see figures.h.
 *
 * One array in the order of SDKAppIDs: a look copies its beginning, which is what a scrape wants, and an app is found by
 * halving. A new app moves those behind it, 48 bytes each, which for a hundred thousand is a millisecond. The sum is kept,
 * not made: what an app counted before is taken out, what it counts now is put in. */
#include "engine/figures.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define FIGURES_FIRST 64

struct figures_entry {
	struct figures_app app;
	bool has_url;
};

struct figures {
	pthread_mutex_t lock;
	struct figures_entry *entries; /* rising; under the lock, as the rest */
	size_t count;
	size_t capacity;
	struct figures_sum sum;
};

struct figures *figures_new(void)
{
	struct figures *figures = mem_zalloc(sizeof(*figures));
	int rc = pthread_mutex_init(&figures->lock, NULL);

	assert(rc == 0);
	return figures;
}

void figures_free(struct figures **figures)
{
	if (!*figures)
		return;
	(void)pthread_mutex_destroy(&(*figures)->lock); /* unlocked */
	mem_free((*figures)->entries);
	mem_free(*figures);
	*figures = NULL;
}

/* Puts the entry into the sum (1), or takes it out (-1, as what it is modulo 2^64). */
static void figures_count(struct figures_sum *sum, const struct figures_entry *entry, uint64_t sign)
{
	sum->app_count += sign;
	sum->room_count += sign * entry->app.room_count;
	sum->room_count_max += sign * entry->app.room_count_max;
	sum->callback_pending += sign * entry->app.callback_pending;
	sum->near_count += sign * entry->app.is_near;
	sum->full_count += sign * entry->app.is_full;
	sum->waiting_count += sign * (entry->app.callback_pending > 0);
	sum->endpoint_count[entry->app.endpoint] += sign * entry->has_url;
}

/* Index of the first app that is not below. */
static size_t figures_find(const struct figures *figures, uint32_t sdkappid)
{
	size_t low = 0;
	size_t high = figures->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (figures->entries[middle].app.sdkappid < sdkappid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool figures_has(const struct figures *figures, size_t at, uint32_t sdkappid)
{
	return at < figures->count && figures->entries[at].app.sdkappid == sdkappid;
}

static void figures_grow(struct figures *figures)
{
	size_t capacity = figures->capacity ? figures->capacity * 2 : FIGURES_FIRST;
	struct figures_entry *grown = mem_zalloc(capacity * sizeof(*grown));

	if (figures->count)
		memcpy(grown, figures->entries, figures->count * sizeof(*grown));
	mem_free(figures->entries);
	figures->entries = grown;
	figures->capacity = capacity;
}

/* Under the lock. */
static void figures_put(struct figures *figures, const struct figures_entry *entry)
{
	size_t at = figures_find(figures, entry->app.sdkappid);

	if (figures_has(figures, at, entry->app.sdkappid)) {
		figures_count(&figures->sum, &figures->entries[at], UINT64_MAX);
	} else {
		if (figures->count == figures->capacity)
			figures_grow(figures);
		memmove(&figures->entries[at + 1], &figures->entries[at],
			(figures->count - at) * sizeof(*figures->entries));
		figures->count++;
	}
	figures->entries[at] = *entry;
	figures_count(&figures->sum, entry, 1);
}

static void figures_remove(struct figures *figures, uint32_t sdkappid)
{
	size_t at = figures_find(figures, sdkappid);

	if (!figures_has(figures, at, sdkappid))
		return;
	figures_count(&figures->sum, &figures->entries[at], UINT64_MAX);
	figures->count--;
	memmove(&figures->entries[at], &figures->entries[at + 1], (figures->count - at) * sizeof(*figures->entries));
}

static struct figures_entry figures_entry_of(const struct app_config *config, const struct app_state *state)
{
	return (struct figures_entry){.app = {.sdkappid = config->sdkappid,
					      .room_count_max = config->room_count_max,
					      .room_count = state->room_count,
					      .callback_pending = state->callback_pending,
					      .alert_level = state->alert_level,
					      .is_near = state->room_count * 100 >=
							 (uint64_t)config->alert.thresholds[0] * config->room_count_max,
					      .is_full = state->room_count >= config->room_count_max,
					      .endpoint = endpoint_state_of(config->pause, state->endpoint.failures)},
				      .has_url = config->callback_set};
}

void figures_set(struct figures *figures, const struct app_config *config, const struct app_state *state)
{
	struct figures_entry entry = figures_entry_of(config, state);

	pthread_mutex_lock(&figures->lock);
	figures_put(figures, &entry);
	pthread_mutex_unlock(&figures->lock);
}

void figures_take(struct figures *figures, const struct live_set *set)
{
	pthread_mutex_lock(&figures->lock);
	for (size_t i = 0; i < set->app_count; i++) {
		const struct live_app *app = set->apps[i];

		if (app->exists && (app->config_changed || app->state_changed)) {
			struct figures_entry entry = figures_entry_of(app->config, &app->state);

			figures_put(figures, &entry);
		} else if (!app->exists && app->exists_before) {
			figures_remove(figures, app->sdkappid);
		}
	}
	pthread_mutex_unlock(&figures->lock);
}

size_t figures_list(struct figures *figures, struct figures_app *apps_out, size_t limit, struct figures_sum *sum_out)
{
	size_t count;

	pthread_mutex_lock(&figures->lock);
	count = figures->count < limit ? figures->count : limit;
	for (size_t i = 0; i < count; i++)
		apps_out[i] = figures->entries[i].app;
	*sum_out = figures->sum;
	pthread_mutex_unlock(&figures->lock);
	return count;
}
