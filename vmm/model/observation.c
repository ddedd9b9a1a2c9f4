// SPDX-License-Identifier: BSD-2-Clause
/* observation.c - recording what was seen. Judges nothing: that is verdict.c's. */
#include "model/observation.h"

#include <assert.h>

void observation_add(struct observation *o, const struct violation *v)
{
	assert((unsigned int)v->kind < VIOLATIONS);
	o->total[v->kind]++;
	if (o->nviolations < OBSERVATION_VIOLATIONS)
		o->violation[o->nviolations++] = *v;
}
