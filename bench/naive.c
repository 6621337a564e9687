/* naive.c - the same line as one would write it first: zloop, zmsg, jansson, zhashx, a window a metric.
 *
 *   naive ENDPOINT MESSAGES
 *
 * The baseline that driftd is held against besides the bare loop: it receives, parses, finds the model and keeps five
 * windows of 128 values with their sums; it checks nothing, counts nothing and judges one mean. Prints as rawdrain does.
 */
#include <czmq.h>
#include <jansson.h>
#include <sys/resource.h>

#define WINDOW 128
#define METRICS 5

struct naive_model {
    double values[METRICS][WINDOW], sum[METRICS];
    size_t count;
    unsigned failures;
};

struct naive {
    zhashx_t *models;
    unsigned long long want, got;
    double started, cpu;
};

static const char *const names[METRICS] = {"accuracy", "precision", "recall", "latency_ms", "processed_fps"};

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void take(struct naive_model *model, const json_t *event)
{
    size_t at = model->count % WINDOW;
    for (int i = 0; i < METRICS; i++) {
        double value = json_number_value(json_object_get(event, names[i]));
        if (model->count >= WINDOW)
            model->sum[i] -= model->values[i][at];
        model->values[i][at] = value;
        model->sum[i] += value;
    }
    model->count++;
    size_t held = model->count < WINDOW ? model->count : WINDOW;
    model->failures = model->sum[0] / (double)held < 0.8 ? model->failures + 1 : 0;
}

static int receive(zloop_t *loop, zsock_t *socket, void *argument)
{
    (void)loop;
    struct naive *self = argument;
    zmsg_t *message = zmsg_recv(socket);
    if (!message)
        return -1;
    if (self->got++ == 0) {
        self->started = (double)zclock_usecs() * 1e-6;
        self->cpu = cpu_seconds();
    }
    char *topic = zmsg_popstr(message), *payload = zmsg_popstr(message);
    json_t *event = json_loads(payload ? payload : "", 0, NULL);
    struct naive_model *model = zhashx_lookup(self->models, topic);
    if (!model) {
        model = calloc(1, sizeof *model);
        zhashx_insert(self->models, topic, model);
    }
    if (event && model)
        take(model, event);
    json_decref(event);
    zstr_free(&topic);
    zstr_free(&payload);
    zmsg_destroy(&message);
    return self->got < self->want ? 0 : -1;
}

static void model_free(void **item)
{
    free(*item);
    *item = NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: naive ENDPOINT MESSAGES\n");
        return 64;
    }
    struct naive self = {.models = zhashx_new(), .want = strtoull(argv[2], NULL, 10)};
    zhashx_set_destructor(self.models, model_free);
    zsock_t *socket = zsock_new(ZMQ_SUB);
    zsock_set_rcvhwm(socket, 1000);
    zsock_set_subscribe(socket, "metrics/");
    if (zsock_bind(socket, "%s", argv[1]) < 0)
        return 1;
    printf("ready\n");
    fflush(stdout);
    zloop_t *loop = zloop_new();
    zloop_reader(loop, socket, receive, &self);
    zloop_start(loop);
    printf("{\"messages\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", self.got,
           (double)zclock_usecs() * 1e-6 - self.started, cpu_seconds() - self.cpu);
    zloop_destroy(&loop);
    zsock_destroy(&socket);
    zhashx_destroy(&self.models);
    return 0;
}
