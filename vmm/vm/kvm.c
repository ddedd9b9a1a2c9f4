// SPDX-License-Identifier: BSD-2-Clause
/* kvm.c - KVM's ioctls, named in their failures. Knows nothing of guests. */
#include "vm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int kvm_ioctl(int fd, unsigned long request, uintptr_t arg, int *result)
{
	int rc = ioctl(fd, request, arg);

	if (result)
		*result = rc;
	return rc < 0 ? errno : 0;
}

bool kvm_ioctl_named(int fd, unsigned long request, const char *name, uintptr_t arg, int *result,
		     struct err *e)
{
	int errnum = kvm_ioctl(fd, request, arg, result);

	return errnum ? err_sys(e, errnum, "%s", name) : true;
}

bool kvm_open(int *fd, struct err *e)
{
	int version;

	*fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT)
		return err_set(e, ERR_UNSUPPORTED,
			       "no /dev/kvm on this host: load a KVM module, or pass the device "
			       "into the container (--device /dev/kvm)");
	if (*fd < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "/dev/kvm: %s: `sudo usermod -aG kvm $USER', then log in again",
			       strerror(errno));
	if (!kvm_call_result(*fd, KVM_GET_API_VERSION, 0, &version, e))
		goto fail;
	if (version != KVM_API_VERSION) {
		err_set(e, ERR_UNSUPPORTED, "KVM API version %d, expected %d", version,
			KVM_API_VERSION);
		goto fail;
	}
	return true;
fail:
	close(*fd);
	*fd = -1;
	return false;
}

int kvm_capability(int fd, unsigned int capability)
{
	int value;

	return kvm_ioctl(fd, KVM_CHECK_EXTENSION, capability, &value) ? 0 : value;
}

bool kvm_has_required(int kvm, const struct arch_capability *known, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (known[i].required && kvm_capability(kvm, known[i].number) <= 0)
			return err_set(e, ERR_UNSUPPORTED, "this KVM has no %s, needed for %s",
				       known[i].name, known[i].use);
	return true;
}

size_t kvm_ask(const struct arch_capability *known, size_t n, struct arch_capability *list,
	       size_t max, struct err *e)
{
	size_t asked = 0;
	int fd;

	if (!kvm_open(&fd, e))
		return 0;
	for (; asked < max && asked < n; asked++) {
		list[asked] = known[asked];
		list[asked].value = kvm_capability(fd, known[asked].number);
	}
	close(fd);
	return asked;
}

static size_t coloured(size_t size)
{
	return (size + KVM_COLOUR - 1) & ~(size_t)(KVM_COLOUR - 1);
}

static bool add_slots(int vm, uint8_t *at, const struct kvm_piece *piece, size_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = piece[i].gpa,
			.memory_size = piece[i].size,
			.userspace_addr = (uintptr_t)at,
		};

		if (!piece[i].size)
			continue;
		*piece[i].host = at;
		at += coloured(piece[i].size);
		if (!kvm_call(vm, KVM_SET_USER_MEMORY_REGION, &region, e))
			return false;
	}
	return true;
}

void *kvm_map_memory(int vm, const struct kvm_piece *piece, size_t n, size_t *size, struct err *e)
{
	uint8_t *at;

	*size = KVM_COLOUR;
	for (size_t i = 0; i < n; i++)
		*size += coloured(piece[i].size);
	at = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		err_set(e, ERR_HOST, "no memory for the guest (%zu KiB)", *size / 1024);
		return NULL;
	}
	if (add_slots(vm, at + coloured((uintptr_t)at) - (uintptr_t)at, piece, n, e))
		return at;
	munmap(at, *size);
	return NULL;
}

struct kvm_run *kvm_map_run(int kvm, int vcpu, size_t *size, struct err *e)
{
	struct kvm_run *run;
	int bytes;

	if (!kvm_call_result(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, &bytes, e))
		return NULL;
	*size = (size_t)bytes;
	run = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run != MAP_FAILED)
		return run;
	err_sys(e, errno, "mmap of struct kvm_run");
	return NULL;
}

const char *kvm_exit_name(uint32_t reason, char *buf, unsigned int size)
{
#define NAME(x) [KVM_EXIT_##x] = "KVM_EXIT_" #x
	/* clang-format off */
	static const char *const names[] = {
		NAME(UNKNOWN), NAME(EXCEPTION), NAME(IO), NAME(HYPERCALL), NAME(DEBUG), NAME(HLT),
		NAME(MMIO), NAME(IRQ_WINDOW_OPEN), NAME(SHUTDOWN), NAME(FAIL_ENTRY), NAME(INTR),
		NAME(INTERNAL_ERROR), NAME(SYSTEM_EVENT),
	};
	/* clang-format on */
#undef NAME
	if (reason < sizeof(names) / sizeof(names[0]) && names[reason])
		return names[reason];
	snprintf(buf, size, "exit reason %u", reason);
	return buf;
}
