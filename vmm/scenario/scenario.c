// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario.c - a scenario file: the whole of it, read, checked and freed.
 *
 * Owns the top-level keys, which of them belong to which method, and the life
 * of struct scenario. Must not know KVM, nor how a scenario is run.
 */
#include "scenario/scenario_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX	  ((size_t)1 << 20)
#define VCPUS_DEFAULT	  2u
#define MAX_STEPS_DEFAULT 20000u

const char *const scenario_keys[] = {
	"$schema",	 "why",	      "source",	       "protocol", "isa",      "kernel",
	"sites",	 "vcpus",     "method",	       "offline",  "patcher",  "executors",
	"nmi_runs_site", "nmi_latch", "ipi_runs_site", "fetch",	   "schedule", "inject",
	"max_steps",	 "free",      "explore",       "expect",   NULL
};

const struct scenario_form scenario_forms[] = {
	{ NULL, scenario_keys },
	{ "site", scenario_site_keys },
	{ "patcher", scenario_patcher_keys },
	{ "executors", scenario_executors_keys },
	{ "fetch", scenario_fetch_keys },
	{ "free", scenario_free_keys },
	{ "explore", scenario_explore_keys },
	{ "move", scenario_move_keys },
	{ "headTail", scenario_head_tail_keys },
	{ "injection", scenario_injection_keys },
	{ "variable", scenario_variable_keys },
};
const size_t scenario_nforms = sizeof(scenario_forms) / sizeof(scenario_forms[0]);

#define ONLY(method) (1u << (method))
const struct scenario_method_key scenario_method_keys[] = {
	{ "fetch", ONLY(METHOD_STEPPED) | ONLY(METHOD_EXPLORE) },
	{ "offline", ONLY(METHOD_STEPPED) | ONLY(METHOD_EXPLORE) },
	{ "schedule", ONLY(METHOD_STEPPED) },
	{ "inject", ONLY(METHOD_STEPPED) },
	{ "max_steps", ONLY(METHOD_STEPPED) },
	{ "free", ONLY(METHOD_FREE) },
	{ "explore", ONLY(METHOD_EXPLORE) },
};
const size_t scenario_nmethod_keys = sizeof(scenario_method_keys) / sizeof(scenario_method_keys[0]);

static const char *const method_names[METHODS] = {
	[METHOD_STEPPED] = "stepped",
	[METHOD_FREE] = "free",
	[METHOD_EXPLORE] = "explore",
};

const char *method_name(enum method m)
{
	return (unsigned int)m < METHODS ? method_names[m] : "?";
}

bool scenario_read_vcpu(const struct scenario *s, const struct jnode *n, uint32_t *vcpu)
{
	uint32_t number;

	if (!json_is_integer(n->json))
		return jnode_fail(n, "expected the number of a vCPU, found %s", jnode_type(n));
	if (!jnode_u32(n, 0, CM_MAX_VCPUS - 1, &number))
		return false;
	if (number >= s->vcpus)
		return jnode_fail(n, "no vCPU %u; \"vcpus\" is %u, so 0 to %u", number, s->vcpus,
				  s->vcpus - 1);
	*vcpu = number;
	return true;
}

static bool read_texts(struct scenario *s, const struct jnode *root)
{
	struct jnode n;

	if (jnode_get(root, "$schema", &n) && !json_is_string(n.json))
		return jnode_fail(&n, "expected a string, found %s", jnode_type(&n));
	return jnode_require(root, "why", &n) && jnode_string(&n, &s->why) &&
	       jnode_opt_string(root, "source", &s->source);
}

static bool read_protocol(struct scenario *s, const struct image *img, const struct jnode *root)
{
	char list[JNODE_LIST_MAX] = "";
	struct jnode n;
	size_t i;

	if (!jnode_require(root, "protocol", &n) || !jnode_string(&n, &s->protocol_name))
		return false;
	if (!img)
		return true;
	s->protocol = image_protocol(img, s->protocol_name);
	if (s->protocol)
		return true;
	for (i = 0; i < img->nprotocols; i++)
		jnode_list(list, sizeof(list), img->protocols[i].name);
	return jnode_fail(&n, "no protocol '%.60s' in %.80s; it has: %s", s->protocol_name,
			  img->path, list);
}

