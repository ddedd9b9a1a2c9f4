/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvm.h - the one place that calls ioctl() on KVM file descriptors.
 *
 * kvm_call() fills struct err with the request's own name and errno;
 * kvm_try() returns 0 or the errno. Behind them, what every backend makes of
 * KVM alike. Only arch/ includes this file.
 */
#ifndef CROSSMOD_KVM_H
#define CROSSMOD_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/arch.h"
#include "base/err.h"

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

/* An entry of a backend's table of the capabilities that it relies on. */
#define KVM_CAPABILITY(cap, required, use)        \
	{                                         \
#cap, (cap), 0, (required), (use) \
	}

/* Are all the required ones of (n) there? Else ERR_UNSUPPORTED with the first missing one. */
bool kvm_has_required(int kvm, const struct arch_capability *known, size_t n, struct err *e);

/* What this host says of the (n) known ones, (max) at most, to (list): arch_capabilities(). */
size_t kvm_ask(const struct arch_capability *known, size_t n, struct arch_capability *list,
	       size_t max, struct err *e);

/* A piece of guest memory: (*host) is set to where it is for us. */
struct kvm_piece {
	uint64_t gpa;
	size_t size; /* 0: not there */
	uint8_t **host;
};

/*
 * One private anonymous mapping for the (n) pieces, of (*size) bytes in all,
 * and a memslot for each. The caller unmaps what is returned; NULL on error.
 * A piece's host address is a multiple of KVM_COLOUR, as its guest-physical one
 * must be: in a cache that finds lines by virtual address the two are alike.
 */
#define KVM_COLOUR 0x20000u
void *kvm_map_memory(int vm, const struct kvm_piece *piece, size_t n, size_t *size, struct err *e);

/* The vCPU's struct kvm_run, (*size) bytes to be unmapped by the caller; NULL on error. */
struct kvm_run *kvm_map_run(int kvm, int vcpu, size_t *size, struct err *e);

/* "KVM_EXIT_IO" ...; "exit reason N" for an unknown one, in (buf). */
const char *kvm_exit_name(uint32_t reason, char *buf, unsigned int size);

#endif
