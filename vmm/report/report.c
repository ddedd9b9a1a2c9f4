// SPDX-License-Identifier: BSD-2-Clause
/*
 * report.c - result files written and read back, and the words that reports
 * share. Owns what a witness needs; knows neither how a result came about nor
 * how it is replayed. The JSON of a result is report_json.c's.
 */
#include "report/report.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jnode.h"
#include "report/report_internal.h"

/* ---- words ---- */

const char *report_sites(const struct scenario *s, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (uint32_t i = 0; i < s->nsites && used < size; i++) {
		const struct placement *p = &s->site[i];
		bool numeric = isdigit((unsigned char)p->at[0]);

		used += (size_t)snprintf(buf + used, size - used,
					 numeric ? "%s%s@%s0x%x" : "%s%s@%s(0x%x)", i ? "+" : "",
					 p->name, numeric ? "" : p->at, p->offset);
	}
	return buf;
}

const char *report_fetch(const struct fetch_config *f, char *buf, size_t size)
{
	static const struct {
		uint32_t bytes;
		const char *name;
	} chunks[] = {
		{ 1, "byte" },
		{ 2, "halfword" },
		{ 4, "word" },
		{ 64, "line" },
		{ FETCH_CHUNK_PAGE, "page" },
	};
	const char *model = fetch_model_name(f->model);

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		if (chunks[i].bytes == f->chunk) {
			snprintf(buf, size, "%s/%s", model, chunks[i].name);
			return buf;
		}
	snprintf(buf, size, "%s/%u", model, f->chunk);
	return buf;
}

const char *report_alignment(uint64_t address, uint32_t length, char *buf, size_t size)
{
	static const struct {
		uint32_t bytes;
		const char *name;
	} units[] = {
		{ 4096, "a page" },
		{ 64, "a 64-byte line" },
		{ 8, "an 8-byte word" },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint32_t before = units[i].bytes - (uint32_t)(address % units[i].bytes);

		if (before < length) {
			snprintf(buf, size, "%u byte%s before, %u behind %s boundary", before,
				 before == 1 ? "" : "s", length - before, units[i].name);
			return buf;
		}
	}
	snprintf(buf, size, "inside an 8-byte word");
	return buf;
}

const char *report_violation(enum violation_kind kind)
{
	return verdict_name(verdict_of_violation(kind));
}

uint64_t report_executions(const struct observation *o)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < o->vcpus; i++)
		sum += o->cpu[i].guest.executions;
	return sum;
}

/* ---- the file ---- */

/* mkdir -p. */
static bool make_directory(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	size_t length = strlen(dir);

	if (!length || length >= sizeof(path))
		return err_sys(e, length ? ENAMETOOLONG : ENOENT, "mkdir '%.100s'", dir);
	memcpy(path, dir, length + 1);
	for (char *p = path + 1;; p++) {
		char kept = *p;

		if (kept != '/' && kept != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", path);
		if (kept == '\0')
			return true;
		*p = kept;
	}
}

/* <dir>/<scenario name with / as ->.json into r->path. */
static bool name_file(struct result *r, const char *dir, struct err *e)
{
	const char *name = r->scenario->name + strspn(r->scenario->name, "./");
	int used = snprintf(r->path, sizeof(r->path), "%s/", dir);
	int more;

	if (used >= (int)sizeof(r->path))
		return err_sys(e, ENAMETOOLONG, "%.100s...", dir);
	more = snprintf(r->path + used, sizeof(r->path) - (size_t)used, "%s.json", name);
	if (used + more >= (int)sizeof(r->path))
		return err_sys(e, ENAMETOOLONG, "%.100s/%.100s...", dir, name);
	for (char *p = r->path + used; *p; p++)
		if (*p == '/')
			*p = '-';
	return true;
}

static bool write_stream(int fd, const char *text)
{
	FILE *f = fdopen(fd, "w");
	bool ok;
	int error;

	if (!f) {
		error = errno;
		close(fd);
		errno = error;
		return false;
	}
	ok = fputs(text, f) >= 0 && fputc('\n', f) != EOF;
	error = errno;
	if (fclose(f))
		return false;
	errno = error;
	return ok;
}

/* A temporary file in (dir), renamed when it is whole: no reader ever sees half a result. */
bool report_write_atomically(const char *dir, const char *path, const char *text, struct err *e)
{
	char temporary[PATH_MAX];
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s/.crossmod-XXXXXX", dir) >=
	    (int)sizeof(temporary))
		return err_sys(e, ENAMETOOLONG, "%.100s...", dir);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "a temporary file in %s", dir);
	if (fchmod(fd, 0644)) {
		err_sys(e, errno, "fchmod %s", temporary);
		close(fd);
	} else if (!write_stream(fd, text)) {
		err_sys(e, errno, "write %s", temporary);
	} else if (rename(temporary, path)) {
		err_sys(e, errno, "rename %s to %s", temporary, path);
	} else {
		return true;
	}
	unlink(temporary);
	return false;
}

bool report_name(struct result *r, const char *dir, struct err *e)
{
	return make_directory(dir, e) && name_file(r, dir, e);
}

