/* Rooms for an app's users: the client path of a Highwater backend (docs/client.md), for browsers, Node 18 and later,
 * and whatever else has fetch. No dependency, no build step.
 *
 * A call asks for a UserSig when none is known yet, sends one POST, and either resolves or rejects with HighwaterError.
 * It is sent a second time only when the backend says that the UserSig is expired and a new one can be asked for: all
 * other repetition is the caller's, who knows what may happen twice.
 *
 * The UserSig stands in the request's URL and nowhere else. So nothing is logged, and the errors of fetch, whose texts
 * may quote the URL, are not handed on. */

const USERSIG_EXPIRED = 70001;
const ROOM_IS_OWN_ALREADY = 100010;
const RETRYABLE = new Set([60007, 60008, 60011, 100001]);
const SDKAPPID_MAX = 4294967295;
const TIMEOUT_MS_MAX = 2147483647; // of setTimeout

/* What the backend refused, or why there is no answer of its. */
export class HighwaterError extends Error {
	constructor(info, { code = null, requestId = null, httpStatus = null, retryable = false } = {}) {
		super(code === null ? info : `${info} (${code})`);
		this.name = "HighwaterError";
		this.code = code;
		this.info = info;
		this.requestId = requestId;
		this.httpStatus = httpStatus;
		this.retryable = retryable;
	}
}

function hasCode(error, code) {
	return error instanceof HighwaterError && error.code === code;
}

// ---- the platform ----

const NODE_WORDS = new Map([["darwin", "Mac"], ["win32", "Windows"]]);
const NATIVE_WORDS = new Map([["android", "Android"], ["ios", "iOS"], ["macos", "Mac"], ["windows", "Windows"]]);

