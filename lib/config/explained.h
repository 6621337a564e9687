/* explained.h - gathers from a configuration what there is to explain about one model.
 *
 * Threads: as config_settings_for(). Memory: what is gathered is a copy. Failure: -ENOMEM, or -EINVAL where `live` is no
 * text of explain_live_json().
 */
#ifndef DRIFT_LIB_CONFIG_EXPLAINED_H
#define DRIFT_LIB_CONFIG_EXPLAINED_H

#include "lib/config/config.h"
#include "lib/explain/explain.h"

/* `live`: how the model stands, as explain_live_json() wrote it; an empty text where it has not been heard of. */
int config_explain(struct config *config, const struct model_id *model, struct text live, struct explain *out);

#endif
