#include <string.h>

#include "daemon/requests/store_inside.h"

static void read_tally(struct cursor *cursor, struct history_tally *out)
{
    out->attempts = get_real(cursor);
    out->recovered = get_real(cursor);
    out->costs = get_real(cursor);
    out->gpu_hours = get_real(cursor);
}

static void read_fleet(struct cursor *cursor, struct history_fleet *out)
{
    out->families = get_real(cursor);
    out->attempts = get_real(cursor);
    out->attempts_squared = get_real(cursor);
    out->recovered = get_real(cursor);
    out->recovered_squared = get_real(cursor);
    out->cost_families = get_real(cursor);
    out->per_hour = get_real(cursor);
    out->per_hour_squared = get_real(cursor);
}

static int get_tally(struct store *self, struct text family, const char *strategy, struct history_tally *out)
{
    struct cursor cursor = store_read(self, GET_TALLY);
    put_piece(&cursor, family);
    put_text(&cursor, strategy);
    int rc = store_next(&cursor);
    if (rc != 1)
        return rc;
    read_tally(&cursor, out);
    store_finish(&cursor);
    return 0;
}

static int get_fleet(struct store *self, const char *strategy, struct history_fleet *out)
{
    struct cursor cursor = store_read(self, GET_FLEET);
    put_text(&cursor, strategy);
    int rc = store_next(&cursor);
    if (rc != 1)
        return rc;
    read_fleet(&cursor, out);
    store_finish(&cursor);
    return 0;
}

int store_get_tally(struct store *self, struct text family, const char *strategy, struct history_row *out)
{
    *out = (struct history_row){.here = {.attempts = 0}};
    int rc = get_tally(self, family, strategy, &out->here);
    return rc < 0 ? rc : get_fleet(self, strategy, &out->fleet);
}

static struct history_row *row_of(const char *name, const struct strategy *strategies, uint32_t count,
                                  struct history_row *rows)
{
    for (uint32_t i = 0; name && i < count; i++) {
        if (strcmp(strategies[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

int store_get_tallies(struct store *self, struct text family, const struct strategy *strategies, uint32_t count,
                      struct history_row *out)
{
    struct history_row *row;
    int rc;
    struct cursor cursor = store_read(self, FAMILY_TALLIES);
    put_piece(&cursor, family);
    while ((rc = store_next(&cursor)) == 1) {
        if ((row = row_of(get_text(&cursor), strategies, count, out)))
            read_tally(&cursor, &row->here);
    }
    return rc;
}

int store_get_fleet(struct store *self, const struct strategy *strategies, uint32_t count, struct history_row *out)
{
    struct history_row *row;
    int rc;
    struct cursor cursor = store_read(self, FLEET);
    while ((rc = store_next(&cursor)) == 1) {
        if ((row = row_of(get_text(&cursor), strategies, count, out)))
            read_fleet(&cursor, &row->fleet);
    }
    return rc;
}

void store_put_tally(struct store *self, struct text family, const char *strategy, const struct history_row *row)
{
    struct cursor cursor = store_write(self, PUT_TALLY);
    put_piece(&cursor, family);
    put_text(&cursor, strategy);
    put_real(&cursor, row->here.attempts);
    put_real(&cursor, row->here.recovered);
    put_real(&cursor, row->here.costs);
    put_real(&cursor, row->here.gpu_hours);
    store_execute(&cursor);
    cursor = store_write(self, PUT_FLEET);
    put_text(&cursor, strategy);
    put_real(&cursor, row->fleet.families);
    put_real(&cursor, row->fleet.attempts);
    put_real(&cursor, row->fleet.attempts_squared);
    put_real(&cursor, row->fleet.recovered);
    put_real(&cursor, row->fleet.recovered_squared);
    put_real(&cursor, row->fleet.cost_families);
    put_real(&cursor, row->fleet.per_hour);
    put_real(&cursor, row->fleet.per_hour_squared);
    store_execute(&cursor);
}
