/* The rooms of the app: looking for one, who has made the most, making one, and destroying some. The backend gives a page at a
 * time. What rooms and owners are called is shown as it is. */

import { call } from "./api.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { moment, number } from "./format.js";
import { listen } from "./live.js";
import {
	badge,
	button,
	check,
	el,
	empty,
	facts,
	failed,
	field,
	form,
	loading,
	notice,
	options,
	pager,
	redraw,
	released,
	replace,
	table,
	when,
} from "./ui.js";

const COUNT = 50;
const RELOAD_MS = 1000;
const NO_ROOM = 100004;
const ORDERS = [
	["newest", "Newest first"],
	["oldest", "Oldest first"],
];

// ---- dialogs ----

/* Accounts as text; of those that are muted or banned until when, and why. */
function names(list) {
	if (!list?.length) return el("span", { class: "faint" }, "none");
	const text = ({ UserId, Until, Reason }) => `${UserId} until ${moment(Until)}${Reason ? ` (${Reason})` : ""}`;
	return list.map((one) => (typeof one === "string" ? one : text(one))).join(", ");
}

function infoOf(info) {
	try {
		return JSON.stringify(JSON.parse(info), null, 2);
	} catch {
		return info;
	}
}

function roomFacts(room) {
	return [
		facts([
			["Owner", room.Owner],
			["Made", when(room.CreateTime)],
			["Visible", room.Visible ? "yes" : "no"],
			["Admins", names(room.Admins)],
			["Robots", names(room.Robots)],
			["Banned", names(room.Banned)],
			["Muted", names(room.Muted)],
		]),
		room.Info ? [el("h3", {}, "Info"), el("pre", { class: "code-box", tabIndex: 0 }, infoOf(room.Info))] : null,
		room.Metadata?.length
			? [el("h3", {}, "Metadata"), facts(room.Metadata.map((one) => [one.Key, el("code", {}, one.Value)]))]
			: null,
	];
}

async function openRoom(sdkappid, roomId) {
	const content = el("div", {}, loading("Loading room"));
	openDialog(`Room ${roomId}`, { wide: true }, content);
	const load = async () => {
		try {
			replace(content, roomFacts(await call("room_show", { SdkAppid: sdkappid, RoomId: roomId })));
		} catch (error) {
			if (error.kind !== "ended") replace(content, failed(error, load));
		}
	};
	await load();
}

async function openCreators(sdkappid) {
	const content = el("div", {}, loading("Counting"));
	openDialog("Who has made the most rooms", {}, content);
	try {
		const found = await call("room_creators", { SdkAppid: sdkappid, Count: 20 });
		const whole = found.Looked >= found.RoomCount;
		replace(
			content,
			el(
				"p",
				{ class: "help" },
				whole
					? "Counted over all rooms."
					: `Counted over the newest ${number(found.Looked)} of ${number(found.RoomCount)} rooms.`,
			),
			found.CreatorList.length
				? table(
						"Owners",
						[
							{ text: "Owner", class: "wrap" },
							{ text: "Rooms", class: "num" },
						],
						found.CreatorList.map((one) => [one.UserId, number(one.RoomCount)]),
					)
				: empty("No rooms", ""),
		);
	} catch (error) {
		if (error.kind !== "ended") replace(content, failed(error));
	}
}

function openCreate(rooms) {
	const dialog = openDialog(
		"New room",
		{},
		form(
			{ label: "Create room", extra: button("Cancel", () => dialog.close()) },
			async (node) => {
				const roomId = node.elements.room.value;
				await call("room_create", {
					SdkAppid: rooms.tab.sdkappid,
					RoomId: roomId,
					Owner: node.elements.owner.value.trim(),
					Visible: node.elements.visible.checked,
				});
				dialog.close();
				notice(`Room ${roomId} is made.`);
				await rooms.load();
			},
			el("p", { class: "help" }, "It counts like any other: it may be refused, and it may make an alert."),
			field({ label: "RoomId", name: "room", autocomplete: "off", spellcheck: "false", maxlength: 48 }),
			field({
				label: "Owner",
				name: "owner",
				autocomplete: "off",
				spellcheck: "false",
				maxlength: 32,
				value: rooms.tab.app.Admins[0] ?? "",
			}),
			check({ label: "Visible in lists", name: "visible", checked: true }),
		),
	);
}

function destroy(rooms) {
	const chosen = [...rooms.chosen];
	confirmDialog(
		{
			title: chosen.length === 1 ? "Destroy this room?" : `Destroy ${chosen.length} rooms?`,
			text: "What they keep goes with them. This cannot be undone.",
			label: "Destroy",
			extra: el(
				"ul",
				{ class: "name-list" },
				chosen.slice(0, 10).map((one) => el("li", {}, one)),
				chosen.length > 10 ? el("li", {}, "…") : null,
			),
		},
		async () => {
			const { FailedList: kept } = await call("room_destroy", {
				SdkAppid: rooms.tab.sdkappid,
				RoomIdList: chosen,
			}).catch((error) => {
				if (error.code === NO_ROOM) rooms.begin(); // somebody else was faster: the list is old
				throw error;
			});
			const count = chosen.length - kept.length;
			rooms.chosen.clear();
			notice(count === 1 ? "The room is destroyed." : `${count} rooms are destroyed.`);
			if (kept.length)
				notice(
					`${kept.length} ${kept.length === 1 ? "was" : "were"} not. ${kept[0].RoomId}: ${kept[0].ErrorInfo}`,
					"bad",
				);
			await rooms.load();
		},
	);
}

