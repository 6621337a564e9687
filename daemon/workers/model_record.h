/* model_record.h - all that is known of a model, as bytes: what a checkpoint is made of.
 *
 * Threads: that of the shard. Memory: the caller's buffer. Failure: model_record_load() says -EPROTO for bytes that are
 * not such a record. How requests stand is not in it: the store tells that.
 */
#ifndef DRIFTD_WORKERS_MODEL_RECORD_H
#define DRIFTD_WORKERS_MODEL_RECORD_H

#include "daemon/workers/models.h"

/* Returns the bytes needed; where `size` is less, what was written is of no use. */
size_t model_record_save(const struct model *model, void *buffer, size_t size);

/* The model's id, which points into the bytes. 0 or -EPROTO. */
int model_record_id(const void *bytes, size_t size, struct model_id *out);

/* What stands in a record besides the id. */
struct model_record {
    int64_t first_seen_ns, heard_ns; /* this machine's steady clock */
    bool serving_told, silent_told;
    struct recorder recorder;
    struct monitor *monitor;
};

/* Makes monitor and recorder, which the caller owns. `shift_ns` as for monitor_load(). 0, -EPROTO, -EINVAL or -ENOMEM;
 * nothing is made then. */
int model_record_load(struct model_record *out, const struct monitor_settings *settings, const void *bytes, size_t size,
                      int64_t shift_ns);

#endif
