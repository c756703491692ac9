/* All apps: what needs somebody first. The backend searches, filters and sorts, so ten thousand apps cost one page of rows.
 * Rows that are shown follow the events; the numbers above them are asked for again, at most every two seconds. */

import { call } from "./api.js";
import { newApp } from "./app-new.js";
import { endpoint, number, rise } from "./format.js";
import { countText, gauge, trend, updateGauge } from "./gauge.js";
import { listen } from "./live.js";
import {
	announce,
	badge,
	button,
	el,
	empty,
	failed,
	field,
	heading,
	loading,
	options,
	redraw,
	released,
	replace,
	table,
	when,
} from "./ui.js";

const COUNT = 50;
const RELOAD_MS = 2000;
const FILTERS = [
	["all", "All apps", "Total"],
	["near", "At threshold", "Near"],
	["full", "Full", "Full"],
	["waiting", "Undelivered", "Waiting"],
	["failing", "Endpoint failing", "Failing"],
	["paused", "Paused", "Paused"],
];
const SORTS = [
	["usage", "Fullest first"],
	["waiting", "Most undelivered first"],
	["sdkappid", "SDKAppID"],
];
const NOTHING = {
	near: "No app has reached a threshold.",
	full: "No app is full.",
	waiting: "Every callback has been delivered.",
	failing: "Every endpoint answers.",
	paused: "No app is paused.",
};

function stateOf(query) {
	const known = (pairs, value) => (pairs.some(([name]) => name === value) ? value : pairs[0][0]);
	return {
		search: (query.get("search") ?? "").replace(/\D/g, "").slice(0, 10),
		filter: known(FILTERS, query.get("filter")),
		sort: known(SORTS, query.get("sort")),
		offset: Math.max(0, Number.parseInt(query.get("offset") ?? "0", 10) || 0),
	};
}

/* Keeps search, filter and page in the address, so that they can be sent to somebody and survive a reload. */
function keepInAddress(state) {
	const query = new URLSearchParams();
	if (state.search) query.set("search", state.search);
	if (state.filter !== "all") query.set("filter", state.filter);
	if (state.sort !== "usage") query.set("sort", state.sort);
	if (state.offset) query.set("offset", state.offset);
	const text = query.toString();
	history.replaceState(null, "", text ? `#/apps?${text}` : "#/apps");
}

// ---- rows ----

function oldest(app) {
	if (!app.CallbackPending) return el("span", { class: "faint" }, "none");
	return [
		el("strong", {}, number(app.CallbackPending)),
		app.OldestPending ? [", oldest ", when(app.OldestPending)] : null,
	];
}

function alertText(app) {
	if (app.AlertLevel > 0)
		return badge({ text: `${app.AlertLevel} %`, tone: "warn", meaning: "The highest threshold that has alerted" });
	return el("span", { class: "faint" }, "none");
}

function rowOf(app) {
	const cell = (label, name, ...children) => el("td", { role: "cell", "data-label": label, class: name }, children);
	const row = {
		app,
		gauge: gauge(app),
		count: el("span", { class: "count" }, countText(app)),
		alert: cell("Alert", "cell-alert", alertText(app)),
		state: cell("Endpoint", "cell-state", badge(endpoint(app))),
		pending: cell("Undelivered", "cell-pending", oldest(app)),
	};
	row.node = el(
		"tr",
		{ role: "row", "data-app": app.SdkAppid },
		el(
			"th",
			{ scope: "row", role: "rowheader", class: "cell-app" },
			el("a", { href: `#/app/${app.SdkAppid}` }, String(app.SdkAppid)),
		),
		cell("Rooms", "cell-usage", el("div", { class: "usage" }, row.gauge, row.count)),
		cell("Last day", "cell-trend", trend(app.Trend, app.MaxRoomCount)),
		row.alert,
		row.state,
		cell("Last delivered", "cell-last", when(app.Endpoint?.LastDelivered)),
		row.pending,
	);
	return row;
}

/* What an event tells of an app that is shown. */
function updateRow(row, event) {
	const before = { ...row.app };
	Object.assign(row.app, {
		RoomCount: event.RoomCount,
		MaxRoomCount: event.MaxRoomCount,
		AlertLevel: event.AlertLevel,
	});
	row.app.CallbackPending = event.CallbackPending;
	row.app.Endpoint = { ...row.app.Endpoint, State: event.EndpointState };
	if (!event.CallbackPending) row.app.OldestPending = 0;
	updateGauge(row.gauge, row.app);
	replace(row.count, countText(row.app));
	replace(row.alert, alertText(row.app));
	replace(row.state, badge(endpoint(row.app)));
	replace(row.pending, oldest(row.app));
	const text = rise(before, row.app);
	if (text) announce(text);
}

const COLUMNS = [
	"App",
	{ text: "Rooms", class: "cell-usage" },
	"Last day",
	"Alert",
	"Endpoint",
	"Last delivered",
	"Undelivered",
];

// ---- the page ----

class Overview {
	constructor(page) {
		this.page = page;
		this.state = stateOf(page.query);
		this.rows = new Map();
		this.loadedAt = 0;
		this.timer = 0;
		this.serial = 0;
		this.filters = el("div", { class: "filters", role: "group", "aria-label": "Which apps" });
		this.list = el("div", { class: "list-box" }, loading("Loading apps"));
		this.paging = el("nav", { class: "paging", "aria-label": "Pages of apps" });
	}

