/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi.h - the one contract between the guest image and the host program.
 *
 * Both sides compile this file, in 64-bit and 32-bit builds alike: fixed-width
 * members only, no pointers, no size_t, sizes asserted. A guest address is a
 * plain uint64_t here (0 = none); the host wraps it in struct gva at once.
 * What both sides must agree on and is not here is a cm_* ELF symbol.
 */
#ifndef CM_ABI_H
#define CM_ABI_H

#include <stdint.h>

#define CM_ABI_MAGIC   0x31444f4d53534f52ULL /* "ROSSMOD1" */
#define CM_ABI_VERSION 3u

#define CM_MAX_VCPUS	16u
#define CM_MAX_SITES	4u
#define CM_MAX_SITE_LEN 16u
#define CM_MAX_EVENTS	16u

enum cm_isa { CM_ISA_X86_64 = 1, CM_ISA_A64 = 2, CM_ISA_T32 = 3, CM_ISA_A32 = 4 };

/*
 * The guest's address map. The image is linked at CM_IMAGE_BASE; patchable
 * text is executed at CM_TEXT_BASE (in `stepped` each vCPU has its own copy
 * behind those addresses) and written at CM_ALIAS_BASE only. A site is placed
 * in a slot of its own, wide enough for every landing pad of its kind. For a
 * protocol that says CM_BYPASS(), the slot's first bytes are the site's bypass:
 * text like the site's, INT3 at first, to be written through the alias.
 */
#define CM_IMAGE_BASE  0x10000000u
#define CM_IMAGE_MAX   0x00200000u
#define CM_TEXT_BASE   0x20000000u
#define CM_ALIAS_BASE  0x30000000u
#define CM_SLOT_SIZE   0x00008000u
#define CM_SLOT_ORIGIN 0x00001000u /* where offset 0 of a slot's page is */
#define CM_SLOT_BYPASS 0x00000000u /* where a slot's bypass is */
#define CM_TEXT_SIZE   (CM_MAX_SITES * CM_SLOT_SIZE)

/*
 * The doorbell: one byte `out` to this port (x86), the reason as its value. What
 * else there is to say is in the rest of EAX, so that AL and it are one word.
 */
#define CM_DOORBELL_PORT 0xc3u

/*
 * Arm's doorbell: a store of a word to this address, where no memory is. The
 * second bell's word is the address of a struct cm_atomic.
 */
#define CM_DOORBELL_ADDRESS 0x0f000000u
#define CM_DOORBELL_ATOMIC  (CM_DOORBELL_ADDRESS + 8u)

/*
 * The GIC of free runs on Arm: where a GICv2 is found, and the INTIDs of the
 * SGIs that one vCPU sends to another and of the SPIs, one a vCPU, that the host
 * raises. IPIs are of group 1 and come as IRQs; NMIs are of group 0 and come as
 * FIQs, which is what an NMI is there.
 */
#define CM_GICD_ADDRESS 0x08000000u
#define CM_GICC_ADDRESS 0x08010000u
#define CM_SGI_IPI	0u
#define CM_SGI_NMI	1u
#define CM_SPI_NMI	32u
#define CM_SPI_IPI	(CM_SPI_NMI + CM_MAX_VCPUS)

/* What carries interrupts in a free run. */
enum cm_irqchip {
	CM_IRQCHIP_NONE = 0, /* not a free run */
	CM_IRQCHIP_XAPIC = 1,
	CM_IRQCHIP_X2APIC = 2,
	CM_IRQCHIP_GICV2 = 3,
	CM_IRQCHIP_GICV3 = 4,
};

/* Rung by the stepped entry stubs: an event has been delivered. The value says nothing. */
#define CM_DELIVERY_PORT 0xc4u

enum cm_door {
	CM_DOOR_READY = 1,  /* booted; the machine is snapshotted here */
	CM_DOOR_ROLE = 2,   /* control block read, about to play the role */
	CM_DOOR_DONE = 3,   /* role played to its end; idle from here on */
	CM_DOOR_IPI = 4,    /* CM_DOOR_SEND(): an IPI or NMI is asked for */
	CM_DOOR_CRASH = 5,  /* an exception outside any site; see cm_cpu.event */
	CM_DOOR_ASSERT = 6, /* a guest self-check failed: cm_cpu.assert_line */
	CM_DOOR_ATOMIC = 7, /* carry out a struct cm_atomic; rung by CM_DOORBELL_ATOMIC */
};

