#include "daemon/base/log_catalog.h"

#include <stddef.h>
#include <string.h>

/* An id, once given, stays with its meaning; a sentence may be reworded. */
static const struct {
    const char *id, *sentence;
} catalog[] = {
    {"01ff054abbb25b4e968c7abec788c44c",
     "drift: a budget is broken"},
    {"05174e639d51564ab643cab141b6c6db",
     "drift: a metric has changed"},
    {"c5e79bb37aa25df0b112add9e7170f4d",
     "an attempt of retraining failed"},
    {"97f75a77152358ae81fb7e56580ee32e",
     "retraining given up; `driftc requeue` makes a new request"},
    {"360c43eee12055aca6d97a648637e40c",
     "a model is unrecoverable"},
    {"1745e4cf67105d45aae9d04d30c9f1dc",
     "models have fallen silent: nothing came from them for stale_after"},
    {"8c8e9e60304f57e4bc780698ac1e3955",
     "messages of a node were lost on their way"},
    {"d5244f24156f4b5eb45d9ce7c2d7e406",
     "messages that nodes sent while the daemon was down never arrived: a node that the daemon connects to keeps none "
     "meanwhile"},
    {"c1c4291f00ca5b5fab2085cd75147657",
     "dropped at the door; `driftc rejects` shows the last of each kind"},
    {"0f4e52e5deb355839ab6d87d332e81fe",
     "requests cannot be kept, there is no room for them: what was kept is safe, drift is still watched, no retraining is "
     "offered; make room on the disk of this file, and all goes on by itself"},
    {"6e9ce3cc62a256ee87ded97a69b1f09f",
     "notices of monitors are lost, the store could not be written for too long: make room on the disk of this file at once; "
     "what was kept is safe"},
    {"a609ade2c2f05635acc1bd3a2c007fc7",
     "a station does not answer; without it the service manager will start the daemon again"},
    {"e70f62628493572aa3ceda211d4c89f3",
     "driftd ends, because it can keep no more requests, as the line before says: with systemd it is started again by itself"},
    {"c0f86b88dfa54ea1bae0cde50f39b1cd",
     "a peer did not come in, its handshake failed"},
    {"2deabf7f3b0a40b191ec7c341cf9d9e2",
     "feedback of a trainer was refused"},
    {"59b1889870dc4f269682e2cdbef9f009",
     "a publisher is not reached; it is tried again and again"},
    {"d5abb3ae17ca4f31a8e65ae12463c531",
     "a publisher's connection ended for what it sent, a message beyond four times max_message or no ZMTP at all; it is "
     "connected to again"},
    {"da2609d2dd224f2ab5e297259010cf97",
     "an observer does not keep up and misses events until it has read half of what waits for it; have it read faster, or "
     "subscribe to less"},
    {"585749e5dc555acfb55d9061ecc66029",
     "no status page and no metrics: their address is not to be had; set http.listen to another one, or to off"},
};

const char *log_catalog_id(const char *sentence)
{
    for (size_t i = 0; i < sizeof catalog / sizeof *catalog; i++) {
        if (strcmp(catalog[i].sentence, sentence) == 0)
            return catalog[i].id;
    }
    return NULL;
}
