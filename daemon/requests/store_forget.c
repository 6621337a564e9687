#include "daemon/requests/store_inside.h"

#define FORGET_MOST 64

struct gone {
    int64_t number;
    char id[REQUEST_ID_LEN + 1];
};

static void forget(struct store *self, const struct gone *gone)
{
    struct cursor cursor = store_write(self, FORGET_REQUEST);
    put_integer(&cursor, gone->number);
    store_execute(&cursor);
    cursor = store_write(self, FORGET_FIRST_LINE);
    put_integer(&cursor, gone->number);
    store_execute(&cursor);
    cursor = store_write(self, FORGET_LINES);
    put_integer(&cursor, gone->number);
    store_execute(&cursor);
    cursor = store_write(self, FORGET_OUTCOMES);
    put_text(&cursor, gone->id);
    store_execute(&cursor);
}

int store_forget(struct store *self, struct moment before, uint32_t most, uint64_t gone[REQUEST_STATES])
{
    struct gone found[FORGET_MOST];
    struct cursor cursor = store_read(self, ENDED_LONG_AGO);
    int rc, count = 0;
    put_integer(&cursor, self->boot);
    put_integer(&cursor, before.steady_ns);
    put_real(&cursor, before.wall_s);
    put_integer(&cursor, most < FORGET_MOST ? most : FORGET_MOST);
    while ((rc = store_next(&cursor)) == 1) {
        enum request_state state;
        found[count].number = get_integer(&cursor);
        get_string(&cursor, found[count].id, sizeof found[count].id);
        const char *name = get_text(&cursor);
        if (name && request_state_of(text_of(name), &state) == 0)
            gone[state]++;
        count++;
    }
    if (rc < 0)
        return rc;
    for (int i = 0; i < count; i++)
        forget(self, &found[i]);
    return count;
}
