/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch.h - what a backend gives the machine: a VM with memory and vCPUs that
 * run, stop after one instruction, and take events where told to.
 *
 * One backend is linked in (arch/<host>/). It owns every KVM object and every
 * quirk of the host; above this line there is neither. Calls in order:
 * vm_init, then vm_boot once, then anything. Guest misbehaviour comes back as
 * an exit; false with an err means that KVM or the host failed.
 */
#ifndef CROSSMOD_ARCH_H
#define CROSSMOD_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guest/abi.h"
#include "image/image.h"

struct vm; /* the backend's */
struct vcpu;

enum vm_kind {
	VM_STEPPED, /* no irqchip; each vCPU executes its own view of the text */
	VM_FREE,    /* in-kernel local APICs or GIC; every vCPU executes the canonical text */
};

/* Host memory behind the guest's. Owned by the VM. */
struct vm_memory {
	uint8_t *image; /* CM_IMAGE_BASE */
	size_t image_size;
	uint8_t *text;		     /* the canonical text, CM_ALIAS_BASE */
	uint8_t *view[CM_MAX_VCPUS]; /* VM_STEPPED: what vCPU i executes at CM_TEXT_BASE */
};

/* What the self-check at boot found: how this host differs from bare hardware. */
struct quirks {
	bool no_sync_regs;	  /* no KVM_CAP_SYNC_REGS: separate ioctls */
	bool cpl0_emulated;	  /* guest code at CPL0 runs in KVM's instruction emulator */
	bool int3_cpl0_fails;	  /* INT3 at CPL0 is not emulated: injected instead */
	bool step_cpl3_via_guest; /* a step at CPL3 ends in the guest's own #DB, not in an exit */
	bool iret_runs_on;	  /* a step over IRET does not stop behind it */
	bool pushf_shows_step;	  /* PUSHF pushes the trap flag that a step has set */
	bool rep_runs_whole;	  /* a step over REP MOVS and its like executes every iteration */
	bool no_run_to;		  /* a run to a planted breakpoint does not stop there */
	bool breakpoint_to_host;  /* Arm: BKPT and BRK of a vCPU that is stepped go to the host */
	bool no_aarch32_el0;	  /* Arm: the core has no AArch32 at EL0, so no T32 */
	bool vipt_icache; /* Arm: lines of instruction caches are found by virtual address */
	double cpl0_ns;	  /* measured: one instruction of guest code at CPL0 */
};

/* For people: a quirk's name, how it is found, and what is done about it. */
struct quirk_info {
	const char *name;
	size_t member; /* of struct quirks, a bool */
	const char *found;
	const char *handled;
};
/* The backend's table, ended by a NULL name. */
const struct quirk_info *arch_quirks(void);

static inline bool quirk_in_force(const struct quirk_info *i, const struct quirks *q)
{
	return *(const bool *)((const char *)q + i->member);
}

enum exit_kind {
	EXIT_STEPPED,	/* one instruction was executed, or a fault was delivered instead of it */
	EXIT_DELIVERED, /* the vCPU stands in the entry stub of (vector), the frame pushed */
	EXIT_DOOR,	/* doorbell (reason); the vCPU stands behind the instruction */
	EXIT_HALT,
	EXIT_SHUTDOWN,	 /* triple fault */
	EXIT_UNEMULATED, /* this KVM's emulator does not know the instruction */
	EXIT_KICKED,	 /* vcpu_kick(), or a signal */
};

struct vcpu_exit {
	enum exit_kind kind;
	uint8_t door;
	uint8_t vector;
	uint64_t pushed_ip; /* EXIT_DELIVERED: the instruction pointer in the frame, or ELR_EL1 */
	uint64_t argument;  /* EXIT_DOOR: the word it was rung with; CM_DOOR_ATOMIC's address */
	char text[192];	    /* EXIT_UNEMULATED: which instruction, and what to do */
};

/* The state of a vCPU, opaque outside the backend but plain data: may be copied and hashed. */
#define VCPU_STATE_MAX 640u
struct vcpu_state {
	size_t size;
	uint8_t bytes[VCPU_STATE_MAX] __attribute__((aligned(8)));
};

/* On Arm a FIQ and an IRQ. */
enum event_kind { EVENT_NMI, EVENT_IPI };

/*
 * Create a VM of (kind) for (image) with (vcpus) vCPUs and lay out its memory:
 * the image loaded, the text empty. Nothing runs yet.
 */
struct vm *vm_new(const struct image *image, enum vm_kind kind, uint32_t vcpus, struct err *e);
void vm_free(struct vm *vm);
struct vm_memory *vm_memory(struct vm *vm);
/* (length) bytes of vCPU (vcpu)'s view from (offset) on have been written: what it fetches next is them. */
void vm_text_changed(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t length);
struct vcpu *vm_vcpu(struct vm *vm, uint32_t id);
const struct quirks *vm_quirks(const struct vm *vm);

