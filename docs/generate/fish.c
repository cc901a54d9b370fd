/* Completion for fish. See generate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

/* One complete line for an option, where a condition holds. */
static void put_option(const char *tool, const char *condition, char letter, const char *name, const char *value,
		       const char *help, const char *words, bool list)
{
	char *text = one_line(help, "\\");

	printf("complete -c %s", tool);
	if (*condition)
		printf(" -n '%s'", condition);
	if (letter)
		printf(" -s %c", letter);
	printf(" -l %s", name);
	if (value && !words)
		fputs(" -r -F", stdout);
	else if (value && list)
		printf(" -x -a '(__fish_complete_list , \"string split \\\" \\\" -- %s\")'", words);
	else if (value)
		printf(" -x -a '%s'", words);
	printf(" -d '%s'\n", text);
	free(text);
}

static void put_analyze(void)
{
	static const char tool[] = "ctrace-analyze";
	char condition[128];

	puts("# Generated from the tables of commands and options.");
	for (const struct ct_command *c = ct_commands; c->name; c++) {
		char *text = one_line(c->summary, "\\");

		printf("complete -c %s -n __fish_use_subcommand -f -a %s -d '%s'\n", tool, c->name, text);
		free(text);
	}
	put_option(tool, "__fish_use_subcommand", 'h', "help", NULL, "this text", "", false);
	put_option(tool, "__fish_use_subcommand", 0, "version", NULL, "the version", "", false);
	for (const struct ct_command *c = ct_commands; c->name; c++) {
		snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %s", c->name);
		for (const struct ct_option *o = ct_options_table; o->name; o++) {
			const char *words = strcmp(o->name, "sort") || !c->sort_keys ? value_words(o) : c->sort_keys;

			if (ct_option_is_for(o, c->name))
				put_option(tool, condition, strcmp(o->name, "output") ? 0 : 'o', o->name, o->value,
					   o->help, words, is_list(o));
		}
	}
}

static void put_run(void)
{
	static const char tool[] = "ctrace-run";

	puts("# Generated from the table of options.");
	printf("complete -c %s -f -a '(__fish_complete_subcommand)'\n", tool);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		put_option(tool, "", o->is_short ? o->letter : 0, o->name, o->value, o->help,
			   o->value && !strcmp(o->value, "FILE") ? NULL : o->words ? o->words : "", false);
}

void generate_fish(bool run)
{
	if (run)
		put_run();
	else
		put_analyze();
}
