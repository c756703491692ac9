/* Small pieces that pages are made of. All text goes through text nodes: whatever a room or an owner is called, it stays
 * text. Sizes and positions are set as CSS custom properties. */

import { ago, moment } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set([
	"value",
	"checked",
	"disabled",
	"hidden",
	"open",
	"selected",
	"required",
	"readOnly",
	"tabIndex",
]);

function setOne(node, name, value) {
	if (value === undefined || value === null || value === false) return;
	if (name === "vars") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
	else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
	else if (PROPERTIES.has(name) && name in node) node[name] = value;
	else node.setAttribute(name, value === true ? "" : String(value));
}

function fill(node, properties, children) {
	for (const [name, value] of Object.entries(properties ?? {})) setOne(node, name, value);
	node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
	return node;
}

/* An element: properties as attributes, "onclick" and others as listeners, vars as custom properties; children are
 * elements or text. */
export const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export function replace(node, ...children) {
	node.replaceChildren(
		...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false),
	);
	return node;
}

const nameOf = (node) => node.getAttribute("aria-label") || node.textContent;

/* As replace, for what is drawn again while somebody uses it: what had the focus has it again. */
export function redraw(node, ...children) {
	const focused = node.contains(document.activeElement) ? nameOf(document.activeElement) : null;
	replace(node, ...children);
	if (focused === null) return;
	const same = [...node.querySelectorAll("a, button, input, summary")].find((one) => nameOf(one) === focused);
	same?.focus({ preventScroll: true });
}

const PRESS_MS_MAX = 5000;
let pressing = null; // {over, end} while a button of the mouse, or a finger, is down

document.addEventListener("pointerdown", () => {
	const press = {};
	press.over = new Promise((resolve) => {
		press.end = resolve;
	});
	setTimeout(press.end, PRESS_MS_MAX); // its end may be elsewhere
	pressing = press;
});
for (const type of ["pointerup", "pointercancel"]) {
	document.addEventListener(type, () => {
		setTimeout(pressing?.end ?? (() => {}), 0); // the click comes first
		pressing = null;
	});
}

/* Nothing is drawn again under a finger: a click whose button has gone meanwhile would be lost. */
export const released = () => pressing?.over;

// ---- time ----

/* A moment as distance from now, exact in its title; "never" for 0. It is kept up to date. */
export function when(ms, never = "never") {
	if (!ms) return el("span", { class: "faint" }, never);
	return el("time", { datetime: new Date(ms).toISOString(), title: moment(ms), "data-ms": ms }, ago(ms));
}

setInterval(() => {
	for (const node of document.querySelectorAll("time[data-ms]")) {
		const text = ago(Number(node.dataset.ms));
		if (node.textContent !== text) node.textContent = text;
	}
}, 5000);

// ---- small things ----

export const badge = ({ text, tone, meaning }) =>
	el("span", { class: `tag tag-${tone}`, title: meaning || null }, text);

export const button = (label, onclick, properties = {}) =>
	el("button", { type: "button", class: "btn btn-outline", onclick, ...properties }, label);

export const heading = (text, ...rest) => el("div", { class: "page-head" }, el("h1", {}, text), rest);

export function card(title, ...children) {
	return el("section", { class: "card-box" }, title ? el("h2", { class: "card-title" }, title) : null, children);
}

/* The same with something to press or choose beside its title. */
export function cardWith(title, tool, ...children) {
	return el(
		"section",
		{ class: "card-box" },
		el("div", { class: "card-head" }, el("h2", { class: "card-title" }, title), tool),
		children,
	);
}

/* Buttons to the pages before and after, in view.paging. view.cursors are those of the pages up to this one; `next` is
 * that of the one after, if there is one; `load` shows the page that is last in the list then. */
export function pager(view, next, { back, on, text }, load) {
	const page = view.cursors.length;
	if (page === 1 && !next) return redraw(view.paging);
	const move = (change) => () => {
		change();
		load();
	};
	return redraw(
		view.paging,
		button(
			back,
			move(() => view.cursors.pop()),
			{ disabled: page === 1 },
		),
		el("span", {}, text(page)),
		button(
			on,
			move(() => view.cursors.push(next)),
			{ disabled: !next },
		),
	);
}

/* Pairs of words and values. */
export function facts(pairs) {
	return el(
		"dl",
		{ class: "facts" },
		pairs.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
	);
}

