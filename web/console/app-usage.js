/* How many rooms the app has and had. The chart is drawn by Chart.js, which is fetched here and on no other page; the same
 * numbers stand in a table below it. */

import { call } from "./api.js";
import { endpoint, moment, number, percentText, tick, ticks } from "./format.js";
import { gauge, updateGauge } from "./gauge.js";
import { listen } from "./live.js";
import { badge, cardWith, el, facts, failed, field, loading, options, replace, table, when } from "./ui.js";

const HOUR = 3600000;
const RANGES = [
	[HOUR, "Last hour"],
	[24 * HOUR, "Last day"],
	[7 * 24 * HOUR, "Last week"],
	[30 * 24 * HOUR, "Last 30 days"],
];
const AGAIN_MS = 30000;
const TABLE_ROWS = 24;

let library = null;

function loadChart() {
	library ??= new Promise((resolve, reject) => {
		const script = el("script", { src: "lib/chart.min.js" });
		script.addEventListener("load", () => resolve(window.Chart));
		script.addEventListener("error", () => {
			library = null;
			script.remove();
			reject(new Error("The chart could not be loaded; the table has the same numbers."));
		});
		document.head.append(script);
	});
	return library;
}

function colours() {
	const style = getComputedStyle(document.documentElement);
	const of = (name) => style.getPropertyValue(name).trim();
	return {
		line: of("--accent"),
		area: of("--accent-soft"),
		grid: of("--line"),
		text: of("--ink-2"),
		warn: of("--warn"),
		bad: of("--bad"),
	};
}

function flat(points, label, value, colour) {
	return {
		label,
		data: points.map((one) => ({ x: one.Time, y: value(one) })),
		borderColor: colour,
		borderWidth: 1,
		borderDash: [5, 4],
		pointRadius: 0,
		fill: false,
	};
}

function dataOf(points, app) {
	const paint = colours();
	return [
		{
			label: "Rooms",
			data: points.map((one) => ({ x: one.Time, y: one.RoomCount })),
			borderColor: paint.line,
			backgroundColor: paint.area,
			borderWidth: 2,
			pointRadius: points.length < 3 ? 3 : 0,
			fill: "origin",
			tension: 0.15,
		},
		...app.Thresholds.map((one) =>
			flat(points, `Threshold ${one} %`, (point) => (point.MaxRoomCount * one) / 100, paint.warn),
		),
		flat(points, "Maximum", (point) => point.MaxRoomCount, paint.bad),
	];
}

function scalesOf(range) {
	const paint = colours();
	const marks = { color: paint.text, maxRotation: 0, autoSkipPadding: 24 };
	const now = Date.now();
	return {
		x: {
			type: "linear",
			min: now - range,
			max: now,
			grid: { display: false },
			ticks: { ...marks, callback: (value) => tick(value, range) },
			afterBuildTicks: (axis) => {
				axis.ticks = ticks(axis.min, axis.max).map((value) => ({ value }));
			},
		},
		y: { beginAtZero: true, grid: { color: paint.grid }, ticks: { ...marks, precision: 0, maxTicksLimit: 6 } },
	};
}

function makeChart(Chart, canvas) {
	return new Chart(canvas, {
		type: "line",
		data: { datasets: [] },
		options: {
			animation: false,
			responsive: true,
			maintainAspectRatio: false,
			interaction: { mode: "index", intersect: false },
			plugins: {
				legend: { display: false },
				tooltip: {
					callbacks: {
						title: (items) => moment(items[0].parsed.x),
						label: (item) => `${item.dataset.label}: ${number(Math.round(item.parsed.y))}`,
					},
				},
			},
		},
	});
}

function sentence(points, range) {
	if (points.length === 0) return "Nothing is known of this time.";
	const highest = points.reduce((found, one) => (one.HighestRoomCount > found.HighestRoomCount ? one : found));
	const name = RANGES.find(([value]) => value === range)[1].toLowerCase();
	return `In the ${name} the count went from ${number(points[0].RoomCount)} to ${number(points[points.length - 1].RoomCount)} rooms. The most were ${number(highest.HighestRoomCount)}, at ${moment(highest.Time)}.`;
}

function numbersTable(points) {
	const each = Math.max(1, Math.ceil(points.length / TABLE_ROWS));
	const rows = points.filter((_, at) => (points.length - 1 - at) % each === 0).reverse();
	return table(
		"Rooms over time",
		[
			"Time",
			{ text: "Rooms", class: "num" },
			{ text: "Highest since the time before", class: "num" },
			{ text: "Maximum", class: "num" },
		],
		rows.map((one) => [
			moment(one.Time),
			number(one.RoomCount),
			number(one.HighestRoomCount),
			number(one.MaxRoomCount),
		]),
	);
}