/*
 * The word of a CM_DOOR_IPI: the vCPUs of (mask) are sent (vector), which is
 * CM_VECTOR_IPI or CM_VECTOR_NMI. All of it is in one register, and in no
 * mailbox: an NMI may come before the bell is rung, and its hook ring for itself.
 */
#define CM_DOOR_SEND(mask, vector) \
	((uint32_t)CM_DOOR_IPI | (uint32_t)(vector) << 8 | (uint32_t)(mask) << 16)
#define CM_DOOR_REASON(word) ((uint8_t)(word))
#define CM_DOOR_VECTOR(word) ((uint8_t)((word) >> 8))
#define CM_DOOR_MASK(word)   ((uint32_t)(word) >> 16)

/*
 * A read-modify-write that the host does for the guest, all at once. Arm: an
 * LDXR/STXR pair never succeeds when it is stepped, as every exception entry
 * and return clears the monitor (DDI 0487, B2.9.1), and not every core has the
 * single instructions of FEAT_LSE. Free runs use the pair.
 */
enum cm_atomic_op { CM_ATOMIC_CMPXCHG, CM_ATOMIC_AND, CM_ATOMIC_OR, CM_ATOMIC_ADD };

struct cm_atomic {
	uint64_t address; /* of a 32-bit variable */
	uint32_t op;
	uint32_t operand;
	uint32_t compare; /* CM_ATOMIC_CMPXCHG: what (operand) replaces */
	uint32_t before;  /* out: the variable's value before */
};

enum cm_role {
	CM_ROLE_IDLE = 0,
	CM_ROLE_PATCHER = 1,
	CM_ROLE_EXECUTOR = 2,
	CM_ROLE_TIMED_PATCHER = 3,    /* at full speed: counts what each call of patch() took */
	CM_ROLE_PAUSING_EXECUTOR = 4, /* at full speed: idles between two rounds */
	CM_ROLE_SURVEY_WRITER = 5,    /* this and the next two: see struct cm_survey */
	CM_ROLE_SURVEY_EXECUTOR = 6,
	CM_ROLE_SURVEY_SPENDER = 7,
};

/* What the guest says of one execution of a site that was not plainly legal. */
enum cm_event_kind {
	CM_EVENT_OUTCOME = 1, /* came back with a (value, pad) neither old nor new */
	CM_EVENT_STALE = 2,   /* the old outcome after the patch was promised */
	CM_EVENT_TRAP = 3,    /* an exception that no hook of the protocol claimed */
	CM_EVENT_CRASH = 4,   /* the same, but outside any execution of a site */
};

/*
 * A kind of site, emitted by the macros in the guest's sites.S and found by
 * its symbol cm_site_<name>. (image) is position-independent code of
 * (image_size) bytes that holds the site at (site_offset) and every landing
 * pad; the host copies it to a slot. Pads are offsets from the site's first
 * byte, CM_NO_PAD where that form returns without passing one.
 */
#define CM_NO_PAD 0xffffffffu

struct cm_site_record {
	uint32_t isa;
	uint32_t image_size;
	uint64_t image;
	uint32_t site_offset;	/* Arm: an execution starts with the code before it */
	uint32_t length;	/* of the patched bytes */
	uint32_t resume_offset; /* where a trapped CPU may resume: past the site */
	uint32_t target_offset; /* where the new form leads, when not past it */
	uint32_t pad_old;
	uint32_t pad_new;
	uint64_t value_old;
	uint64_t value_new;
	uint8_t old_bytes[CM_MAX_SITE_LEN];
	uint8_t new_bytes[CM_MAX_SITE_LEN];
};

