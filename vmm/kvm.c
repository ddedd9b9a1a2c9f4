// SPDX-License-Identifier: BSD-2-Clause
/* kvm.c - KVM's ioctls, named in their failures. Knows nothing of guests. */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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
