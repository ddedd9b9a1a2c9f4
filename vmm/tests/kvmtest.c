// SPDX-License-Identifier: BSD-2-Clause
/* kvmtest.c - the tests' handle on a real machine. Decides nothing about what is right. */
#include "kvmtest.h"
#include "explore/explore.h"
#include "machine/machine_state.h"
#include "vm/guard.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char *guest_suffix = "";

void kvmtest_guest(const char *suffix)
{
	guest_suffix = suffix;
}

const struct image *kvmtest_image(void)
{
	static struct image image;
	const char *build = getenv("CROSSMOD_BUILD");
	struct err e = { 0 };
	char path[512];

	if (image.memory)
		return &image;
	snprintf(path, sizeof(path), "%s/guest-%s%s%s.elf", build ? build : "build", arch_name(),
		 *guest_suffix ? "-" : "", guest_suffix);
	if (access(path, R_OK))
		cr_assert_fail("%s: no guest image; `make unit` builds it, or set CROSSMOD_BUILD",
			       path);
	if (!image_load(&image, path, &e))
		cr_assert_fail("%s", e.text);
	return &image;
}

uint64_t kvmtest_address(const char *symbol)
{
	struct err e = { 0 };
	uint64_t address = 0;

	if (!image_resolve(kvmtest_image(), symbol, &address, &e))
		cr_assert_fail("%s", e.text);
	return address;
}

void kvmtest_skip_or_fail(const struct err *e)
{
	if (e->code != ERR_UNSUPPORTED)
		cr_assert_fail("%s", e->text);
	fprintf(stderr, "SKIPPED: %s\n", e->text);
	cr_skip_test("%s", e->text);
}

void kvmtest_needs_kvm(void)
{
	struct arch_capability list[32];
	struct err e = { 0 };

	if (!arch_capabilities(list, 32, &e))
		kvmtest_skip_or_fail(&e);
}

/*
 * Where CPL0 is emulated, a vCPU in the guest's idle loop does not leave its
 * processor to others for seconds: two free runs at once starve each other.
 */
void kvmtest_take_turns(bool alone)
{
	static int fd = -1;

	if (fd >= 0)
		return; /* its turn already */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && !flock(fd, alone ? LOCK_EX : LOCK_SH), "cannot lock the test program");
}

