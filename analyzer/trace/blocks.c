/* Columns, many values at a time. See blocks.h. */
#include "blocks.h"

#define inlined static inline __attribute__((always_inline))
#define MORE    0x8080808080808080ull
#define BITS    0x7f7f7f7f7f7f7f7full

/* One of more than eight bytes, and where it ends: in registers, so that where the columns
 * are is, too. */
struct varint_end {
	uint64_t v;
	const uint8_t *end;
};

static __attribute__((noinline)) struct varint_end long_varint(const uint8_t *p)
{
	struct ct_span s = { p, p + 10 };
	uint64_t v = 0;

	(void)ct_get_varint(&s, &v); /* cannot fail: the column is sound */
	return (struct varint_end){ v, s.p };
}

/* The varint at p, and in *ret the byte after it. */
inlined uint64_t varint(const uint8_t *p, const uint8_t **ret, bool pext)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	uint64_t last = ~w & MORE; /* bytes that end a varint */

	if (__builtin_expect(!last, 0)) {
		struct varint_end l = long_varint(p);

		*ret = l.end;
		return l.v;
	}
	*ret = p + (__builtin_ctzll(last) >> 3) + 1;
	w &= last ^ (last - 1);
#if defined(__x86_64__)
	if (pext) {
		__asm__("pext %2, %1, %0" : "=r"(w) : "r"(w), "r"(BITS));
		return w;
	}
#else
	(void)pext;
#endif
	w = (w & 0x007f007f007f007full) | (w & 0x7f007f007f007f00ull) >> 1;
	w = (w & 0x00003fff00003fffull) | (w & 0x3fff00003fff0000ull) >> 2;
	return (w & 0x0fffffffull) | (w & 0x0fffffff00000000ull) >> 4;
}

inlined void events(struct ct_columns *c, uint32_t n, struct ct_event_block *b, bool pext)
{
	const uint8_t *site = c->site.p, *gap = c->gap.p, *duration = c->duration.p;
	uint64_t end_ns = c->end_ns, first_ns = UINT64_MAX, last_ns = 0, odd = 0;

	for (uint32_t i = 0; i < n; i++) {
		b->site[i] = (uint32_t)varint(site, &site, pext);
		uint64_t start_ns = end_ns + (uint64_t)ct_unzigzag(varint(gap, &gap, pext));

		end_ns = start_ns + varint(duration, &duration, pext);
		b->start_ns[i] = start_ns;
		b->end_ns[i] = end_ns;
		first_ns = start_ns < first_ns ? start_ns : first_ns;
		last_ns = end_ns > last_ns ? end_ns : last_ns;
		odd |= (uint64_t)(end_ns < start_ns) | start_ns >> 63;
	}
	c->site.p = site;
	c->gap.p = gap;
	c->duration.p = duration;
	c->end_ns = end_ns;
	b->first_ns = first_ns;
	b->last_ns = last_ns;
	b->odd = odd;
}

/* A number of which nearly all take a byte; bytes: all of them do. */
inlined uint64_t index_of(const uint8_t **p, bool pext, bool bytes)
{
	return bytes ? *(*p)++ : varint(*p, p, pext);
}

/* bytes: whoever ran, where, how it ended, and who woke it is a byte of each. Delay and waker
 * are read of every slice, and passed where they are its own. */
