/* Published configurations; see directory.h. A search tree under a read-write lock; entries are counted references. */
#include "engine/directory.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>

struct directory_node {
	struct directory_entry entry; /* first: an entry's address is its node's */
	_Atomic unsigned references;
};

struct directory {
	pthread_rwlock_t lock;
	void *nodes; /* tree by sdkappid */
	uint64_t generation;
};

static int directory_compare(const void *a, const void *b)
{
	uint32_t left = ((const struct directory_node *)a)->entry.config.sdkappid;
	uint32_t right = ((const struct directory_node *)b)->entry.config.sdkappid;

	return left < right ? -1 : left > right;
}

/* The writer goes before readers that come later: else a busy server's loops, of which some thread reads at any moment,
 * could keep a commit's reply waiting for seconds. No thread takes the lock twice, which that needs. */
struct directory *directory_new(void)
{
	struct directory *directory = mem_zalloc(sizeof(*directory));
	pthread_rwlockattr_t attributes;
	int rc = pthread_rwlockattr_init(&attributes);

	assert(rc == 0);
	rc = pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	assert(rc == 0);
	rc = pthread_rwlock_init(&directory->lock, &attributes);
	assert(rc == 0);
	(void)pthread_rwlockattr_destroy(&attributes); /* valid */
	return directory;
}

static void directory_unref(void *ptr)
{
	struct directory_node *node = ptr;

	if (atomic_fetch_sub(&node->references, 1) == 1) {
		mem_wipe(&node->entry.config, sizeof(node->entry.config)); /* holds the key and the token */
		mem_free(node);
	}
}

void directory_free(struct directory **directory)
{
	if (!*directory)
		return;
	tdestroy((*directory)->nodes, directory_unref);
	(void)pthread_rwlock_destroy(&(*directory)->lock); /* unlocked */
	mem_free(*directory);
	*directory = NULL;
}

static struct directory_node *directory_find(struct directory *directory, uint32_t sdkappid)
{
	struct directory_node key; /* only the compared field is read */
	void *found;

	key.entry.config.sdkappid = sdkappid;
	found = tfind(&key, &directory->nodes, directory_compare);
	return found ? *(struct directory_node **)found : NULL;
}

const struct directory_entry *directory_acquire(struct directory *directory, uint32_t sdkappid)
{
	struct directory_node *node;

	pthread_rwlock_rdlock(&directory->lock);
	node = directory_find(directory, sdkappid);
	if (node)
		atomic_fetch_add(&node->references, 1);
	pthread_rwlock_unlock(&directory->lock);
	return node ? &node->entry : NULL;
}

void directory_release(const struct directory_entry *entry)
{
	if (entry)
		directory_unref((void *)(uintptr_t)entry); /* the node that directory_acquire counted */
}

/* Takes the app's node out of the tree. Under the write lock. */
static void directory_detach(struct directory *directory, uint32_t sdkappid)
{
	struct directory_node *old = directory_find(directory, sdkappid);

	if (!old)
		return;
	tdelete(old, &directory->nodes, directory_compare);
	directory_unref(old);
}

void directory_publish(struct directory *directory, const struct app_config *config)
{
	struct directory_node *node = mem_zalloc(sizeof(*node));

	node->entry.config = *config;
	node->references = 1;
	pthread_rwlock_wrlock(&directory->lock);
	node->entry.generation = ++directory->generation;
	directory_detach(directory, config->sdkappid);
	(void)tsearch(node, &directory->nodes, directory_compare); /* just detached: not there */
	pthread_rwlock_unlock(&directory->lock);
}

void directory_remove(struct directory *directory, uint32_t sdkappid)
{
	pthread_rwlock_wrlock(&directory->lock);
	directory_detach(directory, sdkappid);
	pthread_rwlock_unlock(&directory->lock);
}

struct directory_listing {
	uint32_t after;
	uint32_t *out;
	size_t limit;
	size_t count;
};

static void directory_visit(const void *ptr, VISIT visit, void *context)
{
	const struct directory_node *node = *(struct directory_node *const *)ptr;
	struct directory_listing *listing = context;

	if ((visit == postorder || visit == leaf) && listing->count < listing->limit &&
	    node->entry.config.sdkappid > listing->after)
		listing->out[listing->count++] = node->entry.config.sdkappid;
}

size_t directory_list(struct directory *directory, uint32_t after, uint32_t *sdkappids_out, size_t limit)
{
	struct directory_listing listing = {after, sdkappids_out, limit, 0};

	pthread_rwlock_rdlock(&directory->lock);
	twalk_r(directory->nodes, directory_visit, &listing);
	pthread_rwlock_unlock(&directory->lock);
	return listing.count;
}
