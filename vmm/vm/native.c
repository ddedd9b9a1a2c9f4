// SPDX-License-Identifier: BSD-2-Clause
/* native.c - mappings at fixed addresses. Runs nothing. */
#include "vm/native.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm/arch_bench.h"

#define PAGE 4096u

/* (fd) < 0: memory of our own. NULL when (address) is taken. */
static uint8_t *map_at(uint64_t address, size_t size, int may, int fd, struct err *e)
{
	void *want = (void *)(uintptr_t)address;
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	uint8_t *at = mmap(want, size, may, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (at != MAP_FAILED && at == want)
		return at;
	if (at != MAP_FAILED)
		munmap(at, size); /* a kernel before 4.17 takes the address for a hint */
	err_set(e, ERR_UNSUPPORTED, "the guest's address %#llx cannot be had in this process: %s",
		(unsigned long long)address, strerror(at == MAP_FAILED ? errno : EEXIST));
	return NULL;
}

/* Never writable and executable at once, as in the guest. */
static bool protect(const struct image *image, struct err *e)
{
	for (size_t i = 0; i < image->nsegments; i++) {
		const struct image_segment *s = &image->segments[i];
		uint64_t first = s->address & ~(uint64_t)(PAGE - 1);
		int may = PROT_READ | (s->write ? PROT_WRITE : 0) | (s->execute ? PROT_EXEC : 0);

		if (mprotect((void *)(uintptr_t)first, s->address + s->size - first, may))
			return err_sys(e, errno, "mprotect");
	}
	return true;
}

static bool map_text(struct native *n, struct err *e)
{
	int fd = memfd_create("crossmod-text", MFD_CLOEXEC);
	bool ok;

	if (fd < 0)
		return err_sys(e, errno, "memfd_create");
	ok = !ftruncate(fd, CM_TEXT_SIZE) || err_sys(e, errno, "ftruncate");
	if (ok)
		n->text = map_at(CM_TEXT_BASE, CM_TEXT_SIZE, PROT_READ | PROT_EXEC, fd, e);
	if (n->text)
		n->alias = map_at(CM_ALIAS_BASE, CM_TEXT_SIZE, PROT_READ | PROT_WRITE, fd, e);
	close(fd);
	return n->alias != NULL;
}

bool native_map(struct native *n, const struct image *image, struct err *e)
{
	*n = (struct native){ .image_size = image->memory_size };
	if (!bare_native(image->abi.isa))
		return err_set(e, ERR_UNSUPPORTED, "a host thread cannot execute this image's ISA");
	n->image = map_at(CM_IMAGE_BASE, n->image_size, PROT_READ | PROT_WRITE, -1, e);
	if (n->image) {
		memcpy(n->image, image->memory, n->image_size);
		__builtin___clear_cache((char *)n->image, (char *)n->image + n->image_size);
		if (protect(image, e) && map_text(n, e))
			return true;
	}
	native_unmap(n);
	return false;
}

void native_unmap(struct native *n)
{
	if (n->image)
		munmap(n->image, n->image_size);
	if (n->text)
		munmap(n->text, CM_TEXT_SIZE);
	if (n->alias)
		munmap(n->alias, CM_TEXT_SIZE);
	*n = (struct native){ 0 };
}

void native_written(const struct native *n)
{
	__builtin___clear_cache((char *)n->text, (char *)n->text + CM_TEXT_SIZE);
}
