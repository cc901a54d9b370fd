/* What is called in a process that is attached to. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "env.h"
#include "families.h"
#include "inject.h"
#include "late-call.h"
#include "region.h"
#include "run-attach.h"

static uint32_t stacks_of(const char *word)
{
	return !word		       ? CT_STACKS_AUTO
	       : !strcmp(word, "fp")     ? CT_STACKS_FP
	       : !strcmp(word, "unwind") ? CT_STACKS_UNWIND
	       : !strcmp(word, "off")    ? CT_STACKS_OFF
					 : CT_STACKS_AUTO;
}

static bool has_huge_pages(pid_t pid)
{
	char path[64], word[512];
	bool has = false;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	FILE *f = fopen(path, "re");

	for (size_t n = 0; f && !has;) {
		int c = fgetc(f);

		if (c != EOF && c && n < sizeof(word) - 1) {
			word[n++] = (char)c;
			continue;
		}
		word[n] = 0;
		has = !strncmp(word, "GLIBC_TUNABLES=", 15) && strstr(word, "malloc.hugetlb");
		n = 0;
		if (c == EOF)
			break;
	}
	if (f)
		fclose(f);
	return has;
}

static int judge(struct ct_late *late, char wrong[256])
{
	late->text[sizeof(late->text) - 1] = 0;
	switch (late->status) {
	case CT_LATE_DONE:
		return 0;
	case CT_LATE_PRELOADED:
		snprintf(wrong, 256, "libctrace.so was preloaded: it is traced already, or was to be (see ctrace-ctl)");
		break;
	case CT_LATE_TRACED:
		snprintf(wrong, 256, "it is traced already");
		break;
	default:
		snprintf(wrong, 256, "%.250s", *late->text ? late->text : "the call in it did not end");
	}
	return -1;
}

static int run(pid_t pid, const struct ct_parts *parts, struct ct_late *late, char wrong[256])
{
	char why[CT_INJECT_WRONG];

	late->version = CT_LATE_VERSION;
	int n = snprintf(late->trigger, sizeof(late->trigger), "%s", parts->library);
	char *dot = strrchr(late->trigger, '.');

	if (n < 0 || (size_t)n + 8 > sizeof(late->trigger) || !dot) {
		snprintf(wrong, 256, "%s", strerror(ENAMETOOLONG));
		return -1;
	}
	strcpy(dot, "-late.so");
	if (ct_inject(pid, parts->library, "ctrace_attach", late, sizeof(*late), why) || judge(late, why)) {
		ct_attach_explain(pid, why, wrong);
		return -1;
	}
	return 0;
}

int ct_attach_process(pid_t pid, const struct ct_parts *parts, const char *socket, const struct ct_run_options *o,
		      char ret_wrong[256])
{
	static struct ct_late late;

	late = (struct ct_late){
		.what = CT_LATE_ATTACH,
		.min_ns = o->min_given ? o->min_ns : CT_DEFAULT_MIN_NS,
		.stacks = stacks_of(o->stacks),
		.off = o->stopped ? CT_FAMILIES_ALL : 0,
		.huge_pages = has_huge_pages(pid),
	};
	snprintf(late.socket, sizeof(late.socket), "%s", socket);
	return run(pid, parts, &late, ret_wrong);
}

int ct_detach_process(pid_t pid, const struct ct_parts *parts, char ret_wrong[256])
{
	static struct ct_late late;

	late = (struct ct_late){ .what = CT_LATE_DETACH };
	if (!run(pid, parts, &late, ret_wrong))
		return 0;
	return kill(pid, 0) && errno == ESRCH ? 0 : -1;
}