static void parse(struct scenario *s, const char *format, va_list ap)
{
	char body[4096], text[4200];
	struct err e = { 0 };

	vsnprintf(body, sizeof(body), format, ap);
	for (char *p = body; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	snprintf(text, sizeof(text), "{\"why\": \"a test\", \"expect\": \"not-seen\", %s}", body);
	if (!scenario_parse(s, "test.json", text, strlen(text), kvmtest_image(), &e))
		cr_assert_fail("%s", e.text);
}

void kvmtest_scenario(struct scenario *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	parse(s, format, ap);
	va_end(ap);
}

struct found kvmtest_explore(uint32_t jobs, uint32_t how, const char *json)
{
	struct scenario s;
	struct explore_request q = { .scenario = &s, .jobs = jobs };
	struct schedule witness = { 0 };
	struct quirks quirks;
	struct found f = { 0 };
	struct err e = { 0 };

	kvmtest_take_turns(false);
	guard_install();
	kvmtest_scenario(&s, "%s", json);
	s.explore.no_reduction = !(how & REDUCED);
	s.explore.every = how & EVERY_KIND;
	q.image = kvmtest_image();
	if (!explore_run(&q, &f.observation, &witness, &quirks, &e))
		kvmtest_skip_or_fail(&e);
	f.verdict = verdict_of(&f.observation, f.reason, sizeof(f.reason));
	f.decisions = witness.count;
	schedule_fini(&witness);
	scenario_fini(&s);
	return f;
}

static void boot(struct rig *r)
{
	struct err e = { 0 };

	kvmtest_take_turns(false);
	r->machine = machine_new(kvmtest_image(), &r->scenario, &e);
	if (!r->machine)
		kvmtest_skip_or_fail(&e);
	rig_reset(r);
}

void rig_set_up(struct rig *r, const char *format, ...)
{
	va_list ap;

	memset(r, 0, sizeof(*r));
	va_start(ap, format);
	parse(&r->scenario, format, ap);
	va_end(ap);
	boot(r);
}

void rig_load(struct rig *r, const char *path)
{
	struct err e = { 0 };

	memset(r, 0, sizeof(*r));
	if (!scenario_load(&r->scenario, path, kvmtest_image(), &e))
		cr_assert_fail("%s (tests run in the top directory)", e.text);
	boot(r);
}

void rig_tear_down(struct rig *r)
{
	machine_free(r->machine);
	scenario_fini(&r->scenario);
	schedule_fini(&r->taken);
}

void rig_reset(struct rig *r)
{
	struct err e = { 0 };

	schedule_fini(&r->taken);
	memset(&r->taken, 0, sizeof(r->taken));
	if (!machine_reset(r->machine, &r->observation, &e))
		cr_assert_fail("%s", e.text);
}

struct step_report rig_try(struct rig *r, const struct action *a)
{
	struct step_report report;
	struct err e = { 0 };

	if (!machine_apply(r->machine, a, &report, &e))
		cr_assert_fail("decision %llu: %s", (unsigned long long)r->machine->steps, e.text);
	schedule_add(&r->taken, &report.action);
	return report;
}

struct step_report rig_do(struct rig *r, enum action_kind kind, uint32_t vcpu)
{
	struct action a = { .kind = (uint8_t)kind, .vcpu = (uint8_t)vcpu };

	return rig_try(r, &a);
}

void rig_refuses(struct rig *r, const struct action *a, const char *because)
{
	uint64_t steps = r->machine->steps;
	struct step_report report;
	struct err e = { 0 };

	cr_assert(!machine_apply(r->machine, a, &report, &e));
	cr_assert_eq(e.code, ERR_INPUT, "code %d: %s", e.code, e.text);
	cr_assert(strstr(e.text, because), "\"%s\" does not say \"%s\"", e.text, because);
	cr_assert_eq(r->machine->steps, steps, "a refused decision was counted");
}

bool rig_can(const struct rig *r, enum action_kind kind, uint32_t vcpu)
{
	struct action a = { .kind = (uint8_t)kind, .vcpu = (uint8_t)vcpu };

	return machine_enabled(r->machine, &a);
}

struct step_report rig_step_to(struct rig *r, uint32_t vcpu, uint64_t address)
{
	struct step_report last = { 0 };

	for (uint32_t n = 0; machine_pc(r->machine, vcpu) != address; n++) {
		cr_assert(n < KVMTEST_STEPS_MAX && rig_can(r, ACTION_STEP, vcpu),
			  "vCPU %u does not reach %#llx: it stands at %#llx", vcpu,
			  (unsigned long long)address,
			  (unsigned long long)machine_pc(r->machine, vcpu));
		last = rig_do(r, ACTION_STEP, vcpu);
	}
	return last;
}

struct step_report rig_step_to_symbol(struct rig *r, uint32_t vcpu, const char *symbol)
{
	return rig_step_to(r, vcpu, kvmtest_address(symbol));
}

void rig_step_to_site(struct rig *r, uint32_t vcpu)
{
	rig_step_to(r, vcpu, r->machine->site[0].placed.text);
}

void rig_step_to_idle(struct rig *r, uint32_t vcpu)
{
	for (uint32_t n = 0; !machine_idle(r->machine, vcpu); n++) {
		cr_assert(n < KVMTEST_STEPS_MAX, "vCPU %u never ends its role", vcpu);
		rig_do(r, ACTION_STEP, vcpu);
	}
}

void rig_finish(struct rig *r)
{
	const struct observation *o = &r->observation;

	for (uint32_t n = 0; !machine_finished(r->machine) && !o->nviolations; n++) {
		uint32_t vcpu = n % r->scenario.vcpus;

		cr_assert(n < KVMTEST_STEPS_MAX, "the roles do not end");
		if (rig_can(r, ACTION_IPI, vcpu))
			rig_do(r, ACTION_IPI, vcpu);
		else if (rig_can(r, ACTION_STEP, vcpu))
			rig_do(r, ACTION_STEP, vcpu);
	}
	machine_close(r->machine);
}

enum verdict rig_play(struct rig *r, step_watcher watch, void *arg)
{
	struct err e = { 0 };
	char reason[256];

	schedule_fini(&r->taken);
	memset(&r->taken, 0, sizeof(r->taken));
	if (!run_stepped(r->machine, &r->observation, &r->taken, watch, arg, &e))
		cr_assert_fail("%s", e.text);
	return verdict_of(&r->observation, reason, sizeof(reason));
}

void rig_replay(struct rig *r, const struct schedule *given)
{
	struct err e = { 0 };

	if (!run_replay(r->machine, given, &r->observation, NULL, NULL, &e))
		cr_assert_fail("%s", e.text);
}

struct step_report rig_step_mixed(struct rig *r, uint32_t vcpu, uint32_t mask)
{
	struct action a = { .kind = ACTION_STEP,
			    .vcpu = (uint8_t)vcpu,
			    .nversions = ACTION_VERSIONS_MAX };
	uint64_t at = machine_pc(r->machine, vcpu) - r->machine->site[0].placed.text;

	for (uint32_t i = 0; i < ACTION_VERSIONS_MAX; i++)
		a.version[i] = i + at < 32 && mask >> (i + at) & 1 ? ACTION_NEWEST : ACTION_OLDEST;
	return rig_try(r, &a);
}

struct frame *rig_frame(const struct rig *r, uint32_t vcpu)
{
	const struct vm_memory *memory = vm_memory(r->machine->vm);
	uint64_t at = vcpu_sp(vm_vcpu(r->machine->vm, vcpu)) - CM_IMAGE_BASE;

	cr_assert(at <= memory->image_size - sizeof(struct frame),
		  "the stack of vCPU %u is not in the image", vcpu);
	return (struct frame *)(void *)(memory->image + at);
}

struct packed_state rig_pack(struct rig *r)
{
	struct packed_state p;

	p.bytes = machine_pack(r->machine, &p.size);
	cr_assert(p.bytes);
	return p;
}
