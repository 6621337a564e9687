#include "lib/retrain/notice.h"

#include <stdlib.h>

void retrain_notice_destroy(struct retrain_notice **self_p)
{
    if (!*self_p)
        return;
    free((*self_p)->metrics_json);
    free(*self_p);
    *self_p = NULL;
}

void retrain_update_destroy(struct retrain_update **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
