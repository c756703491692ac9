#pragma once
/* What an app is: its configuration, changed by people, and its state, changed by rooms coming and going.
 *
 * Both are plain values without pointers: they are copied between threads and stores as they are. */
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

#include <highwater/callback.h>
#include <highwater/sign.h>
#include <highwater/usersig.h>

#define APP_ROOM_COUNT_MAX_DEFAULT 500u	     /* the only figure the vendor's pages show */
#define APP_ROOM_COUNT_MAX_LIMIT 1000000000u /* largest maximum */
#define APP_ADMIN_COUNT_MAX 10		     /* vendor document 50301 */
#define APP_THRESHOLD_COUNT_MAX 8
#define APP_KEY_BYTES_MIN 8
#define APP_KEY_COUNT_MAX 4
#define APP_KEY_ID_MAX 2147483647u	  /* keys that an app can be given in its life */
#define APP_NUMBER_MAX ((1u << 22) - 1)	  /* so that ids stay positive in 63 bits, see app_id_make */
#define APP_SYSTEM_OPERATOR "@TIM#SYSTEM" /* the vendor's name for "no user did it" */

/* When a creation makes an alert; see live/alert.h. */
#define ALERT_MODES(X)                                                                                                 \
	X(ALERT_EVERY, "every")                                                                                        \
	X(ALERT_EDGE, "edge")                                                                                          \
	X(ALERT_STEP, "step")

enum alert_mode {
#define ALERT_ENUM(name, word) name,
	ALERT_MODES(ALERT_ENUM)
#undef ALERT_ENUM
		ALERT_MODE_COUNT
};

struct alert_policy {
	enum alert_mode mode;
	uint8_t threshold_count;		     /* 1 to APP_THRESHOLD_COUNT_MAX */
	uint8_t thresholds[APP_THRESHOLD_COUNT_MAX]; /* percent, 1 to 100, rising */
	uint8_t rearm_margin;			     /* percentage points, 0 to 50 */
	uint8_t step_percent;			     /* for mode step: distance of further lines, 1 to 50 */
};

/* A secret that signs; live/key.h changes them. */
struct app_key_entry {
	uint32_t id;	   /* names it to people; from 1, never used twice in a list */
	int64_t create_ms; /* wall clock, as the next */
	int64_t expire_ms; /* usable while now <= this; 0: for ever */
	uint16_t len;
	char bytes[HW_USERSIG_KEY_BYTES_MAX]; /* secret */
};

struct app_keys {
	uint8_t count;
	struct app_key_entry list[APP_KEY_COUNT_MAX]; /* newest first */
	uint32_t id_next;
};

/* Are the app's callbacks held back? name, word */
#define APP_PAUSES(X)                                                                                                  \
	X(PAUSE_NONE, "")                                                                                              \
	X(PAUSE_OPERATOR, "operator") /* somebody said so */                                                           \
	X(PAUSE_GONE, "gone")	      /* the endpoint answered 410 */

enum app_pause {
#define PAUSE_ENUM(name, word) name,
	APP_PAUSES(PAUSE_ENUM)
#undef PAUSE_ENUM
		APP_PAUSE_COUNT
};
/* Static. */
const char *app_pause_word(enum app_pause pause);

struct app_config {
	uint32_t sdkappid;	 /* 1 to HW_SDKAPPID_MAX */
	uint32_t number;	 /* never used twice, also when an SDKAppID is; 1 to APP_NUMBER_MAX */
	int64_t create_ms;	 /* wall clock */
	uint32_t room_count_max; /* 0 admits nothing */
	struct alert_policy alert;
	struct app_keys keys; /* of UserSigs; none: no UserSig verifies */
	uint8_t admin_count;
	char admins[APP_ADMIN_COUNT_MAX][HW_IDENTIFIER_BYTES_MAX + 1];
	bool callback_set; /* the three below mean something */
	char callback_url[HW_CALLBACK_URL_BYTES_MAX + 1];
	uint32_t callback_commands; /* bit per enum hw_callback: its switch is on */
	bool callback_overwrite;    /* set_callback replaces an existing configuration instead of answering 100300 */
	bool token_set;
	bool token_enabled; /* requests carry Sign and RequestTime */
	uint16_t token_len;
	char token[HW_TOKEN_BYTES_MAX]; /* secret */
	bool accounts_required;		/* owners and robots must have been imported; else they are made on first use */
	struct app_keys secrets; /* Standard Webhooks secrets as text (whsec_): callbacks are signed "v1" with each */
	struct app_keys signers; /* the same of private keys (whsk_), "v1a" */
	bool certificate_set;	 /* requests show a client certificate; it is stored apart */
	enum app_pause pause;	 /* of callbacks */
	int64_t pause_ms;	 /* wall clock, since when; 0 when they run */
};

/* What is known of the app's endpoint, from the outcomes of attempts. */
struct app_endpoint {
	uint32_t failures;    /* attempts that failed since the last delivery */
	int64_t failing_ms;   /* wall clock, when the first of them ended; 0 for none */
	int64_t delivered_ms; /* wall clock of the last delivery; 0 for none */
};

struct app_state {
	uint64_t room_count;	    /* live rooms */
	uint64_t room_sequence;	    /* rooms ever created: the next room's id */
	uint64_t callback_sequence; /* callbacks ever made: the next one's id, without gaps */
	uint64_t callback_pending;  /* callbacks that wait: neither delivered nor superseded nor failed */
	uint8_t alert_level;	    /* percent of the highest line that has alerted and is not re-armed; 0 for none */
	struct app_endpoint endpoint;
	int64_t minute_ms; /* wall clock: the minute in which the count last changed, see live/sample.h; 0: never */
	uint64_t minute_highest; /* highest count in it */
};

/* The defaults of a new app; keys, admins and sdkappid are empty. */
void app_config_init(struct app_config *config);
/* Checks every bound above. Returns 0, or -1 with ERR_INVALID that names the field and its limit. */
MUST_CHECK int app_config_check(const struct app_config *config, struct error *err);
/* Bounds of one policy alone. */
MUST_CHECK int alert_policy_check(const struct alert_policy *policy, struct error *err);

const char *alert_mode_word(enum alert_mode mode);
MUST_CHECK int alert_mode_parse(struct str word, enum alert_mode *out);
/* "70" or "70,85,95". Returns 0, or -1 with ERR_INVALID. */
MUST_CHECK int alert_thresholds_parse(struct str text, struct alert_policy *policy, struct error *err);

/* 1 to HW_IDENTIFIER_BYTES_MAX bytes of printable ASCII without space. */
bool app_identifier_ok(struct str identifier);
bool app_is_admin(const struct app_config *config, struct str identifier);
bool app_callback_on(const struct app_config *config, enum hw_callback command);
/* The newest key, expired or not; empty when there is none. */
struct secret app_key_newest(const struct app_keys *keys);
/* Key `index` of the list. */
struct secret app_key_at(const struct app_keys *keys, unsigned index);
bool app_key_expired(const struct app_key_entry *key, int64_t now_ms);
struct secret app_token(const struct app_config *config);

/* Ids of rooms and callbacks: the app's number above 40 bits of sequence. They rise with time within an app, so that
 * tables keyed by them grow at one end per app, and an id names its app. */
#define APP_ID_SEQUENCE_BITS 40
int64_t app_id_make(uint32_t number, uint64_t sequence);
uint32_t app_id_number(int64_t id);
uint64_t app_id_sequence(int64_t id);
