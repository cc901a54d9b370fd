/* See wakes_together.h. */
#include "wakes_together.h"

void ct_wakes_together_open(struct ct_wakes_together *t, uint32_t count)
{
	*t = (struct ct_wakes_together){ .count = count };
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	for (uint32_t i = 0; i < count; i++)
		t->member[i].all = t;
}

void ct_wakes_together_close(struct ct_wakes_together *t)
{
	ct_wakes_close(&t->wakes);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->changed);
}

void ct_wakes_together_leave(struct ct_wakes_member *k)
{
	struct ct_wakes_together *t = k->all;

	pthread_mutex_lock(&t->lock);
	t->waiting += !k->came;
	k->came = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* What it needs while waits are taken; all of it once they have been. */
static void lend(struct ct_wakes_member *k, const struct ct_wakes *real, bool all)
{
	if (all) {
		*k->w = *real;
		k->w->m = k->m;
		k->w->borrowed = true;
	}
	k->w->site = real->site;
	k->w->site_count = real->site_count;
}

static int take_for_all(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
			uint32_t count)
{
	struct ct_wakes_together *t = self;

	for (uint32_t i = 0; i < t->count; i++) {
		struct ct_wakes_member *k = &t->member[i];

		if (!k->w || k->error)
			continue;
		lend(k, w, !k->w->borrowed);
		k->error = k->take(k->self, w, wait, shares, count);
	}
	return 0;
}

/* For all who have asked: they sleep meanwhile. */
static void read_for_all(struct ct_wakes_together *t, const struct ct_model *m, struct ct_reader *r)
{
	struct ct_model alone = *m;

	alone.together = NULL;
	int error = ct_wakes_read(&t->wakes, &alone, r, false, take_for_all, t);

	for (uint32_t i = 0; i < t->count; i++) {
		struct ct_wakes_member *k = &t->member[i];

		if (!k->w)
			continue;
		lend(k, &t->wakes, true);
		if (!k->error)
			k->error = error;
	}
	t->wakes.m = NULL;
}

int ct_wakes_together_read(struct ct_wakes_member *k, struct ct_wakes *w, const struct ct_model *m, struct ct_reader *r,
			   ct_wait_taker *take, void *self)
{
	struct ct_wakes_together *t = k->all;

	*w = (struct ct_wakes){ .m = m };
	pthread_mutex_lock(&t->lock);
	k->came = true;
	k->w = w;
	k->m = m;
	k->take = take;
	k->self = self;
	t->waiting++;
	pthread_cond_broadcast(&t->changed);
	while (!t->done && (t->begun || t->waiting < t->count))
		pthread_cond_wait(&t->changed, &t->lock);
	if (!t->done) {
		t->begun = true;
		pthread_mutex_unlock(&t->lock);
		read_for_all(t, m, r);
		pthread_mutex_lock(&t->lock);
		t->done = true;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
	return k->error;
}
