// SPDX-License-Identifier: BSD-2-Clause
/* machine.c - one decision after the other, and what each of them did. */
#include "machine/machine.h"
#include "machine/machine_internal.h"
#include "machine/setup.h"
#include "model/stray.h"

#include <stdio.h>
#include <string.h>

static struct vcpu *vcpu_of(const struct machine *m, uint32_t id)
{
	return vm_vcpu(m->vm, id);
}

struct insn_decoder *machine_decoder(struct machine *m, uint32_t isa)
{
	return isa == CM_ISA_T32 ? &m->narrow : &m->decoder;
}

uint64_t machine_pc(const struct machine *m, uint32_t vcpu)
{
	return vcpu_pc(vcpu_of(m, vcpu));
}

uint32_t machine_read32(const struct machine *m, uint64_t address)
{
	uint32_t value = 0;

	if (address >= CM_IMAGE_BASE && m->memory->image_size >= sizeof(value) &&
	    address - CM_IMAGE_BASE <= m->memory->image_size - sizeof(value))
		memcpy(&value, m->memory->image + (address - CM_IMAGE_BASE), sizeof(value));
	return value;
}

bool machine_idle(const struct machine *m, uint32_t vcpu)
{
	return setup_mailbox(m->vm, m->image, vcpu)->done &&
	       machine_pc(m, vcpu) - m->idle->address < m->idle->size;
}

bool machine_finished(const struct machine *m)
{
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		const struct machine_cpu *c = &m->cpu[i];

		if (!c->dead && !c->offline &&
		    (c->ipi_pending || c->nmi_sent || !machine_idle(m, i)))
			return false;
	}
	return true;
}

/* One that is latched goes first: the two would be one. */
bool machine_nmi_sent(const struct machine *m, uint32_t vcpu)
{
	const struct machine_cpu *c = &m->cpu[vcpu];

	return c->nmi_sent && !c->nmi_latched && !c->dead && !c->offline;
}

bool machine_enabled(const struct machine *m, const struct action *a)
{
	const struct machine_cpu *c;

	if (a->vcpu >= m->scenario->vcpus)
		return false;
	c = &m->cpu[a->vcpu];
	if (c->dead || c->offline)
		return c->offline && a->kind == ACTION_ONLINE;
	switch (a->kind) {
	case ACTION_STEP:
	case ACTION_LATCH:
		return !machine_idle(m, a->vcpu);
	case ACTION_IPI:
		return c->ipi_pending && vcpu_can_take(vcpu_of(m, a->vcpu), EVENT_IPI);
	case ACTION_NMI:
	case ACTION_RAISE:
		return true;
	case ACTION_ONLINE:
		return false;
	}
	return false;
}

void machine_violation(struct machine *m, struct violation *v, uint32_t vcpu, struct step_report *r)
{
	v->vcpu = vcpu;
	v->step = m->steps;
	observation_add(m->observation, v);
	if (r)
		r->violation = true;
}

static void crash(struct machine *m, uint32_t vcpu, struct step_report *r, const char *text)
{
	struct violation v = { .kind = VIOLATION_CRASH };

	snprintf(v.text, sizeof(v.text), "%s", text);
	m->cpu[vcpu].dead = true;
	machine_violation(m, &v, vcpu, r);
}

/* What the guest recorded since the last look, judged. */
static void judge_events(struct machine *m, uint32_t vcpu, struct step_report *r)
{
	const struct cm_counts *counts = setup_counts(m->vm, m->image, vcpu);
	struct machine_cpu *c = &m->cpu[vcpu];

	while (c->events < counts->events) {
		struct violation v = { 0 };

		if (c->events < CM_MAX_EVENTS) {
			site_judge(m->site, m->scenario->nsites,
				   machine_decoder(m, m->site[0].placed.isa), m->image,
				   &counts->event[c->events], c->torn ? &c->mixture : NULL, &v);
			if (v.kind == VIOLATION_TORN && !c->torn)
				snprintf(m->observation->suspect, sizeof(m->observation->suspect),
					 "vCPU %u reports a torn execution, but never fetched a "
					 "mixture: %.100s",
					 vcpu, v.text);
			if (v.kind == VIOLATION_TORN)
				c->torn = false;
			machine_violation(m, &v, vcpu, r);
		}
		c->events++;
	}
}

