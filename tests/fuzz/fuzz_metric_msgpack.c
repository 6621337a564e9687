/* fuzz_metric_msgpack.c - the decoder of metric messages and beacons against any bytes that are taken for MessagePack.
 */
#include "lib/wire/msgpack_reader.h"
#include "tests/fuzz/fuzz_main.h"
#include "tests/fuzz/wire_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct metric_decoder *decoder; /* kept, so that one payload can disturb the next */
    if (decoder == NULL) {
        struct metric_options options = {.max_future_s = 300, .secret = {1, 2}};
        PROMISE(metric_decoder_new(&decoder, &options) == 0);
    }
    if (size > 0 && !msgpack_begins(data[0])) {
        return 0; /* the other format's */
    }
    promise_payload(decoder, (struct text){(const char *)data, size});
    return 0;
}

#ifdef FUZZ_STANDALONE
static const char event[] = "\x85\xA9timestamp\xD7\xFF\x77\x35\x94\x00\x00\x00\x00\x01\xA4node\xA1\x61\xA3seq\xCD\x01\x00\xA8"
                            "accuracy\xCB\x3F\xE0\x00\x00\x00\x00\x00\x00\xA4note\xC3";
static const char batch[] = "\x92\x82\xA5model\xA5p/n/v\xA1x\xCA\x3F\x00\x00\x00\x81\xA1h\x81\xA9histogram\x82\xA5"
                            "edges\x92\x00\x01\xA6" "counts\x91\x05";
static const char columns[] = "\x83\xA1n\x92\x01\x02\xA1x\x92\xC0\xFF\xA3" "fps\x18";
static const char beacon[] = "\x82\xA4" "boot\xD3\x80\x00\x00\x00\x00\x00\x00\x00\xA6topics\x81\xA5p/n/v\x11";
static const uint8_t *const examples[] = {(const uint8_t *)event, (const uint8_t *)batch, (const uint8_t *)columns,
                                          (const uint8_t *)beacon};
static const size_t sizes[] = {sizeof event - 1, sizeof batch - 1, sizeof columns - 1, sizeof beacon - 1};
#endif
FUZZ_MAIN(examples, sizes, 4)
