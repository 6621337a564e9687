#include "daemon/base/large_pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FROM-TO PERMISSIONS OFFSET DEVICE INODE [NAME], numbers but the last in hexadecimal. */
bool large_pieces_of(const char *line, uint64_t most, struct large_pieces *out)
{
    uintptr_t from, to;
    char may[5];
    unsigned long long inode;
    int name = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %llu %n", &from, &to, may, &inode, &name) != 4 || !name)
        return false;
    const size_t len = strcspn(line + name, "\n");
    const bool ours = len == 0 || (len == strlen("[heap]") && memcmp(line + name, "[heap]", len) == 0);
    if (strcmp(may, "rw-p") != 0 || inode != 0 || !ours || to < from || to - from > most)
        return false;
    const uintptr_t first = (from + (LARGE_PIECE_BYTES - 1)) & ~(LARGE_PIECE_BYTES - 1);
    const uintptr_t end = to & ~(LARGE_PIECE_BYTES - 1);
    if (first < from || first >= end)
        return false;
    *out = (struct large_pieces){.from = first, .to = end};
    return true;
}

bool large_piece_whole(const unsigned char pages[LARGE_PIECE_PAGES])
{
    uint32_t lacks = 0;
    for (uint32_t i = 0; i < LARGE_PIECE_PAGES; i++)
        lacks += !(pages[i] & 1);
    return lacks <= LARGE_PIECE_LACKS;
}

bool large_pieces_due(int64_t resident, int64_t looked_at)
{
    const int64_t change = resident > looked_at ? resident - looked_at : looked_at - resident;
    return change >= LARGE_PIECES_STEP_BYTES && change >= looked_at / 16;
}
