/* fuzz_metric_json.c - the decoder of metric messages and beacons against any bytes that are taken for JSON. What begins
 * as a number is held against strtod(), alone and in an event; what is neither is read as a topic.
 */
#include "lib/wire/json_number.h"
#include "lib/wire/json_reader.h"
#include "tests/fuzz/fuzz_main.h"
#include "tests/fuzz/wire_promises.h"

#define NUMBER_MAX 1200 /* more digits than decide between two doubles */

static void promise_in_event(struct metric_decoder *decoder, const char *number, double value)
{
    char event[NUMBER_MAX + 64];
    struct model_id model;
    const struct metric_message *message;
    PROMISE(model_id_parse(&model, text_of("p/n/v")) == 0);
    int len = snprintf(event, sizeof event, "{\"timestamp\":1,\"x\":%s,\"y\":1}", number);
    for (int times = 0; times < 8; times++) {
        PROMISE(metric_decode(decoder, &model, (struct text){event, (size_t)len}, 1.8e9, &message) == 0);
        PROMISE(message->event_count == (isfinite(value) ? 1 : 0));
        if (message->event_count == 1) {
            const struct metric *metric = &message->events[0].metrics[0];
            PROMISE(message->events[0].metric_count == 2 && text_is(metric->name, "x"));
            PROMISE(memcmp(&metric->number, &value, sizeof value) == 0 || (metric->number == 0 && value == 0));
        }
    }
}

/* The number at the beginning, if there is one, is that of strtod(). */
static void promise_number(struct metric_decoder *decoder, const uint8_t *data, size_t size)
{
    char copy[NUMBER_MAX + 1];
    struct wire_value value = {0};
    size_t most = size < NUMBER_MAX ? size : NUMBER_MAX;
    const unsigned char *end = json_number(data, data + most, &value);
    if (end == NULL)
        return;
    PROMISE(end > data && end <= data + most);
    memcpy(copy, data, (size_t)(end - data));
    copy[end - data] = '\0';
    double reference = strtod(copy, NULL);
    PROMISE(memcmp(&value.number, &reference, sizeof reference) == 0 || (value.number == 0 && reference == 0));
    promise_in_event(decoder, copy, reference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct metric_decoder *decoder; /* kept, so that one payload can disturb the next */
    if (decoder == NULL) {
        struct metric_options options = {.max_future_s = 300, .secret = {1, 2}};
        PROMISE(metric_decoder_new(&decoder, &options) == 0);
    }
    if (size > 0 && !json_begins(data[0])) {
        if (data[0] == '-' || (data[0] >= '0' && data[0] <= '9'))
            promise_number(decoder, data, size);
        else
            promise_topic((struct text){(const char *)data, size});
        return 0;
    }
    promise_payload(decoder, (struct text){(const char *)data, size});
    return 0;
}

#ifdef FUZZ_STANDALONE
static const char event[] = "{\"timestamp\":1732356000.25,\"node\":\"a\\u0062\",\"seq\":1,\"accuracy\":0.5,\"note\":\"x\"}";
static const char batch[] = "[{\"model\":\"p/n/v\",\"n\":3,\"x\":1e3},{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[2]}}}]";
static const char columns[] = "{\"timestamp\":[1,\"1970-01-01T00:00:02Z\"],\"x\":[0.1,null],\"c\":[\"a\",true],\"fps\":24}";
static const char beacon[] = "{\"node\":\"a\",\"boot\":1,\"topics\":{\"p/n/v\":17,\"batch\":3}}";
static const uint8_t *const examples[] = {(const uint8_t *)event, (const uint8_t *)batch, (const uint8_t *)columns,
                                          (const uint8_t *)beacon};
static const size_t sizes[] = {sizeof event - 1, sizeof batch - 1, sizeof columns - 1, sizeof beacon - 1};
#endif
FUZZ_MAIN(examples, sizes, 4)
