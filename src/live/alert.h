#pragma once
/* When to warn: pure rules over counts.
 *
 * A line is a percentage. It is reached when count > 0 and count * 100 >= line * max, in 64-bit integers: "at or
 * above", the room just created included. So with max 1 the first room reaches every line; with max 2 the first room
 * reaches lines up to 50; with max 3 it takes three rooms to reach 70; with max 0 any room that is still there reaches
 * all.
 *
 * Lines are the policy's thresholds and, in mode step, also lowest + step, lowest + 2 * step and so on up to 100.
 * The state is one number, the level: the highest line that has alerted and is not yet re-armed. Lines above the level
 * are armed. The level falls to the next lower line while count * 100 < (level - margin) * max, and to 0 at count 0.
 *
 * every: each creation that leaves the count at a reached line alerts (the literal reading of the vendor's page).
 * edge, step: a creation that reaches a line above the level alerts.
 * All modes: a change of maximum or policy that reaches a line above the level alerts; an app whose maximum was lowered
 * to its count would otherwise be full without having been told. One event makes at most one alert, for the highest
 * line it reached. */
#include "live/app.h"

/* True when `line` percent of `max` is reached by `count`. Both at most 2^56. */
bool alert_reached(uint64_t count, uint64_t max, unsigned line);

/* The highest line that is reached, or 0. */
unsigned alert_highest(const struct alert_policy *policy, uint64_t count, uint64_t max);

/* The level after re-arming: call after each change of count, maximum or policy. */
uint8_t alert_rearm(const struct alert_policy *policy, uint8_t level, uint64_t count, uint64_t max);

/* The line to alert for, or 0 for none. `created`: a room was just created and is in `count`; false when the maximum or
 * the policy changed. The caller sets the level to the answer when it really sends the alert, not before: an app that
 * has no callback switched on keeps its lines armed. */
unsigned alert_decide(const struct alert_policy *policy, uint8_t level, uint64_t count, uint64_t max, bool created);
