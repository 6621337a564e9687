#include "lib/calibrate/absorb.h"

/* State m is taken out of the chain: who would have gone there goes at once where m would have gone next. */
void absorb_factor(uint32_t n, double *move, double *leave, double *pivot)
{
    for (uint32_t m = n; m-- > 0;) {
        const double *from = move + (uint64_t)m * n;
        double out = leave[m];
        for (uint32_t j = 0; j < m; j++)
            out += from[j];
        pivot[m] = out;
        for (uint32_t i = 0; i < m; i++) {
            double *row = move + (uint64_t)i * n;
            double part = row[m] / out;
            row[m] = part;
            leave[i] += part * leave[m];
            for (uint32_t j = 0; j < m; j++)
                row[j] += part * from[j];
        }
    }
}

void absorb_solve(uint32_t n, const double *move, const double *pivot, double *cost)
{
    for (uint32_t m = n; m-- > 0;)
        for (uint32_t i = 0; i < m; i++)
            cost[i] += move[(uint64_t)i * n + m] * cost[m];
    for (uint32_t i = 0; i < n; i++) {
        double sum = cost[i];
        for (uint32_t j = 0; j < i; j++)
            sum += move[(uint64_t)i * n + j] * cost[j];
        cost[i] = sum / pivot[i];
    }
}
