/* Who may act for the app: its admins, and the keys that UserSigs are made with. And its end. */

import { call } from "./api.js";
import { confirmDialog, openDialog, secretDialog } from "./dialog.js";
import { number } from "./format.js";
import { badge, button, card, cardWith, check, el, empty, field, form, notice, options, replace, table, when } from "./ui.js";

const OVERLAPS = [
	[0, "remove them at once"],
	[3600, "one hour"],
	[86400, "one day"],
	[604800, "one week"],
];

/* For how long what was used before goes on. */
export const overlapField = (label) =>
	field({ label, name: "overlap", tag: "select", children: options(OVERLAPS, 86400) });

/* "expired", "until ...", or that it does not end. */
export function expiry(one) {
	if (!one.ExpireTime) return badge({ text: "In use", tone: "good" });
	if (one.ExpireTime <= Date.now()) return badge({ text: "Expired", tone: "muted" });
	return ["Expires ", when(one.ExpireTime)];
}

function rotateKey(tab) {
	const dialog = openDialog(
		"New key",
		{},
		form(
			{ label: "Make a new key", extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				const made = await call("app_key_rotate", {
					SdkAppid: tab.sdkappid,
					Overlap: Number(node.elements.overlap.value),
				});
				dialog.close();
				secretDialog("The new key", "Keep it now: the console does not show it again.", [
					[`Key ${made.KeyId}`, made.Key],
				]);
				await tab.reload();
			},
			el(
				"p",
				{},
				"UserSigs are made with the new key from now on. Those of the other keys stay good for a while.",
			),
			overlapField("The other keys go on for"),
		),
	);
}

function revokeKey(tab, key) {
	confirmDialog(
		{
			title: `Revoke key ${key.KeyId}?`,
			text: "Every UserSig that was made with it is invalid at once. This cannot be undone.",
			label: "Revoke key",
		},
		async () => {
			await call("app_key_revoke", { SdkAppid: tab.sdkappid, KeyId: key.KeyId });
			notice(`Key ${key.KeyId} is revoked.`);
			await tab.reload();
		},
	);
}

function keysCard(tab) {
	const list = el("div");
	const draw = () => {
		const rows = tab.app.Keys.map((key) => [
			`Key ${key.KeyId}`,
			when(key.CreateTime),
			expiry(key),
			button("Revoke", () => revokeKey(tab, key), {
				class: "btn btn-sm btn-outline btn-bad",
				"aria-label": `Revoke key ${key.KeyId}`,
			}),
		]);
		replace(
			list,
			rows.length
				? table("Keys", ["Key", "Made", "State", { text: "", class: "actions" }], rows)
				: empty("No key", "Every UserSig is refused until there is one."),
		);
	};
	tab.onChange((app) => app.Keys, draw);
	draw();
	return cardWith(
		"Keys",
		button("New key", () => rotateKey(tab)),
		list,
	);
}

function adminsCard(tab) {
	const make = () =>
		form(
			{ label: "Save admins" },
			async (node) => {
				const names = node.elements.admins.value.split(/\s+/).filter(Boolean);
				await call("app_set", { SdkAppid: tab.sdkappid, Admins: names });
				notice("The admins are saved.");
				await tab.reload();
				shared.saved();
			},
			field({
				label: "Names",
				name: "admins",
				tag: "textarea",
				rows: 4,
				spellcheck: "false",
				value: tab.app.Admins.join("\n"),
				help: "One a line, up to 10. Who has a UserSig of one of them may use the server API.",
			}),
		);
	const shared = tab.shared((app) => app.Admins, make);
	return card("Admins", shared.box);
}

function deleteApp(tab) {
	const { app, sdkappid } = tab;
	const force = app.CallbackPending
		? check({
				label: `Give up ${number(app.CallbackPending)} undelivered callbacks`,
				name: "force",
				help: "Without it the app stays while callbacks wait.",
			})
		: [];
	confirmDialog(
		{
			title: `Delete app ${sdkappid}?`,
			text: "Its keys, callback configuration and secrets are gone at once. It must have no rooms. This cannot be undone.",
			label: "Delete app",
			typed: String(sdkappid),
			extra: force,
		},
		async (node) => {
			await call("app_delete", { SdkAppid: sdkappid, Force: node.elements.force?.checked ?? false });
			notice(`App ${sdkappid} is deleted.`);
			location.hash = "#/apps";
		},
	);
}

export async function show(tab) {
	replace(
		tab.body,
		el("div", { class: "columns" }, keysCard(tab), adminsCard(tab)),
		card(
			"Delete this app",
			el("p", { class: "help" }, "An app can be deleted when it has no rooms."),
			el(
				"div",
				{ class: "form-end" },
				button("Delete app", () => deleteApp(tab), { class: "btn btn-outline btn-bad" }),
			),
		),
	);
}
