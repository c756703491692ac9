/* Dialogs: the browser's own <dialog>, so Escape closes, focus stays inside and returns to where it was. */

import { button, el, field, form } from "./ui.js";

let dialogCount = 0;

/* Shows a dialog; children may be elements. Gives the dialog; it is removed when it is closed. */
export function openDialog(title, { wide = false, onclose } = {}, ...children) {
	const before = document.activeElement;
	const id = `dialog-${++dialogCount}`;
	const node = el(
		"dialog",
		{ class: wide ? "dialog dialog-wide" : "dialog", "aria-labelledby": id },
		el(
			"div",
			{ class: "dialog-head" },
			el("h2", { id }, title),
			el(
				"button",
				{ type: "button", class: "btn btn-sm btn-quiet", "aria-label": "Close", onclick: () => node.close() },
				"✕",
			),
		),
		el("div", { class: "dialog-body" }, children),
	);
	node.addEventListener("close", () => {
		node.remove();
		if (before instanceof HTMLElement && before.isConnected) before.focus();
		onclose?.();
	});
	document.body.append(node);
	node.showModal();
	node.querySelector(".dialog-body :is(input, select, textarea, button)")?.focus();
	return node;
}

/* Asks; `act` is done when the answer is yes, and the dialog shows why it failed. With `typed` that text must be typed. */
export function confirmDialog({ title, text, label, typed, danger = true, extra = [] }, act) {
	const dialog = openDialog(
		title,
		{},
		form(
			{ label, danger, extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				if (typed && node.elements.typed.value.trim() !== typed) {
					node.elements.typed.focus();
					throw new Error(`Type ${typed} to confirm.`);
				}
				await act(node);
				dialog.close();
			},
			el("p", {}, text),
			extra,
			typed
				? field({ label: `Type ${typed} to confirm`, name: "typed", autocomplete: "off", inputmode: "numeric" })
				: null,
		),
	);
	return dialog;
}

/* A secret that is shown this one time. */
export function secretDialog(title, text, pairs) {
	const rows = pairs.map(([name, value]) => {
		const said = el("span", { class: "help", role: "status" });
		const copy = button(
			"Copy",
			async () => {
				try {
					await navigator.clipboard.writeText(value);
					said.textContent = "Copied";
				} catch {
					said.textContent = "The browser does not allow it: select the text and copy it";
				}
			},
			{ "aria-label": `Copy: ${name}` },
		);
		return el(
			"div",
			{ class: "field" },
			el("p", { class: "label" }, name),
			el("code", { class: "secret" }, value),
			el("div", { class: "form-end" }, copy, said),
		);
	});
	const dialog = openDialog(
		title,
		{},
		el("p", {}, text),
		rows,
		el(
			"div",
			{ class: "form-end" },
			el("button", { type: "button", class: "btn btn-primary", onclick: () => dialog.close() }, "Done"),
		),
	);
	return dialog;
}
