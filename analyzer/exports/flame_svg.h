/* A tree of stacks as an SVG that needs nothing else: it can be searched and zoomed by a
 * script in it, and shows everything without. */
#ifndef CT_FLAME_SVG_H
#define CT_FLAME_SVG_H

#include <stdio.h>

#include "flame_tree.h"

/* After ct_flame_order. title, note: one line each; waits: what is counted. Failures of
 * writing are the FILE's. */
void ct_flame_svg(FILE *file, const struct ct_flame_tree *t, const char *title, const char *note);

#endif
