/* What through and restricted share. */
#ifndef RESTRICTED_H
#define RESTRICTED_H

#define SAY_FD 9 /* the standard output, where 0 to 2 are closed */

#endif
