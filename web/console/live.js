/* What changes, as it changes: one EventSource for the whole console. While it is broken the browser opens it again, and
 * what may have been missed is told as "lost", so pages load their data again. When the backend gives no stream (all are
 * taken) the same is told every few seconds: the page is still right, only later. */

import { backend, showSession } from "./api.js";

const POLL_MS = 4000;
const AGAIN_MS = 15000;
const HIDDEN_MS = 10000;
const TYPES = ["app", "config", "callbacks", "lost"];

const listeners = new Map(TYPES.map((type) => [type, new Set()]));
let source = null;
let pollTimer = 0;
let againTimer = 0;
let hiddenTimer = 0;
let broken = false;
let started = false;
let onState = () => {};

/* Calls `heard(data)` for each event of that type, until the function that is given back is called. */
export function listen(type, heard) {
	listeners.get(type).add(heard);
	return () => listeners.get(type).delete(heard);
}

function tell(type, data) {
	for (const heard of [...listeners.get(type)]) heard(data);
}

function poll(on) {
	clearInterval(pollTimer);
	pollTimer = on ? setInterval(() => tell("lost", {}), POLL_MS) : 0;
}

function connect() {
	clearTimeout(againTimer);
	source?.close();
	source = new EventSource("/manage/v1/events");
	source.addEventListener("hello", () => {
		onState("live");
		poll(false);
		if (broken) tell("lost", {});
		broken = false;
	});
	for (const type of TYPES) source.addEventListener(type, (event) => tell(type, JSON.parse(event.data || "{}")));
	source.addEventListener("error", onError);
}

async function onError() {
	const mine = source;
	broken = true;
	if (!pollTimer) poll(true);
	onState("reconnecting");
	if (!mine || mine.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
	const session = await showSession().catch(() => undefined);
	if (mine !== source) return;
	if (session) onState("polling");
	if (session === null) {
		backend.dispatchEvent(new Event("ended")); // also for pages that ask for nothing by themselves
		return;
	}
	againTimer = setTimeout(connect, session ? AGAIN_MS : POLL_MS);
}

/* Begins; state(word) is told "live", "reconnecting" or "polling". */
export function startLive(state) {
	stopLive();
	onState = state;
	started = true;
	connect();
}

export function stopLive() {
	started = false;
	rest();
	broken = false;
}

function rest() {
	clearTimeout(againTimer);
	clearTimeout(hiddenTimer);
	poll(false);
	source?.close();
	source = null;
}

/* Browsers have six connections to one origin, for all tabs together: a tab that nobody sees gives its own back. */
document.addEventListener("visibilitychange", () => {
	clearTimeout(hiddenTimer);
	if (!started) return;
	if (document.hidden) {
		hiddenTimer = setTimeout(rest, HIDDEN_MS);
	} else if (!source) {
		broken = true;
		connect();
	}
});
backend.addEventListener("reachable", () => started && tell("lost", {}));
window.addEventListener("pagehide", rest);
window.addEventListener("pageshow", (event) => {
	if (!event.persisted || !started) return;
	broken = true;
	connect();
});
