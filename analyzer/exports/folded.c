/* export --format folded: a line a stack, "thread;frame;...;cause nanoseconds", for
 * flamegraph.pl, inferno, speedscope and others. */
#include <errno.h>
#include <string.h>

#include "export.h"
#include "folds.h"

/* A frame must not end where its text does not. */
static void put_frame(FILE *file, const char *text)
{
	for (; *text; text++)
		putc(*text == ';' ? ':' : *text, file);
}

static int put_line(void *self, const struct ct_fold *fold)
{
	FILE *file = self;

	for (uint32_t i = 0; i < fold->depth; i++) {
		if (i)
			putc(';', file);
		put_frame(file, fold->frame[i]);
	}
	fprintf(file, " %llu\n", (unsigned long long)fold->ns);
	return ferror(file) ? -EIO : 0;
}

int ct_export_folded(struct ct_export *e)
{
	struct ct_model m;
	int error = ct_folds(e->context, &m, e->context->options->by, put_line, e->file);

	ct_model_free(&m);
	/* Said where the file is closed. */
	return error == -EIO && ferror(e->file) ? 0 : error;
}
