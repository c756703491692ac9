/* Numbers, times and the words of the API as people read them. Pure, but for the clock of the browser. */

const numbers = new Intl.NumberFormat("en");
const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clocks = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DAY_MS = 86400000;

export const number = (value) => numbers.format(value);
export const moment = (ms) => moments.format(ms);
/* For the axis of a chart whose width is `span` milliseconds. */
export const tick = (ms, span) => (span > DAY_MS * 1.5 ? days : clocks).format(ms);

/* Where the axis of a chart has its marks: whole hours or days of the local time. */
export function ticks(from, to) {
	const steps = [600000, 14400000, DAY_MS, 5 * DAY_MS];
	const step = steps.find((one) => (to - from) / one <= 8) ?? steps[3];
	const offset = new Date(to).getTimezoneOffset() * 60000;
	const found = [];
	for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) found.push(at);
	return found;
}

/* How long, in one or two units: "42 s", "3 min", "2 h", "5 d". */
export function span(ms) {
	const seconds = Math.max(0, Math.round(ms / 1000));
	if (seconds < 60) return `${seconds} s`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
	if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
	return `${Math.floor(seconds / 86400)} d`;
}

export function ago(ms, now = Date.now()) {
	if (ms > now + 2000) return `in ${span(ms - now)}`;
	return now - ms < 5000 ? "just now" : `${span(now - ms)} ago`;
}

/* A share of the maximum in percent; an app that may have no room is full. */
export const percent = (count, maximum) => (maximum > 0 ? (count / maximum) * 100 : 100);

export function percentText(count, maximum) {
	const value = percent(count, maximum);
	return `${value > 0 && value < 10 ? value.toFixed(1).replace(/\.0$/, "") : Math.floor(value)} %`;
}

/* "normal", "near" (at or above the lowest threshold) or "full". */
export function level(app) {
	if (app.RoomCount >= app.MaxRoomCount) return "full";
	const lowest = Math.min(...(app.Thresholds?.length ? app.Thresholds : [101]));
	return app.RoomCount * 100 >= lowest * app.MaxRoomCount ? "near" : "normal";
}

/* What is worth saying aloud of an app whose count has changed: that it is full, or has reached a threshold; else "". */
export function rise(before, after) {
	const reached = (app) =>
		Math.max(0, ...app.Thresholds.filter((one) => app.RoomCount * 100 >= one * app.MaxRoomCount));
	if (level(after) === "full") return level(before) === "full" ? "" : `App ${after.SdkAppid} is full`;
	const now = reached(after);
	return now > reached(before) ? `App ${after.SdkAppid} has reached ${now} % of its rooms` : "";
}

const ENDPOINT_WORDS = { ok: "OK", failing: "Failing", open: "Down", paused: "Paused" };

/* The endpoint of an app: a word for people and the tone of its badge. */
export function endpoint(app) {
	const state = app.Endpoint?.State ?? "ok";
	if (state === "paused")
		return { text: app.Endpoint.PauseReason === "gone" ? "Paused: 410 Gone" : "Paused", tone: "muted" };
	if (!app.CallbackUrl) return { text: "No URL", tone: "muted" };
	if (state !== "ok") return { text: ENDPOINT_WORDS[state] ?? state, tone: "bad" };
	if (app.CallbackPending > 0) return { text: "Sending", tone: "warn" };
	return { text: "OK", tone: "good" };
}

const STATES = {
	pending: ["Waiting", "warn", "Was never tried; its turn comes."],
	scheduled: ["Retrying", "warn", "An attempt failed, or it is replayed; the next attempt has a time."],
	in_flight: ["In flight", "warn", "A request is on its way."],
	parked: ["Parked", "warn", "Waits for its endpoint, which is paused or does not answer."],
	delivered: ["Delivered", "good", "The endpoint has taken it."],
	superseded: ["Superseded", "muted", "A newer alert of the same threshold took its place."],
	failed: ["Failed", "bad", "Its schedule is used up."],
};

export function callbackState(state) {
	const [text, tone, meaning] = STATES[state] ?? [state, "muted", ""];
	return { text, tone, meaning };
}

export const isFinal = (state) => state === "delivered" || state === "superseded" || state === "failed";

const COMMANDS = {
	"Live.CallbackAfterCreateRoomReachingThreshold": "Creating room reaches the threshold",
	"Live.CallbackAfterCreateRoom": "Room created",
	"Live.CallbackAfterDestroyRoom": "Room destroyed",
	"Live.CallbackAfterUpdateRoomInfo": "Room information changed",
	"Live.CallbackAfterSetMetadata": "Metadata set",
	"Live.CallbackAfterDelMetadata": "Metadata deleted",
	"Live.CallbackAfterChangeOwner": "Owner changed",
	"Live.CallbackAfterModifyAdmin": "Room admins changed",
};

/* The callback commands that this backend sends. */
export const SENT = Object.keys(COMMANDS);

/* A callback command for people; one that has no name is called what it is. */
export const commandName = (command) => COMMANDS[command] ?? command;

export const MODES = {
	every: "Every creation at or above a threshold",
	edge: "Once, when a threshold is reached",
	step: "At a threshold, then at each further step",
};
