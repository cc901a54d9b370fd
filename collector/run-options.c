/* The command line of ctrace-run. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

static const char usage[] =
	"usage: ctrace-run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"Runs PROGRAM and writes a trace of what its threads wait for.\n"
	"\n"
	"  -o, --output FILE        trace file (trace.%p.bin): %p is the pid, %n the program's name,\n"
	"                           %t the time, %h the host, %% a percent sign\n"
	"      --min DURATION       shortest wait written one by one: 500ns, 10us, 1ms (10us)\n"
	"      --sched MODE         context switches: auto, on, off, switches (without who woke\n"
	"                           whom, which root gets at 1 us a wake-up) (auto)\n"
	"      --stacks MODE        call stacks: auto, fp, unwind, off (auto)\n"
	"      --watchdog DURATION  report who waits for whom when no thread has made progress for\n"
	"                           so long: 10s\n"
	"  -q, --quiet              no summary at the end\n"
	"  -h, --help               this text\n"
	"      --version            which version this is\n"
	"\n"
	"Ends as PROGRAM ends: with its exit status, or by the same signal. 125: ctrace-run\n"
	"failed; 126: PROGRAM cannot be executed; 127: PROGRAM was not found.\n";

static int parse_duration(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "", 1 }, { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long n = strtoull(s, &end, 10);

	if (errno)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].name))
			return __builtin_mul_overflow(n, units[i].ns, ret) ? -EINVAL : 0;
	return -EINVAL;
}

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static int take(int option, const char *value, struct ct_run_options *o, char wrong[256])
{
	static const char *const sched[] = { "auto", "on", "off", "switches", NULL };
	static const char *const stacks[] = { "auto", "fp", "unwind", "off", NULL };

	switch (option) {
	case 'o':
		o->out = value;
		if (*value)
			return 0;
		snprintf(wrong, 256, "-o: a file name is missing");
		return -1;
	case 'm':
		o->min_given = true;
		if (!parse_duration(value, &o->min_ns))
			return 0;
		snprintf(wrong, 256, "--min %.100s: not a duration such as 500ns, 10us, 1ms or 2s", value);
		return -1;
	case 's':
		o->sched = value;
		if (one_of(value, sched))
			return 0;
		snprintf(wrong, 256, "--sched %.100s: none of auto, on, off, switches", value);
		return -1;
	case 'w':
		if (!parse_duration(value, &o->watchdog_ns) && o->watchdog_ns)
			return 0;
		snprintf(wrong, 256, "--watchdog %.100s: not a duration such as 500ms or 10s", value);
		return -1;
	case 'k':
		o->stacks = value;
		if (one_of(value, stacks))
			return 0;
		snprintf(wrong, 256, "--stacks %.100s: none of auto, fp, unwind, off", value);
		return -1;
	case 'q':
		o->quiet = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		exit(fflush(stdout) ? 125 : 0);
	case 'V':
		puts("ctrace " CTRACE_VERSION);
		exit(fflush(stdout) ? 125 : 0);
	}
	return -1;
}

int ct_run_options(int argc, char **argv, struct ct_run_options *ret, char ret_wrong[256])
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "min", required_argument, NULL, 'm' },
		{ "sched", required_argument, NULL, 's' },
		{ "stacks", required_argument, NULL, 'k' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct ct_run_options o = { 0 };

	/* The program's options are its own: "+" stops at the first non-option. */
	for (int option; (option = getopt_long(argc, argv, "+:o:qh", options, NULL)) != -1;) {
		if (option == '?' || option == ':') {
			const char *name = argv[optind - 1];

			snprintf(ret_wrong, 256, "%.100s: %s (--help shows the options)", name,
				 option == '?' ? "unknown option" : "a value is missing");
			return -1;
		}
		if (take(option, optarg, &o, ret_wrong))
			return -1;
	}
	if (optind == argc) {
		snprintf(ret_wrong, 256, "no program given (--help shows the options)");
		return -1;
	}
	o.argv = argv + optind;
	*ret = o;
	return 0;
}
