/* A build without npm. */
#include "page.h"

const struct ct_page_part ct_page_parts[] = { { NULL, NULL, NULL, 0 } };
