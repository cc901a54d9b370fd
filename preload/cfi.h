/*
 * How to get from one stack frame to the next at a code address, from the call
 * frame information (.eh_frame) of the loaded object.
 *
 * Why not libunwind: this runs inside a stranger's program, at any moment, in
 * signal handlers and in the child of a fork. libunwind 1.6 takes locks that a
 * fork can leave locked, makes system calls for each step, and takes the
 * loader's lock in dl_iterate_phdr. This reader takes no lock, makes no system
 * call, allocates nothing, and finds objects with _dl_find_object (glibc 2.35),
 * which is async-signal-safe. It understands what compilers emit for return
 * addresses: CFA from the stack or frame pointer. For the rest it says that it does not know.
 * Sources: DWARF 4, 6.4; DWARF for the Arm 64-bit architecture; LSB 5.0, 10.6 (.eh_frame, .eh_frame_hdr).
 */
#ifndef CT_CFI_H
#define CT_CFI_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

enum ct_rule_kind {
	CT_RULE_UNKNOWN, /* no information, or more than we understand */
	CT_RULE_SP,      /* CFA = stack pointer + cfa_offset */
	CT_RULE_FP,      /* CFA = frame pointer + cfa_offset */
	CT_RULE_SIGNAL,  /* the kernel's signal frame: see ct_arch_interrupted */
	CT_RULE_END,     /* the outermost frame */
};

/* Where the return address is. */
enum ct_rule_ra {
	CT_RA_BELOW_CFA, /* at CFA - 8: always on x86-64, where the call puts it there */
	CT_RA_ABOVE_FP,  /* 8 behind the saved frame pointer: the frame record of arm64 */
	CT_RA_ALONE,     /* at CFA + fp_offset; the frame pointer is still the caller's */
	CT_RA_KEPT,      /* still in the link register: only where a signal came */
};

#define CT_RULE_KEPT INT16_MIN /* the frame pointer is still the caller's */

struct ct_rule {
	int32_t cfa_offset;
	int16_t fp_offset; /* the caller's frame pointer is at CFA + this, or CT_RULE_KEPT */
	uint8_t kind;
	uint8_t ra : 7;    /* enum ct_rule_ra */
	uint8_t code_asked : 1; /* the code says no more */
};

/* The FDE for pc in an .eh_frame_hdr section as it is mapped; NULL: none. */
const uint8_t *ct_cfi_find(const uint8_t *header, uint64_t pc);
/* The rule that the FDE gives for pc. */
struct ct_rule ct_cfi_read(const uint8_t *fde, uint64_t pc);

/* The rule at code address pc, by way of a cache, in which it holds for the
 * epoch of shared objects. pc is inside the call instruction, not behind it. */
struct ct_rule ct_rule_at(uint64_t pc, uint32_t epoch);
/* The rule at a return address without call frame information, from the code there, if
 * nothing but the frame's end follows the call: so it is in the trampolines that CPython
 * makes for perf. ip must have been found by call frame information alone. */
struct ct_rule ct_rule_of_code(uint64_t ip, uint32_t epoch);
/* The same of bytes that were read. */
struct ct_rule ct_rule_of_bytes(const uint8_t bytes[8]);

#pragma GCC visibility pop

#endif
