/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - the host block: where a result comes from. Facts only, each read
 * at run time; no decision is ever taken on a name.
 */
#ifndef CROSSMOD_HOST_H
#define CROSSMOD_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/arch.h"
#include "base/err.h"

struct host {
	char arch[16];	     /* x86_64 */
	char cpu[128];	     /* model name, or implementer and part on Arm */
	char microcode[32];  /* "" where the host does not say */
	char kernel[128];    /* uname release and version */
	char emulated[200];  /* the emulator this machine is in, "" where none is known of */
	char kvm_module[64]; /* the loaded kvm modules besides "kvm", comma-separated */
	uint32_t cores;	     /* usable by this process */
	char version[32];    /* crossmod's */
	char commit[64];
	bool quirks_known;
	struct quirks quirks;
};

/* Read everything but the quirks. Missing facts stay "". */
void host_read(struct host *h);
/* The same of a zeroed (h) that may have quirks by now, if it was not done yet: not before a guest's first instruction. */
void host_read_once(struct host *h);

/*
 * Does what runs at full speed here show a processor of silicon? ERR_UNSUPPORTED
 * where it would show an emulator: MTTCG, for one, runs stale code after correct
 * synchronisation, and none of what a pipeline may do.
 */
bool host_is_silicon(const struct host *h, struct err *e);

/* The quirks in force as words, "cpl0-emulated,...", or "none"; "unknown" before a VM ran. */
const char *host_quirks(const struct host *h, char *buf, size_t size);

#endif
