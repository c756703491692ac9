/* One app: what all its tabs have in common. Each tab is a module with show(tab); tab has all of the page, and: app (as
 * app_show gives it, kept up to date by events), body (where it draws), reload(), onApp(f) for what follows each event, onChange(part, f)
 * for what is drawn again only when that part of app is another, and shared(part, make) for a form of it. */

import { call, lazy } from "./api.js";
import { endpoint, rise } from "./format.js";
import { listen } from "./live.js";
import { announce, badge, button, el, empty, loading, replace } from "./ui.js";

const TABS = [
	["", "Usage", () => import("./app-usage.js")],
	["rooms", "Rooms", () => import("./app-rooms.js")],
	["policy", "Alert policy", () => import("./app-policy.js")],
	["callback", "Callback", () => import("./app-callback.js")],
	["deliveries", "Deliveries", () => import("./app-deliveries.js")],
	["access", "Keys and admins", () => import("./app-access.js")],
];
const RELOAD_MS = 1000;

/* A form that changes a part of the app, which others may change too: make() gives it. When that part changes it is made again,
 * unless somebody has begun to fill it in: then a line says so, since to save would undo the other change. saved() is for the
 * form's own change. */
function sharedForm(onChange, part, make) {
	const box = el("div");
	let touched = false;
	let warned = false;
	const draw = () => {
		const focused = box.contains(document.activeElement) ? document.activeElement.name || "" : null;
		touched = warned = false;
		const node = replace(box, make()).querySelector("form");
		if (focused !== null) (node.elements[focused] ?? node.querySelector("button[type=submit]")).focus();
	};
	const warn = () => {
		if (warned || !touched || box.querySelector("button[type=submit]").disabled) return; // its own change
		warned = true;
		box.prepend(
			el(
				"p",
				{ class: "form-stale", role: "alert" },
				"This has been changed meanwhile, and to save would undo that. ",
				button("Show the change", draw, { class: "btn btn-sm btn-outline" }),
			),
		);
	};
	for (const type of ["input", "change"])
		box.addEventListener(type, () => {
			touched = true;
		});
	onChange(part, () => (touched ? warn() : draw()));
	draw();
	return { box, saved: draw };
}

/* So that they are there also when the backend is not. */
export const fetchTabs = () => TABS.forEach(([, , load]) => load().catch(() => {}));

function take(app, event) {
	const before = { ...app };
	Object.assign(app, {
		RoomCount: event.RoomCount,
		MaxRoomCount: event.MaxRoomCount,
		AlertLevel: event.AlertLevel,
		CallbackPending: event.CallbackPending,
		Endpoint: { ...app.Endpoint, State: event.EndpointState },
	});
	const text = rise(before, app);
	if (text) announce(text);
}

export async function show(page) {
	const sdkappid = Number(page.parts[0]);
	const [name, , load] = TABS.find(([one]) => one === (page.parts[1] ?? "")) ?? TABS[0];
	if (!page.root.querySelector(`[data-page="app-${sdkappid}"]`)) replace(page.root, loading("Loading app"));
	let app;
	try {
		app = await call("app_show", { SdkAppid: sdkappid });
	} catch (error) {
		if (!page.alive() || error.kind === "ended") return;
		if (error.code === 70020 || error.code === 100002) {
			replace(
				page.root,
				empty(
					`There is no app ${page.parts[0]}`,
					"It may have been deleted.",
					el("a", { class: "btn btn-outline", href: "#/apps" }, "All apps"),
				),
			);
			return;
		}
		throw error; // the frame shows it, and comes back when the backend does
	}
	const module = await lazy(load);
	if (!page.alive()) return;

	const heard = new Set();
	const state = el("span", {}, badge(endpoint(app)));
	const body = el("div", { class: "tab-body" });
	let timer = 0;
	let loadedAt = Date.now();
	const told = () => {
		replace(state, badge(endpoint(app)));
		for (const one of heard) one(app);
	};
	const reload = async () => {
		const fresh = await call("app_show", { SdkAppid: sdkappid });
		loadedAt = Date.now();
		for (const key of Object.keys(app)) delete app[key];
		Object.assign(app, fresh);
		if (page.alive()) told();
	};
	const soon = () => {
		timer ||= setTimeout(
			() => {
				timer = 0;
				reload().catch((error) => {
					if (error.code === 70020 && page.alive()) show(page).catch(() => {});
				});
			},
			Math.max(100, RELOAD_MS - (Date.now() - loadedAt)),
		);
	};
	const onApp = (one) => heard.add(one);
	const onChange = (part, draw) => {
		let before = JSON.stringify(part(app));
		onApp(() => {
			const now = JSON.stringify(part(app));
			if (now !== before) draw();
			before = now;
		});
	};
	const shared = (part, make) => sharedForm(onChange, part, make);
	const tab = { ...page, sdkappid, app, body, reload, onApp, onChange, shared };

	const focused = document.activeElement?.closest?.(".tabs a")?.dataset.tab;
	replace(
		page.root,
		el(
			"div",
			{ class: "page-head", "data-page": `app-${sdkappid}` },
			el("h1", {}, el("span", { class: "faint" }, "App "), String(sdkappid)),
			state,
		),
		el(
			"nav",
			{ class: "tabs", "aria-label": "Parts of the app" },
			TABS.map(([one, text]) =>
				el(
					"a",
					{
						href: one ? `#/app/${sdkappid}/${one}` : `#/app/${sdkappid}`,
						"data-tab": one,
						"aria-current": one === name ? "page" : null,
					},
					text,
				),
			),
		),
		body,
	);
	const active = page.root.querySelector(`.tabs a[data-tab="${name}"]`);
	active.scrollIntoView?.({ block: "nearest", inline: "nearest" });
	if (focused !== undefined) active.focus();
	page.onLeave(() => clearTimeout(timer));
	page.onLeave(
		listen("app", (event) => {
			if (event.SdkAppid !== sdkappid) return;
			take(app, event);
			told();
		}),
	);
	page.onLeave(listen("config", (event) => event.SdkAppid === sdkappid && soon()));
	page.onLeave(listen("callbacks", (event) => event.SdkAppid === sdkappid && soon()));
	page.onLeave(listen("lost", soon));
	await module.show(tab);
}