function electronPlatform({ process, navigator }) {
	if (process?.versions?.electron) return NODE_WORDS.get(process.platform) ?? "Unknown";
	// a renderer that is isolated, as is the default, has no process
	const agent = String(navigator?.userAgent ?? "");
	if (!/\bElectron\//.test(agent)) return null;
	if (/\bWindows NT\b/.test(agent)) return "Windows";
	return /\bMac OS X\b/.test(agent) ? "Mac" : "Unknown";
}

function nativePlatform({ navigator, Platform }) {
	if (navigator?.product !== "ReactNative") return null;
	if (Platform?.OS === "ios" && Platform.isPad) return "iPad";
	return NATIVE_WORDS.get(Platform?.OS) ?? "Unknown";
}

/* The word for where this runs, one of those that the backend knows. */
export function detectPlatform(globalObject = globalThis) {
	try {
		const found = electronPlatform(globalObject) ?? nativePlatform(globalObject);
		if (found) return found;
		if (typeof globalObject.document?.createElement === "function") return "Web";
		const { process } = globalObject;
		return (process?.versions?.node && NODE_WORDS.get(process.platform)) || "Unknown";
	} catch {
		return "Unknown"; // a getter that throws is no reason to fail
	}
}

// ---- checks ----

function need(condition, text) {
	if (!condition) throw new TypeError(text);
}

function needText(value, name) {
	need(typeof value === "string" && value !== "", `${name} must be a text that is not empty`);
	return value;
}

function needRoomInfo(roomInfo) {
	need(roomInfo !== null && typeof roomInfo === "object", "roomInfo must be an object");
	needText(roomInfo.RoomId, "roomInfo.RoomId");
	return roomInfo;
}

function needKeys(keys) {
	need(Array.isArray(keys), "keys must be an array");
	return keys;
}

/* The backend's address without a slash at the end; it may have a path. By pattern, since not everything that has fetch
 * has a whole URL class. */
function needUrl(url) {
	const text = String(url);
	need(/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(text),
		"url must begin with http:// or https:// and have no user name, query or fragment");
	return text.replace(/\/+$/, "");
}

function needFetch(fetch) {
	if (fetch !== undefined) {
		need(typeof fetch === "function", "fetch must be a function");
		return fetch;
	}
	need(typeof globalThis.fetch === "function", "there is no fetch here: pass one");
	return globalThis.fetch;
}

// ---- one exchange ----

/* The time and the signal that end a call, whatever it waits for. `reached` rejects when they do. */
function startLimit(timeoutMs, callerSignal) {
	const controller = new AbortController();
	let end;
	const reached = new Promise((resolve, reject) => {
		const stop = (error) => {
			reject(error); // first, since the abort makes fetch reject too
			controller.abort();
		};
		const onAbort = () => {
			stop(callerSignal.reason ?? Object.assign(new Error("The call was aborted"), { name: "AbortError" }));
		};
		const onTime = () => {
			stop(new HighwaterError(`no answer within ${timeoutMs} ms`, { retryable: true }));
		};
		const timer = setTimeout(onTime, timeoutMs);
		callerSignal?.addEventListener("abort", onAbort);
		if (callerSignal?.aborted) onAbort();
		end = () => {
			clearTimeout(timer);
			callerSignal?.removeEventListener("abort", onAbort);
		};
	});
	return { signal: controller.signal, reached, end };
}

function readEnvelope(text) {
	try {
		const envelope = JSON.parse(text);
		return Number.isInteger(envelope?.ErrorCode) ? envelope : null;
	} catch {
		return null;
	}
}

/* Returns the Response of an answer, or throws what it says. */
function readAnswer(httpStatus, text) {
	const envelope = readEnvelope(text);
	if (!envelope || (envelope.ErrorCode === 0 && httpStatus !== 200)) {
		throw new HighwaterError(`status ${httpStatus} with an answer that is not a Highwater backend's`, {
			httpStatus,
			retryable: httpStatus >= 500 || httpStatus === 429,
		});
	}
	if (envelope.ErrorCode !== 0) {
		throw new HighwaterError(String(envelope.ErrorInfo ?? ""), {
			code: envelope.ErrorCode,
			requestId: envelope.RequestId ?? null,
			httpStatus,
			retryable: RETRYABLE.has(envelope.ErrorCode),
		});
	}
	return envelope.Response ?? {};
}

// ---- the client ----

export class HighwaterClient {
	#url;
	#identity; // of the query
	#platform;
	#makeUserSig;
	#canRenew;
	#userSig = null; // the promise of the one in use
	#timeoutMs;
	#fetch;

	constructor({ url, sdkAppId, userId, userSig, platform = detectPlatform(), timeoutMs = 10000, fetch }) {
		need(Number.isInteger(sdkAppId) && sdkAppId >= 1 && sdkAppId <= SDKAPPID_MAX,
			`sdkAppId must be an integer from 1 to ${SDKAPPID_MAX}`);
		need(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX,
			`timeoutMs must be an integer from 1 to ${TIMEOUT_MS_MAX}`);
		this.#canRenew = typeof userSig === "function";
		if (!this.#canRenew) needText(userSig, "userSig, unless it is a function,");
		this.#makeUserSig = this.#canRenew ? userSig : () => userSig;
		this.#url = needUrl(url);
		this.#identity = `sdkappid=${sdkAppId}&identifier=${encodeURIComponent(needText(userId, "userId"))}`;
		this.#platform = needText(platform, "platform");
		this.#timeoutMs = timeoutMs;
		this.#fetch = needFetch(fetch);
	}

	/* The platform that this client says it sits on. */
	get platform() {
		return this.#platform;
	}

	async createRoom(roomInfo, options) {
		const body = { RoomInfo: { RoomType: "Live", ...needRoomInfo(roomInfo) } };
		try {
			const response = await this.#call("create_room", body, options);
			return { roomId: response.RoomId, reused: false };
		} catch (error) {
			// a user can only create rooms of its own, so this one is
			if (hasCode(error, ROOM_IS_OWN_ALREADY)) return { roomId: roomInfo.RoomId, reused: true };
			throw error;
		}
	}

	async destroyRoom(roomId, options) {
		const response = await this.#call("destroy_room", { RoomId: needText(roomId, "roomId") }, options);
		return response.Statistic;
	}

	async updateRoom(roomInfo, options) {
		await this.#call("update_room_info", { RoomInfo: needRoomInfo(roomInfo) }, options);
	}

	async getRoom(roomId, options) {
		const response = await this.#call("get_room_info", { RoomId: needText(roomId, "roomId") }, options);
		return response.RoomInfo;
	}

	async listRooms({ next = "", count = 20, ...options } = {}) {
		const response = await this.#call("get_room_list", { Next: next, Count: count }, options);
		return { next: response.Next, rooms: response.RoomList };
	}

	async *rooms({ count, signal } = {}) {
		let next = "";
		do {
			const page = await this.listRooms({ next, count, signal });
			yield* page.rooms;
			next = page.next;
		} while (next !== "");
	}

	async getStatistic(roomId, options) {
		return await this.#call("get_room_statistic", { RoomId: needText(roomId, "roomId") }, options);
	}

	async setMetadata(roomId, metadata, options) {
		need(metadata !== null && typeof metadata === "object", "metadata must be an object");
		const pairs = Object.entries(metadata).map(([Key, Value]) => {
			need(typeof Value === "string", `metadata: the value of "${Key}" must be a text`);
			return { Key, Value };
		});
		await this.#call("set_room_metadata", { RoomId: needText(roomId, "roomId"), Metadata: pairs }, options);
	}

	async getMetadata(roomId, keys = [], options = undefined) {
		const body = { RoomId: needText(roomId, "roomId"), Keys: needKeys(keys) };
		const response = await this.#call("get_room_metadata", body, options);
		return Object.fromEntries(response.Metadata.map(({ Key, Value }) => [Key, Value]));
	}

	async deleteMetadata(roomId, keys, options) {
		await this.#call("del_room_metadata", { RoomId: needText(roomId, "roomId"), Keys: needKeys(keys) }, options);
	}

	/* The promise of a UserSig: the one in use, or a new one. A failure is not kept. */
	#takeUserSig() {
		if (!this.#userSig) {
			const asked = (async () => needText(await this.#makeUserSig(), "what userSig gives"))();
			this.#userSig = asked;
			asked.catch(() => {
				if (this.#userSig === asked) this.#userSig = null;
			});
		}
		return this.#userSig;
	}

	async #call(command, body, { signal } = {}) {
		const limit = startLimit(this.#timeoutMs, signal);
		try {
			return await Promise.race([limit.reached, this.#run(command, JSON.stringify(body), limit.signal)]);
		} finally {
			limit.end();
		}
	}

	async #run(command, body, signal) {
		if (signal.aborted) return undefined; // before anything is asked
		const used = this.#takeUserSig();
		try {
			return await this.#send(command, body, await used, signal);
		} catch (error) {
			if (!hasCode(error, USERSIG_EXPIRED) || !this.#canRenew) throw error;
		}
		// calls that found it expired together share the next one
		if (this.#userSig === used) this.#userSig = null;
		return await this.#send(command, body, await this.#takeUserSig(), signal);
	}

	async #send(command, body, userSig, signal) {
		const query = `${this.#identity}&usersig=${encodeURIComponent(userSig)}`
			+ `&platform=${encodeURIComponent(this.#platform)}&contenttype=json`;
		let status;
		let text;
		if (signal.aborted) return undefined; // nobody waits any more
		const fetch = this.#fetch; // a browser's own refuses to be a method of something else
		try {
			const response = await fetch(`${this.#url}/v4/live_client/${command}?${query}`, {
				method: "POST",
				headers: { "content-type": "application/json" },
				body,
				signal,
				cache: "no-store",
				credentials: "omit",
				redirect: "error", // the UserSig is for this backend only
			});
			status = response.status;
			text = await response.text();
		} catch (error) {
			const why = error?.cause?.code ? ` (${error.cause.code})` : "";
			throw new HighwaterError(`the backend was not reached, or its answer was lost${why}`, { retryable: true });
		}
		return readAnswer(status, text);
	}
}
