/* Callbacks and what became of them, of one app or of all: the list, its filter and its pages. */

import { call } from "./api.js";
import { openDialog } from "./dialog.js";
import { openDelivery, replay } from "./delivery.js";
import { callbackState, isFinal, number, commandName } from "./format.js";
import { listen } from "./live.js";
import {
	badge,
	button,
	el,
	empty,
	failed,
	field,
	form,
	loading,
	notice,
	noticeError,
	options,
	pager,
	redraw,
	released,
	replace,
	table,
	when,
} from "./ui.js";

const ALERT = "Live.CallbackAfterCreateRoomReachingThreshold"; // one without a threshold is a test
const COUNT = 50;
const RELOAD_MS = 700;
const EMPTY_PAGES_MAX = 5;
const STATES = [
	["", "All"],
	["waiting", "Waiting"],
	["failed", "Failed"],
	["superseded", "Superseded"],
	["delivered", "Delivered"],
];
const TIMES = [
	[0, "Any time"],
	[3600000, "Last hour"],
	[86400000, "Last day"],
	[604800000, "Last week"],
];

function outcome(row) {
	if (row.Error) return el("span", { class: "outcome" }, row.HttpStatus ? `HTTP ${row.HttpStatus}: ` : "", row.Error);
	if (row.HttpStatus) return `HTTP ${row.HttpStatus}`;
	return el("span", { class: "faint" }, row.Attempts ? "" : "not tried yet");
}

function command(row) {
	const name = el("span", { title: row.CallbackCommand }, commandName(row.CallbackCommand));
	if (row.Threshold) return [name, " ", badge({ text: `${row.Threshold} %`, tone: "warn" })];
	return row.CallbackCommand === ALERT ? [name, " ", badge({ text: "test", tone: "muted" })] : name;
}

export class Deliveries {
	/* page as of main.js; sdkappid 0 for all apps. */
	constructor(page, sdkappid) {
		this.page = page;
		this.sdkappid = sdkappid;
		this.state = STATES.some(([one]) => one === page.query.get("state")) ? page.query.get("state") : "";
		this.since = 0;
		this.cursors = [""];
		this.serial = 0;
		this.timer = 0;
		this.drawn = false;
		this.list = el("div", {}, loading("Loading callbacks"));
		this.paging = el("nav", { class: "paging", "aria-label": "Pages of callbacks" });
	}

	/* What is on the page; goes on to load it. */
	elements(...tools) {
		const state = field({ label: "State", name: "state", tag: "select", children: options(STATES, this.state) });
		const time = field({ label: "Event", name: "time", tag: "select", children: options(TIMES, 0) });
		const changed = () => {
			this.state = state.querySelector("select").value;
			const length = Number(time.querySelector("select").value);
			this.since = length ? Date.now() - length : 0;
			this.cursors = [""];
			this.load();
		};
		state.addEventListener("change", changed);
		time.addEventListener("change", changed);
		for (const type of ["callbacks", "lost"]) {
			this.page.onLeave(
				listen(type, (event) => {
					if (type === "lost" || !this.sdkappid || event.SdkAppid === this.sdkappid) this.soon();
				}),
			);
		}
		this.page.onLeave(() => clearTimeout(this.timer));
		this.load();
		return [
			el("div", { class: "tools" }, state, time, el("div", { class: "push form-end" }, tools)),
			this.list,
			this.paging,
		];
	}

	soon() {
		this.timer ||= setTimeout(() => {
			this.timer = 0;
			if (this.page.alive()) this.load();
		}, RELOAD_MS);
	}

	/* A page of rows; goes on past pages in which nothing matches. */
	async fetchPage() {
		let next = this.cursors[this.cursors.length - 1];
		for (let at = 0; ; at++) {
			const found = await call("callback_list", {
				...(this.sdkappid ? { SdkAppid: this.sdkappid } : {}),
				...(this.state ? { State: this.state } : {}),
				...(this.since ? { Since: this.since } : {}),
				Next: next,
				Count: COUNT,
			});
			if (found.CallbackList.length || !found.Next || at === EMPTY_PAGES_MAX) return found;
			next = found.Next;
		}
	}

