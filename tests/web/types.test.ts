/* Compiled, never run: every type that the module exports, used as an app would. Lines marked with an expected error
 * make the compiler fail when they compile. */
import {
	detectPlatform,
	HighwaterClient,
	HighwaterError,
	type CallOptions,
	type ClientOptions,
	type CreatedRoom,
	type EndStatistic,
	type ListedRoom,
	type NewRoom,
	type PageOptions,
	type Platform,
	type RoomInfo,
	type RoomPage,
	type RoomStatistic,
	type RoomUpdate,
	type TakeSeatMode,
} from "../../web/client/highwater-client.js";

const platform: Platform = detectPlatform();
const other: Platform = detectPlatform({ navigator: { product: "ReactNative" }, Platform: { OS: "ios" } });
const fixed: ClientOptions = { url: "https://live.example.com", sdkAppId: 1400000001, userId: "alice", userSig: "eJw" };
const asking: ClientOptions = {
	...fixed,
	userSig: async () => "eJw",
	platform,
	timeoutMs: 5000,
	fetch: (url, init) => fetch(url, init),
};
new HighwaterClient({ ...asking, userSig: () => "eJw", fetch });

// @ts-expect-error a user is needed
new HighwaterClient({ url: "https://live.example.com", sdkAppId: 1, userSig: "eJw" });
// @ts-expect-error RESTAPI cannot be claimed
new HighwaterClient({ ...fixed, platform: "RESTAPI" });

export async function useEverything(client: HighwaterClient, signal: AbortSignal): Promise<Platform> {
	const options: CallOptions = { signal };
	const seats: TakeSeatMode = "ApplyToTake";
	const room: NewRoom = { RoomId: "alice-1", RoomName: "Alice", TakeSeatMode: seats, IsSeatEnabled: true };
	const update: RoomUpdate = { RoomId: "alice-1", Notice: "at eight" };
	const created: CreatedRoom = await client.createRoom(room, options);
	const again: boolean = created.reused;
	await client.updateRoom(update, options);
	const info: RoomInfo = await client.getRoom(created.roomId);
	const asked: PageOptions = { next: "", count: 5, signal };
	const page: RoomPage = await client.listRooms(asked);
	const names: string[] = page.rooms.map((listed: ListedRoom) => listed.RoomName);
	for await (const listed of client.rooms({ count: 5, signal })) names.push(listed.RoomId);
	const statistic: RoomStatistic = await client.getStatistic(info.RoomId);
	await client.setMetadata(info.RoomId, { topic: "tea" }, options);
	const topic: string | undefined = (await client.getMetadata(info.RoomId, ["topic"], options)).topic;
	const all: Record<string, string> = await client.getMetadata(info.RoomId);
	await client.deleteMetadata(info.RoomId, Object.keys(all), options);
	const end: EndStatistic = await client.destroyRoom(info.RoomId, options);
	void [again, topic, statistic.TotalMsgCount + end.TotalViewers];

	// @ts-expect-error a room needs its id
	await client.createRoom({ RoomName: "Alice" });
	// @ts-expect-error an id of a room stays
	await client.updateRoom({ RoomName: "Alice" });
	// @ts-expect-error values are texts
	await client.setMetadata("alice-1", { topic: 1 });
	// @ts-expect-error which keys?
	await client.deleteMetadata("alice-1");
	// @ts-expect-error the list has no notice
	void page.rooms[0].Notice;
	// @ts-expect-error it has no such method
	client.enterRoom("alice-1");
	return client.platform;
}

export function sayWhy(error: unknown): string {
	if (!(error instanceof HighwaterError)) return String(error);
	const code: number | null = error.code;
	const status: number | null = error.httpStatus;
	const request: string | null = error.requestId;
	const retry: boolean = error.retryable;
	// @ts-expect-error errors are not changed
	error.info = "";
	return `${error.name}: ${error.info} ${code} ${status} ${request} ${retry} ${other}`;
}

void new HighwaterError("refused", { code: 100004, retryable: false });
