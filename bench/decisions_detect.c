/* decisions_detect.c - every detector, four ways at most, on every kind of stream: see decisions.h. */
#include "bench/decisions.h"

/* The same detector in several ways; false: not in that many. `other` has the thresholds of another promise. */
static bool variant(const char *name, uint32_t which, struct detect_params *params, struct detect_params *other)
{
    if (detect_params_init(params, name, NULL) != 0)
        stop(name);
    if (strcmp(name, "evidence") == 0 && detect_params_set(params, "budget", 0.8, NULL) != 0)
        stop(name);
    *other = *params;
    switch (which) {
    case 0:
        return true;
    case 1:
        set(params, "reference", 100);
        set(params, "clock", 7);
        set(params, "max_buckets", 3);
        set(params, "direction", DETECT_UP);
        break;
    case 2:
        set(params, "clock", 1);
        set(params, "prewhiten", 1);
        set(params, "robust", 1);
        set(params, "log", 2);
        break;
    case 3:
        set(params, "prewhiten", 1);
        set(params, "robust", 1);
        set(params, "reference", 230);
        break;
    default:
        return false;
    }
    *other = *params;
    if (which >= 2 && detect_params_promise(params, 2000, NULL) == 0 && detect_params_promise(other, 200000, NULL) != 0)
        *other = *params;
    return true;
}

static void hash_verdict(uint64_t *hash, const struct detect *detect, const struct detect_verdict *verdict)
{
    struct detect_reference reference;
    hash_u64(hash, verdict->state);
    hash_f64(hash, verdict->statistic);
    hash_f64(hash, verdict->threshold);
    hash_u64(hash, verdict->n);
    hash_u64(hash, verdict->changed_at);
    hash_f64(hash, verdict->size);
    hash_f64(hash, verdict->lower);
    hash_f64(hash, verdict->upper);
    hash_u64(hash, detect_clipped(detect));
    if (detect_reference(detect, &reference) != 0)
        return;
    hash_u64(hash, reference.collected);
    hash_u64(hash, reference.judging);
    hash_u64(hash, reference.logs);
    hash_f64(hash, reference.phi);
    hash_f64(hash, reference.level);
    hash_f64(hash, reference.sd);
    hash_f64(hash, reference.limit);
    hash_f64(hash, reference.slack);
    hash_f64(hash, reference.cut);
    hash_f64(hash, reference.scale[0]);
    hash_f64(hash, reference.scale[1]);
}

static void *saved_detect(const struct detect *detect, size_t *size_p)
{
    *size_p = detect_save(detect, NULL, 0);
    void *bytes = malloc(*size_p);
    if (!bytes || detect_save(detect, bytes, *size_p) != *size_p)
        stop("detect_save");
    return bytes;
}

static struct detect *loaded_detect(const struct detect_params *params, const char *name, const void *bytes,
                                    size_t size)
{
    struct detect *detect;
    if (detect_new(&detect, name, params) != 0 || detect_load(detect, bytes, size) != 0)
        stop("detect_load");
    return detect;
}

static void again_detect(struct detect **detect, const struct detect_params *params, const char *name)
{
    size_t size;
    void *bytes = saved_detect(*detect, &size);
    detect_destroy(detect);
    *detect = loaded_detect(params, name, bytes, size);
    free(bytes);
}

/* Both halves of one stream; every `restarts` values saved and loaded; 0: never. */
static void run_detect(const char *name, const struct detect_params params[2], uint32_t kind, uint32_t restarts,
                       bool first_run, uint64_t hash[2])
{
    struct stream stream = stream_seeded(7, kind);
    struct detect *detect;
    size_t size;
    if (detect_new(&detect, name, &params[0]) != 0)
        stop(name);
    hash[0] = hash[1] = HASH_FIRST;
    for (uint32_t i = 0; i < VALUES; i++) {
        const struct detect_params *now = &params[i >= 300 && i % 1100 < 800];
        double value = value_of(&stream, kind, i);
        if (i == HALF && from) {
            detect_destroy(&detect);
            void *bytes = read_state(&size);
            detect = loaded_detect(now, name, bytes, size);
            free(bytes);
        } else if (i == HALF && keep && first_run) {
            void *bytes = saved_detect(detect, &size);
            write_state(bytes, size);
            free(bytes);
        }
        if (from && i < HALF)
            continue;
        if (detect_retune(detect, now) != 0)
            stop("detect_retune");
        if (restarts && i % restarts == restarts - 1)
            again_detect(&detect, now, name);
        if (i % 211 == 5)
            value = i % 2 ? (double)NAN : (double)INFINITY;
        struct detect_verdict verdict = detect_add(detect, value);
        hash_verdict(&hash[i >= HALF], detect, &verdict);
    }
    detect_destroy(&detect);
}

static void detectors(void)
{
    for (uint32_t d = 0; detect_name(d); d++) {
        struct detect_params params[2];
        for (uint32_t which = 0; variant(detect_name(d), which, &params[0], &params[1]); which++)
            for (uint32_t kind = 0; kind < KINDS; kind++) {
                uint64_t plain[2], restarted[2] = {0};
                run_detect(detect_name(d), params, kind, 0, true, plain);
                if (!from)
                    run_detect(detect_name(d), params, kind, 37, false, restarted);
                say(detect_name(d), 10 * which + kind, plain, restarted);
            }
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    detectors();
    return end();
}