/* A placed site, written by the host before a run. */
struct cm_site {
	uint64_t text;	/* first byte, as executed */
	uint64_t alias; /* first byte, as written */
	uint64_t resume;
	uint64_t target;
	uint64_t pad_old; /* 0: none */
	uint64_t pad_new;
	uint64_t value_old;
	uint64_t value_new;
	uint32_t length;
	uint32_t started;  /* pokes of this site begun; odd = to the new form */
	uint32_t promised; /* pokes of this site the routine has returned from */
	uint16_t isa;
	uint16_t lead; /* bytes before the site at which an execution starts */
	uint8_t old_bytes[CM_MAX_SITE_LEN];
	uint8_t new_bytes[CM_MAX_SITE_LEN];
};

/* What a run is to do; written by the host before the roles start. */
struct cm_control {
	uint64_t protocol; /* of the cm_protocol_<name> record */
	uint32_t vcpus;
	uint32_t online; /* mask */
	uint32_t sites;
	uint32_t batch;		/* sites handed to one call of patch() */
	uint32_t pokes;		/* calls of patch(); 0 = until (stop) */
	uint32_t pause;		/* loops the patcher idles between two pokes */
	uint32_t nmi_runs_site; /* the NMI body executes the sites once */
	uint32_t ipi_runs_site; /* so does the IPI epilogue, before its IRET */
	uint32_t free_running;	/* IPIs by the interrupt controller, not by the doorbell */
	uint32_t irqchip;	/* enum cm_irqchip */
	uint32_t stop;
	uint32_t nmi_latch;	 /* NMIs nest as in Linux: latched while one runs */
	uint32_t executor_pause; /* loops a CM_ROLE_PAUSING_EXECUTOR idles between two rounds */
	uint32_t pad;
	struct cm_site site[CM_MAX_SITES];
};

struct cm_event {
	uint32_t kind;
	uint32_t site;
	uint64_t value;
	uint64_t pad; /* landing pad reached */
	uint64_t vector;
	uint64_t error;
	uint64_t ip;
	uint64_t address;  /* faulting address */
	uint32_t promised; /* of the site, before the execution */
	uint32_t started;  /* of the site, after it */
};

/* Statistics: only ever grow, so they live in .ghost, outside the state. */
struct cm_counts {
	uint64_t executions;
	uint64_t old_runs;
	uint64_t new_runs;
	uint64_t other_runs;
	uint64_t stale_runs;
	uint64_t transitions; /* old<->new changes this vCPU saw itself */
	uint64_t traps;	      /* taken by the protocol's hook */
	uint64_t nmis;
	uint64_t ipis;
	uint64_t pokes;
	uint64_t events; /* recorded and not: index of the next */
	struct cm_event event[CM_MAX_EVENTS];
};

/*
 * How often which value came: those below 16 each for itself, above that 16
 * buckets an octave, so that a bucket is at most a 16th of its values wide.
 * What does not fit is in the last one; sum and max are exact.
 */
#define CM_HISTOGRAM_BUCKETS 592u /* values to 2^40 */

struct cm_histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[CM_HISTOGRAM_BUCKETS];
};

static inline uint32_t cm_histogram_bucket(uint64_t value)
{
	uint32_t octave, bucket;

	if (value < 16)
		return (uint32_t)value;
	octave = 63 - (uint32_t)__builtin_clzll(value);
	bucket = 16 * (octave - 3) + (uint32_t)(value >> (octave - 4) & 15);
	return bucket < CM_HISTOGRAM_BUCKETS ? bucket : CM_HISTOGRAM_BUCKETS - 1;
}

static inline void cm_histogram_add(struct cm_histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	h->bucket[cm_histogram_bucket(value)]++;
}

/* What the calls of patch() took, by a timed patcher; in .ghost. */
struct cm_patches {
	struct cm_histogram ticks;   /* of the guest's time stamp counter, a call */
	struct cm_histogram retries; /* cm_retry(), a call */
	uint64_t all_retries;
	uint64_t after_stop; /* calls that returned only when (stop) was set: 0 or 1 */
};