	set(change) {
		Object.assign(this.state, { offset: 0 }, change);
		keepInAddress(this.state);
		return this.load();
	}

	soon() {
		if (this.timer) return;
		const wait = Math.max(200, RELOAD_MS - (Date.now() - this.loadedAt));
		this.timer = setTimeout(() => {
			this.timer = 0;
			if (this.page.alive()) this.load();
		}, wait);
	}

	async load() {
		const serial = ++this.serial;
		const { search, filter, sort, offset } = this.state;
		try {
			const found = await call("app_overview", {
				...(search ? { Search: search } : {}),
				Filter: filter,
				Sort: sort,
				Offset: offset,
				Count: COUNT,
			});
			await released();
			if (!this.page.alive() || serial !== this.serial) return;
			this.loadedAt = Date.now();
			this.draw(found);
		} catch (error) {
			if (!this.page.alive() || serial !== this.serial || error.kind === "ended") return;
			if (this.rows.size > 0) return;
			this.drawFilters(null); // zeros of before would look like good news
			redraw(this.paging);
			replace(
				this.list,
				failed(error, () => this.load()),
			);
		}
	}

	draw(found) {
		this.drawFilters(found);
		this.rows = new Map(found.AppList.map((app) => [app.SdkAppid, rowOf(app)]));
		if (found.Total === 0) {
			redraw(
				this.list,
				empty(
					"No apps yet",
					"An app has a maximum of rooms, and tells you before it is reached.",
					button("New app", newApp, { class: "btn btn-primary" }),
				),
			);
		} else if (found.AppList.length === 0) {
			const text = this.state.search
				? "No SDKAppID begins with these digits."
				: (NOTHING[this.state.filter] ?? "");
			redraw(
				this.list,
				empty(
					"Nothing here",
					text,
					button("Show all apps", () => this.clear()),
				),
			);
		} else {
			redraw(
				this.list,
				table(
					"Apps",
					COLUMNS,
					[...this.rows.values()].map((row) => row.node),
					{ class: "grid grid-apps" },
				),
			);
		}
		this.drawPaging(found);
	}

	clear() {
		this.searchInput.value = "";
		this.set({ search: "", filter: "all" });
	}

	/* With null the figures are not known. */
	drawFilters(found) {
		redraw(
			this.filters,
			FILTERS.map(([name, text, key]) =>
				el(
					"button",
					{
						type: "button",
						class: "filter",
						"data-filter": name,
						"data-alarm": name !== "all" && found?.[key] > 0,
						"aria-pressed": String(this.state.filter === name),
						onclick: () => this.set({ filter: name }),
					},
					el(
						"span",
						{ class: "filter-count" },
						found
							? number(found[key])
							: [
									el("span", { "aria-hidden": "true" }, "–"),
									el("span", { class: "visually-hidden" }, "Not known:"),
								],
					),
					el("span", {}, text),
				),
			),
		);
	}

	drawPaging(found) {
		const { offset } = this.state;
		const last = offset + found.AppList.length;
		if (found.Matched <= COUNT && offset === 0) return redraw(this.paging);
		const go = (to) => () => this.set({ offset: to }).then(() => window.scrollTo(0, 0));
		return redraw(
			this.paging,
			button("Previous", go(Math.max(0, offset - COUNT)), { disabled: offset === 0 }),
			el(
				"span",
				{},
				found.AppList.length
					? `${number(offset + 1)} to ${number(last)} of ${number(found.Matched)}`
					: `of ${number(found.Matched)}`,
			),
			button("Next", go(offset + COUNT), { disabled: last >= found.Matched }),
		);
	}

	show() {
		let typing = 0;
		const search = field({
			label: "Find SDKAppID",
			name: "search",
			type: "search",
			inputmode: "numeric",
			maxlength: 10,
			value: this.state.search,
			placeholder: "begins with…",
		});
		const sort = field({ label: "Sort", name: "sort", tag: "select", children: options(SORTS, this.state.sort) });
		this.searchInput = search.querySelector("input");
		this.drawFilters(null);
		this.searchInput.addEventListener("input", () => {
			clearTimeout(typing);
			typing = setTimeout(
				() => this.set({ search: this.searchInput.value.replace(/\D/g, "").slice(0, 10) }),
				150,
			);
		});
		sort.querySelector("select").addEventListener("change", (event) => this.set({ sort: event.target.value }));
		replace(
			this.page.root,
			heading("Apps", button("New app", newApp, { class: "btn btn-primary" })),
			this.filters,
			el("div", { class: "tools" }, search, sort),
			this.list,
			this.paging,
		);
		this.page.onLeave(
			listen("app", (event) => {
				const row = this.rows.get(event.SdkAppid);
				if (row) updateRow(row, event);
				this.soon();
			}),
		);
		for (const type of ["config", "callbacks", "lost"]) this.page.onLeave(listen(type, () => this.soon()));
		this.page.onLeave(() => clearTimeout(this.timer));
		return this.load();
	}
}

export const show = (page) => new Overview(page).show();
