/* The words that the page explains, as `explain` has them. See api.h. */
#include "api.h"
#include "column_texts.h"
#include "explanations.h"
#include "json_parts.h"

static json_t *texts_json(const char *const *texts)
{
	json_t *array = json_array();

	for (int i = 0; i < CT_EXPLANATION_LINES && texts[i]; i++)
		ct_json_append(array, json_string(texts[i]));
	return array;
}

/*
 * {"words": {"mutex": {"kind": "cause", "state" or "category", "means", "reasons": [texts], "next": [texts]}},
 *  "columns": {"total_ns": text}}
 */
void ct_api_words(struct ct_answer *ret)
{
	json_t *o = json_object(), *words = json_object(), *columns = json_object();

	ct_json_begin();
	for (const struct ct_explanation *e = ct_explanations; e->name; e++) {
		json_t *word = json_object();

		ct_json_text(word, "kind", e->kind);
		ct_json_text(word, "means", e->means);
		ct_json_set(word, "reasons", texts_json(e->reasons));
		ct_json_set(word, "next", texts_json(e->next));
		ct_json_set(words, e->name, word);
	}
	for (const struct ct_column_words *c = ct_columns; c->name; c++)
		if (c->text)
			ct_json_text(columns, c->name, c->text);
	ct_json_set(o, "words", words);
	ct_json_set(o, "columns", columns);
	ct_api_json(ret, o);
}
