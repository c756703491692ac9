/* The console's frame: who is signed in, which page the address names, and what stands around pages. A page is a module
 * with show(page); page has: root (where it draws), parts and query (of the address), onLeave(f), and alive(). */

import { backend, closeSession, lazy, showSession } from "./api.js";
import { startLive, stopLive } from "./live.js";
import { announce, failed, loading, noticeError, replace } from "./ui.js";
import * as signIn from "./page-signin.js";
import * as overview from "./page-overview.js";

const PAGES = {
	apps: { title: "Apps", load: async () => overview },
	app: { title: "App", load: () => import("./page-app.js"), section: "apps" },
	deliveries: { title: "Deliveries", load: () => import("./page-deliveries.js") },
	audit: { title: "Audit", load: () => import("./page-audit.js") },
	settings: { title: "Settings", load: () => import("./page-settings.js") },
};
const OTHERS_MS = 2000;
const AGAIN_MS = 4000;
const LOADING_MS = 300; // what is faster needs no word
const LIVE_WORDS = { live: "Live", reconnecting: "Reconnecting", polling: "Every 4 s" };

const main = document.getElementById("main");
const banner = document.getElementById("banner");
let signedIn = false;
let current = null;
let fetched = false;
let lastPath = "";
let hasFailed = false; // the page that is shown could not be loaded

function leave() {
	for (const left of current?.left ?? []) left();
	current = null;
}

/* Begins a page: everything of the one before it is over. */
function enter(parts, query) {
	leave();
	const page = {
		root: main,
		parts,
		query,
		left: [],
		onLeave: (left) => page.left.push(left),
		alive: () => current === page,
	};
	current = page;
	return page;
}

/* A part of the address as text; one that was cut or mistyped stays as it is. */
function textOf(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

function address() {
	const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
	return { parts: path.split("/").filter(Boolean).map(textOf), query: new URLSearchParams(search ?? "") };
}

function markSection(name) {
	for (const link of document.querySelectorAll("#sections a")) {
		if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
}

async function route() {
	if (!signedIn) return;
	const { parts, query } = address();
	const name = Object.hasOwn(PAGES, parts[0] ?? "") ? parts[0] : "apps";
	const path = parts.join("/");
	const moved = path !== lastPath;
	const known = PAGES[name];
	lastPath = path;
	document.title = `${parts[1] && name === "app" ? `App ${parts[1]}` : known.title} – Highwater`;
	markSection(known.section ?? name);
	const page = enter(parts.slice(1), query);
	try {
		hasFailed = false;
		const module = await lazy(known.load);
		if (!page.alive()) return;
		if (moved) {
			window.scrollTo(0, 0);
			if (document.activeElement?.closest("#top, .tabs") === null && document.activeElement !== document.body)
				main.focus();
		}
		await module.show(page);
		performance.mark("console-shown");
		fetchOthers();
	} catch (error) {
		if (!page.alive() || error.kind === "ended") return;
		hasFailed = true;
		replace(
			main,
			failed(error, () => location.reload()),
		);
	}
}

/* The other pages are fetched when there is time, so that they are there also when the backend is not. */
function fetchOthers() {
	if (fetched) return;
	fetched = true;
	setTimeout(async () => {
		for (const one of Object.values(PAGES)) (await one.load().catch(() => ({}))).fetchTabs?.();
	}, OTHERS_MS);
}

function showSignIn(text) {
	signedIn = false;
	stopLive();
	document.getElementById("top").hidden = true;
	document.title = "Sign in – Highwater";
	for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
	lastPath = "";
	signIn.show(enter([], null), { text, done: begin });
}

function begin() {
	signedIn = true;
	document.getElementById("top").hidden = false;
	startLive((state) => {
		const node = document.getElementById("live");
		if (node.dataset.state === state) return;
		if (state === "reconnecting" && node.dataset.state === "live")
			announce("Connection to the backend lost, reconnecting");
		if (state === "live" && node.dataset.state === "reconnecting") announce("Connected again");
		node.dataset.state = state;
		document.getElementById("live-text").textContent = LIVE_WORDS[state];
	});
	route();
}

async function boot() {
	window.highwaterTheme();
	const waiting = setTimeout(() => replace(main, loading()), LOADING_MS);
	try {
		const session = await showSession();
		clearTimeout(waiting);
		if (session) begin();
		else showSignIn("");
	} catch (error) {
		clearTimeout(waiting);
		replace(main, failed(error, boot));
		setTimeout(() => !signedIn && boot(), 3000);
	}
}

/* Until it answers: the stream of events may not have noticed. */
function askAgain() {
	setTimeout(() => showSession().catch(askAgain), AGAIN_MS);
}

backend.addEventListener("ended", () => signedIn && showSignIn("The session has ended. Sign in again."));
backend.addEventListener("unreachable", () => {
	banner.textContent = "The backend does not answer. What you see may be old; it is asked again by itself.";
	banner.hidden = false;
	askAgain();
});
backend.addEventListener("reachable", () => {
	banner.hidden = true;
	if (hasFailed && signedIn) route();
});
document.getElementById("sign-out").addEventListener("click", async () => {
	try {
		await closeSession();
		showSignIn("You have signed out.");
	} catch (error) {
		noticeError(error);
	}
});
document.getElementById("skip").addEventListener("click", (event) => {
	event.preventDefault();
	main.focus();
});
window.addEventListener("hashchange", route);
boot();
