#pragma once
/* A shim around SQLite's file functions: it fails the k-th call of a kind, once or from then on. */
#include "store/fixture.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum fault_call { FAULT_NONE, FAULT_WRITE, FAULT_SYNC };

static struct {
	enum fault_call call;
	int result; /* what the failing call gives */
	bool for_ever;
	_Atomic int left; /* calls until the first that fails */
	_Atomic int fired;
} fault;

#define SHIM_FILES 64

static sqlite3_vfs shim_vfs;
static sqlite3_vfs *real_vfs;
static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods shim;
} shims[SHIM_FILES];

static inline bool shim_fails(enum fault_call call)
{
	int left;

	if (fault.call != call)
		return false;
	left = atomic_fetch_sub(&fault.left, 1);
	if (left > 1 || (left < 1 && !fault.for_ever))
		return false;
	atomic_fetch_add(&fault.fired, 1);
	return true;
}

static inline const sqlite3_io_methods *shim_real(sqlite3_file *file)
{
	for (size_t i = 0; i < SHIM_FILES; i++)
		if (file->pMethods == &shims[i].shim)
			return shims[i].real;
	abort();
}

static inline int shim_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	return shim_fails(FAULT_WRITE) ? fault.result : shim_real(file)->xWrite(file, bytes, len, at);
}

static inline int shim_sync(sqlite3_file *file, int flags)
{
	return shim_fails(FAULT_SYNC) ? fault.result : shim_real(file)->xSync(file, flags);
}

static inline int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_out)
{
	int rc = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);
	size_t i = 0;

	(void)vfs; /* there is one */
	if (!file->pMethods)
		return rc;
	while (shims[i].real && shims[i].real != file->pMethods) /* SQLite has few kinds of files */
		if (++i == SHIM_FILES)
			abort();
	shims[i].real = file->pMethods;
	shims[i].shim = *file->pMethods;
	shims[i].shim.xWrite = shim_write;
	shims[i].shim.xSync = shim_sync;
	file->pMethods = &shims[i].shim;
	return rc;
}

static inline int shim_setup(void **state)
{
	(void)state;
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.zName = "fault";
	shim_vfs.xOpen = shim_open;
	return sqlite3_vfs_register(&shim_vfs, 1);
}

static inline void arm(enum fault_call call, int result, int k, bool for_ever)
{
	fault.call = call;
	fault.result = result;
	fault.for_ever = for_ever;
	atomic_store(&fault.left, k);
	atomic_store(&fault.fired, 0);
}
