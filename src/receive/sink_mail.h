#pragma once
/* The sink that sends mail by SMTP: at most one mail per interval, which tells the newest of each app. */
#include "http/mail.h"
#include "receive/sink.h"

#define SINK_MAIL_TO_MAX 20

struct sink_mail_options {
	struct mail_options mail; /* its texts are copied */
	const char *from;	  /* a bare address */
	const char *to;		  /* up to SINK_MAIL_TO_MAX of them, with commas between */
	uint64_t interval_ms;
	enum sink_events events;
};

/* Errors ERR_INVALID, with the setting's name. */
MUST_CHECK int sink_mail_open(const struct sink_mail_options *options, struct sink *sink_out, struct error *err);
