"""A wall clock that a test sets, for one process: a library that is loaded before all others."""

import shutil
import subprocess

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Adds the seconds in the file CLOCK_SHIFT to the wall clock of this process; the monotonic one stays. */
static volatile long long *shift;

__attribute__((constructor)) static void open_shift(void)
{
	int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);

	shift = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || shift == MAP_FAILED)
		abort();
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, out);
	if (clock == CLOCK_REALTIME && result == 0)
		out->tv_sec += *shift;
	return result;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}
"""


class Clock:
    """The wall clock of a backend, which the test sets."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, seconds):
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    def environment(self, shim):
        """What the process is started with."""
        return {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": str(self.path)}


def build(folder):
    """Builds the library in the folder; None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return None
    (folder / "shim.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", "shim.so", "shim.c", "-ldl"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / "shim.so"
