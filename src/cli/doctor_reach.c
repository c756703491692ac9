/* The way to a receiver, for `highwater doctor`: URL, name, addresses, connections, certificates.
 *
 * Every address is looked at, since a callback goes to whichever answers first, and one that is broken costs time only
 * now and then. What is wrong with all of them is a problem, with some a warning. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/doctor.h"
#include "http/probe.h"

#include <highwater/callback.h>

#include <inttypes.h>
#include <string.h>

#define REACH_DAY_S 86400
#define REACH_CERT_WARN_DAYS 21
#define REACH_NAME_WARN_MS (DOCTOR_CONNECT_TIMEOUT_MS / 2)

/* What was seen of one address. */
struct reach_look {
	const struct probe_address *address;
	struct probe_result result;
};

struct reach {
	struct doctor *doctor;
	struct probe_target target;
	struct probe_addresses addresses;
	size_t count; /* of those that are allowed */
	struct reach_look looks[PROBE_ADDRESSES_MAX];
	size_t connected;
	size_t secured;
};

static double reach_ms(int64_t us)
{
	return (double)us / 1000;
}

/* A fault of one address: it depends on whether another is better. */
static enum doctor_level reach_level(size_t good)
{
	return good ? DOCTOR_WARNING : DOCTOR_PROBLEM;
}

/* ---- URL and name ---- */

/* Returns true when there is a URL to go to. The query may hold a secret and is not shown. */
static bool reach_check_url(struct reach *reach)
{
	struct doctor *doctor = reach->doctor;
	const char *fault = hw_callback_url_check(doctor->url, strlen(doctor->url));
	int shown = (int)strcspn(doctor->url, "?");
	struct error err;

	if (fault) {
		doctor_find(doctor, DOCTOR_PROBLEM, "url", "write it as https://HOST[:PORT][/PATH]",
			    "this is no callback URL: %s", fault);
		return false;
	}
	if (probe_target_parse(doctor->url, &reach->target, &err)) {
		doctor_find(doctor, DOCTOR_PROBLEM, "url", "write it as https://HOST[:PORT][/PATH]", "%s", err.text);
		return false;
	}
	if (reach->target.tls)
		doctor_find(doctor, DOCTOR_OK, "url", NULL, "%.*s", shown, doctor->url);
	else
		doctor_find(doctor, DOCTOR_WARNING, "url", "use https, unless the receiver is on this machine",
			    "%.*s is plain http: whoever is in between can read callbacks and change them", shown,
			    doctor->url);
	return true;
}

static void reach_list_addresses(const struct probe_addresses *addresses, struct buf *out)
{
	for (size_t i = 0; i < addresses->count; i++)
		buf_printf(out, "%s%s", i ? ", " : "", addresses->list[i].text);
	if (addresses->more)
		buf_append_c(out, " and more");
}

static bool reach_check_name(struct reach *reach)
{
	const char *host = reach->target.host;
	bool slow;
	struct error err;
	struct buf list;

	if (probe_resolve(&reach->target, &reach->addresses, &err)) {
		doctor_find(reach->doctor, DOCTOR_PROBLEM, "name",
			    err.class == ERR_NOT_FOUND ? "is the name right, and in the DNS that this machine asks?"
						       : "look at this machine's resolver and its name servers",
			    "%s", err.text);
		return false;
	}
	if (reach->target.literal) {
		doctor_find(reach->doctor, DOCTOR_OK, "name", NULL, "%s is an address, there is no name to look up",
			    host);
		return true;
	}
	slow = reach->addresses.duration_us > INT64_C(1000) * REACH_NAME_WARN_MS;
	buf_init(&list, 2048);
	reach_list_addresses(&reach->addresses, &list);
	doctor_find(reach->doctor, slow ? DOCTOR_WARNING : DOCTOR_OK, "name",
		    slow ? "look at this machine's resolver: callback.connect_timeout (2 s) counts the look-up too"
			 : NULL,
		    "%s: %s (looked up in %.1f ms)", host, buf_c(&list), reach_ms(reach->addresses.duration_us));
	buf_fini(&list);
	return true;
}

/* ---- which addresses are allowed ---- */

