/* Small files: secrets, atomic writes, folders, and the demonstration's certificates. */
#include "cli/files.h"
#include "cli/tls_files.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
	char path[64];
	char file[96];
};

static int folder_setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	(void)snprintf(folder->path, sizeof(folder->path), "/tmp/highwater-test-XXXXXX"); /* fits, as below */
	if (!mkdtemp(folder->path))
		return -1;
	(void)snprintf(folder->file, sizeof(folder->file), "%s/file", folder->path);
	*state = folder;
	return 0;
}

static int folder_teardown(void **state)
{
	struct folder *folder = *state;
	struct error err;
	int result = files_remove_tree(folder->path, &err);

	free(folder);
	return result;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void test_files_reads_a_secret_without_its_line_end(void **state)
{
	static const char *const contents[] = {"secret", "secret\n", "secret\r\n"};
	struct folder *folder = *state;

	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		struct buf out;
		struct error err;

		write_file(folder->file, contents[i], strlen(contents[i]));
		buf_init(&out, 1024);
		assert_int_equal(files_read_secret(folder->file, 6, &out, &err), 0);
		assert_string_equal(buf_c(&out), "secret");
		assert_int_equal(out.len, 6);
		files_wipe(&out);
	}
}

static void test_files_refuses_what_is_no_secret(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} rows[] = {
		{"", 0, "is empty"},
		{"\n", 1, "is empty"},
		{"1234567", 7, "more than 6 bytes"},
		{"123456789012", 12, "more than 6 bytes"},
		{"a\nb\n", 4, "one line of printable ASCII"},
		{"a\0b", 3, "one line of printable ASCII"},
		{"a\n\n", 3, "one line of printable ASCII"},
		{"\xc3\xa9", 2, "one line of printable ASCII"},
	};
	struct folder *folder = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;
		struct error err;

		write_file(folder->file, rows[i].bytes, rows[i].len);
		buf_init(&out, 1024);
		assert_int_equal(files_read_secret(folder->file, 6, &out, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.text, rows[i].words));
		files_wipe(&out);
	}
}

static void test_files_reads_text_as_it_is(void **state)
{
	static const char text[] = "-----BEGIN A-----\n\xc3\xa9\r\n\n";
	struct folder *folder = *state;
	struct buf out;
	struct error err;

	write_file(folder->file, text, strlen(text));
	buf_init(&out, 1024);
	assert_int_equal(files_read_text(folder->file, strlen(text), &out, &err), 0);
	assert_string_equal(buf_c(&out), text);
	assert_int_equal(out.len, strlen(text));
	files_wipe(&out);
}

