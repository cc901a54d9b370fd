/* make_trace FILE [EVENTS [slices]]: a small trace, or a large one with so many events;
 * make_trace FILE scheduled: a small one with slices and a gap in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "make_trace.h"

int main(int argc, char **argv)
{
	struct make_trace t = { 0 };

	if (argc < 2) {
		fputs("usage: make_trace FILE [EVENTS [slices]|scheduled]\n", stderr);
		return 2;
	}
	if (argc > 3)
		make_busy(&t, strtoull(argv[2], NULL, 10));
	else if (argc > 2 && !strcmp(argv[2], "scheduled"))
		make_scheduled(&t);
	else if (argc > 2)
		make_large(&t, strtoull(argv[2], NULL, 10));
	else
		make_small(&t);
	int error = make_write(&t, argv[1]);

	if (error)
		fprintf(stderr, "make_trace: %s: cannot be written\n", argv[1]);
	make_free(&t);
	return error ? 1 : 0;
}
