// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_coverage.c - the protocol's instructions that no schedule came by, by
 * name and in assembly: as lines, and in a result's JSON.
 */
#include "report/report.h"
#include "report/report_internal.h"

#include <assert.h>
#include <inttypes.h>

#include "image/insn.h"

static uint32_t recorded(const struct coverage *c)
{
	return c->never < COVERAGE_MAX ? c->never : COVERAGE_MAX;
}

static const char *name_at(const struct image *img, uint64_t at, char buf[128])
{
	return image_name_address(img, at, buf, 128);
}

static const char *text_at(const struct image *img, struct insn_decoder *d, uint64_t at,
			   char buf[96])
{
	size_t size = INSN_LENGTH_MAX;
	const uint8_t *bytes = image_bytes_up_to(img, at, &size);

	insn_text(d, bytes, size, at, buf, 96);
	return buf;
}

void report_coverage(FILE *out, const struct result *r)
{
	const struct coverage *c = &r->observation.coverage;
	char name[128], text[96];
	struct insn_decoder d;

	if (!c->instructions || !insn_init(&d, (enum cm_isa)r->image->abi.isa, NULL))
		return;
	fprintf(out, "    %" PRIu32 " of the protocol's %" PRIu32 " instructions were executed%s\n",
		c->instructions - c->never, c->instructions, c->never ? "; never:" : "");
	for (uint32_t i = 0; i < recorded(c); i++)
		fprintf(out, "      %-36s %s\n", name_at(r->image, c->never_at[i], name),
			text_at(r->image, &d, c->never_at[i], text));
	if (c->never > recorded(c))
		fprintf(out, "      and %" PRIu32 " more\n", c->never - recorded(c));
	insn_fini(&d);
}

json_t *report_coverage_json(const struct result *r)
{
	const struct coverage *c = &r->observation.coverage;
	char name[128], text[96];
	struct insn_decoder d;
	json_t *never, *o;

	if (!c->instructions || !insn_init(&d, (enum cm_isa)r->image->abi.isa, NULL))
		return json_null();
	never = json_array();
	for (uint32_t i = 0; i < recorded(c); i++)
		json_array_append_new(never,
				      json_pack("{s:s, s:s}", "at",
						name_at(r->image, c->never_at[i], name), "text",
						text_at(r->image, &d, c->never_at[i], text)));
	insn_fini(&d);
	o = json_pack("{s:i, s:i, s:o}", "instructions", (int)c->instructions, "executed",
		      (int)(c->instructions - c->never), "never", never);
	assert(o);
	return o;
}
