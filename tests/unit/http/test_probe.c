/* The probe, where the doctor's own tests do not reach: spellings of URLs, names with a dot, silence. */
#include "http/probe.h"
#include "unit/http/cert.h"
#include "unit/http/peer.h"
#include "unit/http/web.h"

static void address_of(unsigned port, struct probe_address *out)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memset(out, 0, sizeof(*out));
	memcpy(&out->address, &address, sizeof(address));
	out->len = sizeof(address);
}

static void test_probe_reads_a_url_as_the_client_does(void **state)
{
	static const struct {
		const char *url;
		const char *host;
		const char *port;
		bool tls;
		bool literal;
	} cases[] = {
		{"https://a.example", "a.example", "443", true, false},
		{"HTTP://a.example/b?c", "a.example", "80", false, false},
		{"https://a.example.:8443/", "a.example.", "8443", true, false},
		{"https://127.0.0.1/", "127.0.0.1", "443", true, true},
		{"http://0x7f.1:81/", "127.0.0.1", "81", false, true},
		{"http://[::1]:81/", "::1", "81", false, true},
	};
	static const char *const wrong[] = {"", "a.example", "ftp://a.example/", "https://",
					    "https://a.example:99999/"};
	struct probe_target target;
	struct error err;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(probe_target_parse(cases[i].url, &target, &err), 0);
		assert_string_equal(target.host, cases[i].host);
		assert_string_equal(target.port, cases[i].port);
		assert_int_equal(target.tls, cases[i].tls);
		assert_int_equal(target.literal, cases[i].literal);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(probe_target_parse(wrong[i], &target, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
	}
}

static void test_probe_takes_a_certificate_for_the_name_without_its_dot(void **state)
{
	static const struct {
		const char *host;
		bool matches;
	} cases[] = {{"other.example", true}, {"other.example.", true}, {"other.example..", false}, {"example", false}};
	struct cert_folder folder;
	struct probe_address address;
	struct probe_result result;
	struct peer peer;
	struct error err;

	(void)state; /* none */
	cert_folder_make(&folder);
	peer_start(&peer, folder.other_cert, folder.other_key);
	peer_listen(&peer);
	address_of(peer.port, &address);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct probe_target target = {.tls = true};

		assert_true(str_copy(target.host, sizeof(target.host), str_c(cases[i].host)));
		assert_int_equal(probe_look(&target, &address, &(struct probe_tls){.ca_file = folder.other_cert},
					    WEB_PATIENCE_MS, &result, &err),
				 0);
		assert_string_equal(result.failure, "");
		assert_true(result.connected && result.secured && result.trusted);
		assert_int_equal(result.name_matches, cases[i].matches);
		assert_int_equal(result.chain_count, 1);
		assert_string_equal(result.chain[0].names, "DNS:other.example");
		assert_true(result.chain[0].from_s < result.chain[0].until_s);
	}
	peer_stop(&peer);
	cert_folder_remove(&folder);
}

/* The kernel takes the connection, and nobody speaks. */
static void test_probe_ends_at_its_limit(void **state)
{
	struct probe_target target = {.host = "127.0.0.1", .tls = true, .literal = true};
	int64_t start_ms = clock_mono_ms();
	struct probe_address address;
	struct probe_result result;
	struct error err;
	unsigned port;
	int fd = script_bind(&port);

	(void)state; /* none */
	assert_int_equal(listen(fd, 8), 0);
	address_of(port, &address);
	assert_int_equal(probe_look(&target, &address, &(struct probe_tls){.ca_file = ""}, 300, &result, &err), 0);
	assert_true(result.connected && !result.secured);
	assert_non_null(strstr(result.failure, "no TLS handshake"));
	assert_in_range(clock_mono_ms() - start_ms, 290, WEB_PATIENCE_MS / 2);
	(void)close(fd); /* nothing was written */
}

/* A chain of one that names itself in a strange way: nothing of it reaches a terminal as it is. */
static void test_probe_cleans_what_a_certificate_says(void **state)
{
	struct probe_target target = {.host = "127.0.0.1", .tls = true, .literal = true};
	struct cert_folder folder;
	struct probe_address address;
	struct probe_result result;
	struct peer peer;
	struct error err;

	(void)state; /* none */
	cert_folder_make(&folder);
	cert_write(folder.other_cert, folder.other_key, "DNS:a\x1b[31m\xc3\xa4");
	peer_start(&peer, folder.other_cert, folder.other_key);
	peer_listen(&peer);
	address_of(peer.port, &address);
	assert_int_equal(
		probe_look(&target, &address, &(struct probe_tls){.ca_file = ""}, WEB_PATIENCE_MS, &result, &err), 0);
	peer_stop(&peer);
	cert_folder_remove(&folder);
	assert_true(result.secured && !result.trusted && !result.name_matches);
	assert_string_equal(result.chain[0].names, "DNS:a?[31m??");
	assert_true(str_is_printable_ascii(str_c(result.chain[0].subject)));
	assert_true(str_is_printable_ascii(str_c(result.chain[0].issuer)));
	assert_non_null(strstr(result.distrust, "self-signed"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe_reads_a_url_as_the_client_does),
		cmocka_unit_test(test_probe_takes_a_certificate_for_the_name_without_its_dot),
		cmocka_unit_test(test_probe_ends_at_its_limit),
		cmocka_unit_test(test_probe_cleans_what_a_certificate_says),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