static bool send_to(struct machine *m, uint32_t mask, uint8_t vector)
{
	if (vector != CM_VECTOR_NMI && vector != CM_VECTOR_IPI)
		return false;
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		if (!(mask & 1u << i) || m->cpu[i].offline)
			continue;
		if (vector == CM_VECTOR_NMI)
			m->cpu[i].nmi_sent = true;
		else
			m->cpu[i].ipi_pending = true;
	}
	return true;
}

static void rang(struct machine *m, uint32_t vcpu, uint64_t argument, struct step_report *r)
{
	char text[96];

	switch (r->door) {
	case CM_DOOR_IPI:
		r->ipi_mask = CM_DOOR_MASK(argument);
		r->ipi_vector = CM_DOOR_VECTOR(argument);
		if (!send_to(m, r->ipi_mask, r->ipi_vector))
			crash(m, vcpu, r, "asked for neither an IPI nor an NMI to be sent");
		break;
	case CM_DOOR_CRASH:
		m->cpu[vcpu].dead = true; /* the guest's record says the rest */
		break;
	case CM_DOOR_ASSERT:
		setup_assertion(m->vm, m->image, vcpu, m->observation);
		m->cpu[vcpu].dead = true;
		break;
	case CM_DOOR_ATOMIC:
		if (!setup_atomic(m->vm, argument))
			crash(m, vcpu, r, "asked for an atomic operation outside the image");
		break;
	case CM_DOOR_ROLE: /* of a vCPU that came online late */
	case CM_DOOR_DONE:
		break;
	default:
		snprintf(text, sizeof(text), "rang an unknown doorbell, %u", r->door);
		crash(m, vcpu, r, text);
	}
}

/* How the vCPU came back from a step or a delivery. */
static bool came_back(struct machine *m, uint32_t vcpu, const struct vcpu_exit *x,
		      struct step_report *r, struct err *e)
{
	switch (x->kind) {
	case EXIT_STEPPED:
		return true;
	case EXIT_DELIVERED:
		r->delivered = true;
		r->vector = x->vector;
		machine_note_delivered(m, vcpu);
		return true;
	case EXIT_DOOR:
		r->door = x->door;
		rang(m, vcpu, x->argument, r);
		return true;
	case EXIT_SHUTDOWN:
		crash(m, vcpu, r, "triple fault: the vCPU shut down");
		return true;
	case EXIT_HALT:
		crash(m, vcpu, r, "executed HLT, with nothing to wake it");
		return true;
	case EXIT_UNEMULATED:
		return err_set(e, ERR_UNSUPPORTED, "%s", x->text);
	case EXIT_KICKED:
		return err_set(e, ERR_NONE, "kicked");
	}
	return false;
}

static bool deliver(struct machine *m, uint32_t vcpu, enum event_kind kind, struct step_report *r,
		    struct err *e)
{
	struct vcpu_exit x;
	uint64_t from = machine_pc(m, vcpu), sp = vcpu_sp(vcpu_of(m, vcpu));

	if (!vcpu_deliver(vcpu_of(m, vcpu), kind, &x, e) || !came_back(m, vcpu, &x, r, e))
		return false;
	machine_stack_moved(m, vcpu, sp, false);
	if (x.kind == EXIT_DELIVERED && x.pushed_ip != from)
		snprintf(m->observation->suspect, sizeof(m->observation->suspect),
			 "an event for vCPU %u at %#llx pushed %#llx", vcpu,
			 (unsigned long long)from, (unsigned long long)x.pushed_ip);
	return true;
}

