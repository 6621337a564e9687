#include "daemon/requests/store_inside.h"

void store_put_silence(struct store *self, const struct silence *silence, int64_t for_ns, struct moment made)
{
    struct cursor cursor = store_write(self, PUT_SILENCE);
    put_text(&cursor, silence->pattern);
    put_text(&cursor, silence->reason);
    put_integer(&cursor, for_ns);
    put_integer(&cursor, self->boot);
    put_moment(&cursor, made);
    store_execute(&cursor);
}

void store_end_silences(struct store *self, const char *pattern)
{
    struct cursor cursor = store_write(self, END_SILENCES);
    put_text(&cursor, pattern);
    store_execute(&cursor);
}

int store_each_silence(struct store *self, struct moment now, store_silence_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, SILENCES);
    int rc;
    while ((rc = store_next(&cursor)) == 1) {
        struct silence silence;
        get_string(&cursor, silence.pattern, sizeof silence.pattern);
        get_string(&cursor, silence.reason, sizeof silence.reason);
        int64_t for_ns = get_integer(&cursor), boot = get_integer(&cursor);
        silence.until = moment_after(get_moment(&cursor, boot), for_ns);
        if (silence.until.steady_ns <= now.steady_ns)
            continue;
        rc = visit(argument, &silence);
        if (rc != 0) {
            store_finish(&cursor);
            return rc;
        }
    }
    return rc;
}