bool report_write(struct result *r, const char *dir, struct err *e)
{
	char *text;
	bool ok;

	if (report_name(r, dir, e)) {
		text = report_document(r);
		ok = report_write_atomically(dir, r->path, text, e);
		free(text);
		if (ok)
			return true;
	}
	r->path[0] = '\0';
	return false;
}

bool report_write_text(const char *dir, const char *name, const char *text, struct err *e)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return err_sys(e, ENAMETOOLONG, "%.100s/%.100s...", dir, name);
	return make_directory(dir, e) && report_write_atomically(dir, path, text, e);
}

/* ---- witnesses ---- */

/* XXH3-128, hex. */
static bool require_digest(const struct jnode *object, const char *key, char **copy)
{
	struct jnode n;

	if (!jnode_require(object, key, &n) || !jnode_string(&n, copy))
		return false;
	if (strlen(*copy) != 32 || strspn(*copy, "0123456789abcdef") != 32)
		return jnode_fail(&n, "not 32 hexadecimal digits");
	return true;
}

static bool require_verdict(const struct jnode *root, char **copy)
{
	enum verdict verdict;
	struct jnode n;

	if (!jnode_require(root, "verdict", &n) || !jnode_string(&n, copy))
		return false;
	return verdict_parse(*copy, &verdict) || jnode_fail(&n, "not a verdict");
}

/* Why there is no schedule at (n). */
static bool no_witness(const struct jnode *root, const struct jnode *n)
{
	const char *method = json_string_value(json_object_get(root->json, "method"));
	const char *text = json_string_value(json_object_get(root->json, "verdict"));
	enum verdict verdict;

	if (method && !strcmp(method, method_name(METHOD_FREE)))
		return jnode_fail(n, "not a stepped result: nothing to replay: a free run counts, "
				     "and has no schedule");
	if (text && verdict_parse(text, &verdict) &&
	    (verdict == VERDICT_SAFE || verdict == VERDICT_INCONCLUSIVE ||
	     verdict == VERDICT_UNSUPPORTED))
		return jnode_fail(n, "verdict %s has no witness: nothing to replay", text);
	return jnode_fail(n, "not a stepped result: nothing to replay");
}

static bool require_schedule(const struct jnode *root, char **copy)
{
	struct jnode n;

	if (!jnode_require(root, "schedule", &n))
		return false;
	if (json_is_null(n.json))
		return no_witness(root, &n);
	return jnode_string(&n, copy);
}

/* A scenario has the verdicts that it expects where a result has its format. */
static bool is_result(const struct jnode *root)
{
	struct jnode n;

	if (!jnode_get(root, "format", &n) && jnode_get(root, "expect", &n))
		return jnode_fail(root, "a scenario, not a result: `crossmod run' and `crossmod "
					"explore' make results of it");
	return jnode_format(root, REPORT_FORMAT);
}

static bool require_vcpus(const struct jnode *root, struct witness *w)
{
	struct jnode executors, list;
	json_t *item;
	size_t i;

	if (!jnode_need_u64(root, "vcpus", 1, CM_MAX_VCPUS, &w->vcpus) ||
	    !jnode_require(root, "executors", &executors) || !jnode_any_object(&executors) ||
	    !jnode_require(&executors, "vcpus", &list))
		return false;
	json_array_foreach (list.json, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0 ||
		    json_integer_value(item) >= (json_int_t)w->vcpus)
			return jnode_fail(&list, "not a list of vCPUs");
		w->executors |= 1u << json_integer_value(item);
	}
	return json_is_array(list.json) || jnode_fail(&list, "not a list of vCPUs");
}

/* For people only: a witness without one is as good. */
static bool take_reason(const struct jnode *root, char **copy)
{
	struct jnode n;

	if (!jnode_get(root, "reason", &n) || !json_string_length(n.json))
		return true;
	return jnode_string(&n, copy);
}

static bool read_witness(struct witness *w, const struct jnode *root)
{
	struct jnode guest;

	if (!is_result(root) || !require_schedule(root, &w->schedule) ||
	    !jnode_need_string(root, "scenario_path", &w->scenario_path) ||
	    !jnode_need_string(root, "scenario_text", &w->scenario_text) ||
	    !jnode_need_string(root, "fetch", &w->fetch) || !require_vcpus(root, w) ||
	    !require_verdict(root, &w->verdict) || !require_digest(root, "digest", &w->digest) ||
	    !jnode_need_u64(root, "steps", 0, INT64_MAX, &w->steps) ||
	    !take_reason(root, &w->reason) || !jnode_require(root, "guest", &guest))
		return false;
	return jnode_any_object(&guest) && require_digest(&guest, "digest", &w->guest_digest);
}

bool witness_load(struct witness *w, const char *path, struct err *e)
{
	struct jnode root;
	bool ok;

	memset(w, 0, sizeof(*w));
	if (!jnode_open(&root, path, e))
		return false;
	ok = jnode_copy(&root, path, &w->path) && read_witness(w, &root);
	json_decref(root.json);
	if (!ok)
		witness_fini(w);
	return ok;
}

void witness_fini(struct witness *w)
{
	free(w->path);
	free(w->scenario_path);
	free(w->scenario_text);
	free(w->schedule);
	free(w->verdict);
	free(w->reason);
	free(w->fetch);
	free(w->digest);
	free(w->guest_digest);
	memset(w, 0, sizeof(*w));
}