static bool read_method(struct scenario *s, const struct jnode *root)
{
	struct jnode n;
	size_t which;

	if (!jnode_require(root, "method", &n) || !jnode_choice(&n, method_names, METHODS, &which))
		return false;
	s->method = (enum method)which;
	return true;
}

/* The key of (n) belongs to (methods), of which the scenario's is none. */
static bool wrong_method(const struct scenario *s, const struct jnode *n, uint32_t methods)
{
	char list[80] = "";
	size_t used = 0;

	for (unsigned int m = 0; m < METHODS; m++)
		if (methods & 1u << m)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s'%s'",
						 used ? " or " : "", method_names[m]);
	return jnode_fail(n, "only in method %s; this is '%s'", list, method_name(s->method));
}

static bool only_its_keys(const struct scenario *s, const struct jnode *root)
{
	struct jnode n;
	size_t i;

	for (i = 0; i < scenario_nmethod_keys; i++) {
		const struct scenario_method_key *k = &scenario_method_keys[i];

		if (!(k->methods & 1u << s->method) && jnode_get(root, k->key, &n))
			return wrong_method(s, &n, k->methods);
	}
	return true;
}

/* What not every method has. The fetch model decides which moves are possible. */
static bool read_how(struct scenario *s, const struct image *img, const struct jnode *root)
{
	struct jnode n;

	if (!only_its_keys(s, root))
		return false;
	scenario_default_fetch(s);
	if (s->method == METHOD_FREE)
		return jnode_require(root, "free", &n) && scenario_read_free(s, &n);
	if (jnode_get(root, "fetch", &n) && !scenario_read_fetch(s, &n))
		return false;
	if (jnode_get(root, "explore", &n) && !scenario_read_explore(s, &n))
		return false;
	if (jnode_get(root, "schedule", &n) && !scenario_read_schedule(s, img, &n))
		return false;
	if (jnode_get(root, "inject", &n) && !scenario_read_injections(s, img, &n))
		return false;
	return jnode_opt_u64(root, "max_steps", 1, UINT32_MAX, &s->max_steps);
}

static bool read_verdict(struct scenario *s, const struct jnode *n)
{
	const char *names[VERDICTS];
	size_t i;

	for (i = 0; i < VERDICTS; i++)
		names[i] = verdict_name((enum verdict)i);
	if (!jnode_choice(n, names, VERDICTS, &i))
		return false;
	if (i == VERDICT_SAFE && s->method != METHOD_EXPLORE)
		return jnode_fail(n,
				  "only a search can find 'safe'; of what method '%s' tries it is "
				  "'not-seen'",
				  method_name(s->method));
	if (s->expect & (1u << i))
		return jnode_fail(n, "'%s' is listed twice", names[i]);
	s->expect |= 1u << i;
	return true;
}

static bool read_expect(struct scenario *s, const struct jnode *root)
{
	struct jnode n;
	size_t i, count;

	if (!jnode_require(root, "expect", &n))
		return false;
	if (!json_is_array(n.json))
		return read_verdict(s, &n);
	if (!jnode_array(&n, 1, VERDICTS, &count))
		return false;
	for (i = 0; i < count; i++) {
		struct jnode item = jnode_item(&n, i);

		if (!read_verdict(s, &item))
			return false;
	}
	return true;
}

/* In the order in which the checks need each other, whatever the file's order. */
static bool read_all(struct scenario *s, const struct image *img, const struct jnode *root)
{
	struct jnode sites, format;

	if (json_is_object(root->json) && jnode_get(root, "format", &format))
		return jnode_fail(root, "a result, not a scenario: `crossmod replay' executes its "
					"schedule again");
	s->image = img;
	s->vcpus = VCPUS_DEFAULT;
	s->max_steps = MAX_STEPS_DEFAULT;
	return jnode_object(root, scenario_keys) && read_texts(s, root) &&
	       scenario_read_isa(s, root) && scenario_check_image(s, img, root->err) &&
	       read_protocol(s, img, root) && read_method(s, root) &&
	       jnode_opt_u32(root, "vcpus", 1, CM_MAX_VCPUS, &s->vcpus) &&
	       jnode_require(root, "sites", &sites) && scenario_read_sites(s, img, &sites) &&
	       scenario_read_kernel(s, root) && scenario_read_patcher(s, root) &&
	       scenario_read_executors(s, root) && scenario_read_offline(s, root) &&
	       jnode_opt_bool(root, "nmi_runs_site", &s->nmi_runs_site) &&
	       jnode_opt_bool(root, "nmi_latch", &s->nmi_latch) &&
	       jnode_opt_bool(root, "ipi_runs_site", &s->ipi_runs_site) &&
	       scenario_check_kernel(s, img, root) && read_how(s, img, root) &&
	       read_expect(s, root);
}

