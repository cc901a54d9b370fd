/* Manual pages, for man and mandoc. See generate.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "generate.h"

/* A line of text: what roff would take for its own is escaped. */
static void put(const char *text, int n)
{
	if (n && (*text == '.' || *text == '\''))
		fputs("\\&", stdout);
	for (int i = 0; i < n; i++) {
		if (text[i] == '\\')
			fputs("\\e", stdout);
		else if (text[i] == '-')
			fputs("\\-", stdout);
		else if (text[i] == '\'')
			fputs("\\(aq", stdout);
		else if (text[i] == '^')
			fputs("\\(ha", stdout);
		else if (text[i] == '~')
			fputs("\\(ti", stdout);
		else
			putchar(text[i]);
	}
}

void man_line(const char *text)
{
	put(text, (int)strlen(text));
	putchar('\n');
}

/* Text that is filled; lines that begin with blanks stay as they are. */
void man_text(const char *text)
{
	bool kept = false;

	for (const char *at = text, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		bool keep = *at == ' ';

		if (keep != kept)
			printf("%s%s\n", keep && at != text ? ".PP\n" : "", keep ? ".nf" : ".fi\n.PP");
		kept = keep;
		put(at, (int)(end - at));
		putchar('\n');
	}
	if (kept)
		puts(".fi");
}

void man_head(const char *name, const char *summary)
{
	char upper[64];
	size_t n = 0;

	for (; name[n] && n < sizeof(upper) - 1; n++)
		upper[n] = (char)toupper((unsigned char)name[n]);
	upper[n] = 0;
	printf(".TH ");
	put(upper, (int)n);
	printf(" 1 \"2026-11-24\" \"ctrace " CTRACE_VERSION "\" \"ctrace\"\n.SH NAME\n");
	put(name, (int)strlen(name));
	fputs(" \\- ", stdout);
	man_line(summary);
}

void man_option(char letter, const char *name, const char *value, const char *help)
{
	char line[512];
	size_t n = 0;

	fputs(".TP\n", stdout);
	if (letter)
		printf("\\fB\\-%c\\fR, ", letter);
	fputs("\\fB\\-\\-", stdout);
	put(name, (int)strlen(name));
	fputs("\\fR", stdout);
	if (value)
		printf(" \\fI%s\\fR", value);
	putchar('\n');
	for (; *help && n < sizeof(line) - 1; help++)
		line[n++] = *help == '\n' ? ' ' : *help;
	line[n] = 0;
	man_line(line);
}

static void put_options(const struct ct_command *command)
{
	puts(".SH OPTIONS");
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		if (command ? !ct_option_is_for(o, command->name) : !!o->commands)
			continue;
		man_option(!strcmp(o->name, "output") ? 'o' : !strcmp(o->name, "help") ? 'h' : 0, o->name, o->value,
			   o->help);
	}
}

static void put_examples(const struct ct_command *command)
{
	puts(".SH EXAMPLES\n.nf");
	for (const char *at = command->examples, *end; *at; at = end + 1) {
		end = strchr(at, '\n');
		printf("ctrace\\-analyze %s ", command->name);
		put(at, (int)(end - at));
		putchar('\n');
	}
	puts(".fi");
}

/* Words with commas between. */
static void put_words(const char *title, const char *words)
{
	printf(".SH %s\n", title);
	for (const char *at = words, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ' ');
		fputs("\\fB", stdout);
		put(at, (int)(end - at));
		puts(*end ? "\\fR," : "\\fR");
	}
}

static void put_tagged(const char *name, int n, const char *help)
{
	fputs(".TP\n\\fB", stdout);
	put(name, n);
	puts("\\fR");
	for (const char *at = help, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		put(at, (int)(end - at));
		putchar('\n');
	}
}

static void put_columns(const struct ct_command *command)
{
	const char *name, *help;
	bool any = false;
	size_t place = 0;

	while (ct_help_head(command, &place, &name, &help)) {
		if (!any)
			puts(".SH COLUMNS");
		any = true;
		put_tagged(name, (int)strlen(name), help);
	}
	if (!command->columns)
		return;
	puts(".SH COLUMNS OF \\-\\-CSV");
	for (const char *at = command->columns, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ' ');
		put_tagged(at, (int)(end - at), ct_help_column(command, at, (size_t)(end - at)));
	}
}

static void put_command(const struct ct_command *command)
{
	char name[64];

	snprintf(name, sizeof(name), "ctrace-analyze-%s", command->name);
	man_head(name, command->summary);
	printf(".SH SYNOPSIS\n\\fBctrace\\-analyze %s\\fR [\\fIOPTION\\fR...] \\fI", command->name);
	put(command->arguments, (int)strlen(command->arguments));
	puts("\\fR\n.SH DESCRIPTION");
	man_text(command->help);
	put_options(command);
	if (command->run == ct_cmd_export) {
		puts(".SH FORMATS");
		for (const struct ct_export_format *f = ct_export_formats; f->name; f++) {
			printf(".TP\n\\fB%s\\fR\n", f->name);
			man_line(f->help);
		}
	}
	if (command->sort_keys)
		put_words("KEYS OF --SORT", command->sort_keys);
	if (command->groups)
		put_words("GROUPS OF --GROUP-BY", command->groups);
	put_columns(command);
	if (ct_help_takes(command, "from")) {
		puts(".SH MOMENTS\n\\fB\\-\\-from\\fR and \\fB\\-\\-to\\fR take:");
		man_text(ct_help_moments);
	}
	if (ct_help_takes(command, "thread")) {
		puts(".SH FILTERS");
		man_text(ct_help_filters);
	}
	if (command->examples)
		put_examples(command);
	puts(".SH SEE ALSO\n\\fBctrace\\-analyze\\fR(1), \\fBctrace\\-run\\fR(1)");
}