inlined void slices(struct ct_switches_decoder *d, uint32_t n, struct ct_slice_block *ret, bool pext, bool bytes)
{
	struct ct_span *c = d->columns;
	struct ct_switches_cpu *cpus = d->cpu;
	const uint8_t *task = c[CT_SLICES_TASK].p, *cpu = c[CT_SLICES_CPU].p, *hows = c[CT_SLICES_HOW].p;
	const uint8_t *gap = c[CT_SLICES_GAP].p, *duration = c[CT_SLICES_DURATION].p;
	const uint8_t *delay = c[CT_SLICES_DELAY].p, *waker = c[CT_SLICES_WAKER].p;
	const uint64_t unit_ns = d->unit_ns;
	uint64_t first_ns = UINT64_MAX, last_ns = 0, odd = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ct_switches_cpu *on = &cpus[index_of(&cpu, pext, bytes)];
		uint32_t how = (uint32_t)index_of(&hows, pext, bytes), flags = how >> CT_SLICE_FLAG_SHIFT;
		uint64_t start = on->end + (uint64_t)ct_unzigzag(varint(gap, &gap, pext));
		uint64_t end = start + varint(duration, &duration, pext);
		const uint8_t *after_delay, *after_waker = waker;
		uint64_t ready = varint(delay, &after_delay, pext), by = index_of(&after_waker, pext, bytes);
		bool woken = flags & CT_SL_WOKEN;
		struct ct_slice *s = &ret->slice[i];

		on->end = end;
		delay = woken ? after_delay : delay;
		waker = woken ? after_waker : waker;
		s->task = (uint32_t)index_of(&task, pext, bytes);
		s->cpu = on->number;
		s->waker = woken ? (uint32_t)by : 0;
		s->end = how % (1u << CT_SLICE_FLAG_SHIFT);
		s->flags = flags;
		s->start_ns = start * unit_ns;
		s->end_ns = end * unit_ns;
		s->woken_ns = woken ? (start - ready) * unit_ns : 0;
		first_ns = s->start_ns < first_ns ? s->start_ns : first_ns;
		last_ns = s->end_ns > last_ns ? s->end_ns : last_ns;
		odd |= ct_slice_is_odd(s);
	}
	c[CT_SLICES_TASK].p = task;
	c[CT_SLICES_CPU].p = cpu;
	c[CT_SLICES_HOW].p = hows;
	c[CT_SLICES_GAP].p = gap;
	c[CT_SLICES_DURATION].p = duration;
	c[CT_SLICES_DELAY].p = delay;
	c[CT_SLICES_WAKER].p = waker;
	ret->first_ns = first_ns;
	ret->last_ns = last_ns;
	ret->odd = odd;
}

static void events_shift(struct ct_columns *c, uint32_t n, struct ct_event_block *ret)
{
	events(c, n, ret, false);
}

#if defined(__x86_64__)
static __attribute__((target("bmi,bmi2"))) void events_pext(struct ct_columns *c, uint32_t n, struct ct_event_block *ret)
{
	events(c, n, ret, true);
}

#endif

static void slices_shift(struct ct_switches_decoder *d, uint32_t n, struct ct_slice_block *ret, bool bytes)
{
	if (bytes)
		slices(d, n, ret, false, true);
	else
		slices(d, n, ret, false, false);
}

#if defined(__x86_64__)
static __attribute__((target("bmi,bmi2"))) void slices_pext(struct ct_switches_decoder *d, uint32_t n,
							    struct ct_slice_block *ret, bool bytes)
{
	if (bytes)
		slices(d, n, ret, true, true);
	else
		slices(d, n, ret, true, false);
}

#endif

/* --- the choice --- */

static void (*read_events)(struct ct_columns *c, uint32_t n, struct ct_event_block *ret) = events_shift;
static void (*read_slices)(struct ct_switches_decoder *d, uint32_t n, struct ct_slice_block *ret,
			   bool bytes) = slices_shift;

#if defined(__x86_64__)
bool ct_blocks_pext(void)
{
	return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

void ct_blocks_use(int how)
{
	/* AMD's before Zen 3 take some twenty cycles for each bit of the mask. */
	bool slow = __builtin_cpu_is("amdfam15h") || __builtin_cpu_is("znver1") || __builtin_cpu_is("znver2");
	bool pext = how == 2 ? ct_blocks_pext() && !slow : how == 1;

	read_events = pext ? events_pext : events_shift;
	read_slices = pext ? slices_pext : slices_shift;
}

/* Before any thread is there. */
static __attribute__((constructor)) void choose(void)
{
	__builtin_cpu_init();
	ct_blocks_use(2);
}
#else
bool ct_blocks_pext(void)
{
	return false;
}

void ct_blocks_use(int how)
{
	(void)how;
}
#endif

void ct_event_block(struct ct_columns *c, uint32_t n, struct ct_event_block *ret)
{
	read_events(c, n, ret);
}

/* Whether every varint of a column is a byte. */
static bool all_bytes(struct ct_span s)
{
	uint64_t some = 0, w;

	for (; s.end - s.p >= (ptrdiff_t)sizeof(w); s.p += sizeof(w)) {
		memcpy(&w, s.p, sizeof(w));
		some |= w;
	}
	for (; s.p < s.end; s.p++)
		some |= *s.p;
	return !(some & MORE);
}

bool ct_slices_small(const struct ct_switches_decoder *d)
{
	return all_bytes(d->first[CT_SLICES_TASK]) && all_bytes(d->first[CT_SLICES_CPU]) &&
	       all_bytes(d->first[CT_SLICES_HOW]) && all_bytes(d->first[CT_SLICES_WAKER]);
}

void ct_slice_block(struct ct_switches_decoder *d, uint32_t n, bool small, struct ct_slice_block *ret)
{
	read_slices(d, n, ret, small);
}
