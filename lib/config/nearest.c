#include "lib/config/nearest.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t nearest_distance(struct text a, struct text b)
{
    /* rows[i % 3][j]: distance of the first i bytes of a from the first j bytes of b. */
    uint32_t rows[3][NEAREST_BYTES_MAX + 1];
    if (a.len > NEAREST_BYTES_MAX || b.len > NEAREST_BYTES_MAX)
        return UINT32_MAX;
    for (uint32_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            uint32_t other = a.at[i - 1] != b.at[j - 1];
            row[j] = least(above[j - 1] + other, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}