static bool reach_check_guard(struct reach *reach)
{
	char texts[PROBE_ADDRESSES_MAX][GUARD_TEXT_BYTES_MAX + 1];
	bool allowed[PROBE_ADDRESSES_MAX];

	for (size_t i = 0; i < reach->addresses.count; i++) {
		const struct probe_address *address = &reach->addresses.list[i];

		allowed[i] = guard_allows(&reach->doctor->guard, (const struct sockaddr *)&address->address,
					  address->len, texts[i]);
		if (allowed[i])
			reach->looks[reach->count++].address = address;
	}
	for (size_t i = 0; i < reach->addresses.count; i++) {
		if (allowed[i])
			doctor_find(reach->doctor, DOCTOR_OK, "address", NULL, "%s is allowed",
				    reach->addresses.list[i].text);
		else
			doctor_find(reach->doctor, reach_level(reach->count), "address",
				    "if that receiver is meant, add it to the server's callback.allowed_addresses "
				    "(here: --allowed-addresses); else correct the URL or its DNS entry",
				    "%s", texts[i]);
	}
	return reach->count > 0;
}

/* ---- connections ---- */

static int reach_look_at_all(struct reach *reach, struct error *err)
{
	const struct probe_tls tls = {reach->doctor->ca_file, reach->doctor->client_cert, reach->doctor->client_key};

	for (size_t i = 0; i < reach->count; i++) {
		struct reach_look *look = &reach->looks[i];

		if (probe_look(&reach->target, look->address, &tls, DOCTOR_PATIENCE_MS / 2, &look->result, err))
			return -1;
		reach->connected += look->result.connected;
		reach->secured += look->result.secured;
	}
	return 0;
}

static void reach_tell_connections(struct reach *reach)
{
	for (size_t i = 0; i < reach->count; i++) {
		const struct probe_result *result = &reach->looks[i].result;
		const char *address = reach->looks[i].address->text;
		bool slow = result->connect_us + result->tls_us > INT64_C(1000) * DOCTOR_CONNECT_TIMEOUT_MS / 2;

		if (!result->connected)
			doctor_find(reach->doctor, reach_level(reach->connected), "connection",
				    reach->connected ? "repair that address or take it out of the DNS: callbacks that "
						       "try it first lose time"
						     : "start the receiver, or correct host and port of the URL",
				    "%s: %s", address, result->failure);
		else if (slow)
			doctor_find(reach->doctor, DOCTOR_WARNING, "connection",
				    "find out what is slow; callback.connect_timeout (2 s) is all the time there is",
				    "%s was connected to in %.1f ms, TLS took %.1f ms", address,
				    reach_ms(result->connect_us), reach_ms(result->tls_us));
		else
			doctor_find(reach->doctor, DOCTOR_OK, "connection", NULL, "%s was connected to in %.1f ms",
				    address, reach_ms(result->connect_us));
	}
}

static void reach_tell_tls(struct reach *reach)
{
	for (size_t i = 0; i < reach->count; i++) {
		const struct probe_result *result = &reach->looks[i].result;
		const char *address = reach->looks[i].address->text;

		if (!result->connected)
			continue;
		if (!result->secured)
			doctor_find(reach->doctor, reach_level(reach->secured), "tls",
				    result->client_cert_wanted
					    ? "a client certificate that it accepts: `highwater app set-certificate` "
					      "(here: --cert-file and --key-file)"
					    : "TLS 1.2 or 1.3 must be spoken at the port of the URL",
				    "%s: %s", address, result->failure);
		else
			doctor_find(reach->doctor, DOCTOR_OK, "tls", NULL, "%s speaks %s, handshake in %.1f ms",
				    address, result->tls, reach_ms(result->tls_us));
		if (result->client_cert_wanted && reach->doctor->client_cert.len && !result->client_cert_shown)
			doctor_find(reach->doctor, DOCTOR_PROBLEM, "tls",
				    "--cert-file must hold a certificate, and --key-file its key, without a "
				    "passphrase",
				    "%s asks for a client certificate; that of --cert-file cannot be used with the "
				    "key of --key-file",
				    address);
		else if (result->client_cert_shown)
			doctor_find(reach->doctor, DOCTOR_OK, "tls", NULL,
				    "%s asks for a client certificate and is shown that of --cert-file", address);
		else if (result->client_cert_wanted)
			doctor_find(reach->doctor, DOCTOR_WARNING, "tls",
				    "when it insists on one: `highwater app set-certificate` (here: --cert-file and "
				    "--key-file)",
				    "%s asks for a client certificate", address);
	}
}

/* ---- certificates ---- */

/* "in 3 days", "1 day ago" */
static void reach_print_distance(int64_t from_now_s, char *out, size_t size)
{
	int64_t days = (from_now_s < 0 ? -from_now_s : from_now_s) / REACH_DAY_S;

	(void)snprintf(out, size, "%s%" PRId64 " day%s%s", from_now_s < 0 ? "" : "in ", days, days == 1 ? "" : "s",
		       from_now_s < 0 ? " ago" : ""); /* fits */
}

