/* The processes that are traced with the one that was attached to: those that it forked. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run-attach.h"

void ct_attach_name(pid_t pid, char ret_name[16])
{
	char path[64], line[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	if (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		snprintf(ret_name, 16, "%.15s", line);
	}
	fclose(f);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512] = "";
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	const char *behind = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;

	if (f)
		fclose(f);
	return behind && sscanf(behind, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool descends(pid_t pid, pid_t from)
{
	for (int depth = 0; pid > 1 && depth < 64; depth++) {
		pid = parent_of(pid);
		if (pid == from)
			return true;
	}
	return false;
}

static bool has_library(pid_t pid, const char *library)
{
	char path[64], *line = NULL;
	size_t room = 0;
	bool has = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *f = fopen(path, "re");

	while (f && !has && getline(&line, &room, f) > 0)
		has = strstr(line, library) != NULL;
	free(line);
	if (f)
		fclose(f);
	return has;
}

static void detach(pid_t pid, const struct ct_parts *parts)
{
	char wrong[256];

	if (ct_detach_process(pid, parts, wrong))
		fprintf(stderr, "ctrace: %s: nothing is recorded any more, but its calls still go through libctrace.so\n", wrong);
}

void ct_detach_all(pid_t pid, const struct ct_parts *parts)
{
	DIR *d = opendir("/proc");

	/* First those that fork. */
	detach(pid, parts);
	for (struct dirent *e; d && (e = readdir(d));) {
		pid_t other = atoi(e->d_name);

		if (other > 0 && other != pid && descends(other, pid) && has_library(other, parts->library))
			detach(other, parts);
	}
	if (d)
		closedir(d);
}
