/* The guard's ranges, each at both ends and just outside, and its allow-list. */
#include "http/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#define SETTING "test.allowed"

/* "" when the address may be connected to, else the text. */
static const char *judge(const struct guard *guard, const char *address)
{
	static char text[GUARD_TEXT_BYTES_MAX + 1];
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	bool allowed;

	memset(text, 'x', sizeof(text));
	if (inet_pton(AF_INET, address, &ipv4.sin_addr) == 1) {
		allowed = guard_allows(guard, (const struct sockaddr *)&ipv4, sizeof(ipv4), text);
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &ipv6.sin6_addr), 1);
		allowed = guard_allows(guard, (const struct sockaddr *)&ipv6, sizeof(ipv6), text);
	}
	return allowed ? "" : text;
}

static struct guard parse(const char *list)
{
	struct guard guard;
	struct error err;

	if (guard_parse(SETTING, list, &guard, &err))
		fail_msg("%s: %s", list, err.text);
	return guard;
}

struct judged {
	const char *address;
	const char *name; /* of what refuses it; NULL for public */
};

static void expect_judged(const struct guard *guard, const char *address, const char *shown, const char *name)
{
	const char *text = judge(guard, address);
	char expected[256] = "";

	if (name)
		(void)snprintf(expected, sizeof(expected), "%s (%s) is not in " SETTING, shown, name); /* fits */
	if (strcmp(text, expected) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", address, text, expected);
}

static const struct judged ipv4_cases[] = {
	{"0.0.0.0", "unspecified"},
	{"0.255.255.255", "unspecified"},
	{"1.0.0.0", NULL},
	{"8.8.8.8", NULL},
	{"9.255.255.255", NULL},
	{"10.0.0.0", "private"},
	{"10.255.255.255", "private"},
	{"11.0.0.0", NULL},
	{"100.63.255.255", NULL},
	{"100.64.0.0", "shared"},
	{"100.127.255.255", "shared"},
	{"100.128.0.0", NULL},
	{"126.255.255.255", NULL},
	{"127.0.0.0", "loopback"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.255", "loopback"},
	{"128.0.0.0", NULL},
	{"168.63.129.15", NULL},
	{"168.63.129.16", "cloud host"},
	{"168.63.129.17", NULL},
	{"169.253.255.255", NULL},
	{"169.254.0.0", "link-local"},
	{"169.254.169.254", "link-local"},
	{"169.254.255.255", "link-local"},
	{"169.255.0.0", NULL},
	{"172.15.255.255", NULL},
	{"172.16.0.0", "private"},
	{"172.31.255.255", "private"},
	{"172.32.0.0", NULL},
	{"191.255.255.255", NULL},
	{"192.0.0.0", "protocol assignments"},
	{"192.0.0.255", "protocol assignments"},
	{"192.0.1.0", NULL},
	{"192.0.1.255", NULL},
	{"192.0.2.0", "documentation"},
	{"192.0.2.255", "documentation"},
	{"192.0.3.0", NULL},
	{"192.88.98.255", NULL},
	{"192.88.99.0", "6to4 relay"},
	{"192.88.99.255", "6to4 relay"},
	{"192.88.100.0", NULL},
	{"192.167.255.255", NULL},
	{"192.168.0.0", "private"},
	{"192.168.255.255", "private"},
	{"192.169.0.0", NULL},
	{"198.17.255.255", NULL},
	{"198.18.0.0", "benchmarking"},
	{"198.19.255.255", "benchmarking"},
	{"198.20.0.0", NULL},
	{"198.51.99.255", NULL},
	{"198.51.100.0", "documentation"},
	{"198.51.100.255", "documentation"},
	{"198.51.101.0", NULL},
	{"203.0.112.255", NULL},
	{"203.0.113.0", "documentation"},
	{"203.0.113.255", "documentation"},
	{"203.0.114.0", NULL},
	{"223.255.255.255", NULL},
	{"224.0.0.0", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.0", "reserved"},
	{"255.255.255.254", "reserved"},
	{"255.255.255.255", "broadcast"},
};

static void test_guard_judges_ipv4(void **state)
{
	const struct guard guard = parse("");

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(ipv4_cases); i++) {
		char mapped[64];

		expect_judged(&guard, ipv4_cases[i].address, ipv4_cases[i].address, ipv4_cases[i].name);
		(void)snprintf(mapped, sizeof(mapped), "::ffff:%s", ipv4_cases[i].address); /* fits */
		expect_judged(&guard, mapped, ipv4_cases[i].address, ipv4_cases[i].name);
	}
}

static const struct judged ipv6_cases[] = {
	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::ffff:0:0:0", "reserved"}, /* after the IPv4-mapped ones */
	{"::1:0:0", "reserved"},
	{"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"64:ff9b::1:0:0", "reserved"},
	{"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"64:ff9b:1::", "local NAT64"},
	{"64:ff9b:1::808:808", "local NAT64"},
	{"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64"},
	{"64:ff9b:2::", "reserved"},
	{"100::", "reserved"},
	{"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"2000::", NULL},
	{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{"2001:1::", "protocol assignments"},
	{"2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments"},
	{"2001:2::", "benchmarking"},
	{"2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"},
	{"2001:2:1::", "protocol assignments"},
	{"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments"},
	{"2001:200::", NULL},
	{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{"2001:db8::", "documentation"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
	{"2001:db9::", NULL},
	{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{"2003::", NULL},
	{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{"3fff::", "documentation"},
	{"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
	{"3fff:1000::", NULL},
	{"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{"4000::", "reserved"},
	{"5f00::", "reserved"},
	{"7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"8000::", "reserved"},
	{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"fc00::", "private"},
	{"fd00:ec2::254", "private"},
	{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
	{"fe00::", "reserved"},
	{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
	{"fe80::", "link-local"},
	{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
	{"fec0::", "site-local"},
	{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
	{"ff00::", "multicast"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
	/* those that carry an IPv4 address */
	{"::0.0.0.2", "IPv4-compatible of unspecified"},
	{"::127.0.0.1", "IPv4-compatible of loopback"},
	{"::255.255.255.255", "IPv4-compatible of broadcast"},
	{"::8.8.8.8", NULL},
	{"64:ff9b::", "NAT64 of unspecified"},
	{"64:ff9b::10.0.0.1", "NAT64 of private"},
	{"64:ff9b::255.255.255.255", "NAT64 of broadcast"},
	{"64:ff9b::8.8.8.8", NULL},
	{"2001::", "Teredo of broadcast"},
	{"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo of unspecified"},
	{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo of documentation"}, /* client 192.0.2.45 */
	{"2001:0:4136:e378:8000:63bf:80ff:fffe", "Teredo of loopback"},	     /* client 127.0.0.1 */
	{"2001:0:a00:1:8000:63bf:f7f7:f7f7", "Teredo of private"},	     /* server 10.0.0.1 */
	{"2001:0:4136:e378:8000:63bf:f7f7:f7f7", NULL},			     /* client 8.8.8.8 */
	{"2002::", "6to4 of unspecified"},
	{"2002:7f00:1::1", "6to4 of loopback"},
	{"2002:a9fe:a9fe::1", "6to4 of link-local"},
	{"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4 of broadcast"},
	{"2002:808:808:ffff::7f00:1", NULL},
};

static void test_guard_judges_ipv6(void **state)
{
	const struct guard guard = parse("");

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(ipv6_cases); i++) {
		struct in6_addr address;
		char shown[INET6_ADDRSTRLEN];

		assert_int_equal(inet_pton(AF_INET6, ipv6_cases[i].address, &address), 1);
		(void)inet_ntop(AF_INET6, &address, shown, sizeof(shown)); /* fits */
		expect_judged(&guard, ipv6_cases[i].address, shown, ipv6_cases[i].name);
	}
}

static void test_guard_refuses_what_is_no_ip_address(void **state)
{
	const struct sockaddr_un unix_address = {.sun_family = AF_UNIX, .sun_path = "/run/something"};
	const struct sockaddr_in public = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
	const struct guard guard = parse("*");
	char text[GUARD_TEXT_BYTES_MAX + 1];

	(void)state; /* none */
	assert_false(guard_allows(&guard, (const struct sockaddr *)&unix_address, sizeof(unix_address), text));
	assert_string_equal(text, "neither IPv4 nor IPv6");
	assert_false(guard_allows(&guard, (const struct sockaddr *)&public, sizeof(public) - 1, text));
	assert_true(guard_allows(&guard, (const struct sockaddr *)&public, sizeof(public), text));
}

static void test_guard_text_holds_the_longest(void **state)
{
	struct guard guard = parse("");

	(void)state; /* none */
	guard.setting = "callback.allowed_addresses";
	assert_string_equal(judge(&guard, "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
			    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff (protocol assignments) is not in "
			    "callback.allowed_addresses");
	assert_string_equal(judge(&guard, "2002:c000:ff:ffff:ffff:ffff:ffff:ffff"),
			    "2002:c000:ff:ffff:ffff:ffff:ffff:ffff (6to4 of protocol assignments) is not in "
			    "callback.allowed_addresses");
}

/* ---- the allow-list ---- */

static void test_guard_list_opens_what_it_names(void **state)
{
	static const struct {
		const char *list;
		const char *address;
		bool allowed;
	} cases[] = {
		{"", "127.0.0.1", false},
		{"  ", "127.0.0.1", false},
		{"*", "127.0.0.1", true},
		{" * ", "ff02::1", true},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1", "::ffff:127.0.0.1", true},
		{"127.0.0.1", "::1", false},
		{"127.0.0.1", "::127.0.0.1", false},
		{"10.0.0.0/8", "64:ff9b::10.0.0.1", false},
		{"10.0.0.0/8", "2002:a00:1::1", false},
		{"10.0.0.0/8", "2001:0:a00:1:8000:63bf:f7f7:f7f7", false},
		{"64:ff9b::/96", "64:ff9b::10.0.0.1", true},
		{"64:ff9b::/96", "10.0.0.1", false},
		{"2002:a00:1::/48", "2002:a00:1::1", true},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"::ffff:10.0.0.0/104", "11.0.0.0", true}, /* public */
		{"127.0.0.0/8, ::1, 10.1.2.3", "127.255.0.1", true},
		{"127.0.0.0/8, ::1, 10.1.2.3", "::1", true},
		{"127.0.0.0/8, ::1, 10.1.2.3", "10.1.2.3", true},
		{"127.0.0.0/8, ::1, 10.1.2.3", "10.1.2.4", false},
		{"127.0.0.0/8, ::1, 10.1.2.3", "::2", false},
		{"10.1.2.0/23", "10.1.2.0", true},
		{"10.1.2.0/23", "10.1.3.255", true},
		{"10.1.2.0/23", "10.1.1.255", false},
		{"10.1.2.0/23", "10.1.4.0", false},
		{"10.1.2.3/32", "10.1.2.3", true},
		{"192.168.0.0/16", "8.8.8.8", true}, /* opens, never closes */
		{"0.0.0.0/0", "127.0.0.1", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"::/0", "fe80::1", true},
		{"::/0", "127.0.0.1", false},
		{"::/0", "::ffff:127.0.0.1", false},
		{"fd12:3456::/32", "fd12:3456:ffff::1", true},
		{"fd12:3456::/32", "fd12:3457::1", false},
		{"fd12:3456::/31", "fd12:3457::1", true},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct guard guard = parse(cases[i].list);
		bool allowed = judge(&guard, cases[i].address)[0] == '\0';
		if (allowed != cases[i].allowed)
			fail_msg("\"%s\" and %s: %d", cases[i].list, cases[i].address, allowed);
	}
}

static void test_guard_list_says_what_is_wrong(void **state)
{
	static const struct {
		const char *list;
		const char *words;
	} cases[] = {
		{"localhost", "\"localhost\" is no IPv4 or IPv6 address or range"},
		{"127.1", "\"127.1\" is no"},
		{"0x7f.0.0.1", "\"0x7f.0.0.1\" is no"},
		{"2130706433", "\"2130706433\" is no"},
		{"127.0.0.01", "\"127.0.0.01\" is no"},
		{"127.0.0.1:80", "\"127.0.0.1:80\" is no"},
		{"[::1]", "\"[::1]\" is no"},
		{"fe80::1%lo", "\"fe80::1%lo\" is no"},
		{"/8", "\"/8\" is no"},
		{"127.0.0.1 ::1", "\"127.0.0.1 ::1\" is no"},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", "is no IPv4"},
		{",", "an entry is empty"},
		{"127.0.0.1,", "an entry is empty"},
		{"127.0.0.1, ,::1", "an entry is empty"},
		{"127.0.0.0/", "\"127.0.0.0/\": after the slash stands a number from 0 to 32"},
		{"127.0.0.0/33", "0 to 32"},
		{"127.0.0.0/-1", "0 to 32"},
		{"127.0.0.0/8/8", "0 to 32"},
		{"127.0.0.0/255.0.0.0", "0 to 32"},
		{"127.0.0.0/ 8", "0 to 32"},
		{"::/129", "\"::/129\": after the slash stands a number from 0 to 128"},
		{"10.1.2.3/8", "\"10.1.2.3/8\": the address has bits after its first 8"},
		{"10.1.2.0/22", "bits after its first 22"},
		{"127.0.0.1/0", "bits after its first 0"},
		{"fc00::1/64", "bits after its first 64"},
		{"*, 10.0.0.1", "* stands alone"},
		{"10.0.0.1,*", "* stands alone"},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct guard guard = {.setting = "untouched"};
		struct error err = {ERR_NONE, ""};

		assert_int_equal(guard_parse(SETTING, cases[i].list, &guard, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		if (strncmp(err.text, SETTING ": ", strlen(SETTING ": ")) != 0 || !strstr(err.text, cases[i].words))
			fail_msg("\"%s\": %s", cases[i].list, err.text);
		assert_string_equal(guard.setting, "untouched");
	}
}

static void test_guard_list_has_64_entries_and_no_more(void **state)
{
	char list[2048] = "";
	struct guard guard;
	struct error err;

	(void)state; /* none */
	for (unsigned i = 0; i < GUARD_ALLOWED_MAX; i++)
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s10.0.0.%u", i ? "," : "",
			       i); /* fits */
	guard = parse(list);
	assert_string_equal(judge(&guard, "10.0.0.63"), "");
	assert_string_not_equal(judge(&guard, "10.0.0.64"), "");
	strcat(list, ",10.0.0.64");
	assert_int_equal(guard_parse(SETTING, list, &guard, &err), -1);
	assert_string_equal(err.text, SETTING ": has more than 64 entries");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard_judges_ipv4),
		cmocka_unit_test(test_guard_judges_ipv6),
		cmocka_unit_test(test_guard_refuses_what_is_no_ip_address),
		cmocka_unit_test(test_guard_text_holds_the_longest),
		cmocka_unit_test(test_guard_list_opens_what_it_names),
		cmocka_unit_test(test_guard_list_says_what_is_wrong),
		cmocka_unit_test(test_guard_list_has_64_entries_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
