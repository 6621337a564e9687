/* fuzz_metric_json.c - the decoder of metric messages and beacons against any bytes that are taken for JSON, and what is no
 * payload against the reader of topics.
 */
#include "lib/wire/json_reader.h"
#include "tests/fuzz/fuzz_main.h"
#include "tests/fuzz/wire_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct metric_decoder *decoder; /* kept, so that one payload can disturb the next */
    if (decoder == NULL) {
        struct metric_options options = {.max_future_s = 300, .secret = {1, 2}};
        PROMISE(metric_decoder_new(&decoder, &options) == 0);
    }
    if (size > 0 && !json_begins(data[0])) {
        promise_topic((struct text){(const char *)data, size});
        return 0; /* the other format's */
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
