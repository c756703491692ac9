/* The water level: how full an app is, with a mark at each threshold; and the line of the last day. */

import { level, number, percent, percentText } from "./format.js";
import { el, svg } from "./ui.js";

const TREND_WIDTH = 96;
const TREND_HEIGHT = 28;

function said(app) {
	return `${number(app.RoomCount)} of ${number(app.MaxRoomCount)} rooms, ${percentText(app.RoomCount, app.MaxRoomCount)}`;
}

function marks(app, labelled) {
	return (app.Thresholds ?? []).map((one) =>
		el(
			"span",
			{
				class: app.AlertLevel >= one ? "notch notch-reached" : "notch",
				vars: { "--at": `${one}%` },
				title: `Threshold ${one} %`,
			},
			labelled ? el("span", { class: "notch-text" }, `${one} %`) : null,
		),
	);
}

/* A gauge of an app (RoomCount, MaxRoomCount, Thresholds, AlertLevel). It lies in a row, or stands with labels. */
export function gauge(app, { tall = false } = {}) {
	const node = el(
		"div",
		{
			class: tall ? "gauge gauge-tall" : "gauge",
			role: "meter",
			"aria-label": `Rooms of app ${app.SdkAppid}`,
			"aria-valuemin": 0,
		},
		el("span", { class: "gauge-water" }),
		el("span", { class: "gauge-marks" }),
	);
	updateGauge(node, app);
	return node;
}

export function updateGauge(node, app) {
	const tall = node.classList.contains("gauge-tall");
	node.dataset.level = level(app);
	node.style.setProperty("--level", `${Math.min(100, percent(app.RoomCount, app.MaxRoomCount))}%`);
	node.setAttribute("aria-valuemax", app.MaxRoomCount);
	node.setAttribute("aria-valuenow", Math.min(app.RoomCount, app.MaxRoomCount));
	node.setAttribute("aria-valuetext", said(app));
	node.querySelector(".gauge-marks").replaceChildren(...marks(app, tall));
}

/* The count beside a gauge. */
export function countText(app) {
	return [
		el("strong", {}, number(app.RoomCount)),
		el("span", { class: "faint" }, `/ ${number(app.MaxRoomCount)}`),
		el("span", { class: "count-share" }, percentText(app.RoomCount, app.MaxRoomCount)),
	];
}

/* The last day as a line; points have Time and RoomCount. */
export function trend(points, maximum) {
	if (!points || points.length < 2) return el("span", { class: "faint trend-none" }, "no history");
	const first = points[0].Time;
	const width = Math.max(1, points[points.length - 1].Time - first);
	const highest = Math.max(1, ...points.map((one) => one.RoomCount));
	const top = Math.min(Math.max(highest * 1.15, 1), Math.max(maximum, highest, 1));
	const at = points.map((one) => {
		const x = 1 + ((one.Time - first) / width) * (TREND_WIDTH - 2);
		const y = TREND_HEIGHT - 2 - (one.RoomCount / top) * (TREND_HEIGHT - 4);
		return `${x.toFixed(1)},${y.toFixed(1)}`;
	});
	const text = `Last day: from ${number(points[0].RoomCount)} to ${number(points[points.length - 1].RoomCount)} rooms`;
	return svg(
		"svg",
		{ class: "trend", viewBox: `0 0 ${TREND_WIDTH} ${TREND_HEIGHT}`, role: "img", "aria-label": text },
		svg("polygon", {
			class: "trend-area",
			points: `1,${TREND_HEIGHT} ${at.join(" ")} ${TREND_WIDTH - 1},${TREND_HEIGHT}`,
		}),
		svg("polyline", { class: "trend-line", points: at.join(" ") }),
	);
}
