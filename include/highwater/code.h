#pragma once
/* Error codes of the wire: one table gives the number, its name and its standard text.
 *
 * Sources: the vendor's REST error table (63398, 60027), account table (34348) and live_engine table (60027); numbers
 * that Highwater assigns a use of its own are marked. An answer may carry a more specific text than the table's. */
#include <highwater/common.h>

HW_BEGIN

/* name, number, standard text */
#define HW_CODES(X)                                                                                                    \
	X(HW_OK, 0, "")                                                                                                \
	X(HW_PROFILE_TOO_LONG, 40601, "a profile value is too long")                                                   \
	X(HW_BAD_HTTP, 60002, "HTTP request or URL cannot be parsed")                                                  \
	X(HW_BAD_JSON, 60003, "request body is not valid JSON")                                                        \
	X(HW_NO_IDENTIFIER, 60004, "identifier is missing in the URL")                                                 \
	X(HW_NO_USERSIG, 60005, "usersig is missing in the URL")                                                       \
	X(HW_BAD_SDKAPPID, 60006, "sdkappid in the URL is not an SDKAppID")                                            \
	X(HW_API_BUSY, 60007, "too frequent, try again")                                                               \
	X(HW_TIMED_OUT, 60008, "request timed out")                                                                    \
	X(HW_NO_RESOURCE, 60009, "no such command")                                                                    \
	X(HW_NEEDS_ADMIN, 60010, "only an admin account of the app may call this")                                     \
	X(HW_APP_BUSY, 60011, "too frequent: this SDKAppID sends too many requests, try again")                        \
	X(HW_NO_SDKAPPID, 60012, "sdkappid is missing in the URL")                                                     \
	X(HW_NOT_SUPPORTED, 60017, "this call is not supported")                                                       \
	X(HW_BAD_URL_PARAMETER, 60025, "a parameter in the URL is wrong")                                              \
	X(HW_SIG_EXPIRED, 70001, "usersig has expired")                                                                \
	X(HW_SIG_ILLEGAL, 70003, "usersig cannot be parsed")                                                           \
	X(HW_SIG_WRONG_KEY, 70009, "usersig verification failed: it was not made with this app's key")                 \
	X(HW_SIG_WRONG_IDENTIFIER, 70013, "usersig belongs to another identifier")                                     \
	X(HW_SIG_WRONG_SDKAPPID, 70014, "usersig belongs to another SDKAppID")                                         \
	X(HW_SIG_NO_KEY, 70016, "the app has no key to verify usersig with")                                           \
	X(HW_UNKNOWN_SDKAPPID, 70020, "SDKAppID does not exist")                                                       \
	X(HW_ACCOUNT_UNKNOWN, 70107, "the account was not imported")                                                   \
	X(HW_ACCOUNT_BAD, 70402, "bad account parameter")                                                              \
	X(HW_INTERNAL, 100001, "internal error")                                                                       \
	X(HW_BAD_PARAMETER, 100002, "bad parameter")                                                                   \
	X(HW_ROOM_EXISTS, 100003, "room id is in use")                                                                 \
	X(HW_NO_ROOM, 100004, "no such room")                                                                          \
	X(HW_NO_PERMISSION, 100006, "no permission")                                                                   \
	X(HW_ROOM_EXISTS_OWNED, 100010, "room id is in use by a room of the same owner, which may be used")            \
	X(HW_ROOM_TOO_SOON, 100012, "this room id was created less than a second ago")                                 \
	X(HW_QUOTA_FULL, 100013, "the app's maximum number of rooms is reached")                                       \
	X(HW_BAD_ROOM_TYPE, 100015, "room type must be Live")                                                          \
	X(HW_TOO_MANY_ADMINS, 100020, "a room has at most 5 admins")                                                   \
	X(HW_CALLBACK_EXISTS, 100300, "a callback configuration exists, use update_callback")                          \
	X(HW_NO_CALLBACK, 100301, "no callback configuration exists")                                                  \
	X(HW_NO_CALLBACK_TOKEN, 100302, "no callback token is set")                                                    \
	X(HW_METADATA_TOO_MANY, 100500, "a room has at most 10 metadata keys")                                         \
	X(HW_METADATA_VALUE_TOO_LONG, 100501, "a metadata value is too long")                                          \
	X(HW_METADATA_TOO_LARGE, 100502, "the metadata values of the room are too long together")                      \
	X(HW_NO_METADATA, 100503, "none of these metadata keys exists")                                                \
	X(HW_METADATA_KEY_TOO_LONG, 100504, "a metadata key must have 1 to 50 bytes")

enum hw_code {
#define HW_CODE_ENUM(name, number, text) name = number,
	HW_CODES(HW_CODE_ENUM)
#undef HW_CODE_ENUM
};

/* The standard text, or "unknown error code". Static. */
HW_API const char *hw_code_text(int code);

HW_END