/* One vCPU's mailbox. The first members are known to assembly by offset. */
struct cm_cpu {
	uint64_t self;	     /* its own address; %gs:0 on x86, TPIDRRO_EL0 on Arm */
	uint64_t recover_ip; /* where a failed execution of a site returns to */
	uint64_t recover_sp;
	uint64_t kernel_sp; /* stack for the idle loop and the role */
	uint64_t user_sp;
	uint32_t id;
	uint32_t role;
	uint32_t cpl;	/* 0 or 3: where the role is played; Arm: EL1 or EL0 */
	uint32_t calls; /* executions of the sites; 0 = until stop */
	uint32_t user;	/* playing at CPL3 right now */
	uint32_t assert_line;
	uint32_t done;
	uint32_t nmi_state; /* with nmi_latch: 0 none runs, 1 one does, 2 and another has come */
	uint64_t nmi_sp;    /* with nmi_latch: top of the stack an NMI is moved to */
};

/*
 * What `crossmod survey` has the guest do, at symbol cm_survey, in images that
 * have it: one vCPU stores the two forms of a site in turn, another executes it.
 * Symbols cm_survey_write, cm_survey_execute and cm_survey_spend are the loops,
 * (struct cm_cpu *, struct cm_survey *): they touch nothing else, but for
 * CM_SYNC_IPI, so that a host thread can run the same machine code.
 */
/* What makes a processor serialise, or is said to. */
enum cm_survey_sync {
	CM_SYNC_NONE,
	CM_SYNC_LFENCE,
	CM_SYNC_MFENCE,
	CM_SYNC_LOCKED, /* a locked read-modify-write of its own stack */
	CM_SYNC_CPUID,
	CM_SYNC_IRET,
	CM_SYNC_SERIALIZE,
	CM_SYNC_IPI, /* cm_sync_all(): CPL0, in the guest only */
	CM_SYNCS,
};

#define CM_SURVEY_STORES  8u
#define CM_SURVEY_TALLIES 32u
#define CM_SURVEY_SAMPLES 1024u

struct cm_survey_store {
	uint64_t address;
	uint64_t value[2]; /* of the old form and of the new */
};

/* So many executions came back with this pair, which is neither form's. */
struct cm_survey_tally {
	uint64_t value;
	uint64_t pad;
	uint64_t count;
};

/* Each part has cache lines of its own: what one side writes and what both read. */
struct cm_survey {
	/* Written by the host while no loop runs; (stop) ends them. */
	uint32_t stop;
	uint32_t width;	 /* of a store: 1, 2, 4, 8 */
	uint32_t stores; /* for one poke */
	uint32_t pause;	 /* loops the writer idles between two pokes */
	uint32_t timed;	 /* the writer waits until the poke was seen, and its time is taken */
	uint32_t sync;	 /* of the executor before each execution; or what is spent */
	uint32_t spent;	 /* ends the spending; before (stop), lest it wait for who is gone */
	uint32_t spare;
	struct cm_site site;
	struct cm_survey_store store[CM_SURVEY_STORES];
	uint64_t gap0[6];
	/* The writer's; looked at by the executor only when the form has changed. */
	uint64_t pokes;	    /* or primitives spent */
	uint64_t stored_at; /* timed: cycles, just before the stores of this poke */
	uint32_t started;   /* timed: the number of the poke in flight */
	uint32_t gap1[11];
	/* timed: the writer has stored poke (fenced) and executed a fence. */
	uint32_t fenced;
	uint32_t gap2[15];
	/* timed: the executor has executed the form that poke (seen) stored. */
	uint32_t seen;
	uint32_t gap3[15];
	/* The executor's. */
	uint64_t executions;
	uint64_t old_runs;
	uint64_t new_runs;
	uint64_t other_runs;
	uint64_t transitions; /* old<->new changes this vCPU saw itself */
	uint64_t stale_runs;  /* timed: began after the fence, and ran the form before */
	uint64_t stale_pokes; /* timed: pokes with such an execution */
	uint64_t untallied;   /* other_runs that found no room */
	struct cm_survey_tally tally[CM_SURVEY_TALLIES];
	uint32_t sample[CM_SURVEY_SAMPLES]; /* timed: cycles from store to first execution */
	uint64_t samples;		    /* taken; the last ones are kept */
	uint64_t gap4[7];
};