static bool apply_nmi(struct machine *m, uint32_t vcpu, struct step_report *r, struct err *e)
{
	if (machine_nmi_sent(m, vcpu))
		m->cpu[vcpu].nmi_sent = false;
	if (vcpu_can_take(vcpu_of(m, vcpu), EVENT_NMI))
		return deliver(m, vcpu, EVENT_NMI, r, e);
	m->cpu[vcpu].nmi_latched = true;
	return true;
}

static bool synchronises(const struct machine *m, const struct insn *insn, uint64_t counter)
{
	switch (insn->class) {
	case INSN_SYNC:
		return true;
	case INSN_EVENT_RETURN:
		return !m->scenario->fetch.return_lax;
	case INSN_MFENCE:
		return m->scenario->fetch.mfence_syncs;
	case INSN_WRMSR:
		return insn_wrmsr_serialises(counter);
	default:
		return false;
	}
}

/* Nobody would fetch what was written there: it is said, and once. */
static void look_for_stray_store(struct machine *m, uint32_t vcpu, bool everywhere,
				 struct step_report *r)
{
	struct violation v;

	if (m->strayed || !stray_store(m->site, m->scenario->nsites, m->start_text, m->memory->text,
				       everywhere, &v))
		return;
	m->strayed = true;
	m->cpu[vcpu].strayed = true;
	machine_violation(m, &v, vcpu, r);
}

static void note_stores(struct machine *m, uint32_t vcpu, struct step_report *r)
{
	uint8_t window[FETCH_WINDOW_MAX];

	machine_read_window(m, window);
	if (machine_note_stored(m, vcpu, window)) {
		r->stored = true;
		m->observation->stores++;
		for (uint32_t i = 0; i < m->scenario->vcpus; i++)
			machine_show_newest(m, i);
	}
	look_for_stray_store(m, vcpu, false, r);
}

static bool apply_step(struct machine *m, const struct action *a, struct step_report *r,
		       struct err *e)
{
	struct vcpu *v = vcpu_of(m, a->vcpu);
	struct machine_cpu *c = &m->cpu[a->vcpu];
	uint64_t counter = vcpu_counter(v), sp = vcpu_sp(v);
	struct fetch_plan plan = { 0 };
	uint64_t operand = 0;
	struct vcpu_exit x;
	struct insn insn;
	bool ok;

	if (!machine_fetch(m, a, &plan, &insn, r, e))
		return false;
	if (insn.operand != INSN_NO_REGISTER)
		operand = vcpu_register(v, insn.operand);
	ok = vcpu_step(v, &x, e);
	if (plan.nchunks)
		machine_show_newest(m, a->vcpu);
	if (!ok)
		return false;
	r->executed = true;
	if (plan.nchunks)
		fetch_done(&m->fetch, a->vcpu, &plan);
	if (r->form == FORM_TORN && !c->torn) {
		c->torn = true;
		c->mixture.address = r->pc;
		c->mixture.length = r->length;
		memcpy(c->mixture.bytes, r->bytes, sizeof(r->bytes));
	}
	machine_check_change(m, a->vcpu, r);
	if (!came_back(m, a->vcpu, &x, r, e))
		return false;
	if (x.kind == EXIT_DELIVERED || insn.class == INSN_EVENT_RETURN)
		machine_stack_moved(m, a->vcpu, sp, x.kind != EXIT_DELIVERED);
	if (x.kind == EXIT_STEPPED)
		machine_note_maintenance(m, a->vcpu, &insn, operand);
	if (x.kind == EXIT_STEPPED && synchronises(m, &insn, counter)) {
		machine_note_synchronised(m, a->vcpu);
		r->synchronised = true;
	}
	if (!c->dead && c->nmi_latched && vcpu_can_take(v, EVENT_NMI)) {
		c->nmi_latched = false;
		r->nmi_after = true;
		return deliver(m, a->vcpu, EVENT_NMI, r, e);
	}
	return true;
}

