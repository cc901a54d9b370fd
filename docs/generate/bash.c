/* Completion for bash. See generate.h. */
#include <stdio.h>
#include <string.h>

#include "generate.h"

static void put_names(const char *command)
{
	for (const struct ct_option *o = ct_options_table; o->name; o++)
		if (!command || ct_option_is_for(o, command))
			printf(" --%s", o->name);
}

/* case of an option's value: words, a file, or nothing that could be offered. */
static void put_value(const char *name, const char *words, bool list)
{
	if (!words)
		printf("\t\t--%s) _ctrace_files ;;\n", name);
	else if (list)
		printf("\t\t--%s) _ctrace_list '%s' ;;\n", name, words);
	else
		printf("\t\t--%s) _ctrace_words '%s' ;;\n", name, words);
}

static void put_common(void)
{
	fputs("# Generated from the tables of commands and options.\n"
	      "_ctrace_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
	      "_ctrace_files() { compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); }\n"
	      "_ctrace_list() {\n"
	      "\tlocal before=\n"
	      "\t[[ $cur == *,* ]] && before=${cur%,*},\n"
	      "\tCOMPREPLY=($(compgen -P \"$before\" -W \"$1\" -- \"${cur##*,}\"))\n"
	      "}\n"
	      "# bash takes --option=value for three words.\n"
	      "_ctrace_current() {\n"
	      "\tcur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tif [[ $cur == = ]]; then\n"
	      "\t\tcur=\n"
	      "\telif [[ $prev == = ]]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
	      "\tfi\n"
	      "}\n", stdout);
}

static void put_run(void)
{
	fputs("_ctrace_run() {\n"
	      "\tlocal cur prev i\n"
	      "\tCOMPREPLY=()\n"
	      "\t_ctrace_current\n"
	      "\t# After the program everything is the program's.\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t--) _ctrace_files; return ;;\n\t\t-o", stdout);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		if (o->value)
			printf("|--%s", o->name);
	fputs(") ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) _ctrace_files; return ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $prev in\n"
	      "\t\t-o) _ctrace_files; return ;;\n", stdout);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		if (o->value && !strcmp(o->value, "FILE"))
			printf("\t\t--%s) _ctrace_files; return ;;\n", o->name);
		else if (o->value)
			printf("\t\t--%s) _ctrace_words '%s'; return ;;\n", o->name, o->words ? o->words : "");
	fputs("\tesac\n\tif [[ $cur == -* ]]; then\n\t\t_ctrace_words '", stdout);
	for (const struct ct_tool_option *o = ct_run_option_table; o->name; o++)
		printf("%s--%s", o == ct_run_option_table ? "" : " ", o->name);
	fputs("'\n\telse\n\t\tCOMPREPLY=($(compgen -c -- \"$cur\")); [[ $cur == */* ]] && _ctrace_files\n\tfi\n}\n"
	      "complete -F _ctrace_run ctrace-run\n", stdout);
}

static void put_options(void)
{
	fputs("_ctrace_options() {\n\tcase $1 in\n", stdout);
	for (const struct ct_command *c = ct_commands; c->name; c++) {
		printf("\t\t%s) echo '", c->name);
		put_names(c->name);
		fputs("' ;;\n", stdout);
	}
	fputs("\t\t*) echo '--help --version' ;;\n\tesac\n}\n", stdout);
	fputs("_ctrace_sort_keys() {\n\tcase $1 in\n", stdout);
	for (const struct ct_command *c = ct_commands; c->name; c++)
		if (c->sort_keys)
			printf("\t\t%s) echo '%s' ;;\n", c->name, c->sort_keys);
	fputs("\t\t*) ;;\n\tesac\n}\n", stdout);
}

static void put_analyze(void)
{
	put_options();
	fputs("_ctrace_analyze() {\n"
	      "\tlocal cur prev i command=\n"
	      "\tCOMPREPLY=()\n"
	      "\t_ctrace_current\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-o", stdout);
	for (const struct ct_option *o = ct_options_table; o->name; o++)
		if (o->value)
			printf("|--%s", o->name);
	fputs(") ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) command=${COMP_WORDS[i]}; break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $prev in\n"
	      "\t\t-o) _ctrace_files ;;\n"
	      "\t\t--sort) _ctrace_words \"$(_ctrace_sort_keys \"$command\")\" ;;\n", stdout);
	for (const struct ct_option *o = ct_options_table; o->name; o++)
		if (o->value && strcmp(o->name, "sort"))
			put_value(o->name, value_words(o), is_list(o));
	fputs("\t\t*)\n"
	      "\t\t\tif [[ $cur == -* ]]; then\n"
	      "\t\t\t\t_ctrace_words \"$(_ctrace_options \"$command\")\"\n"
	      "\t\t\telif [[ -z $command ]]; then\n"
	      "\t\t\t\t_ctrace_words '", stdout);
	for (const struct ct_command *c = ct_commands; c->name; c++)
		printf("%s%s", c == ct_commands ? "" : " ", c->name);
	fputs("'\n"
	      "\t\t\telse\n"
	      "\t\t\t\t_ctrace_files\n"
	      "\t\t\tfi ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _ctrace_analyze ctrace-analyze\n", stdout);
}

void generate_bash(bool run)
{
	put_common();
	if (run)
		put_run();
	else
		put_analyze();
}
