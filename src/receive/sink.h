#pragma once
/* Sinks: where recorded events are passed on to. Each has a thread, a reader of the record, and a place in it that is
 * kept durably (record_mark), so a sink that is dead delays neither answers nor other sinks, and gets everything when it
 * is back. At least once, in the order of recording; after a crash some may come again.
 *
 * A sink that fails is tried again, after 1 s, doubling up to retry_longest_ms, with jitter, for ever: events wait in the
 * record, which keeps them until every sink that is set has them. A sink met for the first time begins with what is
 * recorded from then on. */
#include "base/buf.h"
#include "base/error.h"
#include "receive/record.h"

#include <stdatomic.h>

enum sink_kind {
	SINK_ALERTMANAGER, /* alerts to a Prometheus Alertmanager */
	SINK_COMMAND,	   /* a program per event, with the packet on standard input */
	SINK_POST,	   /* an HTTP POST per event */
	SINK_MAIL,	   /* mail by SMTP */
	SINK_KIND_COUNT
};
/* "alertmanager", "command", "post", "mail": for settings, metrics and the record. Static. */
const char *sink_kind_word(enum sink_kind kind);

/* Which events a sink wants. */
enum sink_events {
	SINK_EVENTS_ALL,
	SINK_EVENTS_ALERTS, /* the alert of an app that reaches its maximum, and all notes */
};
bool sink_wants(enum sink_events events, const struct record_row *row);

/* One kind of sink, as a table of functions; all on the sink's thread. `sink` is what its open made. `stop` says that the
 * process ends: return soon. Errors are one line, without secrets and without the query of a URL. */
struct sink_ops {
	enum sink_kind kind;
	/* Does it want the event? Others are passed over. */
	bool (*wants)(const void *sink, const struct record_row *row);
	/* Passes events on, in order, all of them wanted; returns how many are done with, from the first on. When that is
	 * not all, err says why, and the rest is tried again later. Done with is also what stands in the state to be
	 * saved, which `tick` passes on. */
	size_t (*deliver)(void *sink, const struct record_row *rows, size_t count, const atomic_bool *stop,
			  struct error *err);
	/* Passes on what stands in the state, and says again what must be said again. Returns in how many milliseconds it
	 * wants to be called again (SINK_TICK_NEVER: after the next event), or -1 with err when it failed. NULL for
	 * none. */
	int64_t (*tick)(void *sink, const atomic_bool *stop, struct error *err);
	/* What must not be forgotten over a restart, kept with the place, at most RECORD_STATE_BYTES_MAX. NULL for none,
	 * as for the next. An error of `restore` is told, and the sink begins with no state. */
	void (*save)(const void *sink, struct buf *out);
	int (*restore)(void *sink, struct str state, struct error *err);
	void (*close)(void *sink);
};
#define SINK_TICK_NEVER INT64_MAX

/* A sink that was opened: made by sink_alertmanager_open and its like, owned by sinks_open. */
struct sink {
	const struct sink_ops *ops;
	void *sink;
};

struct sinks;

struct sinks_options {
	const char *record_path;
	struct sink sinks[SINK_KIND_COUNT];
	size_t sink_count;
	uint64_t retry_longest_ms;
	/* Where a sink is now, to be kept durably soon; any sink's thread; both texts are copied there. */
	void (*mark)(void *context, const char *sink, int64_t id, struct str state);
	void *context;
};

/* How long a sink waits after so many failures in a row, 1 for the first: pure. `random` spreads it over its upper
 * half. */
uint64_t sink_wait_ms(unsigned failures, uint64_t longest_ms, uint64_t random);

/* Takes the sinks over, also when it fails. Starts their threads. */
MUST_CHECK int sinks_open(const struct sinks_options *options, struct sinks **sinks_out, struct error *err);
/* Something was recorded. Threads: any. */
void sinks_wake(struct sinks *sinks);
/* The smallest id that all of them are done with. Threads: any. */
int64_t sinks_done_id(struct sinks *sinks);

struct sink_stats {
	enum sink_kind kind;
	uint64_t delivered_total; /* events that were done with, since the start */
	uint64_t failures_total;  /* attempts that failed */
	int64_t done_id;
	int64_t oldest_ms; /* while it fails: when the oldest event that waits was received; 0 for none */
	bool is_failing;   /* the last attempt failed */
	char error[256];   /* why, while it is failing */
};
/* Fills at most SINK_KIND_COUNT; returns how many. Threads: any. */
size_t sinks_stats(struct sinks *sinks, struct sink_stats *out);
/* Ends the threads, in the middle of an attempt if need be, and frees. Accepts NULL. */
void sinks_close(struct sinks **sinks);
