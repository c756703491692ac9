/* One callback in a dialog: what was to be said, and each attempt to say it. It follows the events while it is open. */

import { call } from "./api.js";
import { openDialog } from "./dialog.js";
import { callbackState, isFinal, moment, number } from "./format.js";
import { listen } from "./live.js";
import {
	badge,
	button,
	el,
	failed,
	facts,
	loading,
	notice,
	noticeError,
	redraw,
	released,
	replace,
	when,
} from "./ui.js";

const RELOAD_MS = 300;
const OUTCOMES = {
	replied: "A whole reply came",
	dns: "The name has no address",
	not_allowed: "The address is not allowed",
	connect: "No connection",
	tls: "TLS failed",
	timeout: "No reply in time",
	too_large: "The reply was too large",
	broken: "The connection broke",
	not_sent: "No request was made",
};

const duration = (microseconds) =>
	microseconds >= 1000000 ? `${(microseconds / 1000000).toFixed(2)} s` : `${(microseconds / 1000).toFixed(1)} ms`;

function timesOf(one) {
	const parts = [
		["name", one.DnsTime],
		["connection", one.ConnectTime],
		["TLS", one.TlsTime],
		["first byte", one.FirstByteTime],
	].filter(([, value]) => value > 0);
	const total = one.TotalTime ? `${duration(one.TotalTime)} in all` : "";
	return [total, ...parts.map(([name, value]) => `${name} ${duration(value)}`)].filter(Boolean).join(", ");
}

/* One attempt, with the reply as text. */
export function attemptBox(one) {
	const good = !one.Error;
	return el(
		"li",
		{ class: "attempt", "data-good": String(good) },
		el(
			"p",
			{ class: "attempt-head" },
			el("strong", {}, `Attempt ${one.Attempt}`),
			badge({
				text: one.HttpStatus ? `HTTP ${one.HttpStatus}` : (OUTCOMES[one.Outcome] ?? one.Outcome),
				tone: good ? "good" : "bad",
			}),
			when(one.Time),
		),
		facts([
			one.Error ? ["Why not", one.Error] : null,
			one.Address ? ["Address", one.Address] : null,
			one.Tls ? ["TLS", one.Tls] : null,
			one.TotalTime ? ["Time", timesOf(one)] : null,
		]),
		one.Reply
			? [el("p", { class: "help" }, "Reply"), el("pre", { class: "code-box", tabIndex: 0 }, one.Reply)]
			: null,
	);
}

/* Sends one again; it waits then like a new one. */
export async function replay(webhookId) {
	await call("callback_replay", { WebhookId: webhookId });
	notice("It is sent again.");
}

/* The request as it goes out at the next attempt: the URL is the app's of now, signatures are made when it is sent. */
function requestText(found, app) {
	const query = new URLSearchParams({
		SdkAppid: found.SdkAppid,
		CallbackCommand: found.CallbackCommand,
		contenttype: "json",
		ClientIP: found.ClientIP,
		OptPlatform: found.OptPlatform,
	});
	const { CallbackUrl: url, IsTokenEnable: signs } = app;
	const lines = [
		url
			? `POST ${url}${url.includes("?") ? "&" : "?"}${query}${signs ? "&Sign=…&RequestTime=…" : ""}`
			: "POST (the app has no URL now)",
		"Content-Type: application/json",
		`webhook-id: ${found.WebhookId}`,
		...(app.Secrets?.length
			? ["webhook-timestamp: …", `webhook-signature: ${app.Secrets.map(({ Kind }) => `${Kind},…`).join(" ")}`]
			: []),
		`Highwater-Sequence: ${found.Sequence}`,
		...(found.Threshold ? [`Highwater-Threshold: ${found.Threshold}`] : []),
	];
	return `${lines.join("\n")}\n\n${JSON.stringify(found.Body, null, 2)}`;
}

function body(found, app) {
	const state = callbackState(found.State);
	return [
		facts([
			["State", [badge(state), " ", el("span", { class: "help" }, state.meaning)]],
			["App", el("a", { href: `#/app/${found.SdkAppid}/deliveries` }, String(found.SdkAppid))],
			["Command", found.CallbackCommand],
			found.Threshold ? ["Threshold", `${found.Threshold} %`] : null,
			["Event", [moment(found.EventTime), " (", when(found.EventTime), ")"]],
			["Sequence", number(found.Sequence)],
			["webhook-id", el("code", {}, found.WebhookId)],
			["Caused by", `${found.OptPlatform || "unknown platform"}, ${found.ClientIP || "no address"}`],
			[
				"Attempts",
				number(found.Attempts) +
					(found.Replays
						? `, replayed ${found.Replays === 1 ? "once" : `${number(found.Replays)} times`}`
						: ""),
			],
			found.DueTime
				? [
						"Next attempt",
						found.DueTime > Date.now() ? when(found.DueTime) : "as soon as its endpoint takes one",
					]
				: null,
		]),
		el("h3", {}, "Request"),
		el("pre", { class: "code-box", tabIndex: 0, "aria-label": "Request" }, requestText(found, app)),
		el("h3", {}, "Attempts"),
		found.AttemptList.length
			? el("ol", { class: "attempts", reversed: true }, [...found.AttemptList].reverse().map(attemptBox))
			: el("p", { class: "help" }, "None yet."),
	];
}

/* Opens the dialog. */
export function openDelivery(webhookId) {
	const content = el("div", {}, loading("Loading callback"));
	const again = button("Replay", () => replay(webhookId).then(load).catch(noticeError), { hidden: true });
	let sdkappid = 0;
	let timer = 0;
	const soon = () => {
		timer ||= setTimeout(() => {
			timer = 0;
			load();
		}, RELOAD_MS);
	};
	const off = listen("callbacks", (event) => event.SdkAppid === sdkappid && soon());
	const lost = listen("lost", soon);
	const dialog = openDialog(
		"Callback",
		{
			wide: true,
			onclose: () => {
				clearTimeout(timer);
				off();
				lost();
			},
		},
		el("div", { class: "form-end dialog-tools" }, again),
		content,
	);
	async function load() {
		try {
			const found = await call("callback_show", { WebhookId: webhookId });
			const app = await call("app_show", { SdkAppid: found.SdkAppid }).catch(() => ({ CallbackUrl: "" })); // deleted
			await released();
			sdkappid = found.SdkAppid;
			const left = dialog.scrollTop;
			again.hidden = !isFinal(found.State);
			redraw(content, body(found, app));
			dialog.scrollTop = left;
		} catch (error) {
			if (error.kind !== "ended") replace(content, failed(error, load));
		}
	}
	load();
	return dialog;
}