/* A table with headers. columns: texts, or {text, class}. Rows are arrays of cells, or ready elements. */
export function table(caption, columns, rows, properties = {}) {
	const heads = columns.map((one) => (typeof one === "string" ? { text: one } : one));
	const cells = (row) =>
		row.map((cell, at) =>
			el("td", { class: heads[at].class, "data-label": heads[at].text, role: "cell" }, el("div", {}, cell)),
		);
	return el(
		"div",
		{ class: "table-box" },
		el(
			"table",
			{ class: "grid", role: "table", ...properties },
			el("caption", { class: "visually-hidden" }, caption),
			el(
				"thead",
				{ role: "rowgroup" },
				el(
					"tr",
					{ role: "row" },
					heads.map((one) => el("th", { scope: "col", class: one.class, role: "columnheader" }, one.text)),
				),
			),
			el(
				"tbody",
				{ role: "rowgroup" },
				rows.map((row) => (row instanceof Node ? row : el("tr", { role: "row" }, cells(row)))),
			),
		),
	);
}

// ---- states of a part of a page ----

export const loading = (text = "Loading") =>
	el(
		"div",
		{ class: "state state-loading" },
		el("span", { class: "wave", "aria-hidden": "true" }),
		el("p", {}, `${text}…`),
	);

export const empty = (title, text, action) =>
	el(
		"div",
		{ class: "state" },
		el("p", { class: "state-title" }, title),
		text ? el("p", {}, text) : null,
		action ?? null,
	);

/* Why something is not shown, and a way to try again. A session that has ended is told elsewhere. */
export function failed(error, retry) {
	const title = error.kind === "unreachable" ? "The backend does not answer" : "This could not be loaded";
	const text = error.kind === "unreachable" ? "It is asked again by itself as soon as it is back." : error.message;
	return el(
		"div",
		{ class: "state state-error", role: "alert" },
		el("p", { class: "state-title" }, title),
		el("p", {}, text),
		retry ? button("Try again", retry) : null,
	);
}

// ---- telling ----

let lastSaid = "";

/* For screen readers, not shown. The same text twice in a row is said once. */
export function announce(text) {
	if (text === lastSaid) return;
	lastSaid = text;
	document.getElementById("announcer").textContent = text;
}

/* A line at the edge of the page that goes away by itself. */
export function notice(text, tone = "good") {
	const node = el("div", { class: `notice notice-${tone}` }, text);
	document.getElementById("notices").append(node);
	setTimeout(() => node.remove(), 6000);
}

export function noticeError(error) {
	if (error.kind !== "ended") notice(error.message, "bad");
}

// ---- forms ----

let fieldCount = 0;

/* A labelled input. options: label, name, help, and what else the input gets. */
export function field({ label, name, help, tag = "input", children = [], ...rest }) {
	const id = `field-${++fieldCount}`;
	const input = el(
		tag,
		{
			id,
			name,
			class: tag === "select" ? "form-select" : "form-control",
			"aria-describedby": help ? `${id}-help` : null,
			...rest,
		},
		children,
	);
	return el(
		"div",
		{ class: "field" },
		el("label", { for: id }, label),
		input,
		help ? el("p", { id: `${id}-help`, class: "help" }, help) : null,
	);
}

export const options = (pairs, chosen) =>
	pairs.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text));

export function check({ label, name, help, ...rest }) {
	const id = `field-${++fieldCount}`;
	return el(
		"div",
		{ class: "check" },
		el("input", {
			id,
			name,
			type: "checkbox",
			class: "form-check-input",
			"aria-describedby": help ? `${id}-help` : null,
			...rest,
		}),
		el("label", { for: id }, label),
		help ? el("p", { id: `${id}-help`, class: "help" }, help) : null,
	);
}

/* A form whose send button waits for `send(form)`, and that shows why it failed. */
export function form({ label, danger = false, extra = [], ...properties }, send, ...children) {
	const problem = el("p", { class: "form-error", role: "alert", hidden: true });
	const submit = el("button", { type: "submit", class: danger ? "btn btn-danger" : "btn btn-primary" }, label);
	const node = el(
		"form",
		{ novalidate: true, ...properties },
		children,
		problem,
		el("div", { class: "form-end" }, submit, extra),
	);
	node.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (submit.disabled) return;
		problem.hidden = true;
		submit.disabled = true;
		try {
			await send(node);
		} catch (error) {
			if (!(error instanceof Error)) throw error;
			problem.textContent = error.message;
			problem.hidden = error.kind === "ended";
		} finally {
			submit.disabled = false;
		}
	});
	return node;
}

/* What an input holds as an integer; throws a sentence for people. */
export function integer(form, name, label, lowest, highest, focus = true) {
	const text = form.elements[name].value.trim();
	const value = Number(text);
	if (!/^\d+$/.test(text) || value < lowest || value > highest) {
		if (focus) form.elements[name].focus();
		throw new Error(`${label} must be a whole number from ${lowest} to ${highest}.`);
	}
	return value;
}
