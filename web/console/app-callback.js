/* Where the app's callbacks go, which are sent, what they are signed with, and a test on the real path. */

import { call } from "./api.js";
import { confirmDialog } from "./dialog.js";
import { attemptBox } from "./delivery.js";
import { callbackState, endpoint, isFinal, SENT, commandName } from "./format.js";
import { certificateCard, secretsCard } from "./app-secrets.js";
import { badge, button, card, check, el, facts, field, form, notice, replace, when } from "./ui.js";

const NEVER_SENT = [
	"Live.CallbackAfterMemberStateChanged",
	"Mic.CallbackAfterSeatInfoChanged",
	"Live.CallbackAfterCreateBattle",
	"Live.CallbackAfterStartBattle",
	"Live.CallbackAfterEndBattle",
	"Live.CallbackBeforeSendGift",
	"Live.CallbackBeforeCallBackNotBlock",
	"Group.CallbackAfterSendMsg",
	"Group.CallbackBeforeSendMsg",
	"Follow.CallbackAfterFollowAdd",
	"Follow.CallbackAfterFollowDelete",
];
const TEST_MS = 500;

// ---- URL, switches and token ----

function switches(app) {
	const one = (command) =>
		check({
			label: commandName(command),
			name: command,
			checked: app.CallbackCommandList.includes(command),
			help: commandName(command) === command ? null : command,
		});
	const others = NEVER_SENT.some((command) => app.CallbackCommandList.includes(command));
	return el(
		"fieldset",
		{},
		el("legend", {}, "Sent"),
		el("div", { class: "switches" }, SENT.map(one)),
		el(
			"details",
			{ class: "more", open: others },
			el("summary", {}, "Others, which this backend never makes"),
			el("div", { class: "switches switches-even" }, NEVER_SENT.map(one)),
		),
	);
}

function configuration(app, enabled, node) {
	const chosen = [...SENT, ...NEVER_SENT].filter((command) => node.elements[command].checked);
	const token = node.elements.token.value;
	const enable = node.elements.enable.checked;
	return {
		SdkAppid: app.SdkAppid,
		CallbackUrl: node.elements.url.value.trim(),
		CallbackCommandList: chosen,
		...(token ? { Token: token } : {}),
		...(token || enable !== enabled ? { IsTokenEnable: enable } : {}),
	};
}

function clear(tab, saved) {
	confirmDialog(
		{
			title: "Delete URL and switches?",
			text: "No callback is made until there is a URL again. Those that wait go on waiting; the token stays.",
			label: "Delete them",
		},
		async () => {
			await call("callback_clear", { SdkAppid: tab.sdkappid });
			notice("URL and switches are deleted.");
			await tab.reload();
			saved();
		},
	);
}

function configurationForm(tab, saved) {
	const { app } = tab;
	const enabled = app.IsTokenEnable; // as it is shown
	return form(
		{
			label: "Save callback",
			extra: app.CallbackUrl ? button("Delete", () => clear(tab, saved), { class: "btn btn-outline btn-bad" }) : [],
		},
		async (sent) => {
			await call("callback_set", configuration(app, enabled, sent));
			sent.elements.token.value = "";
			notice("The callback is saved. It acts from the next attempt on.");
			await tab.reload();
			saved();
		},
		field({
			label: "URL",
			name: "url",
			type: "url",
			autocomplete: "off",
			spellcheck: "false",
			value: app.CallbackUrl,
			placeholder: "https://app.example.com/callback",
		}),
		switches(app),
		el(
			"div",
			{ class: "pair" },
			field({
				label: "Token",
				name: "token",
				type: "password",
				autocomplete: "new-password",
				help: "For Sign, the vendor's signature. It is not shown; empty leaves it as it is.",
			}),
			check({ label: "Sign callbacks with the token", name: "enable", checked: app.IsTokenEnable }),
		),
	);
}

// ---- the endpoint, and a test ----

async function follow(tab, webhookId, box) {
	const found = await call("callback_show", { WebhookId: webhookId });
	const state = callbackState(found.State);
	const last = found.AttemptList[found.AttemptList.length - 1];
	replace(
		box,
		el("p", {}, badge(state), ` Test ${found.Sequence}: `, state.meaning),
		last ? el("ol", { class: "attempts" }, attemptBox(last)) : null,
	);
	return isFinal(found.State);
}

async function sendTest(tab, box) {
	const made = await call("callback_test", { SdkAppid: tab.sdkappid });
	tab.testing?.();
	let over = false;
	const look = async () => {
		if (over) return;
		over = (await follow(tab, made.WebhookId, box).catch(() => false)) || !tab.alive();
		if (over) stop();
	};
	const timer = setInterval(look, TEST_MS);
	const stop = () => {
		over = true;
		clearInterval(timer);
	};
	tab.testing = stop;
	tab.onLeave(stop);
	await look();
}

function endpointCard(tab) {
	const list = el("div");
	const box = el("div", { class: "test-box", role: "status" });
	const draw = () => {
		const { Endpoint: it } = tab.app;
		replace(
			list,
			facts([
				["State", badge(endpoint(tab.app))],
				it.Failures ? ["Failed in a row", String(it.Failures)] : null,
				it.FailingSince ? ["Failing since", when(it.FailingSince)] : null,
				["Last delivered", when(it.LastDelivered)],
				it.PauseReason
					? ["Paused by", it.PauseReason === "gone" ? "the endpoint: it answered 410" : "an operator"]
					: null,
				["Undelivered", String(tab.app.CallbackPending)],
			]),
		);
	};
	tab.onApp(draw);
	draw();
	return card(
		"Endpoint",
		list,
		form({ label: "Send test", class: "test-form" }, () => sendTest(tab, box)),
		el(
			"p",
			{ class: "help" },
			"A real alert with the counts of now, marked as a test, signed and sent like any other.",
		),
		box,
	);
}

export async function show(tab) {
	const part = (app) => [app.CallbackUrl, app.CallbackCommandList, app.IsTokenEnable];
	const shared = tab.shared(part, () => configurationForm(tab, () => shared.saved()));
	replace(
		tab.body,
		el(
			"div",
			{ class: "columns columns-wide" },
			el("div", {}, card("Where callbacks go", shared.box), secretsCard(tab)),
			el("div", {}, endpointCard(tab), certificateCard(tab)),
		),
	);
}
