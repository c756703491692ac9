#pragma once
/* The callback: its commands, URL, packet and reply, both directions.
 *
 * Source: the vendor's webhook protocol (64412), command list (64413) and the alert's own page (70485). */
#include <highwater/common.h>
#include <highwater/platform.h>

HW_BEGIN

/* ---- commands ---- */

/* name, word on the wire (vendor document 64413) */
#define HW_CALLBACKS(X)                                                                                                \
	X(HW_CALLBACK_ROOM_CREATED, "Live.CallbackAfterCreateRoom")                                                    \
	X(HW_CALLBACK_ROOM_DESTROYED, "Live.CallbackAfterDestroyRoom")                                                 \
	X(HW_CALLBACK_ROOM_UPDATED, "Live.CallbackAfterUpdateRoomInfo")                                                \
	X(HW_CALLBACK_METADATA_SET, "Live.CallbackAfterSetMetadata")                                                   \
	X(HW_CALLBACK_METADATA_DELETED, "Live.CallbackAfterDelMetadata")                                               \
	X(HW_CALLBACK_THRESHOLD, "Live.CallbackAfterCreateRoomReachingThreshold")                                      \
	X(HW_CALLBACK_MEMBER_STATE, "Live.CallbackAfterMemberStateChanged")                                            \
	X(HW_CALLBACK_OWNER_CHANGED, "Live.CallbackAfterChangeOwner")                                                  \
	X(HW_CALLBACK_ADMIN_MODIFIED, "Live.CallbackAfterModifyAdmin")                                                 \
	X(HW_CALLBACK_SEAT_CHANGED, "Mic.CallbackAfterSeatInfoChanged")                                                \
	X(HW_CALLBACK_BATTLE_CREATED, "Live.CallbackAfterCreateBattle")                                                \
	X(HW_CALLBACK_BATTLE_STARTED, "Live.CallbackAfterStartBattle")                                                 \
	X(HW_CALLBACK_BATTLE_ENDED, "Live.CallbackAfterEndBattle")                                                     \
	X(HW_CALLBACK_BEFORE_GIFT, "Live.CallbackBeforeSendGift")                                                      \
	X(HW_CALLBACK_BEFORE_NOT_BLOCK, "Live.CallbackBeforeCallBackNotBlock")                                         \
	X(HW_CALLBACK_MESSAGE_SENT, "Group.CallbackAfterSendMsg")                                                      \
	X(HW_CALLBACK_BEFORE_MESSAGE, "Group.CallbackBeforeSendMsg")                                                   \
	X(HW_CALLBACK_FOLLOW_ADDED, "Follow.CallbackAfterFollowAdd")                                                   \
	X(HW_CALLBACK_FOLLOW_DELETED, "Follow.CallbackAfterFollowDelete")

enum hw_callback {
#define HW_CALLBACK_ENUM(name, word) name,
	HW_CALLBACKS(HW_CALLBACK_ENUM)
#undef HW_CALLBACK_ENUM
		HW_CALLBACK_COUNT
};

/* The word on the wire. Static. */
HW_API const char *hw_callback_word(enum hw_callback command);
/* Exact, with case. Returns 0, or -1 with `out` untouched. */
HW_API HW_CHECK int hw_callback_parse(const char *word, size_t len, enum hw_callback *out);

/* ---- the URL ---- */

#define HW_CALLBACK_URL_BYTES_MAX 1024	       /* longest configured URL */
#define HW_CALLBACK_REQUEST_URL_BYTES_MAX 2048 /* longest URL with our parameters */

/* Checks a configured callback URL: http or https (any case), a host, an optional port 1 to 65535, no user or
 * password, no fragment, printable ASCII without space, at most HW_CALLBACK_URL_BYTES_MAX bytes.
 * Returns NULL when it is fine, else a static sentence that says what is wrong. */
HW_API const char *hw_callback_url_check(const char *url, size_t len);

struct hw_callback_url {
	const char *base; /* the configured URL; may hold a path, a query, a port */
	uint32_t sdkappid;
	enum hw_callback command;
	const char *client_ip; /* "127.0.0.1" */
	enum hw_platform platform;
	const char *token; /* NULL or "": no Sign and RequestTime */
	size_t token_len;
	int64_t request_time_s; /* used with a token */
};

/* Writes base, "?" (or "&" when base has a query already), then SdkAppid, CallbackCommand, contenttype=json, ClientIP,
 * OptPlatform, and Sign, RequestTime with a token, in that order, and a NUL. Values are percent-encoded where needed.
 * A base without a path gets none ("https://h?SdkAppid="), as on the vendor's page; one whose query is empty or ends
 * with "&" gets no second separator. Returns the length, or -1 when it does not fit `out_size` or has more than
 * HW_CALLBACK_REQUEST_URL_BYTES_MAX bytes, which a checked base never has. */
