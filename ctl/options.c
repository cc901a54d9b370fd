/* The command line of ctrace-ctl. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "defaults.h"
#include "tool-options.h"

#define COLUMN 24

const struct ct_ctl_command ct_ctl_commands[] = {
	{ "list", "", "shows every process of yours that is traced", "",
	  "For each: how many threads it has, since when it is traced, how many events its\n"
	  "threads write a second, how many were lost, what is recorded, and where to.\n" },
	{ "status", "PID", "shows a traced process, and what its threads wait for now", "",
	  "Waits are those in progress: in which call, for how long, and who held what is\n"
	  "waited for when they began.\n" },
	{ "start", "[PID...]", "records again, or at last", " tree all ",
	  "All that a process does from now on is recorded, and waits that are in progress\n"
	  "count from now on. Without PID it is for all processes of the one program that is\n"
	  "traced, and those to come.\n" },
	{ "stop", "[PID...]", "records nothing from now on", " tree all ",
	  "The process goes on, at about the speed that it has without ctrace. Waits that are in\n"
	  "progress are recorded when they end. The trace says from when to when nothing was\n"
	  "recorded. Context switches go on being recorded.\n" },
	{ "snapshot", "[PID]", "writes what a flight recorder has in memory", " output ",
	  "For a program that runs under ctrace-run --flight.\n" },
	{ "set", "[PID...]", "changes what is recorded", " min families stacks tree all ",
	  "Names of families: lock (mutexes, read-write and spin locks), sync (conditions,\n"
	  "semaphores, barriers, joins, futexes), io, poll, sleep (and waits for signals and\n"
	  "children), malloc (and mmap), loader.\n" },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct ct_tool_option ct_ctl_option_table[] = {
	{ 'm', false, "min", "DURATION", "shortest wait written one by one: 500ns, 10us, 1ms", NULL },
	{ 'f', false, "families", "LIST", "what is recorded: names with commas between, all or none",
	  "all none lock sync io poll sleep malloc loader" },
	{ 'k', false, "stacks", "MODE", "call stacks: auto, fp, unwind, off", "auto fp unwind off" },
	{ 't', false, "tree", NULL, "and the processes that descend from it", NULL },
	{ 'a', false, "all", NULL, "all processes of all programs that are traced", NULL },
	{ 'o', true, "output", "FILE", "where the snapshot goes", NULL },
	{ 'j', false, "json", NULL, "one JSON object", NULL },
	{ 'h', true, "help", NULL, "this text; of a command: ctrace-ctl COMMAND --help", NULL },
	{ 'V', false, "version", NULL, "which version this is", NULL },
	{ 0, false, NULL, NULL, NULL, NULL },
};
#define OPTIONS (sizeof(ct_ctl_option_table) / sizeof(ct_ctl_option_table[0]))

const char ct_ctl_exit[] =
	"0: done. 1: no such process is traced, or a collector refused or did not answer.\n"
	"2: wrong usage.\n";

bool ct_ctl_takes(const struct ct_ctl_command *command, const char *option)
{
	char name[32];

	if (!strcmp(option, "json") || !strcmp(option, "help"))
		return true;
	snprintf(name, sizeof(name), " %s ", option);
	return strstr(command->options, name) != NULL;
}

static void print_options(const struct ct_ctl_command *command)
{
	for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++) {
		char letter[] = { '-', o->letter, ',', ' ', 0 };

		if (command && !ct_ctl_takes(command, o->name))
			continue;
		int n = printf("  %4s--%s%s%s", o->is_short ? letter : "", o->name, o->value ? " " : "",
			       o->value ? o->value : "");

		printf("%*s%s\n", COLUMN - n > 0 ? COLUMN - n : 1, "", o->help);
	}
}

static void print_usage(const struct ct_ctl_command *command)
{
	if (command) {
		printf("usage: ctrace-ctl %s [OPTION...]%s%s\n%c%s.\n\n%s\n", command->name, *command->arguments ? " " : "",
		       command->arguments, command->summary[0] - 'a' + 'A', command->summary + 1, command->help);
		print_options(command);
		return;
	}
	fputs("usage: ctrace-ctl COMMAND [OPTION...] [PID...]\n"
	      "Sees and controls the programs of yours that are traced now.\n\n", stdout);
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++)
		printf("  %-9s %-10s %s\n", c->name, c->arguments, c->summary);
	putchar('\n');
	print_options(NULL);
	printf("\nExit status: %s", ct_ctl_exit);
}

static int parse_min(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	char *end;

	errno = 0;
	unsigned long long n = strtoull(s, &end, 10);

	if (errno || *s < '0' || *s > '9')
		return -EINVAL;
	*ret = 0;
	if (!n && !*end)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].name))
			return __builtin_mul_overflow(n, units[i].ns, ret) ? -EINVAL : 0;
	return -EINVAL;
}

static int take(int option, const char *value, struct ct_ctl_options *o, char wrong[256])
{
	switch (option) {
	case 'm':
		o->min_given = true;
		if (!parse_min(value, &o->min_ns))
			return 0;
		snprintf(wrong, 256, "--min %.100s: not a duration such as 500ns, 10us, 1ms or 2s", value);
		return -1;
	case 'f':
		o->families = value;
		break;
	case 'k':
		o->stacks = value;
		break;
	case 'o':
		o->out = value;
		if (*value)
			break;
		snprintf(wrong, 256, "-o: a file name is missing");
		return -1;
	case 't':
		o->tree = true;
		break;
	case 'a':
		o->all = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 'h':
		print_usage(o->command);
		exit(fflush(stdout) ? 1 : 0);
	case 'V':
		puts("ctrace-ctl " CTRACE_VERSION);
		exit(fflush(stdout) ? 1 : 0);
	}
	/* A line break would be another argument of the request. */
	if (!value || !strchr(value, '\n'))
		return 0;
	snprintf(wrong, 256, "a value has one line");
	return -1;
}

