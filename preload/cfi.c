/* A reader of .eh_frame. See cfi.h. */
#include "cfi.h"

#include <stdbool.h>
#include <string.h>

#include "arch.h"

/* Pointer encodings, LSB 10.5. */
#define PE_OMIT     0xff
#define PE_INDIRECT 0x80

struct reader {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t get_bytes(struct reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->p, n);
	r->p += n;
	return v;
}

static uint64_t get_uleb(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t byte = get_bytes(r, 1);

		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

static int64_t get_sleb(struct reader *r)
{
	int64_t v = 0;

	for (unsigned shift = 0; shift < 64;) {
		uint64_t byte = get_bytes(r, 1);

		v |= (int64_t)((byte & 0x7f) << shift);
		shift += 7;
		if (!(byte & 0x80))
			return shift < 64 && (byte & 0x40) ? v | -((int64_t)1 << shift) : v;
	}
	r->bad = true;
	return 0;
}

/* A pointer in encoding; base is what "datarel" counts from. */
static uint64_t get_pointer(struct reader *r, uint8_t encoding, uint64_t base)
{
	uint64_t at = (uint64_t)r->p, v;

	switch (encoding & 0x0f) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		v = get_bytes(r, 8);
		break;
	case 0x01:
		v = get_uleb(r);
		break;
	case 0x02:
		v = get_bytes(r, 2);
		break;
	case 0x03:
		v = get_bytes(r, 4);
		break;
	case 0x09:
		v = (uint64_t)get_sleb(r);
		break;
	case 0x0a:
		v = (uint64_t)(int16_t)get_bytes(r, 2);
		break;
	case 0x0b:
		v = (uint64_t)(int32_t)get_bytes(r, 4);
		break;
	default:
		r->bad = true;
		return 0;
	}
	switch (encoding & 0x70) {
	case 0x00:
		break;
	case 0x10: /* pcrel */
		v += at;
		break;
	case 0x30: /* datarel */
		v += base;
		break;
	default:
		r->bad = true;
	}
	if (encoding & PE_INDIRECT)
		r->bad = true; /* not used for code addresses */
	return v;
}

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;
	bool signal;
	bool augmented; /* FDEs carry augmentation data */
	struct reader program;
};

static bool read_length(struct reader *r)
{
	uint64_t length = get_bytes(r, 4);

	/* The 64-bit form does not occur in .eh_frame on Linux; 0 ends it. */
	if (r->bad || !length || length == 0xffffffff)
		return false;
	r->end = r->p + length;
	return true;
}

static bool read_cie(const uint8_t *p, struct cie *ret)
{
	struct reader r = { p, p + 4, false };
	struct cie c = { .encoding = 0 };

	if (!read_length(&r) || get_bytes(&r, 4) != 0)
		return false;
	uint64_t version = get_bytes(&r, 1);
	const char *augmentation = (const char *)r.p;
	size_t n = strnlen(augmentation, (size_t)(r.end - r.p));

	if (r.bad || n == (size_t)(r.end - r.p) || (version != 1 && version != 3))
		return false;
	r.p += n + 1;
	c.code_align = get_uleb(&r);
	c.data_align = get_sleb(&r);
	uint64_t ra = version == 1 ? get_bytes(&r, 1) : get_uleb(&r);

	if (ra != CT_REG_RA || (*augmentation && *augmentation != 'z'))
		return false;
	if (*augmentation == 'z') {
		uint64_t bytes = get_uleb(&r);

		if (r.bad || bytes > (uint64_t)(r.end - r.p))
			return false;
		struct reader data = { r.p, r.p + bytes, false };

		for (const char *a = augmentation + 1; *a; a++) {
			if (*a == 'R') {
				c.encoding = (uint8_t)get_bytes(&data, 1);
			} else if (*a == 'P') {
				uint8_t encoding = (uint8_t)get_bytes(&data, 1);

				get_pointer(&data, encoding & ~PE_INDIRECT, 0);
			} else if (*a == 'L') {
				get_bytes(&data, 1);
			} else if (*a == 'S') {
				c.signal = true;
			} else {
				break;
			}
		}
		if (data.bad)
			return false;
		r.p += bytes;
		c.augmented = true;
	}
	c.program = r;
	*ret = c;
	return !r.bad;
}

enum { CFA_SP, CFA_FP, CFA_OTHER };
/* Where the caller's register is. */
enum { KEPT, AT_OFFSET, OTHER, UNDEFINED };

struct place {
	uint8_t how;
	int32_t offset; /* AT_OFFSET: from the CFA */
};

