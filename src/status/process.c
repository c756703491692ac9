/* What the kernel knows of this process; see process.h. */
#include "status/process.h"
#include "base/prom.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t process_open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	(void)closedir(folder);		  /* only read */
	return count > 3 ? count - 3 : 0; /* "." and ".." and this one */
}

static uint64_t process_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(file); /* only read */
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* From /proc: the packaged unit forbids the system call. 0 for no limit. */
static uint64_t process_files_max(void)
{
	FILE *file = fopen("/proc/self/limits", "re");
	unsigned long most = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Max open files %lu", &most) == 1)
			break;
	(void)fclose(file); /* only read */
	return most;
}

void process_write_metrics(int64_t start_ms, struct buf *out)
{
	const struct prom_label version = {"version", STR(HW_VERSION)};
	struct rusage usage = {0};

	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail for ourselves */
	prom_family(out, "highwater_build_info", "gauge", "Always 1; the label has the version.");
	prom_u64(out, "highwater_build_info", &version, 1, 1);
	prom_family(out, "process_cpu_seconds_total", "counter", "Processor time.");
	prom_millionths(out, "process_cpu_seconds_total", NULL, 0,
			(uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	prom_gauge(out, "process_resident_memory_bytes", "Resident memory.", process_resident_bytes());
	prom_gauge(out, "process_open_fds", "Open file descriptors.", process_open_files());
	prom_gauge(out, "process_max_fds", "Most open file descriptors.", process_files_max());
	prom_family(out, "process_start_time_seconds", "gauge", "When the process began.");
	prom_thousandths(out, "process_start_time_seconds", NULL, 0, start_ms);
}
