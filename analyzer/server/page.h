/* The page's files, made from web/ when ctrace is built. */
#ifndef CT_PAGE_H
#define CT_PAGE_H

#include <stddef.h>

struct ct_page_part {
	const char *name;
	const char *type;
	const unsigned char *data; /* gzip */
	size_t bytes;
};
extern const struct ct_page_part ct_page_parts[]; /* up to one without a name */

#endif
