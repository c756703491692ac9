/* The management API: one function, one kind of error, and the session. The admin token is sent once and not kept; the
 * CsrfToken is kept in this module only, and asked for again when the page is loaded again. */

const SESSION_REFUSED = 60010;
const TOO_FREQUENT = 60007;
const TIMEOUT_MS = 20000;

/* What the whole console wants to hear: "ended" (the session), "unreachable" and "reachable" (the backend). */
export const backend = new EventTarget();

let csrf = "";
let reachable = true;

/* Why a call gave nothing. kind: "refused" (code and message say why), "ended" (no session), "unreachable" (no answer). */
export class ApiError extends Error {
	constructor(kind, message, code = 0, retryAfter = 0) {
		super(message);
		this.name = "ApiError";
		this.kind = kind;
		this.code = code;
		this.retryAfter = retryAfter; // seconds, 0 when the backend named none
	}
}

function setReachable(now) {
	if (now === reachable) return;
	reachable = now;
	backend.dispatchEvent(new Event(now ? "reachable" : "unreachable"));
}

function unreachable() {
	setReachable(false);
	return new ApiError("unreachable", "The backend does not answer.");
}

async function post(name, body, headers) {
	const timeout = new AbortController();
	const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
	try {
		const response = await fetch(`/manage/v1/${name}`, {
			method: "POST",
			headers: { "Content-Type": "application/json", ...headers },
			body: JSON.stringify(body),
			signal: timeout.signal,
			credentials: "same-origin",
			cache: "no-store",
		});
		return { answer: await response.json(), retryAfter: Number(response.headers.get("Retry-After")) || 0 };
	} catch {
		throw unreachable();
	} finally {
		clearTimeout(timer);
	}
}

function refusal(answer, retryAfter) {
	const text = answer.ErrorInfo || "The backend refused this.";
	if (answer.ErrorCode === TOO_FREQUENT && retryAfter > 0) {
		return new ApiError(
			"refused",
			`Too many wrong tokens. Try again in ${retryAfter} s.`,
			TOO_FREQUENT,
			retryAfter,
		);
	}
	return new ApiError("refused", text, answer.ErrorCode);
}

/* Calls NAME of the management API; gives its Response, {} when it has none. */
export async function call(name, body = {}) {
	const { answer, retryAfter } = await post(name, body, { "Highwater-Csrf": csrf });
	setReachable(true);
	if (answer.ErrorCode === 0) return answer.Response ?? {};
	if (answer.ErrorCode === SESSION_REFUSED) {
		csrf = "";
		backend.dispatchEvent(new Event("ended"));
		throw new ApiError("ended", "The session has ended. Sign in again.", SESSION_REFUSED);
	}
	throw refusal(answer, retryAfter);
}

/* A module that is fetched when it is needed; that it cannot be is the same as no answer. */
export function lazy(load) {
	return load().catch(() => {
		throw unreachable();
	});
}

/* Signs in with the admin token. */
export async function openSession(token) {
	const { answer, retryAfter } = await post("session_open", { Token: token }, { "Highwater-Csrf": "1" });
	setReachable(true);
	if (answer.ErrorCode === SESSION_REFUSED)
		throw new ApiError("refused", "That is not the admin token.", SESSION_REFUSED);
	if (answer.ErrorCode !== 0) throw refusal(answer, retryAfter);
	csrf = answer.Response.CsrfToken;
	return answer.Response;
}

/* The answer that first.js has asked for, the first time; undefined when there was none. */
function takeFirstSession() {
	const first = window.highwaterSession;
	window.highwaterSession = undefined;
	return first;
}

/* The session that this browser has, or null. */
export async function showSession() {
	const answer = (await takeFirstSession()) ?? (await post("session_show", {}, {})).answer;
	setReachable(true);
	if (answer.ErrorCode !== 0) return null;
	csrf = answer.Response.CsrfToken;
	return answer.Response;
}

export async function closeSession() {
	await call("session_close");
	csrf = "";
}
