#include "daemon/requests/store_inside.h"

static void read_model(struct cursor *cursor, struct store_model *out)
{
    *out = (struct store_model){.episode = 0};
    get_string(cursor, out->model, sizeof out->model);
    out->episode = (uint64_t)get_integer(cursor);
    get_string(cursor, out->request, sizeof out->request);
    int64_t boot = get_integer(cursor);
    out->first_seen = get_moment(cursor, boot);
    out->served = get_moment(cursor, boot);
    out->triggered = get_moment(cursor, boot);
    out->ended = get_moment(cursor, boot);
}

int store_get_model(struct store *self, const char *model, struct store_model *out)
{
    struct cursor cursor = store_read(self, GET_MODEL);
    put_text(&cursor, model);
    int rc = store_next(&cursor);
    if (rc == 1) {
        read_model(&cursor, out);
        store_finish(&cursor);
    }
    return rc;
}

void store_put_model(struct store *self, const struct store_model *model)
{
    struct cursor cursor = store_write(self, PUT_MODEL);
    put_text(&cursor, model->model);
    put_integer(&cursor, (int64_t)model->episode);
    put_text(&cursor, *model->request ? model->request : NULL);
    put_integer(&cursor, self->boot);
    put_moment(&cursor, model->first_seen);
    put_moment(&cursor, model->served);
    put_moment(&cursor, model->triggered);
    put_moment(&cursor, model->ended);
    store_execute(&cursor);
}

static int each(struct cursor *cursor, store_model_fn *visit, void *argument)
{
    int rc;
    while ((rc = store_next(cursor)) == 1) {
        struct store_model row;
        read_model(cursor, &row);
        visit(argument, &row);
    }
    return rc;
}

int store_each_episode(struct store *self, store_model_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, EPISODES);
    return each(&cursor, visit, argument);
}

int store_each_of_family(struct store *self, struct text family, store_model_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, FAMILY_EPISODES);
    put_piece(&cursor, family);
    return each(&cursor, visit, argument);
}

int store_each_waiting(struct store *self, struct text family, const char *request, store_model_fn *visit,
                       void *argument)
{
    struct cursor cursor = store_read(self, WAITING);
    put_piece(&cursor, family);
    put_text(&cursor, request);
    return each(&cursor, visit, argument);
}

int store_each_version(struct store *self, struct text family, store_model_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, VERSIONS);
    put_piece(&cursor, family);
    return each(&cursor, visit, argument);
}

int store_get_family(struct store *self, struct text family, struct store_family *out)
{
    struct cursor cursor = store_read(self, GET_FAMILY);
    put_piece(&cursor, family);
    int rc = store_next(&cursor);
    if (rc != 1)
        return rc;
    out->requests = (uint64_t)get_integer(&cursor);
    out->fruitless = (uint32_t)get_integer(&cursor);
    out->unrecoverable = get_integer(&cursor) != 0;
    out->recovered = get_integer(&cursor) != 0;
    get_string(&cursor, out->last_request, sizeof out->last_request);
    store_finish(&cursor);
    return 1;
}

void store_put_family(struct store *self, struct text family, const struct store_family *row)
{
    struct cursor cursor = store_write(self, PUT_FAMILY);
    put_piece(&cursor, family);
    put_integer(&cursor, (int64_t)row->requests);
    put_integer(&cursor, row->fruitless);
    put_integer(&cursor, row->unrecoverable);
    put_integer(&cursor, row->recovered);
    put_text(&cursor, *row->last_request ? row->last_request : NULL);
    store_execute(&cursor);
}
