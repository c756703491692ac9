/* The backend itself: what it runs with, and what each setting means. They are changed in its file, not here. */

import { call } from "./api.js";
import { moment, number } from "./format.js";
import { badge, card, check, el, empty, facts, field, heading, loading, replace, table, when } from "./ui.js";

const COLUMNS = ["Setting", { text: "Value", class: "wrap" }, "Set by", { text: "Meaning", class: "wrap" }];
const SOURCES = { default: "default", file: "file", environment: "environment", flag: "option" };

function value(one) {
	const shown = one.Value === "" ? el("span", { class: "faint" }, "empty") : el("code", {}, one.Value);
	if (one.Source === "default") return shown;
	return [shown, el("span", { class: "help" }, one.Default === "" ? " default: empty" : ` default: ${one.Default}`)];
}

function row(one) {
	const source = badge({
		text: SOURCES[one.Source] ?? one.Source,
		tone: one.Source === "default" ? "muted" : "good",
	});
	return [el("code", {}, one.Name), value(one), source, one.Meaning];
}

function settingsPart(settings) {
	const list = el("div");
	const search = field({ label: "Find", name: "find", type: "search", placeholder: "name or meaning" });
	const changed = check({ label: "Only what was set", name: "changed" });
	const draw = () => {
		const text = search.querySelector("input").value.trim().toLowerCase();
		const only = changed.querySelector("input").checked;
		const found = settings.filter(
			(one) => (!only || one.Source !== "default") && `${one.Name} ${one.Meaning}`.toLowerCase().includes(text),
		);
		replace(
			list,
			found.length
				? table("Settings", COLUMNS, found.map(row))
				: empty("Nothing matches", "No setting has this."),
		);
	};
	search.addEventListener("input", draw);
	changed.addEventListener("change", draw);
	draw();
	return [el("div", { class: "tools" }, search, changed), list];
}

export async function show(page) {
	replace(page.root, heading("Settings"), loading("Loading"));
	const server = await call("server_show");
	if (!page.alive()) return;
	replace(
		page.root,
		heading("Settings"),
		el(
			"div",
			{ class: "columns" },
			card(
				"Backend",
				facts([
					["Version", server.Version],
					["Started", [moment(server.StartTime), " (", when(server.StartTime), ")"]],
					["Its clock", moment(server.Now)],
					["Store", server.Store],
					["Data folder", el("code", {}, server.DataDir)],
				]),
			),
			card(
				"What it holds",
				facts([
					["Apps", number(server.Apps)],
					["Rooms", number(server.Rooms)],
					["Undelivered", number(server.CallbackPending)],
					["Browser sessions", number(server.Sessions)],
				]),
			),
		),
		el("h2", { class: "part-title" }, "All settings"),
		el(
			"p",
			{ class: "help part-text" },
			"Set in the settings file, the environment or by options. What says “Can be reloaded” takes effect with a reload, everything else with a restart. Secrets are not shown.",
		),
		settingsPart(server.Settings),
	);
}
