/* The alert policy: how many rooms, and when to say so. What the numbers mean in rooms stands beside them while one types. */

import { call } from "./api.js";
import { MODES, number } from "./format.js";
import { gauge, updateGauge } from "./gauge.js";
import { card, check, el, field, form, integer, notice, options, replace } from "./ui.js";
import { thresholdsOf } from "./app-new.js";

const FIELDS = [
	"MaxRoomCount",
	"Thresholds",
	"AlertMode",
	"RearmMargin",
	"StepPercent",
	"AccountsRequired",
	"CallbackOverwrite",
];

/* What is typed as maximum and thresholds, or null while it makes no sense. */
function typed(form) {
	try {
		return {
			MaxRoomCount: integer(form, "maximum", "The maximum", 0, 1000000000, false),
			Thresholds: thresholdsOf(form.elements.thresholds.value),
		};
	} catch {
		return null;
	}
}

function meaning({ MaxRoomCount, Thresholds }) {
	const at = (one) => Math.ceil((MaxRoomCount * one) / 100);
	return Thresholds.map((one) => `${one} % is ${number(at(one))} ${at(one) === 1 ? "room" : "rooms"}`).join(", ");
}

function wordsOf(node) {
	return {
		MaxRoomCount: integer(node, "maximum", "The maximum", 0, 1000000000),
		Thresholds: thresholdsOf(node.elements.thresholds.value),
		AlertMode: node.elements.mode.value,
		RearmMargin: integer(node, "margin", "The re-arm margin", 0, 50),
		StepPercent: integer(node, "step", "The step", 1, 50),
		AccountsRequired: node.elements.accounts.checked,
		CallbackOverwrite: node.elements.overwrite.checked,
	};
}

const policyOf = (app) => Object.fromEntries(FIELDS.map((name) => [name, app[name]]));

/* Only what was changed is sent: what another operator changes meanwhile stays. */
function changesOf(before, words) {
	const isNew = ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]);
	return Object.fromEntries(Object.entries(words).filter(isNew));
}

function policyForm(tab, saved) {
	const { app } = tab;
	const before = policyOf(app);
	const margin = field({
		label: "Re-arm margin (percentage points)",
		name: "margin",
		inputmode: "numeric",
		value: app.RearmMargin,
		help: "How far the count must fall below a threshold before it can alert again.",
	});
	const step = field({
		label: "Step (percentage points)",
		name: "step",
		inputmode: "numeric",
		value: app.StepPercent,
		help: "In step mode: how much fuller the app must be for the next alert.",
	});
	return form(
		{ label: "Save policy" },
		async (sent) => {
			const changes = changesOf(before, wordsOf(sent));
			if (Object.keys(changes).length) await call("app_set", { SdkAppid: tab.sdkappid, ...changes });
			notice("The policy is saved.");
			await tab.reload();
			saved();
		},
		el(
			"div",
			{ class: "pair" },
			field({ label: "Maximum of rooms", name: "maximum", inputmode: "numeric", value: app.MaxRoomCount }),
			field({
				label: "Thresholds (percent)",
				name: "thresholds",
				value: app.Thresholds.join(", "),
				help: "One to eight, rising, such as 70, 90.",
			}),
		),
		el("p", { class: "help policy-said", "aria-live": "polite" }),
		field({
			label: "Mode",
			name: "mode",
			tag: "select",
			children: options(
				Object.entries(MODES).map(([name, text]) => [name, `${name}: ${text.toLowerCase()}`]),
				app.AlertMode,
			),
		}),
		el("div", { class: "pair" }, margin, step),
		check({
			label: "Accounts required",
			name: "accounts",
			checked: app.AccountsRequired,
			help: "Owners and robots of rooms must have been imported as accounts.",
		}),
		check({
			label: "set_callback may replace a configuration",
			name: "overwrite",
			checked: app.CallbackOverwrite,
			help: "Otherwise the app's server must use update_callback, as the vendor's API asks for.",
		}),
	);
}

export async function show(tab) {
	const { app } = tab;
	const meter = gauge(app, { tall: true });
	const rooms = el("p", { class: "help" });
	let node;
	const follow = () => {
		const words = typed(node);
		const text = words ? meaning(words) : "";
		const said = node.querySelector(".policy-said");
		if (said.textContent !== text) said.textContent = text; // it is read aloud
		if (words) updateGauge(meter, { ...app, ...words });
		node.elements.margin.disabled = node.elements.mode.value === "every";
		node.elements.step.disabled = node.elements.mode.value !== "step";
		replace(rooms, `With the ${number(app.RoomCount)} rooms of now.`);
	};
	const shared = tab.shared(policyOf, () => {
		node = policyForm(tab, () => shared.saved());
		for (const type of ["input", "change"]) node.addEventListener(type, follow);
		follow();
		return node;
	});
	tab.onApp(follow);
	replace(
		tab.body,
		el("div", { class: "policy-grid" }, card("Alert policy", shared.box), card("How that looks", meter, rooms)),
	);
}
