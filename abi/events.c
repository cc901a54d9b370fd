/* The payload of EVENTS chunks. See codec.h and trace.h. */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ct_events_reset(struct ct_events_encoder *e)
{
	ct_buf_clear(&e->sites);
	ct_buf_clear(&e->batches);
	for (int i = 0; i < CT_COLUMNS; i++)
		ct_buf_clear(&e->columns[i]);
	if (e->table)
		memset(e->table, 0, e->table_size * sizeof(*e->table));
	e->site_count = e->batch_count = e->batch_events = e->thread = e->count = 0;
	e->base_ns = e->previous_end_ns = e->first_ns = e->last_ns = 0;
	e->failed = false;
}

void ct_events_free(struct ct_events_encoder *e)
{
	ct_buf_free(&e->sites);
	ct_buf_free(&e->batches);
	for (int i = 0; i < CT_COLUMNS; i++)
		ct_buf_free(&e->columns[i]);
	free(e->table);
	free(e->site);
	*e = (struct ct_events_encoder){ 0 };
}

static uint64_t site_hash(const struct ct_site *s)
{
	uint64_t h = s->object * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 29 ^ s->stack) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 32 ^ s->aux ^ (uint64_t)s->owner << 32 ^ s->call) * 0x94d049bb133111ebull;
	return h ^ h >> 31 ^ s->flags;
}

static bool site_equal(const struct ct_site *a, const struct ct_site *b)
{
	return a->object == b->object && a->stack == b->stack && a->call == b->call &&
	       a->owner == b->owner && a->aux == b->aux && a->kind == b->kind &&
	       a->cause == b->cause && a->flags == b->flags && a->object_kind == b->object_kind;
}

/* Makes the table twice as large; it is at most half full afterwards. */
static bool grow_sites(struct ct_events_encoder *e)
{
	uint32_t capacity = e->site_capacity ? e->site_capacity * 2 : 256;
	struct ct_site *site = realloc(e->site, capacity * sizeof(*site));

	if (!site)
		return false;
	e->site = site;
	uint64_t *table = calloc(capacity * 2, sizeof(*table));

	if (!table)
		return false;
	free(e->table);
	e->table = table;
	e->table_size = capacity * 2;
	e->site_capacity = capacity;
	for (uint32_t i = 0; i < e->site_count; i++) {
		uint64_t h = site_hash(&e->site[i]);

		while (table[h & (e->table_size - 1)])
			h++;
		table[h & (e->table_size - 1)] = i + 1;
	}
	return true;
}

static void put_site(struct ct_buf *b, const struct ct_site *s)
{
	const uint8_t head[4] = { s->kind, s->cause, s->flags, s->object_kind };

	ct_put_bytes(b, head, sizeof(head));
	ct_put_varint(b, s->call);
	ct_put_varint(b, s->object);
	ct_put_varint(b, s->aux);
	ct_put_varint(b, s->stack);
	ct_put_varint(b, s->owner);
}

/* The site's index, or -1 without memory. */
static int64_t intern_site(struct ct_events_encoder *e, const struct ct_site *s)
{
	if (e->site_count == e->site_capacity && !grow_sites(e))
		return -1;
	for (uint64_t h = site_hash(s);; h++) {
		uint64_t *entry = &e->table[h & (e->table_size - 1)];

		if (!*entry) {
			e->site[e->site_count] = *s;
			*entry = ++e->site_count;
			put_site(&e->sites, s);
			return e->site_count - 1;
		}
		if (site_equal(&e->site[*entry - 1], s))
			return (int64_t)*entry - 1;
	}
}

static void end_batch(struct ct_events_encoder *e)
{
	if (!e->batch_events)
		return;
	ct_put_varint(&e->batches, e->thread);
	ct_put_varint(&e->batches, e->batch_events);
	e->batch_count++;
	e->batch_events = 0;
}

