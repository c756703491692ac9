/* What an exchange came to: outcome, words, peer, times, and what is kept of the reply; see client_exchange.h.
 *
 * The outcome is curl's code with what curl does not tell: a header that did not end, a guard that refused every
 * address, a name that was never found, an alert that came when the connection was closed. */
#include "base/clock.h"
#include "http/client_exchange.h"

#include <stdio.h>
#include <string.h>

static int64_t result_mark(const struct http_exchange *exchange, CURLINFO mark)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(exchange->easy, mark, &us); /* stays 0 when it fails */
	return us;
}

static enum http_outcome result_outcome(const struct http_exchange *exchange, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return exchange->head.ended ? HTTP_OUTCOME_REPLIED : HTTP_OUTCOME_BROKEN;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_OUTCOME_DNS;
	case CURLE_COULDNT_CONNECT:
		return exchange->refused[0] && !exchange->tried ? HTTP_OUTCOME_NOT_ALLOWED : HTTP_OUTCOME_CONNECT;
	case CURLE_OPERATION_TIMEDOUT: /* the mark is at least 1 once there is an address */
		return result_mark(exchange, CURLINFO_NAMELOOKUP_TIME_T) ? HTTP_OUTCOME_TIMEOUT : HTTP_OUTCOME_DNS;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_OUTCOME_TLS;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return exchange->alert ? HTTP_OUTCOME_TLS : HTTP_OUTCOME_BROKEN;
	default:
		return exchange->too_large ? HTTP_OUTCOME_TOO_LARGE : HTTP_OUTCOME_BROKEN;
	}
}

/* curl's. Its first word stands, and of a connection that was reset at once that is one about getpeername. */
static const char *result_own_text(const struct http_exchange *exchange, CURLcode rc)
{
	bool usable = exchange->error[0] && !str_starts_with(str_c(exchange->error), STR("getpeername()"));

	return usable ? exchange->error : curl_easy_strerror(rc);
}

static const char *result_tls_text(struct http_exchange *exchange, CURLcode rc)
{
	struct client_tls_failure failure = {.code = rc,
					     .text = result_own_text(exchange, rc),
					     .alert = exchange->alert,
					     .with_client_cert = exchange->has_client_cert};

	/* stays 0 when it fails */
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
	client_tls_explain(&failure, exchange->tls_text);
	return exchange->tls_text;
}

/* curl's texts name hosts, ports and reasons, never the query or a header. */
static const char *result_text(struct http_exchange *exchange, enum http_outcome outcome, CURLcode rc)
{
	if (outcome == HTTP_OUTCOME_REPLIED)
		return "";
	if (outcome == HTTP_OUTCOME_NOT_ALLOWED)
		return exchange->refused;
	if (outcome == HTTP_OUTCOME_TOO_LARGE)
		return "the reply is larger than the limit";
	if (outcome == HTTP_OUTCOME_TLS)
		return result_tls_text(exchange, rc);
	if (rc == CURLE_OK)
		return "the reply ended within its header";
	return result_own_text(exchange, rc);
}

/* True when a connection was made, not a kept one found. */
static bool result_is_new(const struct http_exchange *exchange)
{
	long connections = 0;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connections); /* stays 0 when it fails */
	return connections > 0;
}

/* From curl's marks, each counted from the start, to phases. A mark that was not reached is 0; one that was, at least 1.
 * The request begins at the last mark before it: curl's own for that is set when it was sent. */
static void result_note_times(const struct http_exchange *exchange, struct http_result *result)
{
	int64_t name = result_mark(exchange, CURLINFO_NAMELOOKUP_TIME_T);
	int64_t connected = result_mark(exchange, CURLINFO_CONNECT_TIME_T);
	int64_t secured = result_mark(exchange, CURLINFO_APPCONNECT_TIME_T);
	int64_t first_byte = result_mark(exchange, CURLINFO_STARTTRANSFER_TIME_T);
	int64_t begun = secured ? secured : connected ? connected : name;

	if (!connected && exchange->handshake_ns)
		connected = (exchange->handshake_ns - exchange->start_ns) / 1000;
	if (result_is_new(exchange) || !exchange->ready) {
		result->dns_us = name;
		result->connect_us = connected > name ? connected - name : 0;
		result->tls_us = secured > connected ? secured - connected : 0;
	}
	if (exchange->head.answered && first_byte > begun)
		result->first_byte_us = first_byte - begun;
}

/* Whom the exchange spoke to, and how. */
static void result_note_peer(struct http_exchange *exchange, struct http_result *result)
{
	const char *ip = NULL;
	long port = 0;

	result->address = exchange->address;
	result->tls = exchange->tls;
	exchange->address[0] = '\0';
	exchange->tls[0] = '\0';
	if (exchange->cipher)
		(void)snprintf(exchange->tls, sizeof(exchange->tls), "%s %s", exchange->tls_version,
			       SSL_CIPHER_get_name(exchange->cipher)); /* fits */
	if (!exchange->ready && !result_is_new(exchange))
		return;
	/* these stay as they are when they fail */
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRIMARY_IP, &ip);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRIMARY_PORT, &port);
	if (ip && *ip)
		(void)snprintf(exchange->address, sizeof(exchange->address), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld",
			       ip, port); /* fits */
}

static void result_note_reply(const struct http_exchange *exchange, struct http_result *result)
{
	const struct client_head *head = &exchange->head;
	long status = 0;

	if (head->answered)
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 when it fails */
	result->status = status >= 200 ? (int)status : 0;
	result->body = buf_str(&exchange->reply);
	result->date_s = head->date_s;
	result->retry_after_s = client_head_retry_after_s(head, clock_wall_ms() / 1000);
	result->location = status >= 300 && status <= 399 ? head->location : "";
}

void client_result_fill(struct http_exchange *exchange, CURLcode rc, struct http_result *out)
{
	*out = (struct http_result){.outcome = result_outcome(exchange, rc)};
	out->text = result_text(exchange, out->outcome, rc);
	out->duration_us = (clock_mono_ns() - exchange->start_ns) / 1000;
	result_note_reply(exchange, out);
	result_note_times(exchange, out);
	result_note_peer(exchange, out);
}
