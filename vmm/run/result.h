/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * result.h - one finished run: what was run, where, what was seen, and the
 * verdict. Everything a report states comes from here.
 */
#ifndef CROSSMOD_RESULT_H
#define CROSSMOD_RESULT_H

#include "vm/host.h"
#include "image/image.h"
#include "model/observation.h"
#include "scenario/scenario.h"
#include "scenario/schedule.h"
#include "model/verdict.h"

struct result {
	const struct scenario *scenario;
	const struct image *image;
	const struct host *host;
	struct observation observation;
	struct schedule schedule; /* stepped: every decision taken; owned */
	enum verdict verdict;
	bool as_expected;
	char reason[512];
	char path[512]; /* of the result file, "" when none was written */
};

#endif
