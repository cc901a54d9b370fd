/* The command line of ctrace-top. */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "defaults.h"
#include "top.h"

#define COLUMN 24

const struct ct_tool_option ct_top_option_table[] = {
	{ 'b', true, "batch", NULL, "lines of text instead of a screen: for files, pipes and dumb terminals", NULL },
	{ 'n', true, "count", "N", "ends after N pictures", NULL },
	{ 'd', true, "delay", "SECONDS", "time from one picture to the next; 1 where it is not given", NULL },
	{ 'o', true, "sort", "COLUMN", "threads in the order of a column: run, ready, blocked, age, tid,\n"
	  "name, state or cause", "run ready blocked age tid name state cause" },
	{ 't', true, "thread", "NAME|TID", "only threads with that name or id; * stands for anything", NULL },
	{ 'l', true, "top", "N", "rows of each table in batches; 0: all; 20 where it is not given", NULL },
	{ 'j', true, "json", NULL, "batches of one JSON object a line", NULL },
	{ 's', true, "symbols", "FOLDER:...", "where debug files are looked for, too", NULL },
	{ 'C', true, "no-color", NULL, "no colours", NULL },
	{ 'h', true, "help", NULL, "this text", NULL },
	{ 'V', true, "version", NULL, "which version this is", NULL },
	{ 0, false, NULL, NULL, NULL, NULL },
};
#define OPTIONS (sizeof(ct_top_option_table) / sizeof(ct_top_option_table[0]))

const char ct_top_exit[] =
	"0: done, or the program ended. 1: no such process is traced, or its collector did\n"
	"not answer. 2: wrong usage, or no terminal to draw on.\n";

const char ct_top_keys[] =
	"q  ends                          h, ?       these keys\n"
	"space, p  stops and goes on      d, s       time between two pictures\n"
	"t, Tab  what is below: places in the program, locks, causes, nothing\n"
	"P  sorts by time on a CPU        R  by time ready without a CPU\n"
	"B  by time blocked               A, T  by the age of the wait\n"
	"N  by tid                        C  by cause\n"
	"<, >  by the column before, after the present one    I  turns the order round\n"
	"/  shows only threads whose name matches (* stands for anything), or a tid\n"
	"up, down, PgUp, PgDn, Home, End  go through the threads\n"
	"Enter  more of a thread: stack and holder of its wait, its last waits\n"
	"Esc, Backspace  back, also to the list of programs\n";

static void print_usage(void)
{
	puts("usage: ctrace-top [OPTION...] [PID|TRACE]\n"
	     "Shows what the threads of a traced program wait for, as top shows processes: a program\n"
	     "that runs under ctrace-run, also with --flight, or that has loaded libctrace.so. Without\n"
	     "PID it is the one that is traced, or a list of them. TRACE: a file that is being written.\n");
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++) {
		char letter[] = { '-', o->letter, ',', ' ', 0 };
		int n = printf("  %4s--%s%s%s", o->is_short ? letter : "", o->name, o->value ? " " : "",
			       o->value ? o->value : "");
		int gap = COLUMN - n > 0 ? COLUMN - n : 1;

		for (const char *line = o->help; line; gap = COLUMN) {
			const char *end = strchr(line, '\n');

			printf("%*s%.*s\n", gap, "", end ? (int)(end - line) : (int)strlen(line), line);
			line = end ? end + 1 : NULL;
		}
	}
	printf("\nKeys:\n%s\n", ct_top_keys);
	printf("STATE: R it runs, r it is ready but has no CPU, B it is blocked. %%RUN, %%RDY and %%BLK are\n"
	       "parts of the time since the picture before. WAITING: how many threads waited there on\n"
	       "average. MAX: the longest wait since ctrace-top looks.\n\nExit status: %s", ct_top_exit);
}

int ct_top_delay(const char *text, uint64_t *ret_ns)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || !isfinite(n) || n < 0)
		return -1;
	if (!strcmp(end, "ms"))
		n /= 1e3;
	else if (*end && strcmp(end, "s"))
		return -1;
	if (n < 0.0999 || n > 3600)
		return -1;
	*ret_ns = (uint64_t)(n * 1e9);
	return 0;
}