// ---- the list ----

class Rooms {
	constructor(tab) {
		this.tab = tab;
		this.search = "";
		this.order = "newest";
		this.cursors = [""];
		this.chosen = new Set();
		this.serial = 0;
		this.timer = 0;
		this.drawn = false;
		this.list = el("div", {}, loading("Loading rooms"));
		this.paging = el("nav", { class: "paging", "aria-label": "Pages of rooms" });
		this.destroyButton = button("Destroy", () => destroy(this), {
			class: "btn btn-outline btn-bad",
			disabled: true,
		});
	}

	begin() {
		this.cursors = [""];
		this.chosen.clear();
		return this.load();
	}

	soon() {
		if (this.chosen.size) return; // what one has chosen stays where it is
		this.timer ||= setTimeout(() => {
			this.timer = 0;
			if (this.tab.alive() && !this.chosen.size) this.load();
		}, RELOAD_MS);
	}

	async load() {
		const serial = ++this.serial;
		try {
			const found = await call("room_list", {
				SdkAppid: this.tab.sdkappid,
				Order: this.order,
				Next: this.cursors[this.cursors.length - 1],
				Count: COUNT,
				...(this.search ? { Search: this.search } : {}),
			});
			await released();
			if (serial === this.serial && this.tab.alive()) this.draw(found);
		} catch (error) {
			if (serial !== this.serial || !this.tab.alive() || error.kind === "ended") return;
			if (!this.drawn || error.kind === "refused")
				replace(
					this.list,
					failed(error, () => this.load()),
				);
		}
	}

	choose(roomId, on) {
		if (on) this.chosen.add(roomId);
		else this.chosen.delete(roomId);
		this.showChosen();
	}

	showChosen() {
		this.destroyButton.disabled = this.chosen.size === 0;
		this.destroyButton.textContent = this.chosen.size ? `Destroy ${this.chosen.size}` : "Destroy";
	}

	row(room) {
		return [
			el("input", {
				type: "checkbox",
				class: "form-check-input",
				"aria-label": `Choose room ${room.RoomId}`,
				checked: this.chosen.has(room.RoomId),
				onchange: (event) => this.choose(room.RoomId, event.target.checked),
			}),
			el(
				"button",
				{ type: "button", class: "link", onclick: () => openRoom(this.tab.sdkappid, room.RoomId) },
				room.RoomId,
			),
			room.Owner,
			when(room.CreateTime),
			room.Visible ? "yes" : badge({ text: "hidden", tone: "muted" }),
		];
	}

	draw(found) {
		this.drawn = true;
		const shown = new Set(found.RoomList.map((one) => one.RoomId));
		for (const one of this.chosen) if (!shown.has(one)) this.chosen.delete(one);
		this.showChosen();
		if (found.RoomList.length) {
			const columns = [
				{ text: "Choose", class: "cell-choose" },
				{ text: "RoomId", class: "wrap" },
				{ text: "Owner", class: "wrap" },
				"Made",
				"Visible",
			];
			redraw(
				this.list,
				table(
					"Rooms",
					columns,
					found.RoomList.map((one) => this.row(one)),
				),
			);
		} else {
			redraw(this.list, this.nothing(found));
		}
		this.drawPaging(found);
	}

	nothing(found) {
		if (found.Next)
			return empty("Nothing yet", "None of the rooms that were looked at match. Go on to look at the next.");
		if (this.search) return empty("No such room", "No RoomId begins with this.");
		return empty("No rooms", "Nobody has made a room yet.");
	}

	drawPaging(found) {
		const text = (page) => `Page ${page}, ${number(found.RoomCount)} rooms in all`;
		pager(this, found.Next, { back: "Previous", on: "Next", text }, () => {
			this.chosen.clear();
			this.load();
		});
	}

	show() {
		let typing = 0;
		const search = field({
			label: "RoomId begins with",
			name: "search",
			type: "search",
			spellcheck: "false",
			maxlength: 48,
		});
		const order = field({ label: "Order", name: "order", tag: "select", children: options(ORDERS, this.order) });
		search.querySelector("input").addEventListener("input", (event) => {
			clearTimeout(typing);
			typing = setTimeout(() => {
				this.search = event.target.value;
				this.begin();
			}, 200);
		});
		order.querySelector("select").addEventListener("change", (event) => {
			this.order = event.target.value;
			this.begin();
		});
		// the count may be the same again: one room went and another came
		this.tab.onLeave(listen("app", (event) => event.SdkAppid === this.tab.sdkappid && this.soon()));
		this.tab.onLeave(listen("lost", () => this.soon()));
		this.tab.onLeave(() => clearTimeout(this.timer));
		const tools = el(
			"div",
			{ class: "push form-end" },
			this.destroyButton,
			button("Top creators", () => openCreators(this.tab.sdkappid)),
			button("New room", () => openCreate(this), { class: "btn btn-primary" }),
		);
		replace(this.tab.body, el("div", { class: "tools" }, search, order, tools), this.list, this.paging);
		return this.load();
	}
}

export const show = (tab) => new Rooms(tab).show();
