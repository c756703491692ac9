/* Who changed what, and when. */

import { call } from "./api.js";
import { listen } from "./live.js";
import { el, empty, failed, field, heading, loading, pager, redraw, released, replace, table, when } from "./ui.js";

const COUNT = 50;
const RELOAD_MS = 1000;
const COLUMNS = ["Time", "Who", "From", "What", "App", { text: "Detail", class: "wrap" }];

const WHO = { token: "admin token", system: "Highwater" };

function who(actor) {
	const [kind, name] = actor.split(/:(.*)/);
	if (kind === "session") return `browser ${name}`;
	if (kind === "admin") return `app admin ${name}`;
	return WHO[actor] ?? actor;
}

class Audit {
	constructor(page) {
		this.page = page;
		this.sdkappid = Number(page.query.get("app") ?? 0) || 0;
		this.cursors = [0];
		this.timer = 0;
		this.serial = 0;
		this.drawn = false;
		this.list = el("div", {}, loading("Loading the audit log"));
		this.paging = el("nav", { class: "paging", "aria-label": "Pages of the audit log" });
	}

	async load() {
		const serial = ++this.serial;
		try {
			const found = await call("audit_list", {
				SdkAppid: this.sdkappid,
				Next: this.cursors[this.cursors.length - 1],
				Count: COUNT,
			});
			await released();
			if (serial === this.serial && this.page.alive()) this.draw(found);
		} catch (error) {
			if (serial !== this.serial || !this.page.alive() || error.kind === "ended") return;
			if (!this.drawn)
				replace(
					this.list,
					failed(error, () => this.load()),
				);
		}
	}

	row(one) {
		const app = one.SdkAppid
			? el("a", { href: `#/app/${one.SdkAppid}` }, String(one.SdkAppid))
			: el("span", { class: "faint" }, "none");
		return [when(one.Time), who(one.Actor), one.ClientIp || "", el("code", {}, one.Action), app, one.Detail];
	}

	draw(found) {
		this.drawn = true;
		redraw(
			this.list,
			found.AuditList.length
				? table(
						"Audit log",
						COLUMNS,
						found.AuditList.map((one) => this.row(one)),
					)
				: empty(
						"Nothing here",
						this.sdkappid ? "No change of this app is kept." : "No change has been made yet.",
					),
		);
		const text = (page) => `Page ${page}`;
		pager(this, found.Next, { back: "Newer", on: "Older", text }, () => this.load());
	}

	soon() {
		if (this.timer || this.cursors.length > 1) return;
		this.timer = setTimeout(() => {
			this.timer = 0;
			if (this.page.alive()) this.load();
		}, RELOAD_MS);
	}

	show() {
		let typing = 0;
		const app = field({
			label: "App",
			name: "app",
			type: "search",
			inputmode: "numeric",
			maxlength: 10,
			placeholder: "all apps",
			value: this.sdkappid || "",
		});
		app.querySelector("input").addEventListener("input", (event) => {
			clearTimeout(typing);
			typing = setTimeout(() => {
				this.sdkappid = Math.min(4294967295, Number(event.target.value.replace(/\D/g, "")) || 0);
				this.cursors = [0];
				this.load();
			}, 250);
		});
		for (const type of ["config", "callbacks", "lost"]) this.page.onLeave(listen(type, () => this.soon()));
		this.page.onLeave(() => clearTimeout(this.timer));
		replace(this.page.root, heading("Audit"), el("div", { class: "tools" }, app), this.list, this.paging);
		return this.load();
	}
}

export const show = (page) => new Audit(page).show();