/*
 * Put every vCPU into its final mode at the image's start and run it to its
 * READY doorbell. VM_STEPPED: then find the quirks by stepping over the
 * image's self-check; a vCPU is back at READY afterwards.
 */
bool vm_boot(struct vm *vm, struct err *e);

/* The state KVM_RUN left behind, and putting one back. */
void vcpu_save(const struct vcpu *v, struct vcpu_state *s);
void vcpu_load(struct vcpu *v, const struct vcpu_state *s);

/* Run until an exit that is not the host's own business. Free-running vCPUs only return on a door. */
bool vcpu_run(struct vcpu *v, struct vcpu_exit *x, struct err *e);

/* Execute one instruction. An exception it raises is delivered: EXIT_DELIVERED. */
bool vcpu_step(struct vcpu *v, struct vcpu_exit *x, struct err *e);

/*
 * Run on to one of the (n) addresses in the image, none of which is where it
 * stands: EXIT_STEPPED there. For code that the caller knows to lead there, and only where
 * no_run_to is not in force and vcpu_can_run_to() from where it stands: several times
 * faster than steps. x86: at CPL0 only, INT3 at CPL3 is the guest's own.
 */
#define VCPU_STOPS_MAX 8u
bool vcpu_can_run_to(const struct vcpu *v);
bool vcpu_run_to(struct vcpu *v, const uint64_t *stop, uint32_t n, struct vcpu_exit *x,
		 struct err *e);

/* Deliver an event now; vcpu_can_take() must hold. Ends in EXIT_DELIVERED. */
bool vcpu_deliver(struct vcpu *v, enum event_kind kind, struct vcpu_exit *x, struct err *e);
bool vcpu_can_take(const struct vcpu *v, enum event_kind kind);

/*
 * VM_FREE: raise an event on a running vCPU from another thread. One that is
 * raised while the one before it waits to be taken is one with it.
 */
bool vm_raise(struct vm *vm, uint32_t vcpu, enum event_kind kind, struct err *e);

/* While (on), KVM_RUN returns EXIT_KICKED, at its next call if not now; async-signal-safe. */
void vcpu_kick(struct vcpu *v, bool on);

uint64_t vcpu_pc(const struct vcpu *v);
void vcpu_set_pc(struct vcpu *v, uint64_t pc);
uint64_t vcpu_sp(const struct vcpu *v);
uint32_t vcpu_cpl(const struct vcpu *v);
/* The instruction set that the vCPU's state selects. */
enum cm_isa vcpu_isa(const struct vcpu *v);
/* A general register by its number in the encoding (insn.h), and the base of the per-CPU segment. */
uint64_t vcpu_register(const struct vcpu *v, uint32_t number);
uint64_t vcpu_segment_base(const struct vcpu *v);
/* ECX at a WRMSR and its like: the operand a decoder cannot see. */
uint64_t vcpu_counter(const struct vcpu *v);

/* Bytes that an event's return takes off the stack in one instruction: IRET's frame, or RFE's. */
uint32_t vcpu_return_frame(const struct vcpu *v);

/*
 * What of the interrupted context lies around the stack pointer of a vCPU in the
 * entry stub of an event: (above) bytes that the event pushed, and (below) it what
 * the stub is about to save. Of these (own_size) bytes from (own_offset) on only
 * say which event it is.
 */
struct arch_event_frame {
	uint32_t below, above;
	int32_t own_offset;
	uint32_t own_size;
};
struct arch_event_frame vcpu_event_frame(const struct vcpu *v);

/* The guest this host runs, and a part of its image's name: "x86_64", "arm64". */
const char *arch_name(void);

/* The same part of the name of an image whose kernel is of another kind, or NULL: "arm". */
const char *arch_other_guest(void);

/* "rax=... rip=..." for traces; returns (buf). */
const char *vcpu_describe(const struct vcpu *v, char *buf, size_t size);

/* What KVM on this host offers, one per capability the backend uses. */
struct arch_capability {
	const char *name;
	unsigned int number;
	int value;     /* 0: absent */
	bool required; /* without it the backend cannot work */
	const char *use;
};
size_t arch_capabilities(struct arch_capability *list, size_t max, struct err *e);

/* How fast the guest's time stamp counter ticks, Hz; 0: this KVM does not say. */
double vm_tick_rate(struct vm *vm);

/* The emulator this program's processor is part of, as far as that shows; NULL: none. */
const char *arch_emulator(void);

/* What delivers (vm)'s interrupts; VM_STEPPED: CM_IRQCHIP_NONE, the host does. */
enum cm_irqchip vm_irqchip(const struct vm *vm);

#endif
