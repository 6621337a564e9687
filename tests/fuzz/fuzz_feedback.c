/* fuzz_feedback.c - what a trainer says, against any bytes: what is taken keeps its promises, what is not has a
 * sentence. */
#include "lib/wire/feedback.h"

#include <math.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/utf8.h"
#include "tests/fuzz/fuzz_main.h"

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void promise_text(const char *text, size_t most)
{
    size_t len = strnlen(text, most + 1);
    promise(len <= most && utf8_valid((struct text){text, len}));
}

static void promise_reply(char *reply)
{
    json_t *json = reply ? json_loads(reply, JSON_REJECT_DUPLICATES, NULL) : NULL;
    promise(json_is_boolean(json_object_get(json, "ok")));
    json_decref(json);
    free(reply);
}

static void look_at(struct feedback *said)
{
    promise(said->say < SAYS && said->attempt >= 1);
    promise_text(said->request, FEEDBACK_NAME_MAX);
    promise_text(said->trainer, FEEDBACK_NAME_MAX);
    promise_text(said->note, FEEDBACK_NOTE_MAX);
    promise_text(said->version, FEEDBACK_NAME_MAX);
    promise_text(said->artifact, FEEDBACK_ARTIFACT_MAX);
    promise(isnan(said->fraction) || (said->fraction >= 0 && said->fraction <= 1));
    promise(isnan(said->gpu_hours) || (said->gpu_hours >= 0 && isfinite(said->gpu_hours)));
    if (said->metrics_json) {
        json_t *metrics = json_loads(said->metrics_json, JSON_REJECT_DUPLICATES, NULL);
        promise(json_is_object(metrics) && strlen(said->metrics_json) <= FEEDBACK_METRICS_MAX);
        json_decref(metrics);
    }
    promise(feedback_metric_fits(said, "accuracy") || isnan(feedback_metric(said, "accuracy")));
    promise_reply(feedback_granted(said->say, 1000000000, true));
    promise_reply(feedback_refused("bad_message", said->request));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feedback said;
    char why[256] = "";
    int rc = feedback_read(&said, (struct text){(const char *)data, size}, why);
    if (rc == 0) {
        look_at(&said);
        feedback_free(&said);
        return 0;
    }
    promise(memchr(why, '\0', sizeof why) != NULL && *why);
    promise_reply(feedback_refused("bad_message", why));
    return 0;
}

#ifdef FUZZ_STANDALONE
static const char accept[] = "{\"say\":\"accept\",\"request\":\"r\",\"attempt\":1,\"trainer\":\"t\"}";
static const char done[] =
    "{\"say\":\"done\",\"request\":\"r\",\"attempt\":1,\"trainer\":\"t\",\"version\":\"v2\",\"metrics\":"
    "{\"accuracy\":0.9},\"gpu_hours\":1.5}";
static const uint8_t *const examples[] = {(const uint8_t *)accept, (const uint8_t *)done};
static const size_t sizes[] = {sizeof accept - 1, sizeof done - 1};
#endif
FUZZ_MAIN(examples, sizes, 2)
