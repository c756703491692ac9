/* What the page of tests/e2e/test_client_module.py does in a browser: one run with the client module against a backend
 * of another origin. It posts what it saw, or why it failed, to the server that it came from. */
import { HighwaterClient, HighwaterError, detectPlatform } from "/client/highwater-client.js";

const seen = { platform: detectPlatform() };

function told(error) {
	if (!(error instanceof HighwaterError)) return { foreign: String(error) };
	const { code, info, requestId, httpStatus, retryable } = error;
	return { code, info, requestId, httpStatus, retryable };
}

async function run({ url, sdkAppId, userId, userSig, roomId }) {
	const client = new HighwaterClient({ url, sdkAppId, userId, userSig });
	seen.created = await client.createRoom({ RoomId: roomId, RoomName: "Größe ✓" });
	await client.updateRoom({ RoomId: roomId, Notice: "at eight" });
	seen.room = await client.getRoom(roomId);
	await client.setMetadata(roomId, { topic: "tea ✓", mood: "" });
	await client.deleteMetadata(roomId, ["mood"]);
	seen.metadata = await client.getMetadata(roomId);
	seen.statistic = await client.getStatistic(roomId);
	seen.listed = [];
	for await (const room of client.rooms({ count: 1 })) seen.listed.push(room.RoomId);
	await client.destroyRoom(roomId);
	seen.refused = await client.getRoom(roomId).then(() => null, told);
	const aborted = AbortSignal.abort();
	seen.aborted = await client.getRoom(roomId, { signal: aborted }).then(() => null, (error) => error.name);
}

const config = await (await fetch("/config")).json();
await run(config).catch((error) => {
	seen.failed = told(error);
});
await fetch("/result", { method: "POST", body: JSON.stringify(seen) });
