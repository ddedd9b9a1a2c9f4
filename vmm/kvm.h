/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvm.h - the one place that calls ioctl() on KVM file descriptors.
 *
 * kvm_call() fills struct err with the request's own name and errno;
 * kvm_try() returns 0 or the errno. Only arch/ includes this file.
 */
#ifndef CROSSMOD_KVM_H
#define CROSSMOD_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* The result of ioctl(fd, request, arg) in (*result) if not NULL. Returns 0 or errno. */
int kvm_ioctl(int fd, unsigned long request, uintptr_t arg, int *result);

/* The same, false with "<NAME>: <strerror>" on failure. */
bool kvm_ioctl_named(int fd, unsigned long request, const char *name, uintptr_t arg, int *result,
		     struct err *e);

#define kvm_try(fd, request, arg) kvm_ioctl((fd), (request), (uintptr_t)(arg), NULL)
#define kvm_call(fd, request, arg, e) \
	kvm_ioctl_named((fd), (request), #request, (uintptr_t)(arg), NULL, (e))
#define kvm_call_result(fd, request, arg, result, e) \
	kvm_ioctl_named((fd), (request), #request, (uintptr_t)(arg), (result), (e))

/*
 * Open /dev/kvm and check the API version. ERR_UNSUPPORTED, with what to do
 * about it, when there is none or it may not be opened.
 */
bool kvm_open(int *fd, struct err *e);

/* KVM_CHECK_EXTENSION: 0 when absent. */
int kvm_capability(int fd, unsigned int capability);

/* "KVM_EXIT_IO" ...; "exit reason N" for an unknown one, in (buf). */
const char *kvm_exit_name(uint32_t reason, char *buf, unsigned int size);

#endif