bool machine_run(struct machine *m, uint32_t vcpu, const uint64_t *stop, uint32_t n,
		 struct step_report *r, struct err *e)
{
	uint64_t sp = vcpu_sp(vcpu_of(m, vcpu));
	struct vcpu_exit x;

	*r = (struct step_report){ .action = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu },
				   .number = m->steps };
	if (!vcpu_run_to(vcpu_of(m, vcpu), stop, n, &x, e))
		return false;
	if (x.kind != EXIT_STEPPED && x.kind != EXIT_DELIVERED && x.kind != EXIT_KICKED)
		return err_set(e, ERR_HOST, "vCPU %u left a stretch of local code, for %#llx", vcpu,
			       (unsigned long long)machine_pc(m, vcpu));
	if (!came_back(m, vcpu, &x, r, e))
		return false;
	if (x.kind == EXIT_DELIVERED)
		machine_stack_moved(m, vcpu, sp, false);
	note_stores(m, vcpu, r);
	judge_events(m, vcpu, r);
	return true;
}

void machine_ran(struct machine *m, uint32_t count)
{
	m->steps += count;
	m->observation->steps = m->steps;
}

bool machine_apply(struct machine *m, const struct action *a, struct step_report *r, struct err *e)
{
	bool ok = true;

	memset(r, 0, sizeof(*r));
	if (!machine_enabled(m, a))
		return err_set(e, ERR_INPUT, "vCPU %u cannot do that here: it is %s", a->vcpu,
			       a->vcpu >= m->scenario->vcpus ? "not there" :
			       m->cpu[a->vcpu].dead	     ? "dead" :
			       m->cpu[a->vcpu].offline	     ? "offline" :
			       a->kind == ACTION_ONLINE	     ? "online already" :
			       a->kind == ACTION_IPI	     ? "without a deliverable IPI" :
							       "idle, its role played");
	r->action = *a;
	r->number = m->steps;
	r->pc = r->next_pc = machine_pc(m, a->vcpu);
	r->cpl = vcpu_cpl(vcpu_of(m, a->vcpu));
	r->isa = (uint8_t)vcpu_isa(vcpu_of(m, a->vcpu));
	switch (a->kind) {
	case ACTION_STEP:
		ok = apply_step(m, a, r, e);
		break;
	case ACTION_LATCH:
		ok = machine_latch(m, a->vcpu, e);
		break;
	case ACTION_NMI:
		ok = apply_nmi(m, a->vcpu, r, e);
		break;
	case ACTION_IPI:
		m->cpu[a->vcpu].ipi_pending = false;
		ok = deliver(m, a->vcpu, EVENT_IPI, r, e);
		break;
	case ACTION_RAISE:
		m->cpu[a->vcpu].ipi_pending = true;
		break;
	case ACTION_ONLINE:
		m->cpu[a->vcpu].offline = false;
		break;
	}
	if (!ok)
		return false;
	note_stores(m, a->vcpu, r);
	judge_events(m, a->vcpu, r);
	r->next_pc = machine_pc(m, a->vcpu);
	m->steps++;
	m->observation->steps = m->steps;
	return true;
}

void machine_close(struct machine *m)
{
	look_for_stray_store(m, m->scenario->patcher, true, NULL);
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		struct machine_cpu *c = &m->cpu[i];
		char hex[64], text[64];

		m->observation->cpu[i].guest = *setup_counts(m->vm, m->image, i);
		if (c->torn) {
			struct violation v = { .kind = VIOLATION_TORN };

			site_hex(c->mixture.bytes, c->mixture.length, hex, sizeof(hex));
			insn_text(machine_decoder(m, m->site[0].placed.isa), c->mixture.bytes,
				  sizeof(c->mixture.bytes), c->mixture.address, text, sizeof(text));
			snprintf(v.text, sizeof(v.text),
				 "a mixture was executed, %s (%s); the guest noticed nothing", hex,
				 text);
			machine_violation(m, &v, i, NULL);
			c->torn = false;
		}
	}
}
