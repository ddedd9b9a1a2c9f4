// SPDX-License-Identifier: BSD-2-Clause
/* cmd_list.c - `crossmod list` and `crossmod check`: what there is, and whether it is well-formed. */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "model/site.h"

int cmd_check(const struct options *o)
{
	struct images images = { 0 };
	struct paths p = { 0 };
	struct err e = { 0 };
	size_t others = 0;
	int status = 0;

	if (!cmd_load_images(&images, o, &e) || !cmd_scenario_paths(&p, o->file, o->files, &e)) {
		status = cmd_fail(&e);
		cmd_free_images(&images);
		return status;
	}
	for (size_t i = 0; i < p.count; i++) {
		struct scenario s = { 0 };

		if (cmd_load_scenario(&s, p.path[i], &images, &e))
			printf("%s: ok\n", p.path[i]);
		else if (e.code == ERR_UNSUPPORTED && ++others)
			fprintf(stderr, "crossmod: not checked: %s\n", e.text);
		else
			status = cmd_fail(&e);
		scenario_fini(&s);
	}
	if (others == p.count && others)
		status = EXIT_NOTHING_RAN;
	cmd_free_paths(&p);
	cmd_free_images(&images);
	return status;
}

static void print_registry(const struct image *img)
{
	char old[64], new[64];

	printf("protocols (%s)\n", img->path);
	for (size_t i = 0; i < img->nprotocols; i++)
		printf("  %-22s %s\n", img->protocols[i].name, img->protocols[i].summary);
	printf("\nsites\n");
	for (size_t i = 0; i < img->nsites; i++) {
		const struct cm_site_record *r = &img->sites[i].record;

		printf("  %-22s %s -> %s\n", img->sites[i].name,
		       site_hex(r->old_bytes, r->length, old, sizeof(old)),
		       site_hex(r->new_bytes, r->length, new, sizeof(new)));
	}
}

static void print_scenarios(const struct scenario *s, size_t n)
{
	printf("\nscenarios (%s)\n", cmd_scenario_dir());
	for (size_t i = 0; i < n; i++)
		printf("  %-44s %s\n", s[i].name, s[i].why);
}

static size_t load_shipped(struct scenario **list, struct images *images, int *status)
{
	char *dir = (char *)cmd_scenario_dir();
	struct paths p = { 0 };
	struct err e = { 0 };
	size_t n = 0;

	if (!dir)
		return 0;
	if (!cmd_scenario_paths(&p, &dir, 1, &e)) {
		*status = cmd_fail(&e);
		return 0;
	}
	*list = calloc(p.count, sizeof(**list));
	if (!*list) {
		err_set(&e, ERR_HOST, "out of memory");
		*status = cmd_fail(&e);
	}
	if (*list)
		n = cmd_load_scenarios(*list, &p, images, status);
	cmd_free_paths(&p);
	return n;
}

int cmd_list(const struct options *o)
{
	struct scenario *list = NULL;
	struct images images = { 0 };
	struct err e = { 0 };
	int status = 0;
	size_t n;

	if (!cmd_load_images(&images, o, &e))
		return cmd_fail(&e);
	n = load_shipped(&list, &images, &status);
	if (o->json) {
		status = cmd_print(report_list(&images.usual, list, n), status);
	} else {
		print_registry(&images.usual);
		if (n)
			print_scenarios(list, n);
	}
	for (size_t i = 0; i < n; i++)
		scenario_fini(&list[i]);
	free(list);
	cmd_free_images(&images);
	return status;
}
