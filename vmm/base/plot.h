/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plot.h - the one place that runs gnuplot. Gets a script as text, leaves a
 * picture; knows nothing of what is drawn.
 */
#ifndef CROSSMOD_PLOT_H
#define CROSSMOD_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Draw (script) as (path), whose name ends in .svg or .png, (width) by (height)
 * pixels. gnuplot gets `set terminal` and then the script on its standard
 * input, data in it as here-documents ($name << EOD, its help on "datablocks"),
 * and none of the user's own settings. Text is plain (noenhanced: underscores
 * stay) and ASCII: how anything else comes out depends on the locale. The
 * picture is drawn to a temporary name beside (path) and renamed.
 *
 * ERR_UNSUPPORTED: "gnuplot is not installed", whose caller says "no plot: "
 * and goes on. ERR_HOST: gnuplot failed, or warned (a curve without a point is
 * such a warning), with its own words; or the file cannot be written. Then
 * (path) is as it was before.
 */
bool plot_draw(const char *path, uint32_t width, uint32_t height, const char *script,
	       struct err *e);

#endif
