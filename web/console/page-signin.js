/* Signing in with the admin token. The address stays, so after it the page that was asked for is shown. */

import { openSession } from "./api.js";
import { el, field, form, replace } from "./ui.js";

export function show(page, { text, done }) {
	const node = form(
		{ label: "Sign in", class: "sign-in-form" },
		async (sent) => {
			const token = sent.elements.token.value.trim();
			if (!token) {
				sent.elements.token.focus();
				throw new Error("Enter the admin token.");
			}
			try {
				await openSession(token);
			} catch (error) {
				sent.elements.token.select();
				throw error;
			}
			done();
		},
		el("input", { type: "text", name: "username", autocomplete: "username", value: "admin", hidden: true }),
		field({
			label: "Admin token",
			name: "token",
			type: "password",
			autocomplete: "current-password",
			spellcheck: "false",
		}),
	);
	replace(
		page.root,
		el(
			"div",
			{ class: "sign-in" },
			el("img", { src: "icon.svg", alt: "", width: 48, height: 48 }),
			el("h1", {}, "Highwater"),
			text ? el("p", { class: "sign-in-note", role: "status" }, text) : null,
			node,
			el(
				"p",
				{ class: "help" },
				"The backend keeps it in the file ",
				el("code", {}, "admin-token"),
				" of its data folder.",
			),
			el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-theme-switch": true }),
		),
	);
	window.highwaterTheme();
	node.elements.token.focus();
}
