// SPDX-License-Identifier: BSD-2-Clause
/*
 * emulated.c - finds the launcher and the program that runs there, and becomes
 * the former. Must not know how a machine is booted.
 */
#include "command/emulated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 700u
#define WORDS_MAX  4096

/* A program of another architecture than ours lies in a directory of that name. */
static const struct {
	const char *name;
	const char *architecture; /* "": ours */
} hosts[] = {
	[HOST_AUTO] = { "auto", "" },
	[HOST_LOCAL] = { "local", "" },
#if defined(__x86_64__)
	[HOST_AMD] = { "amd", "" },
	[HOST_ARM64] = { "arm64", "aarch64" },
	[HOST_ARM64_EL0] = { "arm64-el0", "aarch64" },
#else
	[HOST_AMD] = { "amd", "x86_64" },	[HOST_ARM64] = { "arm64", "" },
	[HOST_ARM64_EL0] = { "arm64-el0", "" },
#endif
};
#define NHOSTS (sizeof(hosts) / sizeof(hosts[0]))

bool emulated_parse(const char *name, enum emulated_host *host)
{
	for (size_t i = 0; i < NHOSTS; i++)
		if (!strcmp(name, hosts[i].name)) {
			*host = (enum emulated_host)i;
			return true;
		}
	return false;
}

const char *emulated_names(void)
{
	return "local, amd, arm64, arm64-el0 or auto";
}

/* The first of two files that may be executed; else (path) is the second's. */
static bool find(char *path, size_t size, const char *beside, const char *installed,
		 const char *name)
{
	snprintf(path, size, "%s/%s", beside, name);
	if (!access(path, X_OK))
		return true;
	snprintf(path, size, "%s/%s", installed, name);
	return !access(path, X_OK);
}

struct places {
	char launcher[PATH_BYTES];
	char program[PATH_BYTES];
};

static bool find_places(struct places *p, enum emulated_host host, struct err *e)
{
	char own[512], beside[PATH_BYTES], installed[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	own[n > 0 ? n : 0] = '\0';
	snprintf(p->program, sizeof(p->program), "%s", own);
	slash = strrchr(own, '/');
	if (!slash)
		return err_sys(e, errno, "/proc/self/exe");
	*slash = '\0';
	snprintf(beside, sizeof(beside), "%s/../scripts", own);
	if (!find(p->launcher, sizeof(p->launcher), beside, CROSSMOD_LIBDIR, "emulated-host.sh"))
		return err_set(e, ERR_UNSUPPORTED, "--host %s: no %s", hosts[host].name,
			       p->launcher);
	if (!*hosts[host].architecture)
		return true;
	snprintf(beside, sizeof(beside), "%s/%s", own, hosts[host].architecture);
	snprintf(installed, sizeof(installed), CROSSMOD_LIBDIR "/%s", hosts[host].architecture);
	return find(p->program, sizeof(p->program), beside, installed, "crossmod") ||
	       err_set(e, ERR_UNSUPPORTED,
		       "--host %s: no %.150s/crossmod and no %.150s: `make CROSS=%s' builds it, "
		       "and `make install' installs it then",
		       hosts[host].name, beside, p->program, hosts[host].architecture);
}

enum emulated_host emulated_choose(enum emulated_host host, bool falls_back)
{
	struct places p;

	if (host != HOST_AUTO)
		return host;
	if (!falls_back || !access("/dev/kvm", F_OK) || errno != ENOENT)
		return HOST_LOCAL;
	return find_places(&p, HOST_AMD, NULL) ? HOST_AMD : HOST_LOCAL;
}

bool emulated_enter(enum emulated_host host, const char *command, char *const *arguments,
		    struct err *e)
{
	struct places p;
	const char *words[WORDS_MAX] = { p.launcher, "--host", hosts[host].name, p.program,
					 "--host",   "local",  command };
	int n = 7;

	if (!find_places(&p, host, e))
		return false;
	while (*arguments) {
		if (n == WORDS_MAX - 1)
			return err_set(e, ERR_INPUT, "--host %s: more than %d arguments",
				       hosts[host].name, WORDS_MAX - 8);
		words[n++] = *arguments++;
	}
	execv(p.launcher, (char *const *)(const void *)words);
	return err_sys(e, errno, "%s", p.launcher);
}
