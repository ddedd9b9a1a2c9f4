// SPDX-License-Identifier: BSD-2-Clause
/* plot.c - gnuplot as a child process: script, picture and complaints are files, never pipes. */
#include "base/plot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Default font and background: a picture that looks the same in a browser, dark or not. */
static const char *terminal_of(const char *path)
{
	size_t length = strlen(path);

	assert(length > 4);
	if (!strcmp(path + length - 4, ".svg"))
		return "svg noenhanced background rgb 'white' font 'sans,12'";
	assert(!strcmp(path + length - 4, ".png"));
	return "pngcairo noenhanced background rgb 'white' font 'sans,10'";
}

static bool write_script(FILE *in, const char *path, uint32_t width, uint32_t height,
			 const char *script, struct err *e)
{
	if (fprintf(in, "set terminal %s size %u,%u\n%s\n", terminal_of(path), width, height,
		    script) < 0 ||
	    fflush(in) || fseek(in, 0, SEEK_SET))
		return err_sys(e, errno, "write gnuplot's script");
	return true;
}

/* Handlers do not survive the exec, so Ctrl-C ends it too; the caller hears of the signal. */
static int spawn(FILE *in, int out, FILE *complaints, pid_t *child)
{
	char name[] = "gnuplot", defaults[] = "--default-settings";
	char *argv[] = { name, defaults, NULL };
	posix_spawn_file_actions_t files;
	int errnum;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, fileno(in), 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, fileno(complaints), 2);
	errnum = posix_spawnp(child, name, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return errnum;
}

/*
 * The first line of gnuplot's that says something, as "line 3: warning: ...".
 * Left out: the echo of the script, the mark below it, and what the font
 * library has to say.
 */
static bool complaint(FILE *from, char *text, size_t size)
{
	rewind(from);
	while (fgets(text, (int)size, from)) {
		size_t indent = strspn(text, " \t\n^");

		text[strcspn(text, "\n")] = '\0';
		if (!text[indent] || !strncmp(text, "gnuplot>", 8) ||
		    !strncasecmp(text, "fontconfig", 10))
			continue;
		memmove(text, text + indent, strlen(text + indent) + 1);
		return true;
	}
	return false;
}

static bool check(int status, FILE *complaints, int out, struct err *e)
{
	char text[256];
	struct stat st;

	if (complaint(complaints, text, sizeof(text)))
		return err_set(e, ERR_HOST, "gnuplot: %s", text);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_HOST, "gnuplot was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		return err_set(e, ERR_HOST, "gnuplot ended with status %d and no word why",
			       WEXITSTATUS(status));
	if (fstat(out, &st))
		return err_sys(e, errno, "fstat of gnuplot's picture");
	return st.st_size > 0 || err_set(e, ERR_HOST, "gnuplot drew nothing");
}

static bool run(FILE *in, int out, FILE *complaints, struct err *e)
{
	int status = 0, errnum;
	pid_t child;

	errnum = spawn(in, out, complaints, &child);
	if (errnum == ENOENT)
		return err_set(e, ERR_UNSUPPORTED, "gnuplot is not installed");
	if (errnum)
		return err_sys(e, errnum, "cannot run gnuplot");
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "waitpid for gnuplot");
	return check(status, complaints, out, e);
}

static bool draw(int out, const char *path, uint32_t width, uint32_t height, const char *script,
		 struct err *e)
{
	FILE *in = tmpfile(), *complaints = tmpfile();
	bool ok = in && complaints;

	if (!ok)
		err_sys(e, errno, "a temporary file for gnuplot");
	ok = ok && write_script(in, path, width, height, script, e) && run(in, out, complaints, e);
	if (in)
		fclose(in);
	if (complaints)
		fclose(complaints);
	return ok;
}

bool plot_draw(const char *path, uint32_t width, uint32_t height, const char *script, struct err *e)
{
	char temporary[PATH_MAX];
	bool ok;
	int out;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return err_sys(e, ENAMETOOLONG, "%.100s...", path);
	out = mkostemp(temporary, O_CLOEXEC);
	if (out < 0)
		return err_sys(e, errno, "a temporary file for %s", path);
	ok = draw(out, path, width, height, script, e);
	if (ok && fchmod(out, 0644))
		ok = err_sys(e, errno, "fchmod %s", temporary);
	if (close(out) && ok)
		ok = err_sys(e, errno, "write %s", temporary);
	if (ok && rename(temporary, path))
		ok = err_sys(e, errno, "rename %s to %s", temporary, path);
	if (!ok)
		unlink(temporary);
	return ok;
}
