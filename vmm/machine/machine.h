/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h - the stepped machine: a VM whose every move is a scheduling
 * decision, with fetch views, pending events and a guest that says what ran.
 *
 * Owns the VM, the placed sites, the fetch history and the snapshot every run
 * starts from. Decisions come from outside, one at a time; what they did goes
 * out as a step report and, for violations, into the observation. Knows
 * nothing of who decides, and nothing of JSON or KVM.
 *
 * Order of calls: machine_new, then for each run machine_reset and any number
 * of machine_apply.
 */
#ifndef CROSSMOD_MACHINE_H
#define CROSSMOD_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/arch.h"
#include "base/err.h"
#include "model/fetch.h"
#include "image/image.h"
#include "image/insn.h"
#include "model/observation.h"
#include "scenario/scenario.h"
#include "scenario/schedule.h"
#include "model/site.h"

/* What a vCPU is at, beyond its registers. */
struct machine_cpu {
	bool nmi_latched; /* one NMI waits for the end of NMI masking, as in hardware */
	bool nmi_sent;	  /* by a vCPU, on its way */
	bool ipi_pending;
	bool dead;	 /* triple fault, crash: executes nothing any more */
	bool offline;	 /* not up yet: executes nothing and takes no event */
	bool torn;	 /* fetched a mixture; the guest has not said yet what it did */
	bool strayed;	 /* wrote text that is no site's */
	bool overlapped; /* an NMI took the stack of an NMI: what lies below is alive */
	uint64_t events; /* of the guest's records already judged */
	struct site_mixture mixture;
};

/* What one decision did, for traces and for points in a schedule. */
struct step_report {
	struct action action; /* with the versions the fetch really took */
	uint64_t number;      /* of the decision, from 0 */
	uint64_t pc;	      /* before */
	uint64_t next_pc;
	uint32_t cpl;
	uint8_t isa;   /* enum cm_isa */
	bool executed; /* ACTION_STEP: an instruction was fetched and executed, or faulted */
	uint8_t bytes[INSN_LENGTH_MAX];
	uint8_t length;	     /* 0: not decodable */
	enum site_form form; /* of the fetched bytes */
	uint32_t site;
	bool delivered; /* an exception, NMI or IPI was delivered, (vector) */
	bool nmi_after; /* a latched NMI followed the step at once */
	uint8_t vector;
	bool synchronised;
	bool stored;	    /* the patched bytes changed: version fetch_now() */
	uint8_t door;	    /* doorbell rung, 0 none */
	uint32_t ipi_mask;  /* CM_DOOR_IPI: who is sent to */
	uint8_t ipi_vector; /* and what: CM_VECTOR_IPI or CM_VECTOR_NMI */
	bool violation;	    /* one was added to the observation */
};

struct machine {
	const struct image *image;
	const struct scenario *scenario;
	struct vm *vm;
	struct vm_memory *memory;
	struct insn_decoder decoder; /* of the image's kernel */
	struct insn_decoder narrow;  /* T32, in the images for Arm */
	struct insn *decoded;	     /* per byte of the image, length 0 = not yet */
	struct site site[CM_MAX_SITES];
	struct fetch fetch;
	struct fetch changes; /* scenario->check_changes: what is synchronised, by Arm's rules */
	const struct image_symbol *idle; /* the loop of a vCPU with nothing left to do */
	uint8_t *ready_image;		 /* the image's bytes at READY */
	uint8_t *start_text;		 /* the canonical text at the start of the run */
	bool strayed;			 /* it differs from that where no site is */
	uint8_t *base_image;		 /* machine_state.c: what packed states are relative to */
	bool wiping;			 /* machine_state.c: dead stack is zeroed */
	struct vcpu_state ready[CM_MAX_VCPUS];
	struct machine_cpu cpu[CM_MAX_VCPUS];
	uint64_t steps;
	struct observation *observation;
};

/*
 * A machine for (scenario), booted to READY and snapshotted. (image) and
 * (scenario) must outlive it. NULL on failure: ERR_UNSUPPORTED, ERR_HOST.
 */
struct machine *machine_new(const struct image *image, const struct scenario *scenario,
			    struct err *e);
void machine_free(struct machine *m);

/* Back to the snapshot, sites placed, every vCPU about to play its role. Fills (o) from here on. */
bool machine_reset(struct machine *m, struct observation *o, struct err *e);

/*
 * Is the decision possible now? A step: the vCPU is neither dead nor idle. An
 * IPI: it is pending and interrupts are on. To an offline vCPU only ACTION_ONLINE is. (a->version) is not looked at.
 */
bool machine_enabled(const struct machine *m, const struct action *a);

/*
 * Carry out one decision. ERR_INPUT when it is not enabled or asks for a fetch
 * the model does not allow; ERR_HOST when KVM failed; ERR_UNSUPPORTED when
 * this host cannot execute the instruction. (r) may not be NULL.
 */
bool machine_apply(struct machine *m, const struct action *a, struct step_report *r, struct err *e);

/*
 * Let (vcpu) run to one of (n) stops instead of stepping there: instructions that the caller knows to lead there, of which only the first
 * may touch what the machine, another vCPU or a decision could notice, or fault. Errors as machine_apply().
 */
bool machine_run(struct machine *m, uint32_t vcpu, const uint64_t *stop, uint32_t n,
		 struct step_report *r, struct err *e);
/* And say how many decisions that was instead of. */
void machine_ran(struct machine *m, uint32_t count);

/*
 * Every step that (vcpu) can take now: one, or at a site one for each outcome
 * its fetch may legally have. At most (max) into (list); returns how many.
 */
uint32_t machine_fetches(struct machine *m, uint32_t vcpu, struct action *list, uint32_t max);
/* Is the vCPU about to execute patched bytes? */
bool machine_at_site(const struct machine *m, uint32_t vcpu);

/* Can an instruction be fetched from more versions than are followed? */
bool machine_history_too_long(const struct machine *m);

/* Has played its role and waits in the idle loop. */
bool machine_idle(const struct machine *m, uint32_t vcpu);
/* Is an NMI that a vCPU has sent to (vcpu) on its way? The next ACTION_NMI is that one. */
bool machine_nmi_sent(const struct machine *m, uint32_t vcpu);
/* Every vCPU is idle, dead or offline, and no IPI is pending, nor an NMI that was sent. */
bool machine_finished(const struct machine *m);

/* What decodes (isa): a vCPU's, a site's. */
struct insn_decoder *machine_decoder(struct machine *m, uint32_t isa);

uint64_t machine_pc(const struct machine *m, uint32_t vcpu);
/* The window as the alias shows it, and which version every byte has. */
const uint8_t *machine_window(const struct machine *m);
/* A 32-bit guest word; 0 outside the image. */
uint32_t machine_read32(const struct machine *m, uint64_t address);

/*
 * Take the guest's counts, judge mixtures that it said nothing about and text
 * far from any site, which whoever patches is taken to have written. Ends a run.
 */
void machine_close(struct machine *m);

/* XXH3-128, hex, of the whole state: vCPUs, memory outside .ghost, views' history, pending events. */
void machine_digest(const struct machine *m, char digest[33]);

#endif
