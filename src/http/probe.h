#pragma once
/* Looks at a host step by step, as http/client.h goes to it: its addresses, a connection to each, TLS and the
 * certificates. For command line tools: each call waits. Nothing is sent but the handshake. What a host says of itself
 * comes out as printable ASCII, '?' for the rest. The process must ignore SIGPIPE. Threads: any. */
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/socket.h>

#define PROBE_HOST_BYTES_MAX 255
#define PROBE_ADDRESSES_MAX 16
#define PROBE_CHAIN_MAX 8
#define PROBE_NAME_BYTES_MAX 255
#define PROBE_NAMES_BYTES_MAX 511
#define PROBE_TEXT_BYTES_MAX 191

/* Where a URL leads. */
struct probe_target {
	char host[PROBE_HOST_BYTES_MAX + 1]; /* a name or an address, that without brackets */
	char port[6];
	bool tls;     /* https */
	bool literal; /* an address, in whatever spelling: there is no name to look up */
};

struct probe_address {
	struct sockaddr_storage address;
	socklen_t len;
	char text[64]; /* "203.0.113.9:443", "[::1]:443" */
};

struct probe_addresses {
	size_t count; /* at least 1 */
	struct probe_address list[PROBE_ADDRESSES_MAX];
	bool more; /* there were more than that */
	int64_t duration_us;
};

/* One certificate of the chain. Names are cut at their bounds, times are seconds since 1970. */
struct probe_cert {
	char subject[PROBE_NAME_BYTES_MAX + 1];
	char issuer[PROBE_NAME_BYTES_MAX + 1];
	char names[PROBE_NAMES_BYTES_MAX + 1]; /* "DNS:a.example, IP:127.0.0.1"; "" for none */
	int64_t from_s;
	int64_t until_s;
};

/* What TLS begins with. */
struct probe_tls {
	const char *ca_file;	/* as in http/client.h */
	struct str client_cert; /* PEM, shown to a host that asks for one; empty for none, as the next */
	struct str client_key;
};

struct probe_result {
	bool connected;
	int64_t connect_us;
	bool secured; /* the handshake was completed, whatever the certificates are worth */
	int64_t tls_us;
	char tls[80]; /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
	/* Why not connected, or not secured where the target has TLS; else "". */
	char failure[PROBE_TEXT_BYTES_MAX + 1];
	bool trusted; /* the chain leads to an authority that is trusted, and is valid now */
	/* Why not, and what to do; and whether that is no more than the dates of a certificate. */
	char distrust[PROBE_TEXT_BYTES_MAX + 1];
	bool out_of_date;
	bool name_matches;	 /* the first certificate is for the host */
	bool client_cert_wanted; /* it asked for one */
	bool client_cert_shown;	 /* and got one: not when there is none, or when it and its key cannot be used */
	size_t chain_count;	 /* of those sent, from the host's own upwards */
	struct probe_cert chain[PROBE_CHAIN_MAX];
};

/* Reads an http or https URL as libcurl does. ERR_INVALID. */
MUST_CHECK int probe_target_parse(const char *url, struct probe_target *out, struct error *err);
/* The host's addresses. May take as long as the machine's resolver is patient. ERR_NOT_FOUND when there are none,
 * ERR_IO when the resolver could not say. */
MUST_CHECK int probe_resolve(const struct probe_target *target, struct probe_addresses *out, struct error *err);
/* Connects, and completes a handshake where the target has TLS, within `timeout_ms`. Returns 0 with what was found, also when that is a failure; -1 when the CA file cannot be read (ERR_INVALID). */
MUST_CHECK int probe_look(const struct probe_target *target, const struct probe_address *address,
			  const struct probe_tls *tls, int timeout_ms, struct probe_result *out, struct error *err);
