/* SPDX-License-Identifier: BSD-2-Clause */
/* report_internal.h - JSON that one report file makes for another. */
#ifndef CROSSMOD_REPORT_INTERNAL_H
#define CROSSMOD_REPORT_INTERNAL_H

#include <jansson.h>

#include "result.h"

/* {"instructions", "executed", "never": [{"at", "text"}]}, or null when it is not known. */
json_t *report_coverage_json(const struct result *r);

#endif
