/* The client module in Node against a real backend, and against listeners that misbehave.
 *
 * tests/e2e/test_client_module.py starts the backend and says in HIGHWATER_CLIENT_TEST (JSON) where it is, the app, and
 * the UserSigs: by user, one of alice's that is expired, and one that another key made. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import test from "node:test";
import { inspect } from "node:util";

import { detectPlatform, HighwaterClient, HighwaterError } from "../../web/client/highwater-client.js";

const { url, sdkAppId, sigs } = JSON.parse(process.env.HIGHWATER_CLIENT_TEST);
const SECONDS = 20000; // for what is expected to happen: a deadline, not a wait

function clientOf(userId, changes = {}) {
	return new HighwaterClient({ url, sdkAppId, userId, userSig: sigs[userId], timeoutMs: SECONDS, ...changes });
}

const alice = clientOf("alice");
const bob = clientOf("bob");

function refused(code, words, retryable = false) {
	return (error) => {
		assert.ok(error instanceof HighwaterError, inspect(error));
		assert.equal(error.code, code, error.message);
		assert.match(error.info, words);
		assert.match(error.message, words);
		assert.match(error.requestId, /^Id-/);
		assert.equal(error.httpStatus, 200);
		assert.equal(error.retryable, retryable);
		return true;
	};
}

function unanswered(words, retryable, httpStatus = null) {
	return (error) => {
		assert.ok(error instanceof HighwaterError, inspect(error));
		const { code, requestId } = error;
		assert.deepEqual({ code, requestId }, { code: null, requestId: null });
		assert.match(error.info, words);
		assert.equal(error.retryable, retryable);
		assert.equal(error.httpStatus, httpStatus);
		return true;
	};
}

/* A backend that answers what `handle` does; returns a client of it and the requests it got. */
async function startFake(t, handle, changes = {}) {
	const requests = [];
	const server = createServer((request, response) => {
		requests.push(request);
		handle(request, response, requests.length);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => {
		server.close();
		server.closeAllConnections();
	});
	const address = `http://127.0.0.1:${server.address().port}`;
	return { client: clientOf("alice", { url: address, ...changes }), requests, address };
}

function answer(response, ErrorCode, { status = 200, ...more } = {}) {
	response.writeHead(status, { "content-type": "application/json" });
	response.end(JSON.stringify({ ActionStatus: "FAIL", ErrorInfo: "as told", ErrorCode, RequestId: "Id-1", ...more }));
}

// ---- what the methods do ----

test("createRoom makes a Live room of the caller", async () => {
	assert.deepEqual(await alice.createRoom({ RoomId: "made", RoomName: "Größe ✓", Category: [1, 2] }), {
		roomId: "made",
		reused: false,
	});
	const room = await alice.getRoom("made");
	assert.equal(room.RoomName, "Größe ✓");
	assert.equal(room.RoomType, "Live");
	assert.equal(room.Owner_Account, "alice");
	assert.deepEqual(room.Category, [1, 2]);
});

test("createRoom of a room that is one's own already reuses it", async () => {
	await alice.createRoom({ RoomId: "twice", RoomName: "first" });
	assert.deepEqual(await alice.createRoom({ RoomId: "twice", RoomName: "second" }), { roomId: "twice", reused: true });
	assert.equal((await alice.getRoom("twice")).RoomName, "first");
});

test("createRoom with an id of somebody else's room is refused", async () => {
	await bob.createRoom({ RoomId: "of-bob" });
	await assert.rejects(alice.createRoom({ RoomId: "of-bob" }), refused(100003, /in use/));
});

test("createRoom leaves a RoomType that is given, for the backend to judge", async () => {
	await assert.rejects(alice.createRoom({ RoomId: "no-live", RoomType: "Conference" }), refused(100015, /Live/));
});

test("destroyRoom ends the room and gives its statistic", async () => {
	await alice.createRoom({ RoomId: "ended" });
	assert.deepEqual(await alice.destroyRoom("ended"), {
		TotalViewers: 0,
		TotalGiftsSent: 0,
		TotalGiftCoins: 0,
		TotalUniqueGiftSenders: 0,
		TotalLikesReceived: 0,
	});
	await assert.rejects(alice.getRoom("ended"), refused(100004, /room/));
	await assert.rejects(alice.destroyRoom("ended"), refused(100004, /room/));
});

test("only the owner may change or destroy a room", async () => {
	await bob.createRoom({ RoomId: "guarded" });
	await assert.rejects(alice.destroyRoom("guarded"), refused(100006, /permission|owner/));
	await assert.rejects(alice.updateRoom({ RoomId: "guarded", Notice: "mine" }), refused(100006, /permission|owner/));
	await assert.rejects(alice.setMetadata("guarded", { a: "1" }), refused(100006, /permission|owner/));
	await assert.rejects(alice.deleteMetadata("guarded", ["a"]), refused(100006, /permission|owner/));
	assert.equal((await alice.getRoom("guarded")).Notice, "");
});

test("updateRoom changes what is given and nothing else", async () => {
	await alice.createRoom({ RoomId: "changed", RoomName: "before", CoverURL: "https://example.com/a.png" });
	assert.equal(await alice.updateRoom({ RoomId: "changed", RoomName: "after", Notice: "at eight" }), undefined);
	const room = await alice.getRoom("changed");
	assert.deepEqual([room.RoomName, room.Notice, room.CoverURL], ["after", "at eight", "https://example.com/a.png"]);
});

test("a value that the backend refuses is named", async () => {
	await assert.rejects(alice.createRoom({ RoomId: "x".repeat(49) }), refused(100002, /RoomId/));
	await assert.rejects(alice.updateRoom({ RoomId: "made", Notice: 7 }), refused(100002, /Notice/));
	await assert.rejects(alice.listRooms({ count: 21 }), refused(100002, /Count/));
	await assert.rejects(alice.listRooms({ next: "nonsense" }), refused(100002, /Next/));
	await assert.rejects(alice.setMetadata("made", {}), refused(100002, /Metadata/));
});

test("listRooms gives pages and rooms() walks them all, newest first", async () => {
	const ids = Array.from({ length: 25 }, (unused, index) => `listed-${index}`);
	for (const RoomId of ids) await alice.createRoom({ RoomId });
	await alice.createRoom({ RoomId: "unlisted", IsPublicVisible: false });

	const first = await bob.listRooms({ count: 2 });
	assert.deepEqual(first.rooms.map((room) => room.RoomId), ["listed-24", "listed-23"]);
	const second = await bob.listRooms({ next: first.next, count: 2 });
	assert.deepEqual(second.rooms.map((room) => room.RoomId), ["listed-22", "listed-21"]);
	assert.equal((await bob.listRooms()).rooms.length, 20);

	for (const options of [undefined, { count: 5 }]) {
		const seen = [];
		for await (const room of bob.rooms(options)) seen.push(room.RoomId);
		assert.deepEqual(seen.filter((id) => id.startsWith("listed-")), [...ids].reverse());
		assert.equal(new Set(seen).size, seen.length);
		assert.ok(!seen.includes("unlisted"));
	}
});

test("rooms() that is left early asks for no further page", async (t) => {
	const page = { Response: { Next: "1-1", RoomList: [{ RoomId: "a" }, { RoomId: "b" }] } };
	const { client, requests } = await startFake(t, (request, response) => answer(response, 0, page));
	for await (const room of client.rooms()) {
		assert.equal(room.RoomId, "a");
		break;
	}
	assert.equal(requests.length, 1);
});

test("getStatistic gives the counts", async () => {
	await alice.createRoom({ RoomId: "counted" });
	assert.deepEqual(await bob.getStatistic("counted"), {
		TotalViewers: 0,
		TotalGiftsSent: 0,
		TotalGiftCoins: 0,
		TotalUniqueGiftSenders: 0,
		TotalLikesReceived: 0,
		TotalMsgCount: 0,
	});
	await assert.rejects(bob.getStatistic("not-there"), refused(100004, /room/));
});

test("metadata is set, given back and deleted as an object", async () => {
	await alice.createRoom({ RoomId: "described" });
	assert.deepEqual(await alice.getMetadata("described"), {});
	const mood = 'line one\nline two ✓ "quoted"';
	const metadata = { topic: "tea", mood, empty: "", ["__proto__"]: "a key like others" };
	assert.equal(await alice.setMetadata("described", metadata), undefined);
	assert.deepEqual(await bob.getMetadata("described"), metadata);
	assert.deepEqual(await bob.getMetadata("described", ["topic", "unknown"]), { topic: "tea" });
	await alice.setMetadata("described", { topic: "coffee" });
	assert.deepEqual(await bob.getMetadata("described", ["topic"]), { topic: "coffee" });
	assert.equal(await alice.deleteMetadata("described", ["topic", "mood", "__proto__"]), undefined);
	assert.deepEqual(await bob.getMetadata("described"), { empty: "" });
	await assert.rejects(alice.deleteMetadata("described", ["topic"]), refused(100503, /./));
	await assert.rejects(alice.getMetadata("not-there"), refused(100004, /room/));
});

test("the limits of metadata have codes of their own", async () => {
	await alice.createRoom({ RoomId: "full" });
	const eleven = Object.fromEntries(Array.from({ length: 11 }, (unused, index) => [`k${index}`, ""]));
	const nine = Object.fromEntries(Array.from({ length: 9 }, (unused, index) => [`k${index}`, "x".repeat(2048)]));
	await assert.rejects(alice.setMetadata("full", eleven), refused(100500, /./));
	await assert.rejects(alice.setMetadata("full", { a: "x".repeat(2049) }), refused(100501, /./));
	await assert.rejects(alice.setMetadata("full", nine), refused(100502, /./));
	await assert.rejects(alice.setMetadata("full", { ["x".repeat(51)]: "" }), refused(100504, /./));
	assert.deepEqual(await alice.getMetadata("full"), {});
});

// ---- who calls ----

test("a UserSig of another key is refused, and not asked for again", async () => {
	let asked = 0;
	const userSig = () => {
		asked += 1;
		return sigs.forged;
	};
	await assert.rejects(clientOf("alice", { userSig }).getRoom("made"), (error) => {
		assert.ok(error instanceof HighwaterError && error.code !== 70001, inspect(error));
		return refused(error.code, /./)(error) && String(error.code).startsWith("70");
	});
	assert.equal(asked, 1);
});

test("a UserSig of somebody else is refused", async () => {
	await assert.rejects(clientOf("alice", { userSig: sigs.bob }).getRoom("made"), refused(70013, /./));
});

test("an app that is not there is refused", async () => {
	await assert.rejects(clientOf("alice", { sdkAppId: 4294967295 }).getRoom("made"), refused(70020, /./));
});

test("a user id may hold what a URL may not", async () => {
	const odd = clientOf("a&b=c%2B+d/?#");
	assert.equal((await odd.createRoom({ RoomId: "odd" })).reused, false);
	assert.equal((await odd.getRoom("odd")).Owner_Account, "a&b=c%2B+d/?#");
});

function expiredFirst(...later) {
	const given = [sigs.expired, ...later];
	const userSig = async () => {
		userSig.asked += 1;
		return given[Math.min(userSig.asked, given.length) - 1];
	};
	userSig.asked = 0;
	return userSig;
}

test("an expired UserSig is asked for again, once, and the new one is kept", async () => {
	const userSig = expiredFirst(sigs.alice);
	const client = clientOf("alice", { userSig });
	assert.equal((await client.createRoom({ RoomId: "renewed" })).reused, false);
	await client.getRoom("renewed");
	await client.destroyRoom("renewed");
	assert.equal(userSig.asked, 2);
});

test("calls that find the UserSig expired together ask for one new one", async () => {
	const userSig = expiredFirst(sigs.alice);
	const client = clientOf("alice", { userSig });
	await Promise.all(Array.from({ length: 5 }, () => client.listRooms()));
	assert.equal(userSig.asked, 2);
});

test("a second expired UserSig ends the call; the next call asks again", async () => {
	const userSig = expiredFirst(sigs.expired, sigs.alice);
	const client = clientOf("alice", { userSig });
	await assert.rejects(client.listRooms(), refused(70001, /./));
	assert.equal(userSig.asked, 2);
	await client.listRooms();
	assert.equal(userSig.asked, 3);
});

test("an expired UserSig that is a text is refused, with one request", async (t) => {
	await assert.rejects(clientOf("alice", { userSig: sigs.expired }).listRooms(), refused(70001, /./));
	const { client, requests } = await startFake(t, (request, response) => answer(response, 70001));
	await assert.rejects(client.listRooms(), refused(70001, /as told/));
	assert.equal(requests.length, 1);
});

test("a failure of the userSig function is the call's, and is not kept", async () => {
	const failure = new Error("the app's server is away");
	let asked = 0;
	const userSig = () => {
		asked += 1;
		if (asked === 1) throw failure;
		return asked === 2 ? "" : sigs.alice;
	};
	const client = clientOf("alice", { userSig });
	await assert.rejects(client.listRooms(), (error) => error === failure);
	await assert.rejects(client.listRooms(), { name: "TypeError", message: /userSig/ });
	await client.listRooms();
	assert.equal(asked, 3);
});

// ---- what a request looks like ----

test("a request is one POST whose query says who calls and from where", async (t) => {
	let body = "";
	const { client, requests, address } = await startFake(t, async (request, response) => {
		for await (const piece of request) body += piece;
		answer(response, 0, { Response: { RoomId: "made" } });
	}, { userSig: "a*b-c_d&e%25", platform: "Mac" });
	await client.createRoom({ RoomId: "made" });
	const [request] = requests;
	const seen = new URL(request.url, address);
	assert.equal(requests.length, 1);
	assert.equal(request.method, "POST");
	assert.equal(request.headers["content-type"], "application/json");
	assert.equal(seen.pathname, "/v4/live_client/create_room");
	assert.deepEqual(Object.fromEntries(seen.searchParams), {
		sdkappid: String(sdkAppId),
		identifier: "alice",
		usersig: "a*b-c_d&e%25",
		platform: "Mac",
		contenttype: "json",
	});
	assert.deepEqual(JSON.parse(body), { RoomInfo: { RoomType: "Live", RoomId: "made" } });
});

test("the backend's address may have a path, and slashes at its end do not count", async (t) => {
	const page = { Response: { Next: "", RoomList: [] } };
	const { requests, address } = await startFake(t, (request, response) => answer(response, 0, page));
	for (const end of ["", "/", "/live", "/live//"]) await clientOf("alice", { url: address + end }).listRooms();
	assert.deepEqual(requests.map((request) => request.url.split("?")[0]), [
		"/v4/live_client/get_room_list",
		"/v4/live_client/get_room_list",
		"/live/v4/live_client/get_room_list",
		"/live/v4/live_client/get_room_list",
	]);
});

test("a fetch that is passed is used", async () => {
	const called = [];
	const fetch = async (...args) => {
		called.push(args);
		return { status: 200, text: async () => '{"ErrorCode":0,"Response":{"Next":"","RoomList":[]}}' };
	};
	assert.deepEqual(await clientOf("alice", { fetch }).listRooms(), { next: "", rooms: [] });
	assert.equal(called.length, 1);
	const { method, cache, credentials, redirect } = called[0][1];
	const expected = { method: "POST", cache: "no-store", credentials: "omit", redirect: "error" };
	assert.deepEqual({ method, cache, credentials, redirect }, expected);
});

// ---- when it goes wrong ----

test("codes that are worth another try say so, and are not tried again", async (t) => {
	const retryable = [60007, 60008, 60011, 100001];
	for (const code of [...retryable, 60002, 60010, 70003, 100002, 100004, 100006, 100012, 100013]) {
		const { client, requests } = await startFake(t, (request, response) => answer(response, code));
		await assert.rejects(client.listRooms(), refused(code, /as told/, retryable.includes(code)));
		assert.equal(requests.length, 1);
	}
});

test("a refusal with another status is still the backend's", async () => {
	const big = { RoomId: "made", Notice: "x".repeat(70000) };
	await assert.rejects(alice.updateRoom(big), (error) => {
		assert.deepEqual([error.code, error.httpStatus, error.retryable], [60003, 413, false]);
		return true;
	});
});

test("answers that are not the backend's are told with their status", async (t) => {
	const rows = [
		[502, "<html>bad gateway</html>", true],
		[429, "slow down", true],
		[404, "", false],
		[200, "<html>welcome</html>", false],
		[200, "null", false],
		[200, '{"ErrorCode":"0"}', false],
		[500, '{"ErrorCode":0,"Response":{}}', true],
	];
	for (const [status, text, retryable] of rows) {
		const { client } = await startFake(t, (request, response) => response.writeHead(status).end(text));
		await assert.rejects(client.listRooms(), unanswered(/not a Highwater backend's/, retryable, status));
	}
});

test("a redirect is not followed: the UserSig is for one backend", async (t) => {
	const { requests, address } = await startFake(t, (request, response) => answer(response, 0));
	for (const status of [302, 307]) {
		const { client } = await startFake(t, (request, response) => {
			response.writeHead(status, { location: address + request.url }).end();
		});
		await assert.rejects(client.listRooms(), unanswered(/not reached/, true));
	}
	assert.equal(requests.length, 0);
});

test("a backend that is not there is worth another try", async (t) => {
	const server = createSocketServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address();
	server.close();
	await once(server, "close");
	const client = clientOf("alice", { url: `http://127.0.0.1:${port}` });
	await assert.rejects(client.listRooms(), unanswered(/not reached.*ECONNREFUSED/, true));
});

test("an answer that breaks off is worth another try", async (t) => {
	const { client } = await startFake(t, (request, response) => {
		response.writeHead(200, { "content-length": "100" });
		response.write("{", () => response.destroy());
	});
	await assert.rejects(client.listRooms(), unanswered(/lost/, true));
});

test("a backend that never answers ends at the timeout, and the request with it", async (t) => {
	const { client, requests } = await startFake(t, () => {}, { timeoutMs: 200 });
	const started = performance.now();
	await assert.rejects(client.listRooms(), unanswered(/no answer within 200 ms/, true));
	assert.ok(performance.now() - started >= 190);
	assert.equal(requests.length, 1);
	if (!requests[0].socket.destroyed) await once(requests[0].socket, "close");
});

test("an answer that never ends ends at the timeout", async (t) => {
	const { client } = await startFake(t, (request, response) => response.writeHead(200).write("{"), { timeoutMs: 200 });
	await assert.rejects(client.listRooms(), unanswered(/no answer within 200 ms/, true));
});

test("the timeout covers a userSig function and a fetch that do not end", async () => {
	const never = () => new Promise(() => {});
	for (const changes of [{ userSig: never }, { fetch: never }]) {
		const client = clientOf("alice", { ...changes, timeoutMs: 100 });
		await assert.rejects(client.listRooms(), unanswered(/no answer within 100 ms/, true));
	}
});

test("a signal ends a call with its reason, and the request with it", async (t) => {
	const controller = new AbortController();
	const reason = new Error("the page was left");
	const { client, requests } = await startFake(t, () => controller.abort(reason));
	await assert.rejects(client.listRooms({ signal: controller.signal }), (error) => error === reason);
	assert.equal(requests.length, 1);
	if (!requests[0].socket.destroyed) await once(requests[0].socket, "close");
});

test("every method takes a signal; one that is aborted already asks for nothing", async (t) => {
	let asked = 0;
	const userSig = () => {
		asked += 1;
		return sigs.alice;
	};
	const { client, requests } = await startFake(t, (request, response) => answer(response, 0), { userSig });
	const options = { signal: AbortSignal.abort() };
	const calls = [
		client.createRoom({ RoomId: "a" }, options),
		client.destroyRoom("a", options),
		client.updateRoom({ RoomId: "a" }, options),
		client.getRoom("a", options),
		client.listRooms(options),
		client.rooms(options).next(),
		client.getStatistic("a", options),
		client.setMetadata("a", { b: "" }, options),
		client.getMetadata("a", [], options),
		client.deleteMetadata("a", ["b"], options),
	];
	for (const call of calls) await assert.rejects(call, { name: "AbortError" });
	assert.equal(requests.length + asked, 0);
});

test("a call that ends while it asks for a UserSig sends nothing", async () => {
	const controller = new AbortController();
	let give;
	let sent = 0;
	const given = new Promise((resolve) => {
		give = resolve;
	});
	const fetch = async () => {
		sent += 1;
		return { status: 200, text: async () => '{"ErrorCode":0,"Response":{"Next":"","RoomList":[]}}' };
	};
	const client = clientOf("alice", { fetch, userSig: () => given });
	const call = client.listRooms({ signal: controller.signal });
	controller.abort();
	await assert.rejects(call, { name: "AbortError" });
	give(sigs.alice);
	await client.listRooms(); // waits for the same UserSig, after the call above
	assert.equal(sent, 1);
});

test("a call that has ended leaves no timer and nothing at its signal", async (t) => {
	const { setTimeout, clearTimeout } = globalThis;
	const timers = new Set();
	globalThis.setTimeout = (...args) => {
		const timer = setTimeout(...args);
		if (args[1] === SECONDS) timers.add(timer); // fetch has timers of its own
		return timer;
	};
	globalThis.clearTimeout = (timer) => {
		timers.delete(timer);
		clearTimeout(timer);
	};
	t.after(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
	const { signal } = new AbortController();
	const listeners = new Set();
	const add = signal.addEventListener.bind(signal);
	const remove = signal.removeEventListener.bind(signal);
	signal.addEventListener = (type, listener) => listeners.add(listener) && add(type, listener);
	signal.removeEventListener = (type, listener) => listeners.delete(listener) && remove(type, listener);
	await alice.listRooms({ signal });
	await assert.rejects(alice.getRoom("not-there", { signal }), refused(100004, /room/));
	assert.equal(listeners.size + timers.size, 0);
});

test("mistakes of the program are told before anything is sent", async (t) => {
	const { client, requests, address } = await startFake(t, (request, response) => answer(response, 0));
	const constructions = [
		[{ url: "" }, /url/],
		[{ url: "live.example.com" }, /url/],
		[{ url: "ftp://live.example.com" }, /url/],
		[{ url: `${address}?a=b` }, /url/],
		[{ url: `${address}#a` }, /url/],
		[{ url: "http://user:word@127.0.0.1" }, /url/],
		[{ sdkAppId: "1400000001" }, /sdkAppId/],
		[{ sdkAppId: 0 }, /sdkAppId/],
		[{ sdkAppId: 4294967296 }, /sdkAppId/],
		[{ userId: "" }, /userId/],
		[{ userSig: "" }, /userSig/],
		[{ userSig: undefined }, /userSig/],
		[{ platform: "" }, /platform/],
		[{ timeoutMs: 0 }, /timeoutMs/],
		[{ timeoutMs: Infinity }, /timeoutMs/],
		[{ fetch: "fetch" }, /fetch/],
	];
	for (const [changes, message] of constructions) {
		assert.throws(() => clientOf("alice", changes), { name: "TypeError", message }, inspect(changes));
	}
	const calls = [
		client.createRoom(),
		client.createRoom({}),
		client.createRoom({ RoomId: 7 }),
		client.updateRoom({ Notice: "which?" }),
		client.getRoom(),
		client.destroyRoom(""),
		client.getStatistic(null),
		client.setMetadata("a"),
		client.setMetadata("a", { b: 1 }),
		client.getMetadata("a", "b"),
		client.deleteMetadata("a"),
	];
	for (const call of calls) await assert.rejects(call, { name: "TypeError" });
	assert.equal(requests.length, 0);
});

test("no UserSig is in what a client or an error shows", async (t) => {
	const secret = "eJw-the-secret-UserSig";
	const fetch = async (address) => {
		throw Object.assign(new TypeError(`failed: ${address}`), { cause: new Error(address) });
	};
	const { address } = await startFake(t, (request, response) => answer(response, 70003));
	for (const changes of [{ fetch }, { url: address }]) {
		const client = clientOf("alice", { ...changes, userSig: secret });
		const error = await client.listRooms().then(assert.fail, (failure) => failure);
		for (const thing of [error, client]) {
			const shown = `${thing}${thing.stack}${inspect(thing, { depth: 9, showHidden: true })}${JSON.stringify(thing)}`;
			assert.ok(!shown.includes(secret), shown);
		}
	}
});

// ---- platforms ----

const document = { createElement() {} };
const agentOf = (system) => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0`;
const windows = agentOf("Windows NT 10.0; Win64; x64");
const mac = agentOf("Macintosh; Intel Mac OS X 10_15_7");
const linux = agentOf("X11; Linux x86_64");
const electron = (platform) => ({ versions: { electron: "30.0.0", node: "20.0.0" }, platform });
const native = { product: "ReactNative" };
const throwing = Object.defineProperty({}, "process", {
	get() {
		throw new Error("not here");
	},
});

for (const [name, globalObject, platform] of [
	["Electron on macOS", { process: electron("darwin"), document }, "Mac"],
	["Electron on Windows", { process: electron("win32"), document }, "Windows"],
	["Electron on Linux", { process: electron("linux"), document }, "Unknown"],
	["an isolated renderer on Windows", { navigator: { userAgent: `${windows} Electron/30.0.0` }, document }, "Windows"],
	["an isolated renderer on macOS", { navigator: { userAgent: `${mac} Electron/30.0.0` }, document }, "Mac"],
	["an isolated renderer on Linux", { navigator: { userAgent: `${linux} Electron/30.0.0` }, document }, "Unknown"],
	["a browser on Windows", { navigator: { userAgent: windows, product: "Gecko" }, document }, "Web"],
	["a browser on macOS", { navigator: { userAgent: mac, product: "Gecko" }, document }, "Web"],
	["a page with a shim of process", { process: { versions: {}, platform: "browser" }, document }, "Web"],
	["React Native on Android", { navigator: native, Platform: { OS: "android" } }, "Android"],
	["React Native on an iPhone", { navigator: native, Platform: { OS: "ios", isPad: false } }, "iOS"],
	["React Native on an iPad", { navigator: native, Platform: { OS: "ios", isPad: true } }, "iPad"],
	["React Native on macOS", { navigator: native, Platform: { OS: "macos" } }, "Mac"],
	["React Native on Windows", { navigator: native, Platform: { OS: "windows" } }, "Windows"],
	["React Native elsewhere", { navigator: native, Platform: { OS: "constructor" } }, "Unknown"],
	["React Native without a hint", { navigator: native, document }, "Unknown"],
	["Node on Windows", { process: { versions: { node: "18.0.0" }, platform: "win32" } }, "Windows"],
	["Node on macOS", { process: { versions: { node: "18.0.0" }, platform: "darwin" } }, "Mac"],
	["Node on Linux", { process: { versions: { node: "18.0.0" }, platform: "linux" } }, "Unknown"],
	["a document that is none", { document: "no" }, "Unknown"],
	["nothing known", {}, "Unknown"],
	["no global object", null, "Unknown"],
	["a getter that throws", throwing, "Unknown"],
]) {
	test(`detectPlatform: ${name} is ${platform}`, () => {
		assert.equal(detectPlatform(globalObject), platform);
	});
}

test("a client sits on the platform that was detected, unless it is told another", () => {
	assert.equal(alice.platform, { darwin: "Mac", win32: "Windows" }[process.platform] ?? "Unknown");
	assert.equal(clientOf("alice", { platform: "iPad" }).platform, "iPad");
});

test("the types name every method of the client", () => {
	const types = readFileSync(new URL("../../web/client/highwater-client.d.ts", import.meta.url), "utf8");
	const declared = types.slice(types.indexOf("class HighwaterClient {")).matchAll(/^\t(?:readonly )?(\w+)[(:]/gm);
	const names = Array.from(declared, (match) => match[1]).sort();
	assert.deepEqual(names, Object.getOwnPropertyNames(HighwaterClient.prototype).sort());
});
