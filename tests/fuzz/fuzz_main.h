/* fuzz_main.h - makes a fuzz target a program that needs no libFuzzer, with -DFUZZ_STANDALONE: it runs the files that it
 * is given, or, given none, 100,000 random pieces of damage to the target's own examples, with a fixed seed.
 */
#ifndef TESTS_FUZZ_FUZZ_MAIN_H
#define TESTS_FUZZ_FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_STANDALONE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_BYTES_MAX (16u * 1024u * 1024u)

/* From memory of just its size. */
static void fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy != NULL) {
        memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
    }
    free(copy);
}

static int fuzz_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(FUZZ_BYTES_MAX);
    if (file == NULL || data == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    fuzz_one(data, fread(data, 1, FUZZ_BYTES_MAX, file));
    fclose(file);
    free(data);
    return 0;
}

static void fuzz_damage(const uint8_t *const examples[], const size_t sizes[], size_t count)
{
    uint8_t bytes[1024];
    srand(1);
    for (size_t i = 0; i < count; i++) {
        for (size_t size = 0; size <= sizes[i]; size++) {
            fuzz_one(examples[i], size);
        }
    }
    for (int round = 0; round < 100000; round++) {
        size_t which = (size_t)rand() % count, size = sizes[which] < sizeof bytes ? sizes[which] : sizeof bytes;
        memcpy(bytes, examples[which], size);
        for (int left = 1 + rand() % 4; left > 0 && size > 0; left--) {
            bytes[(size_t)rand() % size] = (uint8_t)rand();
        }
        fuzz_one(bytes, size);
    }
}

#define FUZZ_MAIN(examples, sizes, count)                                                                              \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        int failed = 0;                                                                                                \
        for (int i = 1; i < argc; i++) {                                                                               \
            failed |= fuzz_file(argv[i]);                                                                              \
        }                                                                                                              \
        if (argc == 1) {                                                                                               \
            fuzz_damage(examples, sizes, count);                                                                       \
        }                                                                                                              \
        return failed;                                                                                                 \
    }

#else
#define FUZZ_MAIN(examples, sizes, count)
#endif

#endif
