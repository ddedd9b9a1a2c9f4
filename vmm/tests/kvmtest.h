/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvmtest.h - what the tests that need KVM share: the guest image, a scenario
 * and its machine, and decisions with an opinion on whether they must work.
 *
 * Everything here ends the test when something unforeseen happens. A host
 * without KVM, or one that cannot do the method, skips the test and says so.
 */
#ifndef CROSSMOD_KVMTEST_H
#define CROSSMOD_KVMTEST_H

#include "machine/machine.h"
#include "model/verdict.h"
#include "run/run_stepped.h"

/* More steps than any role here takes. */
#define KVMTEST_STEPS_MAX 20000u

/*
 * From now on another image than the usual one, build/guest-x86_64.elf: (isa), NULL for what it
 * was, and (suffix), "" for none. A host that runs no such guest skips the test.
 */
void kvmtest_guest(const char *isa, const char *suffix);
/* The guest image, loaded once; without one the test fails and says how to build it. */
const struct image *kvmtest_image(void);

/* The address of (symbol) in it. */
uint64_t kvmtest_address(const char *symbol);

/* Skip, loudly, when (e) says that this host cannot do it; fail for any other reason. */
void kvmtest_skip_or_fail(const struct err *e);

/* Skip without /dev/kvm. */
void kvmtest_needs_kvm(void);

/*
 * Criterion runs tests side by side. Wait until no other test uses KVM and
 * keep it so (alone), or only until none insists on that; until the test ends.
 */
void kvmtest_take_turns(bool alone);

/* From JSON, printf-style, whose quotes may be single ones. "why", "expect" are added. */
void kvmtest_scenario(struct scenario *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What a search of (json), as kvmtest_scenario() takes it, by (jobs) workers came to. */
enum kvmtest_how { PLAIN = 0, REDUCED = 1, EVERY_KIND = 2 };
struct found {
	enum verdict verdict;
	struct observation observation;
	size_t decisions; /* of the witness */
	char reason[512];
};
struct found kvmtest_explore(uint32_t jobs, uint32_t how, const char *json);

/* A scenario on its machine, reset. */
struct rig {
	struct scenario scenario;
	struct machine *machine;
	struct observation observation;
	struct schedule taken; /* what rig_try() and rig_play() decided */
};

/* (json) with every ' taken for ", parsed and booted to the start of a run. */
void rig_set_up(struct rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a scenario file below the top directory. */
void rig_load(struct rig *r, const char *path);
void rig_tear_down(struct rig *r);
void rig_reset(struct rig *r);

/* One decision; the first must be possible, the second be refused with ERR_INPUT. */
struct step_report rig_try(struct rig *r, const struct action *a);
struct step_report rig_do(struct rig *r, enum action_kind kind, uint32_t vcpu);
void rig_refuses(struct rig *r, const struct action *a, const char *because);
bool rig_can(const struct rig *r, enum action_kind kind, uint32_t vcpu);

/* Step (vcpu) until it stands at (address), at site0, or idle; the last report. */
struct step_report rig_step_to(struct rig *r, uint32_t vcpu, uint64_t address);
struct step_report rig_step_to_symbol(struct rig *r, uint32_t vcpu, const char *symbol);
void rig_step_to_site(struct rig *r, uint32_t vcpu);
void rig_step_to_idle(struct rig *r, uint32_t vcpu);

/* Step and deliver IPIs in turn until every role is played or a violation is seen. */
void rig_finish(struct rig *r);

/* Play the scenario's schedule, which must be possible. Its verdict. */
enum verdict rig_play(struct rig *r, step_watcher watch, void *arg);
/* Replay (given), which must be possible. */
void rig_replay(struct rig *r, const struct schedule *given);

/* Step (vcpu), standing in site0, its fetch taking for byte i of the site new if bit i of (mask). */
struct step_report rig_step_mixed(struct rig *r, uint32_t vcpu, uint32_t mask);

/* machine_pack(), which must work; (bytes) is the caller's. */
struct packed_state {
	uint8_t *bytes;
	size_t size;
};
struct packed_state rig_pack(struct rig *r);

/* What the processor and a vector stub pushed; (vcpu) stands at cm_vector_common. */
struct frame {
	uint64_t vector, error, ip, cs, flags, sp, ss;
};
struct frame *rig_frame(const struct rig *r, uint32_t vcpu);

#endif