void generate_man(const struct ct_command *command)
{
	if (command) {
		put_command(command);
		return;
	}
	man_head("ctrace-analyze", "says from a trace what the threads of a program waited for");
	puts(".SH SYNOPSIS\n\\fBctrace\\-analyze\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] \\fITRACE\\fR\n"
	     ".SH DESCRIPTION\n"
	     "Reads a trace that \\fBctrace\\-run\\fR(1) wrote, and reports.\n"
	     "\\fITRACE\\fR is a file, or \\- for standard input.\n"
	     "Each command has a page of its own: \\fBctrace\\-analyze\\-\\fICOMMAND\\fR(1).\n"
	     ".SH COMMANDS");
	for (const struct ct_command *c = ct_commands; c->name; c++) {
		printf(".TP\n\\fB%s\\fR\n", c->name);
		man_line(c->summary);
	}
	put_options(NULL);
	puts(".PP\nMost commands take filters, too: their pages tell of them.");
	puts(".SH CAUSES\nThe causes of waits that \\fB\\-\\-cause\\fR takes, and their categories:");
#define CT_CAUSE(id, name, category, text)                          \
	if (strcmp(category, "cpu")) {                              \
		printf(".TP\n\\fB%s\\fR (%s)\n", name, category);   \
		man_line(text);                                     \
	}
#include "causes.def"
#undef CT_CAUSE
	puts(".SH ENVIRONMENT");
	man_text(ct_help_environment);
	puts(".SH EXIT STATUS");
	man_text(ct_help_exit);
	puts(".SH EXAMPLES\n.nf\n"
	     "ctrace\\-run \\-o trace.bin ./app\n"
	     "ctrace\\-analyze blocks trace.bin\n"
	     "zstd \\-dc trace.bin.zst | ctrace\\-analyze threads \\-\n"
	     ".fi\n.SH SEE ALSO");
	puts("\\fBctrace\\-run\\fR(1)");
}

void generate_man_run(void)
{
	man_head("ctrace-run", "runs a program and writes a trace of what its threads wait for");
	puts(".SH SYNOPSIS\n\\fBctrace\\-run\\fR [\\fIOPTION\\fR...] [\\fB\\-\\-\\fR] \\fIPROGRAM\\fR [\\fIARGUMENT\\fR...]\n"
	     ".br\n\\fBctrace\\-run\\fR [\\fIOPTION\\fR...] \\fB\\-p\\fR \\fIPID\\fR\n"
	     ".SH DESCRIPTION\n"
	     "Runs a dynamically linked program, and its children, with libctrace.so before them, and\n"
	     "writes what blocked their threads to a file that \\fBctrace\\-analyze\\fR(1) reads.\n"
	     "The program needs no change; root is not needed.\n"
	     ".PP\nWith \\fB\\-p\\fR a process that runs already is traced from then on, until it ends, the time of\n"
	     "\\fB\\-\\-for\\fR is over, or ctrace\\-run gets SIGINT, SIGTERM, SIGHUP or SIGQUIT. It goes on as it was; the library\n"
	     "stays mapped. Children that it forks are traced, too; programs that are exec'ed are not. It needs the\n"
	     "permission to \\fBptrace\\fR(2) the process. Where it is not possible it says so and changes nothing.\n"
	     ".SH OPTIONS");
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		man_option(o->is_short ? o->letter : 0, o->name, o->value, o->help);
	puts(".SH EXIT STATUS");
	man_text(ct_run_exit);
	puts(".SH ENVIRONMENT\n.TP\n\\fBCTRACE_OUT\\fR\n"
	     "The trace file, where \\fBLD_PRELOAD=libctrace.so\\fR is used without \\fBctrace\\-run\\fR.\n"
	     ".TP\n\\fBCTRACE_SOCKET\\fR\n"
	     "With \\fBLD_PRELOAD=libctrace.so\\fR alone: the path of the socket of a \\fBctrace\\-collector\\fR that runs\n"
	     "already, outside of a container for instance, as docs/recipes.md has it.\n"
	     ".SH EXAMPLES\n.nf\n"
	     "ctrace\\-run \\-o trace.bin ./app; ctrace\\-analyze blocks trace.bin\n"
	     "ctrace\\-run \\-\\-watchdog 10s \\-\\- ./server \\-\\-port 80\n"
	     "ctrace\\-run \\-\\-for 10s \\-p 1234\n"
	     ".fi\n.SH SEE ALSO\n\\fBctrace\\-analyze\\fR(1), \\fBctrace\\-ctl\\fR(1)");
}
