// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - VMs from their creation to their end, as far as every architecture
 * does the same. Knows no register and no quirk.
 */
#include "vm/vm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/isa.h"

/*
 * KVM's module cannot change while it is open: quirks are found once a process,
 * for each kind of kernel.
 */
static pthread_mutex_t quirks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	bool known;
	struct quirks found;
} quirks_of[CM_ISA_A32 + 1];

static size_t known_capabilities(void)
{
	size_t n = 0;

	while (arch_capability_table[n].name)
		n++;
	return n;
}

size_t arch_capabilities(struct arch_capability *list, size_t max, struct err *e)
{
	return kvm_ask(arch_capability_table, known_capabilities(), list, max, e);
}

static bool create_memory(struct vm *vm, struct err *e)
{
	size_t views = vm->kind == VM_STEPPED ? vm->vcpus * (size_t)CM_TEXT_SIZE : 0;
	uint8_t *view = NULL;
	const struct kvm_piece pieces[] = {
		{ VM_GPA_SYSTEM, VM_SYSTEM_SIZE, &vm->system },
		{ CM_IMAGE_BASE, vm->image->memory_size, &vm->host.image },
		{ CM_TEXT_BASE, CM_TEXT_SIZE, &vm->host.text },
		{ VM_GPA_VIEWS, views, &view },
	};

	vm->memory = kvm_map_memory(vm->fd, pieces, sizeof(pieces) / sizeof(pieces[0]),
				    &vm->memory_size, e);
	if (!vm->memory)
		return false;
	vm->host.image_size = vm->image->memory_size;
	for (uint32_t i = 0; view && i < vm->vcpus; i++)
		vm->host.view[i] = view + i * (size_t)CM_TEXT_SIZE;
	return true;
}

static bool create_vcpu(struct vm *vm, uint32_t id, struct err *e)
{
	struct vcpu *v = &vm->vcpu[id];

	v->vm = vm;
	v->id = id;
	if (!kvm_call_result(vm->fd, KVM_CREATE_VCPU, id, &v->fd, e))
		return false;
	v->run = kvm_map_run(vm->kvm, v->fd, &v->run_size, e);
	return v->run && arch_prepare_vcpu(v, e);
}

static bool create(struct vm *vm, struct err *e)
{
	if (!kvm_open(&vm->kvm, e) ||
	    !kvm_has_required(vm->kvm, arch_capability_table, known_capabilities(), e) ||
	    !kvm_call_result(vm->kvm, KVM_CREATE_VM, 0, &vm->fd, e) || !create_memory(vm, e))
		return false;
	vm_load_image(vm);
	if (!arch_prepare_vm(vm, e))
		return false;
	for (uint32_t i = 0; i < vm->vcpus; i++)
		if (!create_vcpu(vm, i, e))
			return false;
	return true;
}

struct vm *vm_new(const struct image *image, enum vm_kind kind, uint32_t vcpus, struct err *e)
{
	struct vm *vm;

	if (!arch_runs(image->abi.isa)) {
		err_set(e, ERR_UNSUPPORTED, "%s is an image for %s; this host is %s", image->path,
			isa_name(image->abi.isa), arch_name());
		return NULL;
	}
	vm = calloc(1, sizeof(*vm));
	if (!vm) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	vm->image = image;
	vm->kind = kind;
	vm->vcpus = vcpus;
	vm->kvm = vm->fd = -1;
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++)
		vm->vcpu[i].fd = -1;
	if (create(vm, e))
		return vm;
	vm_free(vm);
	return NULL;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		struct vcpu *v = &vm->vcpu[i];

		if (v->run)
			munmap(v->run, v->run_size);
		if (v->fd >= 0)
			close(v->fd);
		arch_free_vcpu(v);
	}
	arch_free_vm(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->memory)
		munmap(vm->memory, vm->memory_size);
	free(vm);
}

static bool find_quirks(struct vm *vm, struct err *e)
{
	bool no_sync_regs = vm->quirks.no_sync_regs; /* of this VM, not of the host */
	uint32_t isa = vm->image->abi.isa;	     /* one that arch_runs() knows */
	bool ok = true;

	pthread_mutex_lock(&quirks_lock);
	if (quirks_of[isa].known) {
		vm->quirks = quirks_of[isa].found;
		vm->quirks.no_sync_regs = no_sync_regs;
	} else {
		ok = arch_selfcheck(vm, e);
		/* A VM_FREE cannot be stepped in every way. */
		quirks_of[isa].known = ok && vm->kind == VM_STEPPED;
		quirks_of[isa].found = vm->quirks;
	}
	pthread_mutex_unlock(&quirks_lock);
	return ok;
}

bool vm_boot(struct vm *vm, struct err *e)
{
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		struct vcpu_exit x;

		if (!vcpu_run(&vm->vcpu[i], &x, e))
			return err_prefix(e, "booting: ");
		if (x.kind != EXIT_DOOR || x.door != CM_DOOR_READY)
			return err_set(e, ERR_HOST, "vCPU %u did not boot: it stands at %#llx%s%s",
				       i, (unsigned long long)vcpu_pc(&vm->vcpu[i]),
				       *x.text ? ": " : "", x.text);
	}
	return find_quirks(vm, e);
}

bool vm_borrow(struct vm *vm,
	       bool (*check)(struct vcpu *v, const struct vcpu_state *ready, struct err *e),
	       struct err *e)
{
	struct vcpu *v = &vm->vcpu[0];
	struct vcpu_state ready;
	uint8_t *memory = malloc(vm->host.image_size);
	bool ok;

	if (!memory)
		return err_set(e, ERR_HOST, "out of memory");
	memcpy(memory, vm->host.image, vm->host.image_size);
	vcpu_save(v, &ready);
	ok = check(v, &ready, e);
	vcpu_load(v, &ready);
	memcpy(vm->host.image, memory, vm->host.image_size);
	free(memory);
	return ok;
}

bool vcpu_set_debug(struct vcpu *v, uint32_t control, struct err *e)
{
	struct kvm_guest_debug dbg = { .control = control };

	if (v->debug == control)
		return true;
	if (!kvm_call(v->fd, KVM_SET_GUEST_DEBUG, &dbg, e))
		return false;
	v->debug = control;
	return true;
}

bool vcpu_settle(struct vcpu *v, struct err *e)
{
	bool kicked, pending = v->run->immediate_exit;
	bool ok;

	v->run->immediate_exit = 1;
	ok = arch_enter(v, &kicked, e);
	v->run->immediate_exit = pending;
	return ok;
}

struct vm_memory *vm_memory(struct vm *vm)
{
	return &vm->host;
}

struct vcpu *vm_vcpu(struct vm *vm, uint32_t id)
{
	return &vm->vcpu[id];
}

const struct quirks *vm_quirks(const struct vm *vm)
{
	return &vm->quirks;
}