/* In an image's own initialiser, abi.c, something else of the same size and meaning. */
#ifndef CM_ABI_ADDRESS
#define CM_ABI_ADDRESS uint64_t
#endif

/* The image's own description, symbol cm_abi, checked before anything else. */
struct cm_abi {
	uint64_t magic;
	uint32_t version;
	uint32_t isa;
	uint32_t control_size;
	uint32_t cpu_size;
	uint32_t counts_size;
	uint32_t site_record_size;
	uint32_t patches_size;
	uint32_t pad;
	CM_ABI_ADDRESS start; /* entry of every vCPU, its mailbox in the first argument */
	/*
	 * x86: 256 entry stubs, CM_VECTOR_STRIDE apart; Arm: VBAR_EL1. Those for a
	 * schedule ring CM_DELIVERY_PORT with the vector pushed, those of an Arm
	 * free run acknowledge interrupts and end them.
	 */
	CM_ABI_ADDRESS vectors;
	CM_ABI_ADDRESS vectors_stepped;
	CM_ABI_ADDRESS control;
	CM_ABI_ADDRESS cpu;	/* struct cm_cpu [CM_MAX_VCPUS] */
	CM_ABI_ADDRESS counts;	/* struct cm_counts [CM_MAX_VCPUS] */
	CM_ABI_ADDRESS patches; /* struct cm_patches */
	CM_ABI_ADDRESS stacks;	/* CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE bytes */
	CM_ABI_ADDRESS loop;	/* the executor's loop, for the host-side control run */
	CM_ABI_ADDRESS ghost_start;
	CM_ABI_ADDRESS ghost_end;
	CM_ABI_ADDRESS selfcheck; /* instructions the probe steps over */
};

#define CM_VECTOR_STRIDE 16u
#define CM_STACK_SIZE	 4096u
enum cm_stack {
	CM_STACK_KERNEL,
	CM_STACK_TRAP,
	CM_STACK_NMI,
	CM_STACK_FAULT,
	CM_STACK_USER,
	CM_STACK_NMI_BODY,
	CM_STACKS
};

/*
 * What a vCPU sends to another. On Arm a vector is the exception class of
 * ESR_EL1 (0 to 63, DDI 0487, D17.2.37) or one of these, none of which is a
 * class: FIQ, taken with IRQs masked, is what an NMI is there; IRQ; SError.
 */
#define CM_VECTOR_NMI	     2u
#define CM_VECTOR_IPI	     0x40u
#define CM_VECTOR_SERROR     0x41u
#define CM_VECTOR_ARM_STRIDE 0x80u

#define CM_STATIC_ASSERT(x) _Static_assert(x, #x)
CM_STATIC_ASSERT(CM_MAX_VCPUS <= 16); /* CM_DOOR_SEND() */
CM_STATIC_ASSERT(sizeof(struct cm_site_record) == 88);
CM_STATIC_ASSERT(sizeof(struct cm_site) == 112);
CM_STATIC_ASSERT(sizeof(struct cm_control) == 64 + 4 * 112);
CM_STATIC_ASSERT(sizeof(struct cm_event) == 64);
CM_STATIC_ASSERT(sizeof(struct cm_counts) == 88 + 16 * 64);
CM_STATIC_ASSERT(sizeof(struct cm_histogram) == 24 + 592 * 8);
CM_STATIC_ASSERT(sizeof(struct cm_patches) == 2 * (24 + 592 * 8) + 16);
CM_STATIC_ASSERT(sizeof(struct cm_cpu) == 80);
CM_STATIC_ASSERT(sizeof(struct cm_abi) == 136);
CM_STATIC_ASSERT(sizeof(struct cm_atomic) == 24);
CM_STATIC_ASSERT(sizeof(struct cm_survey) % 64 == 0);
CM_STATIC_ASSERT(__builtin_offsetof(struct cm_survey, pokes) % 64 == 0);
CM_STATIC_ASSERT(__builtin_offsetof(struct cm_survey, fenced) % 64 == 0);
CM_STATIC_ASSERT(__builtin_offsetof(struct cm_survey, seen) % 64 == 0);
CM_STATIC_ASSERT(__builtin_offsetof(struct cm_survey, executions) % 64 == 0);

#endif
