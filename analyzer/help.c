/* See help.h. */
#include "help.h"

#include <string.h>

#include "export.h"

#define COLUMN 22
#define WIDTH  79

const char ct_help_moments[] =
	"  1.5s, 200ms         after the begin of the trace\n"
	"  -2s                 before its end\n"
	"  25%                 of its duration\n"
	"  @12:34:56.789       local time of the day\n"
	"  @2026-11-24T12:34:56, with a Z at its end in UTC, or @SECONDS since 1970\n"
	"  =123456789          nanoseconds of CLOCK_MONOTONIC\n";

const char ct_help_filters[] =
	"Durations need a unit: ns, us, ms, s, m or h. Patterns of names are those of the\n"
	"shell: * ? [a-z]. A REGEX is a POSIX extended one and matches anywhere: ^read$\n"
	"is the function read alone. Time that filters leave out is shown as not\n"
	"selected; --json names the filters in trace.filters.\n";

const char ct_help_environment[] =
	"  CTRACE_PAGER        the pager for texts on a terminal (cat: none); without it\n"
	"                      PAGER, without that less -FRX\n"
	"  NO_COLOR            if it is set, no colours\n"
	"  DEBUGINFOD_URLS     servers that debug files are fetched from\n"
	"  TMPDIR              where a trace from a pipe is kept while it is read\n";

const char ct_help_exit[] =
	"  0                   done\n"
	"  1                   the trace is damaged: what can be read was reported\n"
	"  2                   wrong usage, or no trace\n";

bool ct_help_takes(const struct ct_command *command, const char *option)
{
	for (const struct ct_option *o = ct_options_table; o->name; o++)
		if (!strcmp(o->name, option))
			return ct_option_is_for(o, command->name);
	return false;
}

/* Lines after the first begin at the column. */
static void print_text(FILE *f, int gap, const char *text)
{
	for (const char *at = text, *end;; at = end + 1, gap = COLUMN) {
		end = strchrnul(at, '\n');
		fprintf(f, "%*s%.*s\n", gap, "", (int)(end - at), at);
		if (!*end)
			return;
	}
}

static void print_options(FILE *f, const struct ct_command *command)
{
	fputs(command ? "Options:\n" : "Options of all commands:\n", f);
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		if (command ? !ct_option_is_for(o, command->name) : !!o->commands)
			continue;
		int n = fprintf(f, "  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");

		print_text(f, n < COLUMN ? COLUMN - n : 1, o->help);
	}
}

static void print_formats(FILE *f)
{
	fputs("\nFormats:\n", f);
	for (const struct ct_export_format *x = ct_export_formats; x->name; x++)
		fprintf(f, "  %-10s %s\n", x->name, x->help);
}

/* Words, wrapped; columns after the first line's title. */
static void print_words(FILE *f, const char *title, const char *words)
{
	int column = fprintf(f, "\n%s", title), indent = 2;

	for (const char *at = words, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ' ');
		int n = (int)(end - at);

		if (column + 1 + n > WIDTH) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		} else {
			fputc(' ', f);
			column++;
		}
		column += fprintf(f, "%.*s", n, at);
	}
	fputc('\n', f);
}

static void print_heads(FILE *f, const struct ct_command *command)
{
	const char *name, *help;
	size_t place = 0;

	if (!ct_help_head(command, &place, &name, &help))
		return;
	fputs("\nColumns:\n", f);
	place = 0;
	while (ct_help_head(command, &place, &name, &help))
		print_text(f, COLUMN - fprintf(f, "  %s", name), help);
}

static void print_columns(FILE *f, const struct ct_command *command)
{
	fputs("\nColumns of --csv:\n", f);
	for (const char *at = command->columns, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ' ');
		int n = fprintf(f, "  %.*s", (int)(end - at), at);

		print_text(f, n < COLUMN ? COLUMN - n : 1, ct_help_column(command, at, (size_t)(end - at)));
	}
}

static void print_examples(FILE *f, const struct ct_command *command)
{
	fputs("\nExamples:\n", f);
	for (const char *at = command->examples, *end; *at; at = end + 1) {
		end = strchr(at, '\n');
		fprintf(f, "  ctrace-analyze %s %.*s\n", command->name, (int)(end - at), at);
	}
}

static void print_command(FILE *f, const struct ct_command *command)
{
	fprintf(f, "Usage: ctrace-analyze %s [OPTION...] %s\n\n%s\n", command->name, command->arguments, command->help);
	print_options(f, command);
	if (command->sort_keys)
		print_words(f, "Keys of --sort:", command->sort_keys);
	if (command->groups)
		print_words(f, "Groups of --group-by:", command->groups);
	print_heads(f, command);
	if (command->columns)
		print_columns(f, command);
	if (command->run == ct_cmd_export)
		print_formats(f);
	if (ct_help_takes(command, "from"))
		fprintf(f, "\nMoments of --from and --to:\n%s", ct_help_moments);
	if (ct_help_takes(command, "thread"))
		fprintf(f, "\n%s", ct_help_filters);
	if (command->examples)
		print_examples(f, command);
}

void ct_help_print(FILE *f, const struct ct_command *command)
{
	if (command) {
		print_command(f, command);
		return;
	}
	fputs("Usage: ctrace-analyze COMMAND [OPTION...] TRACE\n\n"
	      "Says from a trace of ctrace what the threads of a program waited for.\n"
	      "TRACE is a file, or - for standard input.\n\n"
	      "Commands (ctrace-analyze COMMAND --help tells of each):\n", f);
	for (const struct ct_command *c = ct_commands; c->name; c++)
		fprintf(f, "  %-9s %s\n", c->name, c->summary);
	fputc('\n', f);
	print_options(f, NULL);
	fputs("\nMost commands take filters: --from T --to T --thread NAME --process NAME\n"
	      "--cause CAUSE --object REGEX --site REGEX --min DURATION. Causes, by category:\n", f);
	static const struct {
		const char *name, *category;
	} causes[] = {
#define CT_CAUSE(id, name, category, text) { name, category },
#include "causes.def"
#undef CT_CAUSE
	};
	static const char *const categories[] = { "contention", "io", "idle", "runtime" };

	for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++) {
		fprintf(f, "  %-10s", categories[i]);
		for (size_t k = 0; k < sizeof(causes) / sizeof(causes[0]); k++)
			if (!strcmp(causes[k].category, categories[i]))
				fprintf(f, " %s", causes[k].name);
		fputc('\n', f);
	}
	fprintf(f, "\nExamples:\n"
		"  ctrace-run -o trace.bin ./app\n"
		"  ctrace-analyze blocks trace.bin\n"
		"  ctrace-analyze locks --json trace.bin\n"
		"  zstd -dc trace.bin.zst | ctrace-analyze threads -\n"
		"\nEnvironment:\n%s\nExit status:\n%s", ct_help_environment, ct_help_exit);
}
