/* docs/options.md: all options of all tools. See generate.h. */
#include <stdio.h>
#include <string.h>

#include "defaults.h"
#include "generate.h"

/* A cell of a table: on one line, and without what would end it. */
static void cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
}

static void row(const char *tool, const char *prefix, char letter, const char *name, const char *value, const char *help,
		const char *commands)
{
	char variable[64];
	bool has = strcmp(name, "help") && strcmp(name, "version") && strcmp(name, "pid") && strcmp(name, "for") &&
		   (strcmp(tool, "ctl") || !strcmp(name, "json") || !strcmp(name, "output"));

	ct_defaults_variable(prefix, name, variable, sizeof(variable));
	fputs("| ", stdout);
	if (letter)
		printf("`-%c`, ", letter);
	printf("`--%s", name);
	if (value) {
		putchar(' ');
		cell(value);
	}
	fputs("` | ", stdout);
	cell(help);
	if (commands) {
		fputs(" | ", stdout);
		cell(commands);
	}
	if (has)
		printf(" | `%s` | `%s.%s` |\n", variable, tool, name);
	else
		fputs(" | | |\n", stdout);
}

static void head(const char *tool, bool commands)
{
	printf("\n## %s\n\n| option | |%s variable | in the file |\n| --- | --- | --- | --- |%s\n", tool,
	       commands ? " of the commands |" : "", commands ? " --- |" : "");
}

void generate_options(void)
{
	puts("# Options\n\n"
	     "All options of all tools, generated from their tables (`docs/generate`). What is not on the command line is as the\n"
	     "variable says, then as the file does, then as it is built in.\n\n"
	     "The file is `$XDG_CONFIG_HOME/ctrace/config`, or `~/.config/ctrace/config`: a line `TOOL.OPTION = VALUE` each, such as\n"
	     "`run.min = 1ms`; `#` begins a comment. An option without a value is `yes` or `no`. It must be the user's own, and\n"
	     "nobody else may write it. What is wrong in it is told in a line with its place, and left out. Programs that are traced by\n"
	     "`LD_PRELOAD=libctrace.so` alone read variables, not the file: `CTRACE_OUT`, `CTRACE_MIN`, `CTRACE_STACKS`, `CTRACE_SCHED`,\n"
	     "and `CTRACE_START=off`, which is `--stopped`.");
	head("ctrace-run", false);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		row("run", "CTRACE_", o->is_short ? o->letter : 0, o->name, o->value, o->help, NULL);
	head("ctrace-ctl", true);
	for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++) {
		char commands[128] = "";

		for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++)
			if (ct_ctl_takes(c, o->name)) {
				strcat(commands, *commands ? " " : "");
				strcat(commands, c->name);
			}
		row("ctl", "CTRACE_CTL_", o->is_short ? o->letter : 0, o->name, o->value, o->help, commands);
	}
	head("ctrace-top", false);
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++)
		row("top", "CTRACE_TOP_", o->letter, o->name, o->value, o->help, NULL);
	head("ctrace-analyze", true);
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		char commands[256];

		snprintf(commands, sizeof(commands), "%s%s", !o->commands ? "all" : *o->commands == '!' ? "all but " : "",
			 !o->commands ? "" : o->commands + (*o->commands == '!'));
		row("analyze", "CTRACE_ANALYZE_", !strcmp(o->name, "output") ? 'o' : !strcmp(o->name, "help") ? 'h' : 0, o->name,
		    o->value, o->help, commands);
	}
}
