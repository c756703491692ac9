/* What webhook signatures are made with, and the client certificate that callbacks show. */

import { call } from "./api.js";
import { confirmDialog, openDialog, secretDialog } from "./dialog.js";
import { moment } from "./format.js";
import { expiry, overlapField } from "./app-access.js";
import { badge, button, card, cardWith, el, empty, facts, field, form, notice, options, replace, table, when } from "./ui.js";

const KINDS = { v1: "v1, shared secret", v1a: "v1a, key pair" };

function rotateSecret(tab) {
	const dialog = openDialog(
		"New secret",
		{},
		form(
			{ label: "Make a new secret", extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				const kind = node.elements.kind.value;
				const made = await call("app_secret_rotate", {
					SdkAppid: tab.sdkappid,
					Kind: kind,
					Overlap: Number(node.elements.overlap.value),
				});
				dialog.close();
				if (made.Secret)
					secretDialog(
						"The new secret",
						"Give it to whoever checks signatures. The console does not show it again.",
						[[`Secret ${made.SecretId}`, made.Secret]],
					);
				else
					secretDialog("The new key pair", "Give this public key to whoever checks signatures.", [
						[`Public key ${made.SecretId}`, made.PublicKey],
					]);
				await tab.reload();
			},
			el("p", {}, "Callbacks have a signature of each secret, so who checks them can change over."),
			field({ label: "Kind", name: "kind", tag: "select", children: options(Object.entries(KINDS), "v1") }),
			overlapField("The others of its kind go on for"),
		),
	);
}

function revokeSecret(tab, one) {
	confirmDialog(
		{
			title: `Revoke ${one.Kind} secret ${one.SecretId}?`,
			text: "From the next attempt on nothing is signed with it.",
			label: "Revoke secret",
		},
		async () => {
			await call("app_secret_revoke", { SdkAppid: tab.sdkappid, Kind: one.Kind, SecretId: one.SecretId });
			notice(`Secret ${one.SecretId} is revoked.`);
			await tab.reload();
		},
	);
}

export function secretsCard(tab) {
	const list = el("div");
	const draw = () => {
		const rows = tab.app.Secrets.map((one) => [
			[
				KINDS[one.Kind] ?? one.Kind,
				` ${one.SecretId}`,
				one.PublicKey ? el("code", { class: "public-key" }, one.PublicKey) : null,
			],
			when(one.CreateTime),
			expiry(one),
			button("Revoke", () => revokeSecret(tab, one), {
				class: "btn btn-sm btn-outline btn-bad",
				"aria-label": `Revoke ${one.Kind} secret ${one.SecretId}`,
			}),
		]);
		replace(
			list,
			rows.length
				? table(
						"Secrets",
						[{ text: "Secret", class: "wrap" }, "Made", "State", { text: "", class: "actions" }],
						rows,
					)
				: empty("No secret", "Callbacks have no webhook-signature."),
		);
	};
	tab.onChange((app) => app.Secrets, draw);
	draw();
	return cardWith(
		"Secrets of webhook signatures",
		button("New secret", () => rotateSecret(tab)),
		list,
	);
}

// ---- the client certificate ----

function setCertificate(tab) {
	const dialog = openDialog(
		"Client certificate",
		{},
		form(
			{ label: "Save certificate", extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				await call("app_certificate_set", {
					SdkAppid: tab.sdkappid,
					Certificate: node.elements.certificate.value,
					Key: node.elements.key.value,
				});
				dialog.close();
				notice("The certificate is saved. It is shown from the next attempt on.");
				await tab.reload();
			},
			field({
				label: "Certificate (PEM)",
				name: "certificate",
				tag: "textarea",
				spellcheck: "false",
				help: "The client's own first, then those that lead to its authority.",
			}),
			field({
				label: "Private key (PEM)",
				name: "key",
				tag: "textarea",
				spellcheck: "false",
				autocomplete: "off",
				help: "Without a passphrase. It is kept in the database and never shown.",
			}),
		),
	);
}

function deleteCertificate(tab) {
	confirmDialog(
		{
			title: "Delete the client certificate?",
			text: "Callbacks show no certificate any more.",
			label: "Delete certificate",
		},
		async () => {
			await call("app_certificate_delete", { SdkAppid: tab.sdkappid });
			notice("The certificate is deleted.");
			await tab.reload();
		},
	);
}

export function certificateCard(tab) {
	const box = el("div");
	const draw = () => {
		const it = tab.app.Certificate;
		replace(
			box,
			it
				? facts([
						["Subject", it.Subject],
						["Issuer", it.Issuer],
						it.Names?.length ? ["Names", it.Names.join(", ")] : null,
						[
							"Good until",
							[
								moment(it.NotAfter),
								it.NotAfter < Date.now() ? [" ", badge({ text: "Expired", tone: "bad" })] : null,
							],
						],
					])
				: el("p", { class: "help" }, "None. It is for endpoints that want mutual TLS."),
			el(
				"div",
				{ class: "form-end" },
				button(it ? "Replace" : "Set certificate", () => setCertificate(tab)),
				it
					? button("Delete", () => deleteCertificate(tab), {
							class: "btn btn-outline btn-bad",
							"aria-label": "Delete certificate",
						})
					: null,
			),
		);
	};
	tab.onChange((app) => app.Certificate, draw);
	draw();
	return card("Client certificate", box);
}
