/* settings_read_file over a file with the input in it. */
#include "fuzz.h"
#include "base/settings.h"

#include <sys/mman.h>
#include <unistd.h>

struct fuzz_options {
	char *text;
	bool flag;
	uint64_t count;
	uint64_t wait_ms;
	uint64_t size_bytes;
};

static const struct setting fuzz_rows[] = {
	{"a.text", SETTING_TEXT, offsetof(struct fuzz_options, text), "x", 1, 40, "A text."},
	{"a.flag", SETTING_BOOL, offsetof(struct fuzz_options, flag), "off", 0, 0, "A flag."},
	{"a.count", SETTING_COUNT, offsetof(struct fuzz_options, count), "5", 1, 1000, "A count."},
	{"b.wait", SETTING_DURATION, offsetof(struct fuzz_options, wait_ms), "5s", 1, 86400000, "A duration."},
	{"b.size", SETTING_SIZE, offsetof(struct fuzz_options, size_bytes), "64KiB", 0, 1 << 30, "A size."},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	static char path[64];
	struct fuzz_options options;
	struct settings settings;
	struct error err = {0};

	if (file < 0) {
		file = memfd_create("settings", 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file); /* fits */
	}
	fuzz_hold(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	settings_init(&settings, fuzz_rows, ARRAY_LEN(fuzz_rows), &options);
	if (settings_read_file(&settings, path, &err))
		fuzz_hold(err.class == ERR_INVALID && err.text[0]);
	fuzz_hold(strlen(options.text) <= 40 && options.count >= 1 && options.count <= 1000);
	fuzz_hold(options.wait_ms >= 1 && options.wait_ms <= 86400000 && options.size_bytes <= 1 << 30);
	settings_fini(&settings);
	return 0;
}
