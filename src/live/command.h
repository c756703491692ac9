#pragma once
/* What can be asked of the domain, and what it answers. One table of commands; each carries who asked and when, so
 * that the step that executes it needs neither clock nor network. */
#include "live/app.h"
#include "live/room.h"

#include <highwater/code.h>

enum command_type {
	COMMAND_APP_CREATE,
	COMMAND_APP_SET,
	COMMAND_APP_DELETE,
	COMMAND_KEY_ROTATE,
	COMMAND_KEY_REVOKE,	 /* also the last one */
	COMMAND_CALLBACK_SET,	 /* over an existing one: 100300, unless the app's overwrite switch is on */
	COMMAND_CALLBACK_UPDATE, /* without one: 100301 */
	COMMAND_CALLBACK_DELETE, /* without one: fine */
	COMMAND_TOKEN_SET,
	COMMAND_ROOM_CREATE,
	COMMAND_ROOM_DESTROY,
	COMMAND_ROOM_UPDATE,
	COMMAND_OWNER_CHANGE,
	COMMAND_METADATA_SET,
	COMMAND_METADATA_DELETE,
	COMMAND_MEMBERS_ADD, /* admins, robots, mutes, bans */
	COMMAND_MEMBERS_REMOVE,
	COMMAND_ACCOUNT_IMPORT,
	COMMAND_DELIVERY_MARK,
	COMMAND_CALLBACK_PAUSE,
	COMMAND_CALLBACK_RESUME,
	COMMAND_CALLBACK_TEST,	 /* an alert that says how things are, to see whether it arrives */
	COMMAND_CALLBACK_REPLAY, /* final callbacks wait again */
	COMMAND_SECRET_ROTATE,
	COMMAND_SECRET_REVOKE,
	COMMAND_CERTIFICATE_SET,
	COMMAND_CERTIFICATE_DELETE, /* without one: fine */
};

/* Who caused the command. The views must live until the command is done. */
struct command_origin {
	struct str operator_account; /* at most HW_IDENTIFIER_BYTES_MAX */
	enum hw_platform platform;
	struct str client_ip; /* at most HW_IP_BYTES_MAX */
	bool admin;	      /* an app admin: may change rooms of others */
	/* Who uses the management API, as the audit log names him, at most HW_IDENTIFIER_BYTES_MAX; empty for others. */
	struct str actor;
	int64_t wall_ms;
	int64_t steady_ms; /* the same moment on clock_steady_ms: from then on a callback that this causes is due */
};

/* Fields of an app that a change may touch: what two changes at a time do not both name, they do not take from each
 * other. */
enum app_field {
	APP_FIELD_ROOM_COUNT_MAX = 1 << 0,
	APP_FIELD_ALERT_MODE = 1 << 1,
	APP_FIELD_THRESHOLDS = 1 << 2,
	APP_FIELD_REARM_MARGIN = 1 << 3,
	APP_FIELD_STEP_PERCENT = 1 << 4,
	APP_FIELD_KEY = 1 << 5, /* its newest key takes the place of all, with an id of its own */
	APP_FIELD_ADMINS = 1 << 6,
	APP_FIELD_CALLBACK_OVERWRITE = 1 << 7,
	APP_FIELD_ACCOUNTS_REQUIRED = 1 << 8,
	APP_FIELD_ALERT = APP_FIELD_ALERT_MODE | APP_FIELD_THRESHOLDS | APP_FIELD_REARM_MARGIN | APP_FIELD_STEP_PERCENT,
};

enum delivery_mark {
	DELIVERY_DELIVERED,  /* final */
	DELIVERY_RETRY,	     /* try again at due_ms */
	DELIVERY_FAILED,     /* final: retries used up */
	DELIVERY_SUPERSEDED, /* final: a newer alert takes its place; nothing was sent */
};

/* An account and what was imported with it. */
struct account {
	struct str name; /* checked by app_identifier_ok */
	struct str nick; /* at most ACCOUNT_PROFILE_BYTES_MAX; ptr NULL when not given: keeps what there is */
	struct str face_url;
};
#define ACCOUNT_PROFILE_BYTES_MAX 500 /* vendor document 34348, code 40601 */
#define ACCOUNT_IMPORT_COUNT_MAX 100  /* vendor document 34954 */

struct metadata {
	struct str key;
	struct str value;
};

#define DELIVERY_ERROR_BYTES_MAX 160

