/* What threads wait for, by name. */
#ifndef CT_OBJECTS_H
#define CT_OBJECTS_H

#include "callstacks.h"

/* The label of a site's object, such as "g_lock", "mutex 0x7f12...", "fd 5
 * (pipe)", "/etc/passwd", "thread worker (123)", as a text that the caller
 * frees; "" if the site has no object; NULL without memory. s may be NULL:
 * addresses are then not looked up. */
char *ct_object_label(struct ct_symbols *s, const struct ct_model *m, const struct ct_site_info *site);
/* The same for a lock alone; stack is one that used it, or CT_NO. */
char *ct_lock_label(struct ct_symbols *s, const struct ct_model *m, uint32_t process, uint32_t cause,
		    uint64_t address, uint32_t stack);
/* Whether somebody holds what a cause's objects are. */
bool ct_is_lock(const struct ct_model *m, uint32_t cause);
/* The name of a lock that was first waited for at a stack of the model, or CT_NO. An
 * address in the heap or on a stack says nothing, and is another one in the next run:
 * such a lock goes by that place. NULL without memory. */
char *ct_lock_name(struct ct_callstacks *c, struct ct_symbols *symbols, const struct ct_model *m, uint32_t process,
		   uint32_t cause, uint64_t address, uint32_t first_stack);
/* "name (tid)"; without a name "thread tid". NULL without memory. */
char *ct_thread_label(const struct ct_model *m, uint32_t process, uint64_t tid);
/* Of enum ct_fd_kind. */
const char *ct_fd_kind_name(uint64_t kind);

#endif
