/* Linked into executables built with the address sanitizer: memory that libraries keep on purpose or never free, and
 * that is bounded. Leaks of our own are never listed here.
 *
 * libh2o 2.2 keeps a pool of buffers per thread that nothing frees when the thread ends, and its
 * h2o_multithread_destroy_queue does not free the queue itself, one per thread. */
const char *__lsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_mem_alloc_recycle\n"
	       "leak:h2o_multithread_create_queue\n";
}

const char *__lsan_default_options(void);

__attribute__((visibility("default"))) const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
