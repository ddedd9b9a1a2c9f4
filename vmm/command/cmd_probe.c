// SPDX-License-Identifier: BSD-2-Clause
/* cmd_probe.c - `crossmod probe`: what this host can do, and its quirks, by trying. */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/arch.h"
#include "image/isa.h"
#include "report/report.h"

/* Boot a VM of (kind): the self-check runs, and what fails says why. */
static void try_method(struct probe *p, const struct image *img, enum vm_kind kind,
		       struct probe_method *m)
{
	struct err e = { 0 };
	bool may = kind != VM_FREE || host_is_silicon(&p->host, &e);
	struct vm *vm = may ? vm_new(img, kind, 2, &e) : NULL;

	m->works = vm && vm_boot(vm, &e);
	snprintf(m->reason, sizeof(m->reason), "%.199s", m->works ? "" : e.text);
	if (m->works) {
		p->host.quirks = *vm_quirks(vm);
		p->host.quirks_known = true;
		if (kind == VM_FREE)
			p->irqchip = vm_irqchip(vm);
	}
	vm_free(vm);
}

/* Where there are kernels of two kinds: which of them this host runs. */
static void try_kernels(struct probe *p, struct images *g)
{
	struct err e = { 0 };
	const struct image *other = cmd_other_image(g, &e);
	struct probe_kernel *k = &p->kernel[1];

	if (!arch_other_guest() || g->chosen)
		return;
	p->nkernels = 2;
	p->kernel[0] = (struct probe_kernel){ kernel_name(kernel_of(&g->usual)), p->stepped };
	k->name = kernel_name(kernel_of(&g->usual) == KERNEL_AARCH64 ? KERNEL_AARCH32 :
								       KERNEL_AARCH64);
	if (other) {
		struct host host = p->host; /* whose quirks are those of the usual one */

		try_method(p, other, VM_STEPPED, &k->boots);
		p->host = host;
	} else {
		snprintf(k->boots.reason, sizeof(k->boots.reason), "%.199s", e.text);
	}
}

static void print_probe(const struct probe *p)
{
	const struct host *h = &p->host;

	printf("host      %s, %s, %u processors, kernel %s\n", h->arch, h->cpu, h->cores,
	       h->kernel);
	if (*h->emulated)
		printf("emulated  by %s\n", h->emulated);
	printf("kvm       %s\n", *h->kvm_module ? h->kvm_module : "built in, or unknown");
	printf("stepped   %s\n", p->stepped.works ? "yes" : p->stepped.reason);
	printf("free      %s%s\n", p->free.works ? "yes, IPIs by " : p->free.reason,
	       p->free.works ? isa_irqchip_name(p->irqchip) : "");
	for (size_t i = 0; i < p->nkernels; i++)
		printf("%s   %s\n", p->kernel[i].name,
		       p->kernel[i].boots.works ? "yes" : p->kernel[i].boots.reason);
	printf("\ncapabilities\n");
	for (size_t i = 0; i < p->ncapabilities; i++)
		printf("  %-26s %-6d %s%s\n", p->capability[i].name, p->capability[i].value,
		       p->capability[i].use, p->capability[i].required ? " (required)" : "");
	if (!h->quirks_known)
		return;
	printf("\nquirks (one CPL0 instruction: %.1f ns)\n", h->quirks.cpl0_ns);
	for (const struct quirk_info *q = arch_quirks(); q->name; q++) {
		bool on = quirk_in_force(q, &h->quirks);

		printf("  %-26s %-4s found by: %s\n", q->name, on ? "yes" : "no", q->found);
		if (on)
			printf("  %-26s      handled: %s\n", "", q->handled);
	}
}

int cmd_probe(const struct options *o)
{
	struct probe p = { 0 };
	struct images images = { 0 };
	struct err e = { 0 };
	int status;

	if (!cmd_load_images(&images, o, &e))
		return cmd_fail(&e);
	host_read(&p.host);
	p.ncapabilities = arch_capabilities(p.capability, PROBE_CAPABILITIES, &e);
	try_method(&p, &images.usual, VM_STEPPED, &p.stepped);
	try_method(&p, &images.usual, VM_FREE, &p.free);
	try_kernels(&p, &images);
	status = p.stepped.works || p.free.works ? EXIT_AS_EXPECTED : EXIT_NOTHING_RAN;
	if (o->json)
		status = cmd_print(report_probe(&p), status);
	else
		print_probe(&p);
	cmd_free_images(&images);
	return status;
}
