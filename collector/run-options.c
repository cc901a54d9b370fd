/* The command line of ctrace-run. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "defaults.h"
#include "env.h"
#include "tool-options.h"
#include "names.h"
#include "run.h"

#define COLUMN 27

const struct ct_tool_option ct_run_option_table[] = {
	{ 'o', true, "output", "FILE", "trace file (trace.%p.bin): %p is the pid, %n the program's\n"
	  "name, %t the time, %h the host, %% a percent sign,\n"
	  "%c with --flight the number of the snapshot", NULL },
	{ 'm', false, "min", "DURATION", "shortest wait written one by one: 500ns, 10us, 1ms (10us)", NULL },
	{ 's', false, "sched", "MODE", "context switches: auto, on, off, switches (without who woke\n"
	  "whom, which root gets at 1 us a wake-up) (auto)", "auto on off switches" },
	{ 'k', false, "stacks", "MODE", "call stacks: auto, fp, unwind, off (auto)", "auto fp unwind off" },
	{ 'S', false, "stopped", NULL, "record nothing until ctrace-ctl start", NULL },
	{ 'w', false, "watchdog", "DURATION", "report who waits for whom when no thread has made progress\n"
	  "for so long: 10s", NULL },
	{ 'f', false, "flight", "BOUNDS", "keep the last part in memory, such as 30s,256M, and write it\n"
	  "when asked: see docs/flight.md", NULL },
	{ 't', false, "trigger", "WHEN", "write a snapshot when: 'wait>50ms cause=mutex thread=w*',\n"
	  "deadlock, 'lost>0'; may be given several times", NULL },
	{ 'M', false, "max-snapshots", "N", "of those by triggers; 0: without bound (10)", NULL },
	{ 'P', false, "snapshot-pause", "DURATION", "between two of those (10s)", NULL },
	{ 'e', false, "snapshot-at-end", NULL, "write one when the program ends, however it does", NULL },
	{ 'p', true, "pid", "PID", "attach to a process that runs, until it ends or Ctrl-C", NULL },
	{ 'F', false, "for", "DURATION", "with -p: for so long: 10s", NULL },
	{ 'q', true, "quiet", NULL, "no summary at the end", NULL },
	{ 'h', true, "help", NULL, "this text", NULL },
	{ 'V', false, "version", NULL, "which version this is", NULL },
	{ 0, false, NULL, NULL, NULL, NULL },
};

#define OPTIONS (sizeof(ct_run_option_table) / sizeof(ct_run_option_table[0]))

const char ct_run_exit[] =
	"Ends as PROGRAM ends: with its exit status, or by the same signal. 125: ctrace-run\n"
	"failed; 126: PROGRAM cannot be executed; 127: PROGRAM was not found.\n";

static void print_usage(void)
{
	fputs("usage: ctrace-run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	      "       ctrace-run [OPTION...] -p PID\n"
	      "Runs PROGRAM, or attaches to a process, and writes a trace of what its threads wait for.\n\n", stdout);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++) {
		char letter[] = { '-', o->letter, ',', ' ', 0 };
		int n = printf("  %4s--%s%s%s", o->is_short ? letter : "", o->name, o->value ? " " : "",
			       o->value ? o->value : "");

		for (const char *at = o->help, *end;; at = end + 1, n = 0) {
			end = strchrnul(at, '\n');
			printf("%*s%.*s\n", COLUMN - n, "", (int)(end - at), at);
			if (!*end)
				break;
		}
	}
	printf("\nExample: ctrace-run -o trace.bin ./app; ctrace-analyze blocks trace.bin\n\n%s", ct_run_exit);
}

static int parse_duration(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long n = strtoull(s, &end, 10);

	if (errno)
		return -EINVAL;
	/* Of what is not 0 the unit says how much it is. */
	if (!n && !*end) {
		*ret = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].name))
			return __builtin_mul_overflow(n, units[i].ns, ret) ? -EINVAL : 0;
	return -EINVAL;
}

static bool one_of(const char *s, const char *words)
{
	size_t n = strlen(s);

	for (const char *at = words, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ' ');
		if ((size_t)(end - at) == n && !strncmp(at, s, n))
			return true;
	}
	return false;
}

/* %c is known to be wrong only when all options are. */
static int take_name(const char *value, struct ct_run_options *o, char wrong[256])
{
	char why[CT_NAME_WRONG];

	if (!*value)
		snprintf(wrong, 256, "-o: a file name is missing");
	else if (ct_check_name(value, true, why))
		snprintf(wrong, 256, "-o %s", why);
	else {
		o->out = value;
		return 0;
	}
	return -1;
}