void ct_events_add(struct ct_events_encoder *e, uint32_t thread, const struct ct_site *site,
		   uint64_t start_ns, uint64_t end_ns, int64_t result)
{
	int64_t index = intern_site(e, site);

	if (index < 0) {
		e->failed = true;
		return;
	}
	if (!e->count) {
		e->base_ns = e->first_ns = start_ns;
		e->last_ns = end_ns;
	}
	if (e->batch_events && thread != e->thread)
		end_batch(e);
	if (!e->batch_events) {
		e->thread = thread;
		e->previous_end_ns = e->base_ns;
	}
	if (start_ns < e->first_ns)
		e->first_ns = start_ns;
	if (end_ns > e->last_ns)
		e->last_ns = end_ns;
	ct_put_varint(&e->columns[CT_COLUMN_SITE], (uint64_t)index);
	ct_put_varint(&e->columns[CT_COLUMN_GAP], ct_zigzag((int64_t)(start_ns - e->previous_end_ns)));
	ct_put_varint(&e->columns[CT_COLUMN_DURATION], end_ns - start_ns);
	ct_put_varint(&e->columns[CT_COLUMN_RESULT], ct_zigzag(result));
	e->previous_end_ns = end_ns;
	e->batch_events++;
	e->count++;
}

int ct_events_finish(struct ct_events_encoder *e, struct ct_buf *out)
{
	end_batch(e);
	ct_put_varint(out, e->base_ns);
	ct_put_varint(out, e->site_count);
	ct_put_bytes(out, e->sites.data, e->sites.size);
	ct_put_varint(out, e->batch_count);
	ct_put_bytes(out, e->batches.data, e->batches.size);
	bool failed = e->failed || e->sites.failed || e->batches.failed;

	for (int i = 0; i < CT_COLUMNS; i++) {
		ct_put_varint(out, e->columns[i].size);
		ct_put_bytes(out, e->columns[i].data, e->columns[i].size);
		failed |= e->columns[i].failed;
	}
	return failed || out->failed ? -ENOMEM : 0;
}

/* Ensures room for n elements of size bytes in *array. */
static bool room(void **array, uint32_t *capacity, uint64_t n, size_t size)
{
	if (n <= *capacity)
		return true;
	void *larger = realloc(*array, n * size);

	if (!larger)
		return false;
	*array = larger;
	*capacity = (uint32_t)n;
	return true;
}

static int get_site(struct ct_span *s, struct ct_site *ret)
{
	uint64_t call, stack, owner;

	if (s->end - s->p < 4)
		return -EBADMSG;
	*ret = (struct ct_site){ .kind = s->p[0], .cause = s->p[1], .flags = s->p[2], .object_kind = s->p[3] };
	s->p += 4;
	if (ct_get_varint(s, &call) || ct_get_varint(s, &ret->object) || ct_get_varint(s, &ret->aux) ||
	    ct_get_varint(s, &stack) || ct_get_varint(s, &owner) || call > UINT32_MAX ||
	    stack > UINT32_MAX || owner > UINT32_MAX)
		return -EBADMSG;
	ret->call = (uint32_t)call;
	ret->stack = (uint32_t)stack;
	ret->owner = (uint32_t)owner;
	return 0;
}

int ct_events_open(struct ct_events_decoder *d, struct ct_span s)
{
	uint64_t n, events = 0;

	/* A site takes at least 9 bytes and a batch 2, which bounds what a
	 * damaged count can make us allocate. */
	if (ct_get_varint(&s, &d->base_ns) || ct_get_varint(&s, &n) || n > (uint64_t)(s.end - s.p) / 9)
		return -EBADMSG;
	if (!room((void **)&d->site, &d->site_capacity, n, sizeof(*d->site)))
		return -ENOMEM;
	for (d->site_count = 0; d->site_count < n; d->site_count++)
		if (get_site(&s, &d->site[d->site_count]))
			return -EBADMSG;

	if (ct_get_varint(&s, &n) || n > (uint64_t)(s.end - s.p) / 2)
		return -EBADMSG;
	if (!room((void **)&d->batch, &d->batch_capacity, n, sizeof(*d->batch)))
		return -ENOMEM;
	for (d->batch_count = 0; d->batch_count < n; d->batch_count++) {
		uint64_t thread, count;

		if (ct_get_varint(&s, &thread) || ct_get_varint(&s, &count) || thread > UINT32_MAX ||
		    count > CT_CHUNK_RAW_MAX)
			return -EBADMSG;
		d->batch[d->batch_count] = (struct ct_batch){ (uint32_t)thread, (uint32_t)count };
		events += count;
	}
	for (int i = 0; i < CT_COLUMNS; i++)
		if (ct_get_span(&s, &d->columns[i]) ||
		    events > (uint64_t)(d->columns[i].end - d->columns[i].p))
			return -EBADMSG;
	d->count = (uint32_t)events;
	return s.p == s.end ? 0 : -EBADMSG;
}

void ct_events_close(struct ct_events_decoder *d)
{
	free(d->site);
	free(d->batch);
	*d = (struct ct_events_decoder){ 0 };
}
