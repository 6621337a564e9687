/* large_pieces.h - which pieces of the memory can be put into large pages: the arithmetic of large_pages.h.
 *
 * A piece is LARGE_PIECE_BYTES at a multiple of as many. Nothing here asks the system for anything.
 *
 * Threads: any. Memory: none is kept. Failure: what cannot be understood is nothing of ours.
 */
#ifndef DRIFTD_BASE_LARGE_PIECES_H
#define DRIFTD_BASE_LARGE_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LARGE_PIECE_BYTES ((uintptr_t)2 << 20)
#define LARGE_PIECE_PAGES 512   /* of 4 KiB */
#define LARGE_PIECE_LACKS 16    /* pages that a piece may lack: so much, 3 in 100, it grows by */
#define LARGE_PIECES_STEP_BYTES (INT64_C(8) << 20)

/* From the beginning of a piece to the end of one. */
struct large_pieces {
    uintptr_t from, to;
};

/* Takes a line of /proc/self/maps. Whether it is memory of the allocator's (private, to be read and written, of no file
 * and without a name, or the heap), with whole pieces in it, which are put into *out. What is larger than `most` bytes
 * is address space that somebody reserved, and none. */
bool large_pieces_of(const char *line, uint64_t most, struct large_pieces *out);

/* Of a piece as mincore(2) tells: whether it is there but for LARGE_PIECE_LACKS pages. */
bool large_piece_whole(const unsigned char pages[LARGE_PIECE_PAGES]);

/* Whether there is something to look for: the resident set has changed by a sixteenth, and LARGE_PIECES_STEP_BYTES at
 * least, since the last look. Both in bytes. */
bool large_pieces_due(int64_t resident, int64_t looked_at);

#endif