/* The part of a row of the CFI table that we need; small, for we may be on a
 * signal stack of minimum size. */
struct row {
	uint8_t cfa;
	int32_t cfa_offset;
	struct place fp, ra;
};

static int32_t narrow(int64_t offset)
{
	return offset == (int32_t)offset ? (int32_t)offset : 0;
}

static void define_cfa(struct row *row, uint64_t reg, int64_t offset)
{
	row->cfa = reg == CT_REG_SP ? CFA_SP : reg == CT_REG_FP ? CFA_FP : CFA_OTHER;
	row->cfa_offset = narrow(offset);
}

static void set(struct row *row, uint64_t reg, struct place place)
{
	if (reg == CT_REG_FP)
		row->fp = place;
	else if (reg == CT_REG_RA)
		row->ra = place;
}

static void set_offset(struct row *row, uint64_t reg, int64_t offset)
{
	set(row, reg, (struct place){ AT_OFFSET, narrow(offset) });
}

/* A rule that we do not follow: harmless but for these two. */
static void set_other(struct row *row, uint64_t reg)
{
	set(row, reg, (struct place){ OTHER, 0 });
}

static void restore(struct row *row, const struct row *initial, uint64_t reg)
{
	if (reg == CT_REG_FP)
		row->fp = initial->fp;
	else if (reg == CT_REG_RA)
		row->ra = initial->ra;
}

static void skip_block(struct reader *r)
{
	uint64_t n = get_uleb(r);

	if (n > (uint64_t)(r->end - r->p))
		r->bad = true;
	else
		r->p += n;
}

/* Runs a program until its location passes pc. */
static bool run(struct reader r, const struct cie *c, uint64_t loc, uint64_t pc, struct row *row)
{
	const struct row initial = *row;
	struct row saved[4];
	unsigned depth = 0;

	while (r.p < r.end && !r.bad) {
		uint8_t op = (uint8_t)get_bytes(&r, 1);
		uint64_t reg;

		switch (op & 0xc0) {
		case 0x40: /* advance_loc */
			loc += (op & 0x3f) * c->code_align;
			if (loc > pc)
				return true;
			continue;
		case 0x80: /* offset */
			set_offset(row, op & 0x3f, (int64_t)get_uleb(&r) * c->data_align);
			continue;
		case 0xc0: /* restore */
			restore(row, &initial, op & 0x3f);
			continue;
		}
		switch (op) {
		case 0x00: /* nop */
			break;
		case 0x01: /* set_loc */
			loc = get_pointer(&r, c->encoding, 0);
			break;
		case 0x02:
			loc += get_bytes(&r, 1) * c->code_align;
			break;
		case 0x03:
			loc += get_bytes(&r, 2) * c->code_align;
			break;
		case 0x04:
			loc += get_bytes(&r, 4) * c->code_align;
			break;
		case 0x05: /* offset_extended */
			reg = get_uleb(&r);
			set_offset(row, reg, (int64_t)get_uleb(&r) * c->data_align);
			break;
		case 0x06: /* restore_extended */
			restore(row, &initial, get_uleb(&r));
			break;
		case 0x07: /* undefined */
			reg = get_uleb(&r);
			set(row, reg, (struct place){ reg == CT_REG_RA ? UNDEFINED : OTHER, 0 });
			break;
		case 0x08: /* same_value */
			set(row, get_uleb(&r), (struct place){ KEPT, 0 });
			break;
		case 0x09: /* register */
			reg = get_uleb(&r);
			get_uleb(&r);
			set_other(row, reg);
			break;
		case 0x0a: /* remember_state */
			if (depth == sizeof(saved) / sizeof(*saved))
				return false;
			saved[depth++] = *row;
			break;
		case 0x0b: /* restore_state */
			if (!depth)
				return false;
			*row = saved[--depth];
			break;
		case 0x0c: /* def_cfa */
			reg = get_uleb(&r);
			define_cfa(row, reg, (int64_t)get_uleb(&r));
			break;
		case 0x0d: /* def_cfa_register */
			define_cfa(row, get_uleb(&r), row->cfa_offset);
			break;
		case 0x0e: /* def_cfa_offset */
			row->cfa_offset = narrow((int64_t)get_uleb(&r));
			break;
		case 0x0f: /* def_cfa_expression */
			skip_block(&r);
			row->cfa = CFA_OTHER;
			break;
		case 0x10: /* expression */
		case 0x16: /* val_expression */
			set_other(row, get_uleb(&r));
			skip_block(&r);
			break;
		case 0x11: /* offset_extended_sf */
			reg = get_uleb(&r);
			set_offset(row, reg, get_sleb(&r) * c->data_align);
			break;
		case 0x12: /* def_cfa_sf */
			reg = get_uleb(&r);
			define_cfa(row, reg, get_sleb(&r) * c->data_align);
			break;
		case 0x13: /* def_cfa_offset_sf */
			row->cfa_offset = narrow(get_sleb(&r) * c->data_align);
			break;
		case 0x14: /* val_offset */
			set_other(row, get_uleb(&r));
			get_uleb(&r);
			break;
		case 0x2d: /* AARCH64_negate_ra_state: signed or not, ct_arch_code takes it off */
			break;
		case 0x2e: /* GNU_args_size */
			get_uleb(&r);
			break;
		default:
			return false;
		}
		if (loc > pc)
			return true;
	}
	return !r.bad;
}

