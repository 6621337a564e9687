#include "daemon/requests/store_inside.h"

#define FORGET_MOST 64

static void forget(struct store *self, const char *id)
{
    static const enum store_statement statements[] = {FORGET_REQUEST, FORGET_LINES, FORGET_OUTCOMES};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct cursor cursor = store_write(self, statements[i]);
        put_text(&cursor, id);
        store_execute(&cursor);
    }
}

int store_forget(struct store *self, struct moment before, uint32_t most, uint64_t gone[REQUEST_STATES])
{
    char ids[FORGET_MOST][REQUEST_ID_LEN + 1];
    struct cursor cursor = store_read(self, ENDED_LONG_AGO);
    int rc, count = 0;
    put_integer(&cursor, self->boot);
    put_integer(&cursor, before.steady_ns);
    put_real(&cursor, before.wall_s);
    put_integer(&cursor, most < FORGET_MOST ? most : FORGET_MOST);
    while ((rc = store_next(&cursor)) == 1) {
        enum request_state state;
        get_string(&cursor, ids[count], sizeof *ids);
        const char *name = get_text(&cursor);
        if (name && request_state_of(text_of(name), &state) == 0)
            gone[state]++;
        count++;
    }
    if (rc < 0)
        return rc;
    for (int i = 0; i < count; i++)
        forget(self, ids[i]);
    return count;
}
