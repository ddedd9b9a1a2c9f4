/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fetch.h - what an instruction fetch may legally return.
 *
 * Owns, for the patched bytes of a run, every version since the oldest one a
 * vCPU may still see, and per vCPU and chunk how far back that is. Pure: it
 * knows no KVM, no guest and no schedule; the machine tells it of stores and
 * synchronising events, and asks which versions a fetch may take.
 *
 * The patched bytes are one array, the window: the cache lines that the
 * placed sites and their bypasses touch, in address order. A chunk is the unit that is fetched
 * at once. Version t is the window after t changes of it (design: "Forced
 * instruction fetch"; the models' sources are in the README).
 */
#ifndef CROSSMOD_FETCH_H
#define CROSSMOD_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guest/abi.h"

enum fetch_model {
	FETCH_SC,
	FETCH_ASC,
	FETCH_DESC,
	FETCH_ORDERED,
	FETCH_STALE,
	FETCH_ARM,
	FETCH_MODELS
};

/* "sc", "asc", ...; "?" for a value outside the enum. */
const char *fetch_model_name(enum fetch_model model);
/* false when (name) is none of them. */
bool fetch_model_parse(const char *name, enum fetch_model *model);
/* May a fetch of the model return bytes that are not the newest? */
bool fetch_model_is_aged(enum fetch_model model);
/* Does the model describe processors of (isa)? `arm` wants an Arm instruction set. */
bool fetch_model_fits(enum fetch_model model, enum cm_isa isa);

#define FETCH_RANGES_MAX (2 * CM_MAX_SITES) /* a site and its bypass */
#define FETCH_WINDOW_MAX 768u
#define FETCH_CHUNK_PAGE 4096u

struct fetch_config {
	enum fetch_model model;
	uint32_t chunk;		/* bytes: 1, 2, 4, 8, 16, 64 or FETCH_CHUNK_PAGE */
	bool delivery_syncs;	/* event delivery synchronises */
	bool mfence_syncs;	/* so does MFENCE (AMD) */
	bool own_alias_visible; /* a vCPU's own alias stores are fetched at once by itself */
	bool return_lax;	/* Arm, FEAT_ExS: exception return does not synchronise */
	uint32_t dline; /* arm: bytes cleaned or invalidated at once, as CTR_EL0.DminLine and */
	uint32_t iline; /* IminLine say; a power of 2 from FETCH_GRANULE on; 0: FETCH_LINE */
};

/* The size that a configured one means. */
uint32_t fetch_line(uint32_t configured);

#define FETCH_LINE	   64u
#define FETCH_GRANULE	   16u /* the smallest line */
#define FETCH_LINE_MAX	   2048u
#define FETCH_GRANULES_MAX (FETCH_WINDOW_MAX / FETCH_GRANULE + FETCH_RANGES_MAX)

/* The most chunks one instruction can lie in (x86: 15 bytes, byte chunks). */
#define FETCH_PLAN_MAX 16u

/* One fetch: the chunks of an instruction, in address order, each with its version. */
struct fetch_plan {
	uint8_t nchunks;
	uint16_t chunk[FETCH_PLAN_MAX];
	uint32_t version[FETCH_PLAN_MAX];
};

struct fetch_range {	  /* a piece of the window */
	uint64_t address; /* as executed */
	uint32_t length;
	uint32_t offset; /* in the window */
};

/* arm: lower bounds, as versions, on what is where; by granule of the window. fetch_arm.c's. */
struct fetch_maintenance {
	uint32_t granules;
	uint8_t granule_of[FETCH_WINDOW_MAX];
	uint64_t address[FETCH_GRANULES_MAX];
	uint32_t clean[FETCH_GRANULES_MAX]; /* at the point of unification */
	/* Cleaned, invalidated for all and for itself by vCPU i, not known to be complete. */
	uint32_t cleaning[CM_MAX_VCPUS][FETCH_GRANULES_MAX];
	uint32_t invalidating[CM_MAX_VCPUS][FETCH_GRANULES_MAX];
	uint32_t invalidating_own[CM_MAX_VCPUS][FETCH_GRANULES_MAX];
	/* In the instruction cache of vCPU i; what it has fetched ahead may be older. */
	uint32_t fresh[CM_MAX_VCPUS][FETCH_GRANULES_MAX];
};

struct fetch {
	struct fetch_config config;
	uint32_t vcpus;
	struct fetch_range range[FETCH_RANGES_MAX];
	uint32_t nranges;
	uint32_t size; /* of the window */
	uint32_t nchunks;
	uint16_t chunk_of[FETCH_WINDOW_MAX];
	uint32_t first; /* index of version[0] */
	uint32_t count; /* versions held; first + count - 1 is now */
	uint32_t allocated;
	uint8_t *versions;			      /* (count) windows of (size) bytes */
	uint32_t low[CM_MAX_VCPUS][FETCH_WINDOW_MAX]; /* per chunk */
	struct fetch_plan latched[CM_MAX_VCPUS];      /* asc, desc: chunks already fetched */
	struct fetch_maintenance m;		      /* arm */
};

/*
 * Start with (nranges) pieces, in ascending address order and not touching,
 * holding (bytes) as version 0, which every vCPU has seen. Takes nothing over.
 */
void fetch_init(struct fetch *f, const struct fetch_config *config, uint32_t vcpus,
		const struct fetch_range *ranges, uint32_t nranges, const uint8_t *bytes);
void fetch_fini(struct fetch *f);
/* Deep copy into an initialised or zeroed (to). */
void fetch_copy(struct fetch *to, const struct fetch *from);

/* The newest version's index, and the window's bytes as of (version). */
uint32_t fetch_now(const struct fetch *f);
const uint8_t *fetch_window(const struct fetch *f, uint32_t version);

/* Is (address) in the window? Its offset there, or -1. */
int fetch_offset(const struct fetch *f, uint64_t address);

/*
 * The canonical bytes are now (window): if they changed, a new version, and
 * true. (writer) is the vCPU that stored, or -1 for none of them.
 */
bool fetch_stored(struct fetch *f, const uint8_t *window, int writer);

/*
 * A synchronising event on (vcpu): everything it fetches from here on is
 * newest; in model arm, is as new as maintenance has made it.
 */
void fetch_synchronised(struct fetch *f, uint32_t vcpu);
/* An event was delivered to (vcpu): a partial fetch is discarded; may synchronise. */
void fetch_delivered(struct fetch *f, uint32_t vcpu);

/*
 * Maintenance that (vcpu) carries out, which matters in model arm only; the
 * rules are in fetch_arm.c. (address) is one in the line, as executed: a clean
 * by way of the alias is one of the same data, but whether an invalidation is
 * depends on the cache (Arm ARM D7.5.2, VIPT), and is not assumed.
 */
void fetch_clean(struct fetch *f, uint32_t vcpu, uint64_t address);
void fetch_invalidate(struct fetch *f, uint32_t vcpu, uint64_t address);
/* Every line; (everywhere): of all vCPUs, else of (vcpu) only. */
void fetch_invalidate_all(struct fetch *f, uint32_t vcpu, bool everywhere);
/* A barrier on (vcpu) that completes what it has started of these. */
void fetch_barrier(struct fetch *f, uint32_t vcpu);

/*
 * The versions that chunk number (plan->nchunks), lying at window offset
 * (offset), may be fetched from after the choices already in (plan). Of those
 * whose chunk bytes are equal only the oldest is listed; the order is by
 * content, the newest first, so versions[0] holds what is there now if that is
 * legal. Returns how many; at most (max) are written.
 */
uint32_t fetch_choices(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
		       uint32_t offset, uint32_t *versions, uint32_t max);

/* May (vcpu) take (version) there? On failure the reason (ERR_INPUT), for people. */
bool fetch_legal(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
		 uint32_t offset, uint32_t version, struct err *e);

/* Append the chunk at window offset (offset) with (version) to (plan). */
void fetch_plan_add(const struct fetch *f, struct fetch_plan *plan, uint32_t offset,
		    uint32_t version);

/*
 * asc, desc: fetch one more chunk of the instruction in [offset, offset+length)
 * now, and keep it while other vCPUs run. False (ERR_INPUT) in other models
 * and when every chunk is latched already.
 */
bool fetch_latch(struct fetch *f, uint32_t vcpu, uint32_t offset, uint32_t length, struct err *e);

/* (vcpu) executed what (plan) fetched: what it may no longer see follows from the model. */
void fetch_done(struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan);

/*
 * More versions than are followed: a vCPU that never serialises while others
 * store for ever can fetch ever more of them, and no state would ever come back.
 */
#define FETCH_HISTORY_MAX 48u
bool fetch_history_too_long(const struct fetch *f);

/*
 * The history as bytes, in a form that is equal for histories with equal
 * futures: versions nobody can fetch are left out, numbers are relative to the
 * oldest kept. fetch_pack() writes at most (max) bytes and returns how many it
 * takes; fetch_unpack() wants the same ranges and configuration.
 */
#define FETCH_PACKED_MAX (80u * 1024) /* for a history of FETCH_HISTORY_MAX, with room to spare */
size_t fetch_pack(const struct fetch *f, uint8_t *out, size_t max);
void fetch_unpack(struct fetch *f, const uint8_t *in, size_t size);

/* Forget versions nobody can fetch any more. Indices stay what they were. */
void fetch_trim(struct fetch *f);

#endif