function levelCard(tab) {
	const app = tab.app;
	const meter = gauge(app, { tall: true });
	const count = el("p", { class: "big-count" });
	const list = el("div");
	const draw = () => {
		updateGauge(meter, app);
		replace(
			count,
			el("strong", {}, number(app.RoomCount)),
			el("span", { class: "faint" }, ` of ${number(app.MaxRoomCount)} rooms`),
		);
		replace(
			list,
			facts([
				["Used", percentText(app.RoomCount, app.MaxRoomCount)],
				[
					"Alert",
					app.AlertLevel
						? badge({ text: `${app.AlertLevel} %`, tone: "warn" })
						: el("span", { class: "faint" }, "none"),
				],
				["Endpoint", badge(endpoint(app))],
				["Last delivered", when(app.Endpoint.LastDelivered)],
				["Undelivered", number(app.CallbackPending)],
			]),
		);
	};
	tab.onApp(draw);
	draw();
	return el(
		"section",
		{ class: "card-box level-card" },
		el("h2", { class: "card-title" }, "Water level"),
		el("div", { class: "level-box" }, meter, el("div", { class: "level-text" }, count, list)),
	);
}

class History {
	constructor(tab) {
		this.tab = tab;
		this.range = 24 * HOUR;
		this.points = [];
		this.chart = null;
		this.canvas = el("canvas", { role: "img", "aria-label": "Rooms over time; the table below has the numbers" });
		this.box = el("div", { class: "chart-box" }, loading("Loading history"));
		this.text = el("p", { class: "help", id: "history-text" });
		this.numbers = el("div");
	}

	draw() {
		const { points } = this;
		this.text.textContent = sentence(points, this.range);
		replace(this.numbers, numbersTable(points));
		if (!this.chart) return;
		this.chart.options.scales = scalesOf(this.range);
		this.chart.data.datasets = dataOf(points, this.tab.app);
		this.chart.update();
	}

	async load() {
		try {
			const found = await call("app_history", {
				SdkAppid: this.tab.sdkappid,
				Since: Date.now() - this.range,
				Points: 180,
			});
			if (!this.tab.alive()) return;
			this.points = found.PointList;
			await this.ready();
			this.draw();
		} catch (error) {
			if (this.tab.alive() && error.kind !== "ended" && !this.chart)
				replace(
					this.box,
					failed(error, () => this.load()),
				);
		}
	}

	async ready() {
		if (this.chart) return;
		this.draw();
		const Chart = await loadChart();
		if (!this.tab.alive() || this.chart) return;
		replace(this.box, this.canvas);
		this.chart = makeChart(Chart, this.canvas);
	}

	/* The newest point follows the events until the backend is asked again. */
	follow(app) {
		const last = this.points[this.points.length - 1];
		if (!last || last.RoomCount === app.RoomCount) return;
		Object.assign(last, { Time: Date.now(), RoomCount: app.RoomCount, MaxRoomCount: app.MaxRoomCount });
		last.HighestRoomCount = Math.max(last.HighestRoomCount, app.RoomCount);
		this.draw();
	}

	show() {
		const range = field({ label: "Time", name: "range", tag: "select", children: options(RANGES, this.range) });
		range.querySelector("select").addEventListener("change", (event) => {
			this.range = Number(event.target.value);
			this.load();
		});
		const timer = setInterval(() => this.load(), AGAIN_MS);
		const repaint = () => this.draw();
		document.addEventListener("themechange", repaint);
		this.tab.onLeave(() => {
			clearInterval(timer);
			document.removeEventListener("themechange", repaint);
			this.chart?.destroy();
		});
		this.tab.onLeave(listen("lost", () => this.load()));
		this.tab.onApp((app) => this.follow(app));
		return cardWith(
			"Rooms over time",
			range,
			el(
				"p",
				{ class: "chart-key", "aria-hidden": "true" },
				el("span", {}, "Rooms"),
				el("span", { class: "key-threshold" }, "Thresholds"),
				el("span", { class: "key-maximum" }, "Maximum"),
			),
			this.box,
			this.text,
			el("details", { class: "more" }, el("summary", {}, "Show as table"), this.numbers),
		);
	}
}

export async function show(tab) {
	const history = new History(tab);
	replace(tab.body, el("div", { class: "usage-grid" }, levelCard(tab), history.show()));
	await history.load();
}
