/* The dialog that makes an app, and how thresholds are read. */

import { call } from "./api.js";
import { openDialog, secretDialog } from "./dialog.js";
import { MODES } from "./format.js";
import { button, field, form, integer, options } from "./ui.js";

/* "70, 90" as numbers that rise; throws a sentence for people. */
export function thresholdsOf(text) {
	const found = text
		.split(/[\s,;%]+/)
		.filter(Boolean)
		.map(Number);
	const rising = found.every((one, at) => at === 0 || one > found[at - 1]);
	const fits = found.every((one) => Number.isInteger(one) && one >= 1 && one <= 100);
	if (found.length < 1 || found.length > 8 || !rising || !fits) {
		throw new Error("Thresholds are one to eight whole numbers from 1 to 100, rising.");
	}
	return found;
}

async function create(node, dialog) {
	const sdkappid = integer(node, "sdkappid", "The SDKAppID", 1, 4294967295);
	const made = await call("app_create", {
		SdkAppid: sdkappid,
		MaxRoomCount: integer(node, "maximum", "The maximum", 0, 1000000000),
		AlertMode: node.elements.mode.value,
		Thresholds: thresholdsOf(node.elements.thresholds.value),
	});
	dialog.close();
	const secrets = (made.Secrets ?? []).filter((one) => one.Secret);
	const shown = secretDialog(`App ${sdkappid} is made`, "Keep these now: the console does not show them again.", [
		["Key, for UserSigs", made.Key],
		...secrets.map((one) => ["Secret, for webhook signatures", one.Secret]),
	]);
	shown.addEventListener("close", () => {
		location.hash = `#/app/${sdkappid}`;
	});
}

export function newApp() {
	const dialog = openDialog(
		"New app",
		{},
		form(
			{ label: "Create app", extra: button("Cancel", () => dialog.close()) },
			(node) => create(node, dialog),
			field({
				label: "SDKAppID",
				name: "sdkappid",
				inputmode: "numeric",
				autocomplete: "off",
				help: "1 to 4294967295",
			}),
			field({ label: "Maximum of rooms", name: "maximum", inputmode: "numeric", value: "500" }),
			field({
				label: "Alert at (percent)",
				name: "thresholds",
				value: "70",
				help: "One to eight, such as 70, 90",
			}),
			field({
				label: "Alert mode",
				name: "mode",
				tag: "select",
				children: options(Object.entries(MODES), "every"),
			}),
		),
	);
}
