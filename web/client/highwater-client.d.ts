/* Types of highwater-client.js; docs/client.md explains them. Field names in objects of the wire are the wire's. */

/** The words for where a user sits. */
export type Platform = "Web" | "Android" | "iOS" | "Windows" | "Mac" | "iPad" | "Unknown";

/** The word for where this runs. In React Native: `detectPlatform({ navigator, Platform })`. */
export function detectPlatform(globalObject?: object): Platform;

export interface ClientOptions {
	/** The backend's address, such as "https://live.example.com"; it may have a path. */
	url: string;
	/** 1 to 4294967295. */
	sdkAppId: number;
	/** Who calls: the identifier that the UserSig was made for. */
	userId: string;
	/** The UserSig, or a function that asks the app's server for one: at first, and when the one in use is expired. */
	userSig: string | (() => string | Promise<string>);
	/** Default: what detectPlatform() finds. */
	platform?: Platform;
	/** For a whole call, the asking for a UserSig included. Default 10000. */
	timeoutMs?: number;
	/** Default: the global fetch. */
	fetch?: (url: string, init: RequestInit) => Promise<Pick<Response, "status" | "text">>;
}

export interface CallOptions {
	/** Ends the call: it rejects with the signal's reason. The backend may have done it already. */
	signal?: AbortSignal;
}

export type TakeSeatMode = "FreeToTake" | "ApplyToTake";

/** What updateRoom changes; what is left out stays. */
export interface RoomUpdate {
	RoomId: string;
	/** Up to 100 bytes; "" is the RoomId. */
	RoomName?: string;
	/** Up to 100 bytes. */
	Notice?: string;
	/** Up to 200 bytes. */
	CoverURL?: string;
	/** Up to 3 integers. */
	Category?: number[];
	ActivityStatus?: number;
	/** false leaves the room out of the list. */
	IsPublicVisible?: boolean;
	TakeSeatMode?: TakeSeatMode;
	MaxMemberCount?: number;
	IsMessageDisabled?: boolean;
}

/** What createRoom takes; all but RoomId have a default. */
export interface NewRoom extends RoomUpdate {
	RoomType?: "Live";
	/** Only the caller itself. */
	Owner_Account?: string;
	IsSeatEnabled?: boolean;
	MaxSeatCount?: number;
	IsUnlimitedRoomEnabled?: boolean;
	SeatTemplate?: string;
	SeatLayoutTemplateId?: number;
	KeepOwnerOnSeat?: boolean;
}

/** A room as getRoom gives it. */
export interface RoomInfo {
	RoomId: string;
	RoomName: string;
	RoomType: "Live";
	Owner_Account: string;
	/** Seconds since 1970. */
	CreateTime: number;
	ViewCount: number;
	Notice: string;
	CoverURL: string;
	Category: number[];
	ActivityStatus: number;
	IsPublicVisible: boolean;
	IsSeatEnabled: boolean;
	TakeSeatMode: TakeSeatMode;
	MaxSeatCount: number;
	MaxMemberCount: number;
	IsMessageDisabled: boolean;
	IsUnlimitedRoomEnabled: boolean;
	SeatTemplate?: string;
	SeatLayoutTemplateId?: number;
	KeepOwnerOnSeat?: boolean;
}

/** A room as the list gives it. */
export type ListedRoom = Pick<
	RoomInfo,
	"RoomId" | "RoomName" | "Owner_Account" | "CoverURL" | "Category" | "CreateTime" | "ActivityStatus" | "ViewCount"
>;

/** What a room had when it ended. All 0: nobody enters a room of this backend. */
export interface EndStatistic {
	TotalViewers: number;
	TotalGiftsSent: number;
	TotalGiftCoins: number;
	TotalUniqueGiftSenders: number;
	TotalLikesReceived: number;
}

export interface RoomStatistic extends EndStatistic {
	TotalMsgCount: number;
}

export interface CreatedRoom {
	roomId: string;
	/** true: the caller had a room of this id already; nothing was created or changed. */
	reused: boolean;
}

export interface PageOptions extends CallOptions {
	/** "" or left out for the first page, then what the page before gave. */
	next?: string;
	/** 1 to 20. Default 20. */
	count?: number;
}

export interface RoomPage {
	/** "" at the end. */
	next: string;
	rooms: ListedRoom[];
}

/** What the backend refused, or why there is no answer of its. */
export class HighwaterError extends Error {
	constructor(
		info: string,
		facts?: { code?: number | null; requestId?: string | null; httpStatus?: number | null; retryable?: boolean },
	);
	readonly name: "HighwaterError";
	/** The backend's ErrorCode; null when there is no answer of its: network, time, a proxy's page. */
	readonly code: number | null;
	/** A sentence for people. It may change. */
	readonly info: string;
	/** Names the request in the backend's log. */
	readonly requestId: string | null;
	/** null when no status was received. */
	readonly httpStatus: number | null;
	/** The same call may succeed later. */
	readonly retryable: boolean;
}

export class HighwaterClient {
	constructor(options: ClientOptions);
	readonly platform: Platform;
	createRoom(roomInfo: NewRoom, options?: CallOptions): Promise<CreatedRoom>;
	destroyRoom(roomId: string, options?: CallOptions): Promise<EndStatistic>;
	updateRoom(roomInfo: RoomUpdate, options?: CallOptions): Promise<void>;
	getRoom(roomId: string, options?: CallOptions): Promise<RoomInfo>;
	listRooms(options?: PageOptions): Promise<RoomPage>;
	/** All rooms of the list, a page at a time, newest first. */
	rooms(options?: Omit<PageOptions, "next">): AsyncGenerator<ListedRoom, void, undefined>;
	getStatistic(roomId: string, options?: CallOptions): Promise<RoomStatistic>;
	setMetadata(roomId: string, metadata: Record<string, string>, options?: CallOptions): Promise<void>;
	/** All metadata of the room, or that of these keys; keys that are not there are left out. */
	getMetadata(roomId: string, keys?: string[], options?: CallOptions): Promise<Record<string, string>>;
	deleteMetadata(roomId: string, keys: string[], options?: CallOptions): Promise<void>;
}