/* The path below the last scenarios/ directory, without .json. */
static char *name_of(const char *path)
{
	static const char folder[] = "scenarios/", suffix[] = ".json";
	const char *start = path, *p = path;
	size_t length;

	while ((p = strstr(p, folder))) {
		if (p == path || p[-1] == '/')
			start = p + strlen(folder);
		p++;
	}
	length = strlen(start);
	if (length > strlen(suffix) && !strcmp(start + length - strlen(suffix), suffix))
		length -= strlen(suffix);
	return strndup(start, length);
}

/* Names from the file may hold anything; a failure is one line all the same. */
static void one_line(struct err *e)
{
	char *p;

	for (p = e ? e->text : NULL; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

static bool parse(struct scenario *s, const char *text, size_t size, const struct image *img,
		  struct err *e)
{
	struct jnode root = { .file = s->path, .err = e };
	json_error_t syntax;
	bool ok;

	if (size > FILE_BYTES_MAX)
		return err_set(e, ERR_INPUT, "%s: larger than %zu bytes", s->path, FILE_BYTES_MAX);
	root.json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &syntax);
	if (!root.json)
		return err_set(e, ERR_INPUT, "%s:%d:%d: %s", s->path, syntax.line, syntax.column,
			       syntax.text);
	s->text = strndup(text, size);
	ok = s->text ? read_all(s, img, &root) : jnode_out_of_memory(&root);
	json_decref(root.json);
	return ok;
}

bool scenario_parse(struct scenario *s, const char *path, const char *text, size_t size,
		    const struct image *img, struct err *e)
{
	bool ok;

	memset(s, 0, sizeof(*s));
	s->path = strdup(path);
	s->name = name_of(path);
	if (s->path && s->name)
		ok = parse(s, size ? text : "", size, img, e);
	else
		ok = err_set(e, ERR_HOST, "%s: out of memory", path);
	if (ok)
		return true;
	one_line(e);
	scenario_fini(s);
	return false;
}

/* Up to (max) bytes of the file into (text). On failure errno says why. */
static bool read_file(const char *path, char *text, size_t max, size_t *size)
{
	FILE *f = fopen(path, "re");
	int error = 0;

	if (!f)
		return false;
	*size = fread(text, 1, max, f);
	if (ferror(f))
		error = errno;
	fclose(f);
	errno = error;
	return !error;
}

bool scenario_load(struct scenario *s, const char *path, const struct image *img, struct err *e)
{
	char *text = malloc(FILE_BYTES_MAX + 1);
	size_t size = 0;
	bool ok;

	memset(s, 0, sizeof(*s));
	if (!text)
		return err_set(e, ERR_HOST, "%s: out of memory", path);
	/* One byte past the limit is enough to be refused. */
	if (read_file(path, text, FILE_BYTES_MAX + 1, &size)) {
		ok = scenario_parse(s, path, text, size, img, e);
	} else {
		ok = err_set(e, ERR_INPUT, "%s: %s", path, strerror(errno));
		one_line(e);
	}
	free(text);
	return ok;
}

void scenario_fini(struct scenario *s)
{
	size_t i;

	for (i = 0; i < s->nmoves; i++)
		point_fini(&s->move[i].until);
	for (i = 0; i < s->ninjections; i++)
		point_fini(&s->injection[i].at);
	for (i = 0; i < s->nsites; i++) {
		free(s->site[i].name);
		free(s->site[i].at);
	}
	free(s->move);
	free(s->injection);
	free(s->path);
	free(s->name);
	free(s->text);
	free(s->why);
	free(s->source);
	free(s->protocol_name);
	memset(s, 0, sizeof(*s));
}