static void reach_tell_cert(struct reach *reach, size_t number, const struct probe_cert *cert)
{
	int64_t now_s = clock_wall_ms() / 1000;
	int64_t time_s = now_s < cert->from_s ? cert->from_s : cert->until_s;
	bool soon = cert->until_s - now_s < INT64_C(1) * REACH_CERT_WARN_DAYS * REACH_DAY_S;
	enum doctor_level level = soon ? DOCTOR_WARNING : DOCTOR_OK;
	const char *advice = soon ? "renew it at the receiver, before callbacks stop" : NULL;
	const char *word = "is valid until";
	char date[CLOCK_TEXT_BYTES];
	char distance[40];

	if (now_s < cert->from_s) {
		level = DOCTOR_PROBLEM;
		word = "is not valid before";
		advice = "is this machine's clock right? else have it issued anew";
	} else if (now_s > cert->until_s) {
		level = DOCTOR_PROBLEM;
		word = "has expired at";
		advice = "renew it at the receiver";
	}
	clock_format(time_s * 1000, date);
	reach_print_distance(time_s - now_s, distance, sizeof(distance));
	doctor_find(reach->doctor, level, "certificate", advice, "%zu: %s, issued by %s, %s %.10s (%s)", number,
		    cert->subject, cert->issuer, word, date, distance);
}

static void reach_tell_chain(struct reach *reach, const struct reach_look *look)
{
	const struct probe_result *result = &look->result;
	const char *names = result->chain_count ? result->chain[0].names : "";

	for (size_t i = 0; i < result->chain_count; i++)
		reach_tell_cert(reach, i + 1, &result->chain[i]);
	if (result->trusted)
		doctor_find(reach->doctor, DOCTOR_OK, "certificate", NULL, "%s shows a chain that is trusted",
			    look->address->text);
	else if (!result->out_of_date) /* that was told above */
		doctor_find(reach->doctor, DOCTOR_PROBLEM, "certificate",
			    "the CA file is the server's callback.ca_file (here: --ca-file)", "%s: %s",
			    look->address->text, result->distrust);
	if (result->name_matches)
		doctor_find(reach->doctor, DOCTOR_OK, "certificate", NULL, "it is for %s (%s)", reach->target.host,
			    *names ? names : "by its subject");
	else
		doctor_find(
			reach->doctor, DOCTOR_PROBLEM, "certificate",
			"have one issued that names the host of the URL, or write a name into the URL that is in it",
			"it is not for %s but for %s", reach->target.host, *names ? names : "nobody");
}

/* Addresses of one host mostly show the same certificates, which are told once. */
static bool reach_same_chain(const struct probe_result *a, const struct probe_result *b)
{
	if (a->trusted != b->trusted || a->name_matches != b->name_matches || a->chain_count != b->chain_count)
		return false;
	for (size_t i = 0; i < a->chain_count; i++)
		if (strcmp(a->chain[i].subject, b->chain[i].subject) ||
		    strcmp(a->chain[i].issuer, b->chain[i].issuer) || strcmp(a->chain[i].names, b->chain[i].names) ||
		    a->chain[i].until_s != b->chain[i].until_s)
			return false;
	return true;
}

static void reach_tell_chains(struct reach *reach)
{
	const struct reach_look *last = NULL;

	for (size_t i = 0; i < reach->count; i++) {
		const struct reach_look *look = &reach->looks[i];

		if (!look->result.secured || (last && reach_same_chain(&last->result, &look->result)))
			continue;
		reach_tell_chain(reach, look);
		last = look;
	}
}

/* ---- all of it ---- */

static bool reach_is_usable(const struct reach *reach)
{
	for (size_t i = 0; i < reach->count; i++) {
		const struct probe_result *result = &reach->looks[i].result;

		if (result->connected &&
		    (!reach->target.tls || (result->secured && result->trusted && result->name_matches)))
			return true;
	}
	return false;
}

int doctor_reach(struct doctor *doctor, bool *reached_out, struct error *err)
{
	struct reach *reach = mem_zalloc(sizeof(*reach));
	int result = 0;

	*reached_out = false;
	reach->doctor = doctor;
	if (reach_check_url(reach) && reach_check_name(reach) && reach_check_guard(reach)) {
		result = reach_look_at_all(reach, err);
		if (result == 0) {
			reach_tell_connections(reach);
			if (reach->target.tls) {
				reach_tell_tls(reach);
				reach_tell_chains(reach);
			}
			*reached_out = reach_is_usable(reach);
		}
	}
	mem_free(reach);
	return result;
}