static int take_number(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > 1000000)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

static int take(int option, const char *value, struct ct_top_options *o, char wrong[256])
{
	const char *why = NULL;

	switch (option) {
	case 'b':
		o->batch = true;
		break;
	case 'n':
		why = take_number(value, &o->count) || !o->count ? "not a number of pictures" : NULL;
		break;
	case 'd':
		why = ct_top_delay(value, &o->delay_ns) ? "not a time of 0.1 s to an hour, such as 0.5 or 500ms" : NULL;
		break;
	case 'o':
		o->sort = value;
		why = ct_top_column_of(value) < 0 ? "no such column: run, ready, blocked, age, tid, name, state or cause"
						  : NULL;
		break;
	case 't':
		o->thread = value;
		break;
	case 'l':
		why = take_number(value, &o->top) ? "not a number of rows" : NULL;
		break;
	case 'j':
		o->json = o->batch = true;
		break;
	case 's':
		o->symbols = value;
		break;
	case 'C':
		o->no_color = true;
		break;
	case 'h':
		print_usage();
		exit(fflush(stdout) ? 1 : 0);
	case 'V':
		puts("ctrace-top " CTRACE_VERSION);
		exit(fflush(stdout) ? 1 : 0);
	}
	if (why)
		snprintf(wrong, 256, "-%c %.80s: %s", option, value, why);
	return why ? -1 : 0;
}

/* --- defaults --- */

struct defaults {
	struct ct_top_options *o;
	bool given[256]; /* by letter */
};

static const struct ct_tool_option *row_of(const char *name)
{
	const struct ct_tool_option *o = ct_top_option_table;

	while (strcmp(o->name, name))
		o++;
	return o;
}

static int kind(void *self, const char *option)
{
	(void)self;
	return !strcmp(option, "help") || !strcmp(option, "version") ? -1 : row_of(option)->value != NULL;
}

static bool settled(void *self, const char *option)
{
	return ((const struct defaults *)self)->given[(unsigned char)row_of(option)->letter];
}

static int take_default(void *self, const char *option, const char *value, char wrong[CT_DEFAULTS_WRONG])
{
	return take(row_of(option)->letter, value, ((struct defaults *)self)->o, wrong);
}

static void take_defaults(struct defaults *d)
{
	const char *names[OPTIONS] = { NULL };
	const struct ct_defaults defaults = { "top", "CTRACE_TOP_", kind, settled, take_default, names };

	for (size_t i = 0; ct_top_option_table[i].name; i++)
		names[i] = ct_top_option_table[i].name;
	ct_defaults_take(&defaults, d);
}

int ct_top_parse(int argc, char **argv, struct ct_top_options *ret, char ret_wrong[256])
{
	struct ct_top_options o = { .delay_ns = 1000000000u, .top = 20, .no_color = getenv("NO_COLOR") && *getenv("NO_COLOR") };
	struct option options[OPTIONS] = { 0 };
	struct defaults defaults = { .o = &o };
	char letters[2 * OPTIONS + 2] = ":";
	size_t n = 1;

	for (size_t i = 0; ct_top_option_table[i].name; i++) {
		const struct ct_tool_option *row = &ct_top_option_table[i];

		options[i] = (struct option){ row->name, row->value ? required_argument : no_argument, NULL, row->letter };
		letters[n++] = row->letter;
		if (row->value)
			letters[n++] = ':';
	}
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
		if (option == '?' || option == ':') {
			snprintf(ret_wrong, 256, "%.100s: %s (see ctrace-top --help)", argv[optind - 1],
				 option == ':' ? "a value is missing" : "no such option");
			return -1;
		}
		if (take(option, optarg, &o, ret_wrong))
			return -1;
		defaults.given[option] = true;
	}
	if (argc - optind > 1) {
		snprintf(ret_wrong, 256, "one program at a time: %.100s is one too many", argv[optind + 1]);
		return -1;
	}
	o.target = argv[optind];
	take_defaults(&defaults);
	*ret = o;
	return 0;
}
