#pragma once
/* What operators watch of every app, in memory: the writer keeps it after each batch, so that a look at thousands of apps
 * costs no read of the store and does not depend on how many rooms there are. Threads: any; figures_set and figures_take
 * are the writer's. */
#include "live/set.h"

struct figures;

struct figures_app {
	uint32_t sdkappid;
	uint32_t room_count_max;
	uint64_t room_count;
	uint64_t callback_pending;
	uint8_t alert_level; /* percent of the highest line that has alerted and is not re-armed; 0 for none */
	bool is_near;	     /* at or above its lowest threshold */
	bool is_full;	     /* at or above its maximum */
	enum endpoint_state endpoint;
};

#define FIGURES_ENDPOINT_COUNT (ENDPOINT_PAUSED + 1)

/* Over all apps. */
struct figures_sum {
	uint64_t app_count;
	uint64_t room_count;
	uint64_t room_count_max;
	uint64_t callback_pending;
	uint64_t near_count; /* apps, as all that follows; full ones are near, too */
	uint64_t full_count;
	uint64_t waiting_count;				 /* with waiting callbacks */
	uint64_t endpoint_count[FIGURES_ENDPOINT_COUNT]; /* with a callback URL, by enum endpoint_state */
};

struct figures *figures_new(void);
/* Accepts NULL. */
void figures_free(struct figures **figures);
/* The app is as it says. */
void figures_set(struct figures *figures, const struct app_config *config, const struct app_state *state);
/* Takes over what a stored batch did to its apps. */
void figures_take(struct figures *figures, const struct live_set *set);
/* The first `limit` apps by SDKAppID, and the sum over all. Returns how many. */
size_t figures_list(struct figures *figures, struct figures_app *apps_out, size_t limit, struct figures_sum *sum_out);
