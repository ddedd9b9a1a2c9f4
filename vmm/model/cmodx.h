/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmodx.h - concurrent modification and execution: which changes of Arm code
 * the architecture allows while others may be executing it.
 *
 * Owns the lists of the Arm ARM (DDI 0487, "Concurrent modification and
 * execution of instructions": A64 B2.2.5, A32 and T32 E2.2.5). Pure: bytes and
 * a history in, an answer out; it knows no machine and no guest.
 */
#ifndef CROSSMOD_CMODX_H
#define CROSSMOD_CMODX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/fetch.h"
#include "guest/abi.h"

struct cmodx {
	bool allowed;
	uint32_t offset;  /* not allowed: of the instruction that was changed */
	const char *rule; /* what the manual says of it, one phrase, with the section */
};

/*
 * May (length) bytes of (isa) be changed from (before) to (after) by one store
 * while another CPU may execute them? Both start at an instruction of both.
 * Every instruction of which a byte differs has to be on the list; with none
 * different the answer is yes.
 */
struct cmodx cmodx_check(enum cm_isa isa, const uint8_t *before, const uint8_t *after,
			 uint32_t length);

/* A change that was executed without having been synchronised. */
struct cmodx_change {
	uint32_t version; /* the store that made it */
	const char *rule;
	uint8_t before[CM_MAX_SITE_LEN];
	uint8_t after[CM_MAX_SITE_LEN];
};

/*
 * The manual: "For all other instructions [...] instruction modifications must
 * be explicitly synchronized before they are executed". (f), of model arm, says
 * what is synchronised for (vcpu), which has executed (executed) bytes at (pc),
 * in the site of (length) bytes at (site): is there a change of these bytes
 * that is not on the list and that the vCPU need not have seen, or need not
 * have stopped seeing? The oldest one, then, into (c).
 */
bool cmodx_executed(const struct fetch *f, uint32_t vcpu, enum cm_isa isa, uint64_t site,
		    uint32_t length, uint64_t pc, uint32_t executed, struct cmodx_change *c);

#endif