static void test_files_refuses_what_is_no_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} rows[] = {
		{"", 0, "is empty"},
		{"123456789", 9, "more than 8 bytes"},
		{"12345678901234567890", 20, "more than 8 bytes"},
		{"a\0b", 3, "must hold text"},
		{"a\xff", 2, "must hold text"},
	};
	struct folder *folder = *state;
	struct buf out;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_file(folder->file, rows[i].bytes, rows[i].len);
		buf_init(&out, 1024);
		assert_int_equal(files_read_text(folder->file, 8, &out, &err), -1);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.text, rows[i].words));
		files_wipe(&out);
	}
	buf_init(&out, 1024);
	assert_int_equal(files_read_text(folder->path, 8, &out, &err), -1);
	assert_int_equal(files_read_text("/nonexistent/file", 8, &out, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	files_wipe(&out);
}

static void test_files_tells_when_a_secret_is_open_to_others(void **state)
{
	static const struct {
		mode_t mode;
		int result;
	} rows[] = {{0600, 0}, {0400, 0}, {0640, -1}, {0604, -1}, {0620, -1}};
	struct folder *folder = *state;
	struct error err;

	write_file(folder->file, "x", 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(chmod(folder->file, rows[i].mode), 0);
		assert_int_equal(files_check_private(folder->file, &err), rows[i].result);
		if (rows[i].result)
			assert_int_equal(err.class, ERR_DENIED);
	}
}

static void test_files_write_replaces_with_the_mode_asked_for(void **state)
{
	struct folder *folder = *state;
	struct stat status;
	struct error err;
	struct buf out;

	write_file(folder->file, "old", 3);
	assert_int_equal(files_write(folder->file, STR("new"), 0600, &err), 0);
	assert_int_equal(stat(folder->file, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	buf_init(&out, 1024);
	assert_int_equal(files_read_secret(folder->file, 6, &out, &err), 0);
	assert_string_equal(buf_c(&out), "new");
	files_wipe(&out);
}

static void test_files_write_leaves_nothing_when_it_fails(void **state)
{
	struct folder *folder = *state;
	struct error err;
	char path[160];
	bool empty;

	(void)snprintf(path, sizeof(path), "%s/none/file", folder->path); /* fits */
	assert_int_equal(files_write(path, STR("x"), 0600, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_int_equal(mkdir(folder->file, 0700), 0); /* a folder where the file shall be */
	assert_int_equal(files_write(folder->file, STR("x"), 0600, &err), -1);
	assert_int_equal(rmdir(folder->file), 0);
	assert_int_equal(files_folder_is_empty(folder->path, &empty, &err), 0);
	assert_true(empty);
}

static void test_files_make_folder_accepts_one_that_is_there(void **state)
{
	struct folder *folder = *state;
	struct error err;
	struct stat status;

	assert_int_equal(files_make_folder(folder->file, 0700, &err), 0);
	assert_int_equal(stat(folder->file, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(files_make_folder(folder->file, 0700, &err), 0);
	assert_int_equal(rmdir(folder->file), 0);
	write_file(folder->file, "x", 1);
	assert_int_equal(files_make_folder(folder->file, 0700, &err), -1);
	assert_non_null(strstr(err.text, "no folder"));
}

static void test_files_remove_tree_follows_no_link(void **state)
{
	struct folder *folder = *state;
	struct error err;
	char tree[96];
	char link_path[128];

	write_file(folder->file, "x", 1);
	(void)snprintf(tree, sizeof(tree), "%s/tree", folder->path); /* fits, as below */
	(void)snprintf(link_path, sizeof(link_path), "%s/link", tree);
	assert_int_equal(mkdir(tree, 0700), 0);
	assert_int_equal(symlink(folder->file, link_path), 0);
	assert_int_equal(files_remove_tree(tree, &err), 0);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(folder->file, F_OK), 0);
}

static X509 *read_cert(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *cert;

	assert_non_null(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	assert_int_equal(fclose(file), 0);
	assert_non_null(cert);
	return cert;
}

static void test_tls_files_make_a_chain_for_loopback_only(void **state)
{
	struct folder *folder = *state;
	char paths[3][96];
	const struct tls_files files = {paths[0], paths[1], paths[2]};
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	struct error err;
	struct stat status;
	X509 *ca;
	X509 *cert;

	for (unsigned i = 0; i < 3; i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%u", folder->path, i); /* fits */
	assert_int_equal(tls_files_make(&files, &err), 0);
	assert_int_equal(stat(files.key_file, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	ca = read_cert(files.ca_file);
	cert = read_cert(files.cert_file);
	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	assert_int_equal(X509_STORE_CTX_init(check, store, cert, NULL), 1);
	assert_int_equal(X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_SERVER), 1);
	assert_int_equal(X509_verify_cert(check), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "example.com", 0, 0, NULL), 0);
	X509_free(cert);
	X509_free(ca);
	X509_STORE_CTX_free(check);
	X509_STORE_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files_reads_a_secret_without_its_line_end, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_refuses_what_is_no_secret, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_reads_text_as_it_is, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_refuses_what_is_no_text, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_tells_when_a_secret_is_open_to_others, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_write_replaces_with_the_mode_asked_for, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_write_leaves_nothing_when_it_fails, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_make_folder_accepts_one_that_is_there, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_remove_tree_follows_no_link, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_tls_files_make_a_chain_for_loopback_only, folder_setup,
						folder_teardown),
	};

	return cmocka_run_group_tests_name("cli files", tests, NULL, NULL);
}
