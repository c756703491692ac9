/* The directory of configurations: versions, references, lists, and many threads. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/directory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

static struct app_config config_of(uint32_t sdkappid, uint32_t mark)
{
	struct app_config config;

	app_config_init(&config);
	config.sdkappid = sdkappid;
	config.room_count_max = mark;
	config.number = mark;
	return config;
}

static void publish(struct directory *directory, uint32_t sdkappid, uint32_t mark)
{
	struct app_config config = config_of(sdkappid, mark);

	directory_publish(directory, &config);
}

static int setup(void **state)
{
	*state = directory_new();
	return 0;
}

static int teardown(void **state)
{
	struct directory *directory = *state;

	directory_free(&directory);
	directory_free(&directory); /* accepts NULL */
	return directory != NULL;
}

static void test_directory_gives_what_was_published(void **state)
{
	const struct directory_entry *entry;

	assert_null(directory_acquire(*state, 7));
	publish(*state, 7, 1);
	entry = directory_acquire(*state, 7);
	assert_non_null(entry);
	assert_int_equal(entry->config.sdkappid, 7);
	assert_int_equal(entry->config.room_count_max, 1);
	directory_release(entry);
	assert_null(directory_acquire(*state, 8));
	directory_release(NULL);
}

static void test_directory_entry_stays_as_it_is_until_released(void **state)
{
	const struct directory_entry *old;
	const struct directory_entry *new;

	publish(*state, 7, 1);
	old = directory_acquire(*state, 7);
	publish(*state, 7, 2);
	new = directory_acquire(*state, 7);
	assert_int_equal(old->config.room_count_max, 1);
	assert_int_equal(new->config.room_count_max, 2);
	assert_true(new->generation > old->generation);
	directory_remove(*state, 7);
	assert_null(directory_acquire(*state, 7));
	assert_int_equal(old->config.room_count_max, 1);
	assert_int_equal(new->config.room_count_max, 2);
	directory_release(old);
	directory_release(new);
	directory_remove(*state, 7); /* not there: fine */
}

static void test_directory_generation_rises_over_all_apps(void **state)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < 10; i++) {
		const struct directory_entry *entry;

		publish(*state, i % 3 + 1, i);
		entry = directory_acquire(*state, i % 3 + 1);
		assert_true(entry->generation > last);
		last = entry->generation;
		directory_release(entry);
	}
}

static void test_directory_lists_in_pages(void **state)
{
	static const uint32_t ids[] = {500, 3, HW_SDKAPPID_MAX, 1, 77};
	static const uint32_t want[] = {1, 3, 77, 500, HW_SDKAPPID_MAX};
	uint32_t after = 0;
	uint32_t page[2];
	size_t total = 0;
	size_t count;

	assert_int_equal(directory_list(*state, 0, page, 2), 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		publish(*state, ids[i], 1);
	while ((count = directory_list(*state, after, page, 2))) {
		for (size_t i = 0; i < count; i++)
			assert_int_equal(page[i], want[total++]);
		after = page[count - 1];
	}
	assert_int_equal(total, ARRAY_LEN(want));
	assert_int_equal(directory_list(*state, 0, page, 0), 0);
}

#define READERS 4
#define APPS 5
#define PUBLICATIONS 4000
#define PUBLISHED_WITHIN_MS 8000 /* some 20 ms; twice that time and more when readers go before the writer */

struct race {
	struct directory *directory;
	_Atomic bool over;
	_Atomic unsigned torn;
};

static void *read_many(void *context)
{
	struct race *race = context;
	const struct directory_entry *held[APPS] = {NULL};

	while (!atomic_load(&race->over)) {
		for (uint32_t i = 0; i < APPS; i++) {
			const struct directory_entry *entry = directory_acquire(race->directory, i + 1);

			if (entry &&
			    (entry->config.sdkappid != i + 1 || entry->config.number != entry->config.room_count_max))
				atomic_fetch_add(&race->torn, 1);
			if (entry && held[i] && entry->generation < held[i]->generation)
				atomic_fetch_add(&race->torn, 1);
			directory_release(held[i]);
			held[i] = entry;
		}
	}
	for (uint32_t i = 0; i < APPS; i++)
		directory_release(held[i]);
	return NULL;
}

static void test_directory_readers_race_with_the_writer(void **state)
{
	struct race race = {.directory = *state};
	pthread_t threads[READERS];
	int64_t start_ms;
	int64_t spent_ms;

	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_many, &race), 0);
	start_ms = clock_mono_ms();
	for (uint32_t i = 0; i < PUBLICATIONS; i++) {
		publish(*state, i % APPS + 1, i);
		if (i % 7 == 0)
			directory_remove(*state, i % APPS + 1);
	}
	spent_ms = clock_mono_ms() - start_ms;
	atomic_store(&race.over, true);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&race.torn), 0);
	assert_in_range(spent_ms, 0, PUBLISHED_WITHIN_MS);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(test_directory_gives_what_was_published),
		WITH_DIRECTORY(test_directory_entry_stays_as_it_is_until_released),
		WITH_DIRECTORY(test_directory_generation_rises_over_all_apps),
		WITH_DIRECTORY(test_directory_lists_in_pages),
		WITH_DIRECTORY(test_directory_readers_race_with_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