struct delivery_result {
	int64_t callback_id;
	enum delivery_mark mark;
	uint32_t attempts;			  /* made so far, this one included */
	int64_t due_ms;				  /* of the next attempt, for a retry */
	int64_t attempt_ms;			  /* when this attempt ended */
	int32_t http_status;			  /* 0 when no reply came */
	char error[DELIVERY_ERROR_BYTES_MAX + 1]; /* "" when delivered */
	bool sent;				  /* a request went out */
	bool endpoint_fine;			  /* of a failure: it tells nothing of the endpoint */
	bool gone;				  /* the endpoint answered 410: it is paused */
	uint64_t url_hash;			  /* live_callback_url_hash of what was sent, when gone */
	struct str log; /* the attempts made, as hook/log.h writes them; ptr NULL: as it was */
};

/* A change of the callback token; what is not given stays. */
struct token_change {
	bool has_token;
	bool has_enabled;
	struct str token; /* secret, 1 to HW_TOKEN_BYTES_MAX */
	bool enabled;
};

#define REPLAY_COUNT_MAX 100		  /* callbacks of one command */
#define CERTIFICATE_BYTES_MAX (16 * 1024) /* of a chain in PEM, and of a key */

struct command {
	enum command_type type;
	uint32_t sdkappid;
	struct command_origin origin;
	struct str room_id; /* of commands for a room: printable ASCII, 1 to HW_ROOM_ID_BYTES_MAX */
	union {
		const struct app_config *app_create; /* checked by app_config_check; number and times are set here */
		struct {
			unsigned fields;		 /* enum app_field bits */
			const struct app_config *config; /* those fields of it */
		} app_set;
		struct {
			bool force; /* also while callbacks wait: they end as failed */
		} app_delete;
		struct {
			struct str key;	    /* secret, at most HW_USERSIG_KEY_BYTES_MAX */
			int64_t overlap_ms; /* the other keys end so long from now at the latest */
		} key_rotate;
		struct {
			uint32_t key_id;
		} key_revoke;
		struct {
			struct str url;		   /* checked by hw_callback_url_check */
			uint32_t commands;	   /* bits */
			bool replace;		   /* of COMMAND_CALLBACK_SET: whatever there is, never 100300 */
			struct token_change token; /* in the same commit */
		} callback;
		struct token_change token;
		struct {
			struct str owner;
			bool visible;	 /* appears in lists */
			bool too_soon;	 /* the id was created a moment ago: 100012, unless its room still exists */
			struct str info; /* made by room_info_write */
		} room_create;
		const struct room_info *room_update; /* the updatable fields that are given */
		struct str owner_change;	     /* the new owner */
		struct {
			const struct metadata *set; /* for COMMAND_METADATA_SET; lengths checked, no key twice */
			const struct str *keys;	    /* for COMMAND_METADATA_DELETE */
			size_t count;
		} metadata;
		struct {
			enum item_kind kind;	    /* not ITEM_METADATA */
			const struct str *accounts; /* no name twice */
			size_t count;
			uint64_t seconds;  /* how long a mute or ban lasts */
			struct str reason; /* of a ban */
		} members;
		struct {
			const struct account *accounts; /* no name twice */
			size_t count;			/* at most ACCOUNT_IMPORT_COUNT_MAX */
		} account_import;
		struct delivery_result delivery;
		struct {
			const int64_t *ids; /* no id twice; those that are not there, or wait, are left out */
			size_t count;	    /* at most REPLAY_COUNT_MAX */
		} replay;
		struct {
			bool private_key;   /* one of app_config.signers, else of secrets */
			struct str text;    /* secret, checked by hw_webhook_key_parse */
			int64_t overlap_ms; /* as of key_rotate */
		} secret_rotate;
		struct {
			bool private_key;
			uint32_t id;
		} secret_revoke;
		struct {
			struct str chain; /* PEM, checked; at most CERTIFICATE_BYTES_MAX, as the key */
			struct str key;	  /* secret */
		} certificate;
	} u;

	/* the answer, filled by live_step or by the engine when the command was not executed */
	int code;	     /* enum hw_code */
	char text[192];	     /* "" or what is wrong, for the person who asked */
	uint64_t room_count; /* of the app after the command, for those that succeed */
	uint32_t key_id;     /* of the key that COMMAND_KEY_ROTATE or COMMAND_SECRET_ROTATE made */
	int64_t callback_id; /* of the callback that COMMAND_CALLBACK_TEST made */
	uint64_t count;	     /* of callbacks that COMMAND_CALLBACK_REPLAY set going */
};
