/* format.h - what a file of monitors looks like on disk. All numbers are little-endian.
 *
 * A file is a head of FORMAT_HEAD bytes, records, and an end. A record is FORMAT_RECORD_HEAD bytes - "DRMR", the length of
 * what follows, and a SipHash-1-3 over length and content under a fixed key, against damage and not against malice - and
 * the content, one model as its shard wrote it down. The end is a record of the mark "DREN": how many records there are,
 * and a copy of the head, so that neither a torn nor a damaged file is taken for a whole one and no single byte costs
 * more than a record. A record that does not hold is passed over by looking for the next mark.
 *
 * The version rises when any of this changes, or what a shard writes. A program reads its own version alone: what it
 * refuses costs windows, never requests.
 *
 * Threads: pure functions. Memory: the caller's. Failure: as each function says.
 */
#ifndef DRIFTD_CHECKPOINT_FORMAT_H
#define DRIFTD_CHECKPOINT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/slice.h"

#define FORMAT_VERSION 1
#define FORMAT_HEAD 128
#define FORMAT_RECORD_HEAD SLICE_HEAD
#define FORMAT_END (FORMAT_RECORD_HEAD + 8 + FORMAT_HEAD)
#define FORMAT_BOOT_MAX 48

struct format_head {
    uint32_t version;
    bool changed_only;           /* models that changed since the file before; else all */
    uint64_t number;             /* rises from file to file */
    int64_t steady_ns;           /* when it was begun, by the clock of `boot`, */
    double wall_s;               /* and by the calendar */
    char boot[FORMAT_BOOT_MAX];  /* of the machine */
};

void format_head_write(uint8_t out[FORMAT_HEAD], const struct format_head *head);

/* 0; -ENOENT: not ours, or damaged; -EPROTO: ours, of a version that out->version tells. */
int format_head_read(const uint8_t at[FORMAT_HEAD], struct format_head *out);

/* Completes the head of each record in a slice. */
void format_seal(uint8_t *bytes, size_t used);

void format_end_write(uint8_t out[FORMAT_END], const struct format_head *head, uint64_t records);

enum format_kind { FORMAT_NOTHING, FORMAT_MODEL, FORMAT_LAST };

/* What begins at `at`, by its mark alone, and how long its content says it is. */
enum format_kind format_kind_of(const uint8_t at[FORMAT_RECORD_HEAD], uint32_t *length_p);
/* Whether a whole record is as it was written. */
bool format_holds(const uint8_t *record, uint32_t length);

#define FORMAT_MARK_BYTES 4
/* The next place at or after `from` where a mark begins, or `size`. */
size_t format_next_mark(const uint8_t *bytes, size_t from, size_t size);

#endif