	async load() {
		const serial = ++this.serial;
		try {
			const found = await this.fetchPage();
			await released();
			if (serial === this.serial && this.page.alive()) this.draw(found);
		} catch (error) {
			if (serial !== this.serial || !this.page.alive() || error.kind === "ended") return;
			if (!this.drawn)
				replace(
					this.list,
					failed(error, () => this.load()),
				);
		}
	}

	row(one) {
		const name = `callback ${one.Sequence} of app ${one.SdkAppid}`;
		return [
			when(one.EventTime),
			this.sdkappid ? null : el("a", { href: `#/app/${one.SdkAppid}/deliveries` }, String(one.SdkAppid)),
			command(one),
			badge(callbackState(one.State)),
			number(one.Attempts),
			outcome(one),
			[
				button("Details", () => openDelivery(one.WebhookId), {
					class: "btn btn-sm btn-outline",
					"aria-label": `Details of ${name}`,
					"data-id": one.WebhookId,
				}),
				isFinal(one.State)
					? button("Replay", () => replay(one.WebhookId).catch(noticeError), {
							class: "btn btn-sm btn-quiet",
							"aria-label": `Replay ${name}`,
						})
					: null,
			],
		].filter((_, at) => at !== 1 || !this.sdkappid);
	}

	draw(found) {
		const columns = [
			"Event",
			"App",
			{ text: "Callback", class: "cell-command" },
			"State",
			{ text: "Attempts", class: "num" },
			{ text: "Last attempt", class: "wrap" },
			{ text: "", class: "actions" },
		];
		this.drawn = true;
		if (found.CallbackList.length) {
			const heads = columns.filter((one) => one !== "App" || !this.sdkappid);
			redraw(
				this.list,
				table(
					"Callbacks",
					heads,
					found.CallbackList.map((one) => this.row(one)),
				),
			);
		} else {
			redraw(this.list, this.nothing(found));
		}
		this.drawPaging(found);
	}

	nothing(found) {
		if (found.Next)
			return empty(
				"Nothing yet",
				"None of the callbacks that were looked at match. Go on to look at older ones.",
			);
		if (this.state || this.since) return empty("Nothing matches", "No callback has this state in this time.");
		return empty(
			"No callbacks yet",
			"One is made when a room reaches a threshold, or when something happens that is switched on.",
		);
	}

	drawPaging(found) {
		const text = (page) => `Page ${page}`;
		pager(this, found.Next, { back: "Newer", on: "Older", text }, () => this.load());
	}
}

// ---- many at once ----

async function replayAll(sdkappid, state, since, told) {
	let next = "";
	let count = 0;
	do {
		const found = await call("callback_replay", {
			SdkAppid: sdkappid,
			Since: since,
			State: state,
			...(next ? { Next: next } : {}),
		});
		count += found.Replayed;
		next = found.Next;
		told(count);
	} while (next);
	return count;
}

/* Asks which callbacks of the app are to be sent again, and sends them, a hundred with each call. */
export function openReplayMany(sdkappid) {
	const progress = el("p", { class: "help", role: "status" });
	const dialog = openDialog(
		"Replay many",
		{},
		form(
			{ label: "Replay", extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				const since = Date.now() - Number(node.elements.time.value);
				const count = await replayAll(sdkappid, node.elements.state.value, since, (done) => {
					progress.textContent = `${number(done)} so far`;
				});
				dialog.close();
				notice(count ? `${number(count)} callbacks are sent again.` : "There was nothing to send again.");
			},
			el(
				"p",
				{},
				"Callbacks that have ended are sent again, with their webhook-id, in the order of their sequence.",
			),
			field({
				label: "State",
				name: "state",
				tag: "select",
				children: options(
					[
						["failed", "Failed"],
						["superseded", "Superseded"],
						["delivered", "Delivered"],
						["final", "All of these"],
					],
					"failed",
				),
			}),
			field({ label: "Event", name: "time", tag: "select", children: options(TIMES.slice(1), 86400000) }),
			progress,
		),
	);
}
