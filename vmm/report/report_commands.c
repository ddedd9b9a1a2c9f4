// SPDX-License-Identifier: BSD-2-Clause
/* report_commands.c - the JSON of the commands that are not runs: list, probe, replay. */
#include "report/report.h"

#include <stdlib.h>

#include "image/isa.h"
#include "model/site.h"
#include "report/report_json.h"

char *report_list(const struct image *img, const struct scenario *s, size_t n)
{
	json_t *protocols = json_array(), *sites = json_array(), *scenarios = json_array();
	char old[64], new[64];

	for (size_t i = 0; i < img->nprotocols; i++)
		json_array_append_new(protocols,
				      json_pack("{ss ss}", "name", img->protocols[i].name,
						"summary", img->protocols[i].summary));
	for (size_t i = 0; i < img->nsites; i++) {
		const struct cm_site_record *r = &img->sites[i].record;

		json_array_append_new(
			sites, json_pack("{ss ss ss}", "name", img->sites[i].name, "old",
					 site_hex(r->old_bytes, r->length, old, sizeof(old)), "new",
					 site_hex(r->new_bytes, r->length, new, sizeof(new))));
	}
	for (size_t i = 0; i < n; i++)
		json_array_append_new(scenarios,
				      json_pack("{ss ss ss ss ss}", "name", s[i].name, "path",
						s[i].path, "protocol", s[i].protocol_name, "method",
						method_name(s[i].method), "why", s[i].why));
	return report_dump(json_pack("{ss so so so}", "guest", img->path, "protocols", protocols,
				     "sites", sites, "scenarios", scenarios));
}

static json_t *method_json(const struct probe_method *m)
{
	return json_pack("{sb ss}", "works", m->works, "reason", m->reason);
}

static json_t *quirks_json(const struct host *h)
{
	json_t *list = json_array();

	for (const struct quirk_info *q = arch_quirks(); h->quirks_known && q->name; q++)
		json_array_append_new(list, json_pack("{ss sb ss ss}", "name", q->name, "in_force",
						      quirk_in_force(q, &h->quirks), "found_by",
						      q->found, "handled_by", q->handled));
	return list;
}

char *report_probe(const struct probe *p)
{
	const struct host *h = &p->host;
	json_t *capabilities = json_object();

	for (size_t i = 0; i < p->ncapabilities; i++)
		json_object_set_new(capabilities, p->capability[i].name,
				    json_integer(p->capability[i].value));
	return report_dump(json_pack(
		"{s{ss ss ss ss ss ss si ss ss} so so ss so so sf}", "host", "arch", h->arch, "cpu",
		h->cpu, "microcode", h->microcode, "kernel", h->kernel, "kvm", h->kvm_module,
		"emulated", h->emulated, "cores", (int)h->cores, "version", h->version, "commit",
		h->commit, "stepped", method_json(&p->stepped), "free", method_json(&p->free),
		"ipis_by", isa_irqchip_name(p->irqchip), "capabilities", capabilities, "quirks",
		quirks_json(h), "cpl0_instruction_ns", h->quirks.cpl0_ns));
}

char *report_replay(const struct witness *w, const struct result *r, bool same)
{
	const struct observation *o = &r->observation;

	return report_dump(json_pack("{ss ss ss ss ss sI sb ss}", "witness", w->path, "verdict",
				     verdict_name(r->verdict), "recorded", w->verdict, "digest",
				     o->digest, "recorded_digest", w->digest, "steps",
				     (json_int_t)o->steps, "same", same, "reason", r->reason));
}