static int take(int option, const char *value, struct ct_run_options *o, char wrong[256])
{
	switch (option) {
	case 'o':
		return take_name(value, o, wrong);
	case 'm':
		o->min_given = true;
		if (!parse_duration(value, &o->min_ns))
			return 0;
		snprintf(wrong, 256, "--min %.100s: not a duration such as 500ns, 10us, 1ms or 2s", value);
		return -1;
	case 's':
		o->sched = value;
		if (one_of(value, "auto on off switches"))
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
		if (one_of(value, "auto fp unwind off"))
			return 0;
		snprintf(wrong, 256, "--stacks %.100s: none of auto, fp, unwind, off", value);
		return -1;
	case 'f':
		o->flight_bounds = value;
		return ct_flight_parse(value, &o->flight, wrong);
	case 't':
		if (o->trigger_words < CT_TRIGGERS_MAX)
			o->trigger[o->trigger_words++] = value;
		return ct_trigger_parse(value, &o->flight, wrong);
	case 'M':
		o->max_snapshots = value;
		return ct_flight_parse_max(value, &o->flight, wrong);
	case 'P':
		o->snapshot_pause = value;
		return ct_flight_parse_pause(value, &o->flight, wrong);
	case 'e':
		o->flight.at_end = true;
		return 0;
	case 'p': {
		char *end;
		long n = strtol(value, &end, 10);

		o->attach = n > 0 && n <= INT_MAX ? (pid_t)n : 0;
		if (*value && !*end && o->attach)
			return 0;
		snprintf(wrong, 256, "-p %.100s: not the number of a process", value);
		return -1;
	}
	case 'F':
		if (!parse_duration(value, &o->for_ns) && o->for_ns)
			return 0;
		snprintf(wrong, 256, "--for %.100s: not a duration such as 500ms or 10s", value);
		return -1;
	case 'S':
		o->stopped = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'h':
		print_usage();
		exit(fflush(stdout) ? 125 : 0);
	case 'V':
		puts("ctrace-run " CTRACE_VERSION);
		exit(fflush(stdout) ? 125 : 0);
	}
	return -1;
}

static int take_row(void *self, const struct ct_tool_option *option, const char *value, char wrong[CT_OPTIONS_WRONG])
{
	return take(option->letter, value, self, wrong);
}

/* --- defaults --- */

struct defaults {
	struct ct_run_options *o;
	bool given[256]; /* by letter */
};

static const struct ct_tool_option *row_of(const char *name)
{
	return ct_options_row(ct_run_option_table, name);
}

static int kind(void *self, const char *option)
{
	(void)self;
	if (!strcmp(option, "help") || !strcmp(option, "version") || !strcmp(option, "pid") || !strcmp(option, "for"))
		return -1;
	return row_of(option)->value != NULL;
}

/* Of these the library and the collector read the variables themselves. */
static bool settled(void *self, const char *option)
{
	static const char *const variables[][2] = {
		{ "min", CT_ENV_MIN }, { "stacks", CT_ENV_STACKS }, { "sched", CT_ENV_SCHED }
	};
	const struct defaults *d = self;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!strcmp(option, variables[i][0]) && getenv(variables[i][1]))
			return true;
	return d->given[(unsigned char)row_of(option)->letter];
}

static int take_default(void *self, const char *option, const char *value, char wrong[CT_DEFAULTS_WRONG])
{
	struct defaults *d = self;
	struct ct_run_options before = *d->o;

	if (!take(row_of(option)->letter, value, d->o, wrong))
		return 0;
	*d->o = before;
	return -1;
}

static void take_defaults(struct defaults *d)
{
	const char *names[OPTIONS] = { NULL };
	const struct ct_defaults defaults = { "run", "CTRACE_", kind, settled, take_default, names };

	for (size_t i = 0; ct_run_option_table[i].name; i++)
		names[i] = ct_run_option_table[i].name;
	ct_defaults_take(&defaults, d);
}

/* What cannot be had of a process that runs already. */
static int check_attach(struct ct_run_options *o, const bool given[256], char wrong[256])
{
	const char *min = getenv(CT_ENV_MIN), *stacks = getenv(CT_ENV_STACKS);

	if (o->flight.on || o->watchdog_ns || given['t'] || given['M'] || given['P'] || given['e']) {
		snprintf(wrong, 256, "-p goes without --flight, --trigger and --watchdog");
		return -1;
	}
	if (given['s'] && strcmp(o->sched, "auto") && strcmp(o->sched, "off")) {
		snprintf(wrong, 256, "-p goes without context switches: the kernel tells them of threads that begin under it only");
		return -1;
	}
	/* A library that is preloaded reads these itself. */
	if (min && !o->min_given && !parse_duration(min, &o->min_ns))
		o->min_given = true;
	if (stacks && !o->stacks)
		o->stacks = stacks;
	return 0;
}

int ct_run_options(int argc, char **argv, struct ct_run_options *ret, char ret_wrong[256])
{
	const struct ct_options_taken taken = { ct_run_option_table, true, take_row };
	struct ct_run_options o = { 0 };
	struct defaults defaults = { .o = &o };

	ct_flight_defaults(&o.flight);
	if (ct_options_take(&taken, &o, argc, argv, defaults.given, ret_wrong))
		return -1;
	if (o.attach && optind != argc) {
		snprintf(ret_wrong, 256, "-p and a program: only one of them (--help shows the options)");
		return -1;
	}
	if (o.for_ns && !o.attach) {
		snprintf(ret_wrong, 256, "--for is of -p");
		return -1;
	}
	if (o.attach && check_attach(&o, defaults.given, ret_wrong))
		return -1;
	if (optind == argc && !o.attach) {
		snprintf(ret_wrong, 256, "no program given (--help shows the options)");
		return -1;
	}
	take_defaults(&defaults);
	/* What variables and the file say besides may be meant for other runs. */
	if (!o.flight.on && (defaults.given['t'] || defaults.given['M'] || defaults.given['P'] || defaults.given['e'])) {
		snprintf(ret_wrong, 256, "--trigger, --max-snapshots, --snapshot-pause and --snapshot-at-end are of --flight");
		return -1;
	}
	char why[CT_NAME_WRONG];

	if (o.out && ct_check_name(o.out, o.flight.on, why)) {
		snprintf(ret_wrong, 256, "-o %s", why);
		return -1;
	}
	if (o.attach) { /* variables and the file may ask for more */
		ct_flight_defaults(&o.flight);
		o.watchdog_ns = 0;
		o.sched = "off";
	}
	o.argv = argv + optind;
	*ret = o;
	return 0;
}
