// SPDX-License-Identifier: BSD-2-Clause
/* setup.c - tells the guest what a run is to do. Knows neither method. */
#include "machine/setup.h"

#include <stdio.h>
#include <string.h>

/* The image loader has checked that every address of the ABI record lies in the image. */
static void *host(struct vm *vm, uint64_t address)
{
	return vm_memory(vm)->image + (address - CM_IMAGE_BASE);
}

struct cm_control *setup_control(struct vm *vm, const struct image *image)
{
	return host(vm, image->abi.control);
}

struct cm_cpu *setup_mailbox(struct vm *vm, const struct image *image, uint32_t vcpu)
{
	return (struct cm_cpu *)host(vm, image->abi.cpu) + vcpu;
}

const struct cm_counts *setup_counts(struct vm *vm, const struct image *image, uint32_t vcpu)
{
	return (const struct cm_counts *)host(vm, image->abi.counts) + vcpu;
}

const struct cm_patches *setup_patches(struct vm *vm, const struct image *image)
{
	return host(vm, image->abi.patches);
}

void setup_assertion(struct vm *vm, const struct image *image, uint32_t vcpu, struct observation *o)
{
	snprintf(o->suspect, sizeof(o->suspect), "vCPU %u: guest self-check, line %u", vcpu,
		 setup_mailbox(vm, image, vcpu)->assert_line);
}

static uint32_t carry_out(const struct cm_atomic *a, uint32_t before)
{
	switch (a->op) {
	case CM_ATOMIC_CMPXCHG:
		return before == a->compare ? a->operand : before;
	case CM_ATOMIC_AND:
		return before & a->operand;
	case CM_ATOMIC_OR:
		return before | a->operand;
	default:
		return before + a->operand;
	}
}

bool setup_atomic(struct vm *vm, uint64_t argument)
{
	const struct vm_memory *memory = vm_memory(vm);
	struct cm_atomic a;
	uint64_t offset = argument - CM_IMAGE_BASE, variable;

	if (memory->image_size < sizeof(a) || offset > memory->image_size - sizeof(a))
		return false;
	memcpy(&a, memory->image + offset, sizeof(a));
	variable = a.address - CM_IMAGE_BASE;
	if (variable > memory->image_size - sizeof(a.before) || a.op > CM_ATOMIC_ADD)
		return false;
	memcpy(&a.before, memory->image + variable, sizeof(a.before));
	memcpy(memory->image + offset, &a, sizeof(a));
	a.operand = carry_out(&a, a.before);
	memcpy(memory->image + variable, &a.operand, sizeof(a.operand));
	return true;
}

/* What no instruction of the guest leads to raises an undefined instruction, or a breakpoint. */
static int filler(enum cm_isa isa)
{
	return isa == CM_ISA_T32 ? 0xde : isa == CM_ISA_A64 ? 0x00 : 0xcc;
}

static void place_sites(struct vm *vm, const struct scenario *s, struct site *site)
{
	uint8_t *text = vm_memory(vm)->text;

	memset(text, filler((enum cm_isa)s->site[0].site->record.isa), CM_TEXT_SIZE);
	for (uint32_t i = 0; i < s->nsites; i++) {
		site_place(&site[i], s->site[i].site, i, s->site[i].offset);
		site_install(&site[i], text);
		if (s->protocol->bypass)
			site_add_bypass(&site[i]);
	}
}

static void write_control(struct vm *vm, const struct image *image, const struct scenario *s,
			  const struct site *site)
{
	struct cm_control *c = setup_control(vm, image);

	*c = (struct cm_control){
		.protocol = s->protocol->address,
		.vcpus = s->vcpus,
		.online = ((1u << s->vcpus) - 1) & ~s->offline,
		.sites = s->nsites,
		.batch = s->batch,
		.pokes = s->pokes,
		.pause = s->pause,
		.nmi_runs_site = s->nmi_runs_site,
		.nmi_latch = s->nmi_latch,
		.executor_pause = s->executor_pause,
		.ipi_runs_site = s->ipi_runs_site,
		.free_running = s->method == METHOD_FREE,
		.irqchip = vm_irqchip(vm),
	};
	for (uint32_t i = 0; i < s->nsites; i++)
		c->site[i] = site[i].placed;
}

static void write_mailbox(struct cm_cpu *cpu, uint32_t id, const struct scenario *s)
{
	cpu->role = CM_ROLE_IDLE;
	cpu->cpl = 0;
	cpu->calls = s->method == METHOD_FREE ? s->free.iterations : s->calls;
	if (id == s->patcher) {
		cpu->role = s->method == METHOD_FREE ? CM_ROLE_TIMED_PATCHER : CM_ROLE_PATCHER;
		cpu->cpl = s->patcher_cpl;
	} else if (s->executors & 1u << id) {
		cpu->role = s->executor_pause ? CM_ROLE_PAUSING_EXECUTOR : CM_ROLE_EXECUTOR;
		cpu->cpl = s->executor_cpl;
	}
}

static bool run_to(struct vm *vm, uint32_t id, uint8_t door, struct err *e)
{
	struct vcpu_exit x;

	do {
		if (!vcpu_run(vm_vcpu(vm, id), &x, e))
			return false;
	} while (x.kind == EXIT_DOOR && x.door == CM_DOOR_ATOMIC && setup_atomic(vm, x.argument));
	if (x.kind != EXIT_DOOR || x.door != door)
		return err_set(e, ERR_HOST,
			       "vCPU %u did not reach doorbell %u: it stands at %#llx%s%s", id,
			       door, (unsigned long long)vcpu_pc(vm_vcpu(vm, id)),
			       *x.text ? ": " : "", x.text);
	return true;
}

bool setup_guest(struct vm *vm, const struct image *image, const struct scenario *s,
		 struct site site[CM_MAX_SITES], struct err *e)
{
	place_sites(vm, s, site);
	write_control(vm, image, s, site);
	for (uint32_t i = 0; i < s->vcpus; i++) {
		struct cm_cpu *cpu = setup_mailbox(vm, image, i);

		write_mailbox(cpu, i, s);
		if (s->offline & 1u << i)
			continue;
		if (!run_to(vm, i, CM_DOOR_ROLE, e))
			return false;
		if (cpu->role == CM_ROLE_IDLE && !run_to(vm, i, CM_DOOR_DONE, e))
			return false;
	}
	return true;
}
