// SPDX-License-Identifier: BSD-2-Clause
/*
 * host.c - facts about the machine this runs on, from where the kernel says
 * them. Owns the words for quirks. Knows no KVM and decides nothing.
 */
#include "vm/host.h"

#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define LINE_MAX_BYTES 512u
#define MODULES_MAX    8u

/* More CPUs than any kernel is configured for. */
#define CPUS_MAX 16384u

/* Copy as much of (text) as fits, without blanks and line ends around it. */
static void copy_trimmed(char *to, size_t size, const char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strcspn(text, "\n");
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	snprintf(to, size, "%.*s", (int)length, text);
}

/* The value of a "key<blanks>: value" line, or NULL when it has another key. */
static const char *value_of(const char *line, const char *key)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length))
		return NULL;
	line += length + strspn(line + length, " \t");
	return *line == ':' ? line + 1 : NULL;
}

static void take_first(char *to, size_t size, const char *line, const char *key)
{
	const char *value = value_of(line, key);

	if (value && !*to)
		copy_trimmed(to, size, value);
}

/* The first processor stands for all. Arm kernels name an implementer and a part, not a model. */
static void read_cpuinfo(struct host *h)
{
	char line[LINE_MAX_BYTES], implementer[32] = "", part[32] = "";
	FILE *f = fopen("/proc/cpuinfo", "re");

	if (!f)
		return;
	/* The kernel writes a processor's paragraph when it is read, and there may be hundreds. */
	while (fgets(line, sizeof(line), f) && *line != '\n') {
		take_first(h->cpu, sizeof(h->cpu), line, "model name");
		take_first(h->microcode, sizeof(h->microcode), line, "microcode");
		take_first(implementer, sizeof(implementer), line, "CPU implementer");
		take_first(part, sizeof(part), line, "CPU part");
	}
	fclose(f);
	if (!*h->cpu && *implementer)
		snprintf(h->cpu, sizeof(h->cpu), "implementer %s, part %s", implementer, part);
}

static void read_uname(struct host *h)
{
	struct utsname u;

	if (uname(&u))
		return;
	snprintf(h->arch, sizeof(h->arch), "%.*s", (int)sizeof(h->arch) - 1, u.machine);
	snprintf(h->kernel, sizeof(h->kernel), "%.60s %.60s", u.release, u.version);
}

/* ---- modules ---- */

struct modules {
	char name[MODULES_MAX][32];
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add_module(struct modules *m, const char *name)
{
	size_t length = strcspn(name, " \n");

	if (strncmp(name, "kvm_", strlen("kvm_")) || m->count == MODULES_MAX)
		return;
	snprintf(m->name[m->count++], sizeof(m->name[0]), "%.*s", (int)length, name);
}

static void read_proc_modules(struct modules *m)
{
	char line[LINE_MAX_BYTES];
	FILE *f = fopen("/proc/modules", "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		add_module(m, line);
	fclose(f);
}

/* Modules built into the kernel are not in /proc/modules; those with parameters are here. */
static void read_sys_modules(struct modules *m)
{
	const struct dirent *entry;
	DIR *dir = opendir("/sys/module");

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		add_module(m, entry->d_name);
	closedir(dir);
}

static void read_modules(struct host *h)
{
	struct modules m = { .count = 0 };
	size_t used = 0;

	read_proc_modules(&m);
	if (!m.count)
		read_sys_modules(&m);
	qsort(m.name, m.count, sizeof(m.name[0]), compare_names);
	for (size_t i = 0; i < m.count && used < sizeof(h->kvm_module); i++)
		used += (size_t)snprintf(h->kvm_module + used, sizeof(h->kvm_module) - used, "%s%s",
					 used ? "," : "", m.name[i]);
}

/* What the launcher says knows more than what the processor shows. */
static void read_emulator(struct host *h)
{
	const char *said = getenv("CROSSMOD_EMULATED"), *shown = arch_emulator();

	snprintf(h->emulated, sizeof(h->emulated), "%s", said && *said ? said : shown ? shown : "");
}

static uint32_t usable_cores(void)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	int cores = 0;

	if (set && !sched_getaffinity(0, size, set))
		cores = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return (uint32_t)cores;
}

void host_read(struct host *h)
{
	memset(h, 0, sizeof(*h));
	read_uname(h);
	read_cpuinfo(h);
	read_modules(h);
	read_emulator(h);
	h->cores = usable_cores();
	snprintf(h->version, sizeof(h->version), "%s", CROSSMOD_VERSION);
	snprintf(h->commit, sizeof(h->commit), "%s", CROSSMOD_COMMIT);
}

void host_read_once(struct host *h)
{
	struct quirks quirks = h->quirks;
	bool known = h->quirks_known;

	if (*h->version)
		return;
	host_read(h);
	h->quirks = quirks;
	h->quirks_known = known;
}

bool host_is_silicon(const struct host *h, struct err *e)
{
	return !*h->emulated ||
	       err_set(e, ERR_UNSUPPORTED,
		       "full speed in an emulator (%s) shows its translator, not a processor: run "
		       "it on a host of silicon, with --host local",
		       h->emulated);
}

const char *host_quirks(const struct host *h, char *buf, size_t size)
{
	size_t used = 0;

	snprintf(buf, size, "%s", h->quirks_known ? "none" : "unknown");
	for (const struct quirk_info *q = arch_quirks(); h->quirks_known && q->name; q++)
		if (quirk_in_force(q, &h->quirks) && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? "," : "",
						 q->name);
	return buf;
}
