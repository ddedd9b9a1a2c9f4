/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * survey_lab.h - where a survey's cells are run: one VM of two vCPUs, kept for
 * all of them, and the same machine code in two threads of this process. Each
 * side's writer has the first processor, its executor the second.
 */
#ifndef CROSSMOD_SURVEY_LAB_H
#define CROSSMOD_SURVEY_LAB_H

#include "vm/arch.h"
#include "survey/survey.h"

struct survey_lab;

/*
 * Boot the VM and map the control. ERR_UNSUPPORTED: no KVM, or no two
 * processors. A control that cannot be had is no failure: its cells say why.
 */
struct survey_lab *survey_lab_new(const struct image *image, struct err *e);
void survey_lab_free(struct survey_lab *lab);
const struct quirks *survey_lab_quirks(const struct survey_lab *lab);

/* A survey_runner's functions. A loop that does not end when told to is ERR_HOST. */
bool survey_lab_slice(void *lab, struct survey_cell *cell, enum survey_side side, double seconds,
		      struct err *e);
double survey_lab_now(void *lab);
bool survey_lab_stopped(void *lab);

#endif
