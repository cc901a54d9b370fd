/* Symbols that several readings share. See api.h. */
#include <errno.h>
#include <stdlib.h>

#include "api.h"

struct ct_names *ct_names_open(const struct ct_model *m)
{
	struct ct_names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	pthread_mutex_init(&n->lock, NULL);
	atomic_init(&n->users, 1);
	if (ct_symbols_open(&n->symbols, m) || ct_callstacks_open(&n->callstacks, m)) {
		ct_names_let_go(n);
		return NULL;
	}
	return n;
}

void ct_names_let_go(struct ct_names *n)
{
	if (!n || atomic_fetch_sub(&n->users, 1) != 1)
		return;
	ct_callstacks_close(&n->callstacks);
	ct_symbols_close(&n->symbols);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

int ct_names_use(struct ct_names *n, const struct ct_model *m)
{
	pthread_mutex_lock(&n->lock);
	int error = ct_symbols_follow(&n->symbols, m);

	return error ? error : ct_callstacks_follow(&n->callstacks, m);
}

void ct_names_done(struct ct_names *n)
{
	pthread_mutex_unlock(&n->lock);
}
