/* Completion for zsh. See generate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

#define SPECIAL "[]:\\"

/* '--name=[help]:value:action' */
static void put_spec(const char *letter, const char *name, const char *value, const char *help, const char *words,
		     bool list)
{
	char *text = one_line(help, SPECIAL), *what = one_line(value ? value : "", SPECIAL);

	printf(" \\\n\t\t%s'%s--%s%s[%s]", letter, *letter ? "}" : "", name, value ? "=" : "", text);
	if (value && !words)
		printf(":%s:_files", what);
	else if (value && list)
		printf(":%s:_sequence -s , _values -s , %s %s", what, "cause", words);
	else if (value && *words)
		printf(":%s:(%s)", what, words);
	else if (value)
		printf(":%s:", what);
	putchar('\'');
	free(text);
	free(what);
}

static void put_command_options(const struct ct_command *c)
{
	printf("\t%s)\n\t\t_arguments", c->name);
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		const char *words = strcmp(o->name, "sort") || !c->sort_keys ? value_words(o) : c->sort_keys;

		if (!ct_option_is_for(o, c->name) || is_list(o))
			continue;
		put_spec("", o->name, o->value, o->help, words, false);
	}
	/* A list after commas. */
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		if (!ct_option_is_for(o, c->name) || !is_list(o))
			continue;
		char *text = one_line(o->help, SPECIAL);

		printf(" \\\n\t\t'*--%s=[%s]:cause:->causes'", o->name, text);
		free(text);
	}
	fputs(" \\\n\t\t'*:trace:_files' ;;\n", stdout);
}

static void put_analyze(void)
{
	fputs("#compdef ctrace-analyze\n# Generated from the tables of commands and options.\n"
	      "_ctrace-analyze() {\n"
	      "\tlocal context state state_descr line curcontext=$curcontext\n"
	      "\ttypeset -A opt_args\n"
	      "\tlocal -a _ctrace_names=(\n", stdout);
	for (const struct ct_command *c = ct_commands; c->name; c++) {
		char *text = one_line(c->summary, ":\\");

		printf("\t\t'%s:%s'\n", c->name, text);
		free(text);
	}
	fputs("\t)\n"
	      "\t_arguments -C '(- *)--help[this text]' '(- *)--version[the version]' \\\n"
	      "\t\t'1:command:->command' '*::argument:->argument' && return\n"
	      "\tif [[ $state == command ]]; then\n"
	      "\t\t_describe command _ctrace_names\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tstate=\n"
	      "\tcase $words[1] in\n", stdout);
	for (const struct ct_command *c = ct_commands; c->name; c++)
		put_command_options(c);
	printf("\tesac\n"
	       "\t[[ $state == causes ]] && _values -s , cause %s\n"
	       "}\n"
	       "_ctrace-analyze \"$@\"\n", cause_words());
}

static void put_run(void)
{
	fputs("#compdef ctrace-run\n# Generated from the table of options.\n"
	      "_ctrace-run() {\n"
	      "\t_arguments", stdout);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++) {
		bool file = o->value && !strcmp(o->value, "FILE");

		put_spec("", o->name, o->value, o->help, file ? NULL : o->words ? o->words : "", false);
		if (!o->is_short)
			continue;
		char *text = one_line(o->help, SPECIAL);

		printf(" \\\n\t\t'-%c[%s]%s'", o->letter, text, file ? ":FILE:_files" : "");
		free(text);
	}
	fputs(" \\\n\t\t'(-)1:program:_command_names -e' '*::argument:_normal'\n"
	      "}\n"
	      "_ctrace-run \"$@\"\n", stdout);
}

void generate_zsh(bool run)
{
	if (run)
		put_run();
	else
		put_analyze();
}
