/* stages.h - many things go through stages one behind the other: while one is done with, the memory that the next need
 * is on its way.
 *
 * Each stage asks the memory for what the one after it looks at. A stage at a time for all of them would ask for more
 * lines at once than a core has under way (some two dozen), and wait; and it would ask for more than its first cache
 * holds. One behind the other, what is asked for comes while something else is computed: with ten thousand models and
 * four detectors each, judging takes a tenth less time. Where the last stage takes long the others may follow closely;
 * where it does not they stay further apart, since the memory takes as long all the same.
 *
 * Threads: the caller's. Memory: none. Failure: none.
 */
#ifndef DRIFTD_WORKERS_STAGES_H
#define DRIFTD_WORKERS_STAGES_H

#include <stdint.h>

typedef void stages_pass(void *context, uint32_t i, uint32_t stage);

/* Passes each of `count` through stages 0 to `stages` - 1, in order; each stage takes them in their order too, and is
 * `apart` of them behind the one before. Inlined, so that `pass` is, with its stage known. */
static inline __attribute__((always_inline)) void stages_run(void *context, uint32_t count, uint32_t stages,
                                                             uint32_t apart, stages_pass *pass)
{
    for (uint32_t first = 0; first < count + (stages - 1) * apart; first++) {
#pragma GCC unroll 16
        for (uint32_t stage = 0; stage < stages; stage++)
            if (first - stage * apart < count) /* below 0 it is a large number */
                pass(context, first - stage * apart, stage);
    }
}

#endif