/* Whether a rule can say where the return address is. */
static bool place_ra(struct ct_rule *rule, const struct place *fp, const struct place *ra)
{
	if (ra->how == AT_OFFSET && ra->offset == -8)
		rule->ra = CT_RA_BELOW_CFA;
	else if (ra->how == AT_OFFSET && fp->how == AT_OFFSET && ra->offset == fp->offset + 8)
		rule->ra = CT_RA_ABOVE_FP;
	else if (ra->how == AT_OFFSET && fp->how == KEPT && ra->offset > INT16_MIN && ra->offset < 0) {
		rule->ra = CT_RA_ALONE;
		rule->fp_offset = (int16_t)ra->offset;
	} else if (ra->how == KEPT)
		rule->ra = CT_RA_KEPT;
	else
		return false;
	return true;
}

static struct ct_rule rule_of(const struct row *row, bool signal)
{
	struct ct_rule rule = { 0 };

	if (signal) {
		rule.kind = CT_RULE_SIGNAL;
		return rule;
	}
	if (row->ra.how == UNDEFINED) {
		rule.kind = CT_RULE_END;
		return rule;
	}
	if (row->cfa == CFA_OTHER || row->ra.how == OTHER || row->fp.how == OTHER || row->cfa_offset < 0)
		return rule;
	rule.fp_offset = CT_RULE_KEPT;
	if (row->fp.how == AT_OFFSET) {
		if (row->fp.offset <= INT16_MIN || row->fp.offset >= 0)
			return rule;
		rule.fp_offset = (int16_t)row->fp.offset;
	}
	if (!place_ra(&rule, &row->fp, &row->ra))
		return rule;
	rule.cfa_offset = row->cfa_offset;
	rule.kind = row->cfa == CFA_SP ? CT_RULE_SP : CT_RULE_FP;
	return rule;
}

struct ct_rule ct_cfi_read(const uint8_t *p, uint64_t pc)
{
	const struct ct_rule unknown = { 0 };
	struct reader r = { p, p + 4, false };
	struct row row = { 0 };
	struct cie c;

	if (!read_length(&r))
		return unknown;
	const uint8_t *here = r.p;
	uint64_t back = get_bytes(&r, 4);

	if (r.bad || !back || !read_cie(here - back, &c))
		return unknown;
	uint64_t start = get_pointer(&r, c.encoding, 0);
	uint64_t size = get_pointer(&r, c.encoding & 0x0f, 0);

	if (c.augmented)
		skip_block(&r);
	if (r.bad || pc < start || pc >= start + size)
		return unknown;
	/* The CIE's program gives the initial row, and holds for all locations. */
	if (!run(c.program, &c, 0, UINT64_MAX, &row) || !run(r, &c, start, pc, &row))
		return unknown;
	return rule_of(&row, c.signal);
}

/* Binary search in .eh_frame_hdr, whose table is of pairs of 32-bit offsets
 * from its own start (the only form that linkers write). */
const uint8_t *ct_cfi_find(const uint8_t *header, uint64_t pc)
{
	struct reader r = { header + 4, header + 4 + 32, false };
	uint64_t base = (uint64_t)header;

	if (header[0] != 1 || header[3] != 0x3b || header[2] == PE_OMIT)
		return NULL;
	get_pointer(&r, header[1], base);
	uint64_t low = 0, high = get_pointer(&r, header[2], base);

	if (r.bad || !high)
		return NULL;
	const int32_t *table = (const int32_t *)(const void *)r.p;

	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;

		if (base + (uint64_t)(int64_t)table[2 * middle] <= pc)
			low = middle;
		else
			high = middle;
	}
	if (base + (uint64_t)(int64_t)table[2 * low] > pc)
		return NULL;
	return header + table[2 * low + 1];
}