HW_API HW_CHECK int hw_callback_url_build(const struct hw_callback_url *url, char *out, size_t out_size);

/* What a receiver finds in the query of a callback request. */
struct hw_callback_query {
	uint32_t sdkappid;
	char command[64]; /* as sent, for messages; "" when absent */
	bool command_known;
	enum hw_callback command_id;	     /* when known */
	char client_ip[HW_IP_BYTES_MAX + 1]; /* "" when absent */
	enum hw_platform platform;	     /* UNKNOWN when absent or unknown */
	bool has_sign;
	char sign[65];
	int64_t request_time_s;
};

/* Parses the query (without "?"). Parameters of others are ignored. `SdkAppId` and `sdkappid` are read like
 * `SdkAppid`, `json` in any case; SdkAppid and CallbackCommand are required, RequestTime too with a Sign. Several
 * spellings of SdkAppid must agree. At most HW_CALLBACK_REQUEST_URL_BYTES_MAX bytes and what hw_query_parse accepts.
 * Returns 0, or -1 with a sentence in `reason` (`reason_size` bytes, 0 for none) and `out` untouched; the same holds
 * for the parsers below. */
HW_API HW_CHECK int hw_callback_query_parse(const char *query, size_t len, struct hw_callback_query *out, char *reason,
					    size_t reason_size);

/* ---- the alert packet ---- */

struct hw_alert {
	char operator_account[HW_IDENTIFIER_BYTES_MAX + 1];
	int64_t event_time_ms;
	uint64_t room_count;	 /* CurRoomCount, the room just created included */
	uint64_t room_count_max; /* MaxRoomCount */
};

#define HW_ALERT_BYTES_MAX 512

/* Writes the five fields in the vendor's order, integers as integers, and a NUL:
 * {"CallbackCommand":"Live.CallbackAfterCreateRoomReachingThreshold","Operator_Account":"brennanli",
 *  "EventTime":1739966441121,"CurRoomCount":400,"MaxRoomCount":500} without spaces or line breaks.
 * Bytes of an operator that is not UTF-8 become "?". Returns the length, or -1 when `out_size` is too small
 * (HW_ALERT_BYTES_MAX always suffices). */
HW_API HW_CHECK int hw_alert_build(const struct hw_alert *alert, char *out, size_t out_size);

/* Parses the alert's packet; all five fields are required, counts and time may be integers or strings of digits; other
 * fields are ignored; at most HW_PACKET_BYTES_MAX. Returns 0, or -1 with a sentence in `reason`. */
HW_API HW_CHECK int hw_alert_parse(const char *body, size_t len, struct hw_alert *out, char *reason,
				   size_t reason_size);

/* The longest packet of any callback that Highwater sends: metadata in which every byte had to be escaped. */
#define HW_PACKET_BYTES_MAX 131072

/* The CallbackCommand (1 to 63 bytes) of any callback packet (at most HW_PACKET_BYTES_MAX), into `out`. Returns 0, or -1
 * with a sentence in `reason`. */
HW_API HW_CHECK int hw_packet_command(const char *body, size_t len, char out[64], char *reason, size_t reason_size);

/* ---- the reply ---- */

struct hw_callback_reply {
	bool ok; /* ActionStatus is "OK" */
	int64_t error_code;
	char error_info[256]; /* cut when longer */
};

#define HW_REPLY_OK "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}"

#define HW_REPLY_BYTES_MAX 2048

/* Writes the reply and a NUL; exactly HW_REPLY_OK when ok with code 0 and no info. Returns the length, or -1 when
 * `out_size` is too small (HW_REPLY_BYTES_MAX always suffices). */
HW_API HW_CHECK int hw_reply_build(const struct hw_callback_reply *reply, char *out, size_t out_size);

/* Parses a reply, tolerantly: "//" and block comments and trailing commas are allowed (the vendor's sample has a
 * comment), ErrorCode may be a string of digits, ErrorInfo and ErrorCode may be absent; ActionStatus must be "OK" or
 * "FAIL"; at most HW_PACKET_BYTES_MAX. Returns 0, or -1 with a sentence in `reason`. */
HW_API HW_CHECK int hw_reply_parse(const char *body, size_t len, struct hw_callback_reply *out, char *reason,
				   size_t reason_size);

HW_END