static int take_row(void *self, const struct ct_tool_option *option, const char *value, char wrong[CT_OPTIONS_WRONG])
{
	const struct ct_ctl_options *o = self;

	if (!o->command || option->letter == 'V' || ct_ctl_takes(o->command, option->name))
		return take(option->letter, value, self, wrong);
	snprintf(wrong, CT_OPTIONS_WRONG, "%s does not take --%s", o->command->name, option->name);
	return -1;
}

static int take_pid(const char *s, struct ct_ctl_options *o, char wrong[256])
{
	char *end;
	long pid = strtol(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || pid <= 0 || pid > INT_MAX) {
		snprintf(wrong, 256, "%.100s: not a process id", s);
		return -1;
	}
	if (o->pid_count == CT_CTL_PIDS) {
		snprintf(wrong, 256, "too many processes");
		return -1;
	}
	o->pid[o->pid_count++] = (pid_t)pid;
	return 0;
}

/* What fits to the command. */
static int check(const struct ct_ctl_options *o, char wrong[256])
{
	const char *arguments = o->command->arguments;
	unsigned int most = strstr(arguments, "...") ? CT_CTL_PIDS : *arguments != 0;

	if (o->pid_count > most)
		snprintf(wrong, 256, "%s takes %s process id", o->command->name, most ? "one" : "no");
	else if (*arguments == 'P' && !o->pid_count)
		snprintf(wrong, 256, "%s: a process id is missing", o->command->name);
	else if (o->all && o->pid_count)
		snprintf(wrong, 256, "--all is for all processes: no process id with it");
	else if (o->tree && !o->pid_count)
		snprintf(wrong, 256, "--tree: of which process?");
	else if (!strcmp(o->command->name, "set") && !o->min_given && !o->families && !o->stacks)
		snprintf(wrong, 256, "set: nothing to set (--min, --families, --stacks)");
	else
		return 0;
	return -1;
}

/* --- defaults --- */

struct defaults {
	struct ct_ctl_options *o;
	bool given[256]; /* by letter */
};

static const struct ct_tool_option *row_of(const char *name)
{
	return ct_options_row(ct_ctl_option_table, name);
}

/* What to change is said each time. */
static int kind(void *self, const char *option)
{
	(void)self;
	return strcmp(option, "json") && strcmp(option, "output") ? -1 : row_of(option)->value != NULL;
}

static bool settled(void *self, const char *option)
{
	const struct defaults *d = self;

	return d->given[(unsigned char)row_of(option)->letter] || !ct_ctl_takes(d->o->command, option);
}

static int take_default(void *self, const char *option, const char *value, char wrong[CT_DEFAULTS_WRONG])
{
	struct defaults *d = self;

	return take(row_of(option)->letter, value, d->o, wrong);
}

static void take_defaults(struct defaults *d)
{
	const char *names[OPTIONS] = { NULL };
	const struct ct_defaults defaults = { "ctl", "CTRACE_CTL_", kind, settled, take_default, names };

	for (size_t i = 0; ct_ctl_option_table[i].name; i++)
		names[i] = ct_ctl_option_table[i].name;
	ct_defaults_take(&defaults, d);
}

int ct_ctl_parse(int argc, char **argv, struct ct_ctl_options *ret, char ret_wrong[256])
{
	const struct ct_options_taken taken = { ct_ctl_option_table, false, take_row };
	struct ct_ctl_options o = { 0 };
	struct defaults defaults = { .o = &o };

	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name && argc > 1; c++)
		if (!strcmp(argv[1], c->name))
			o.command = c;
	if (argc > 1 && argv[1][0] != '-' && !o.command) {
		snprintf(ret_wrong, 256, "%.100s: there is no such command (--help shows them)", argv[1]);
		return -1;
	}
	if (o.command)
		optind = 2;
	if (ct_options_take(&taken, &o, argc, argv, defaults.given, ret_wrong))
		return -1;
	if (!o.command) {
		snprintf(ret_wrong, 256, "no command given (--help shows them)");
		return -1;
	}
	take_defaults(&defaults);
	for (int i = optind; i < argc; i++)
		if (take_pid(argv[i], &o, ret_wrong))
			return -1;
	*ret = o;
	return check(ret, ret_wrong);
}
