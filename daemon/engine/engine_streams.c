/* How the ends of all senders' numbers go from one run to the next. Without them nothing but a counter is less precise:
 * whatever goes wrong here costs a line in the log. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/random.h"
#include "daemon/checkpoint/streams_file.h"
#include "daemon/engine/inside.h"

int engine_streams_key(struct engine *self, struct siphash_key *out)
{
    struct streams_back *back = &self->streams_back;
    back->rc = streams_file_read(self->config->state.dir, &back->bytes, &back->size);
    if (back->rc == 0 && workers_streams_key(back->bytes, back->size, out) == 0)
        return 0;
    return random_bytes(out, sizeof *out);
}

void engine_streams_go_on(struct engine *self)
{
    struct streams_back *back = &self->streams_back;
    if (back->rc == 0)
        back->rc = workers_load_streams(self->workers, back->bytes, back->size, clock_now());
    if (back->rc < 0 && back->rc != -ENOENT)
        log_warning("how far nodes had counted when the daemon stopped cannot be read; what they have sent since counts as "
                    "before_joining",
                    LOG_TEXT("why", back->rc == -ESTALE    ? "there are other workers than there were"
                                    : back->rc == -EPROTO ? "damaged, or of another version of driftd"
                                                          : strerror(-back->rc)));
    if (back->rc != -ENOENT)
        streams_file_remove(self->config->state.dir);
    free(back->bytes);
    *back = (struct streams_back){.rc = -ENOENT};
}

void engine_streams_keep(struct engine *self)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int rc = workers_save_streams(self->workers, &bytes, &size, clock_now());
    if (rc == 0)
        rc = streams_file_write(self->config->state.dir, bytes, size);
    free(bytes);
    if (rc < 0)
        log_warning("how far nodes have counted cannot be kept; what they send until the next start will count as "
                    "before_joining",
                    LOG_TEXT("why", strerror(-rc)), LOG_TEXT("state_dir", self->config->state.dir));
}
