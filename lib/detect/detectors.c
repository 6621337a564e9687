/* The table of detectors, and names. */
#include <string.h>

#include "lib/detect/detector.h"

static const struct detector *const table[] = {
    &detector_evidence,     &detector_cusum,  &detector_ewma,        &detector_shewhart,
    &detector_page_hinkley, &detector_adwin,  &detector_ddm,         &detector_eddm,
    &detector_hddm_a,       &detector_hddm_w, &detector_kswin,       &detector_psi,
    &detector_ks,           &detector_js,     &detector_wasserstein, &detector_chi2,
};

const char *detect_state_name(enum detect_state state)
{
    switch (state) {
    case DETECT_NONE:
        return "none";
    case DETECT_WARNING:
        return "warning";
    case DETECT_DRIFT:
        return "drift";
    }
    return "none";
}

const struct detector *detector_at(uint32_t index)
{
    return index < sizeof(table) / sizeof(table[0]) ? table[index] : NULL;
}

const struct detector *detector_find(const char *name)
{
    for (uint32_t i = 0; detector_at(i); i++)
        if (strcmp(detector_at(i)->name, name) == 0)
            return detector_at(i);
    return NULL;
}

const char *detect_name(uint32_t index)
{
    return detector_at(index) ? detector_at(index)->name : NULL;
}
