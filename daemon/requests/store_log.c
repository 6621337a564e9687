#include "daemon/requests/store_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The format is described at https://www.sqlite.org/fileformat2.html#walformat */
#define HEAD_BYTES 32
#define FRAME_BYTES 24
#define MAGIC UINT32_C(0x377f0682) /* the lowest bit: checksums over big-endian words */
#define PAGE_MAX 65536u

struct sums {
    uint32_t a, b;
};

static uint32_t big(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t little(const unsigned char *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void add(struct sums *sums, const unsigned char *at, size_t bytes, bool is_big)
{
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        sums->a += (is_big ? big(at + i) : little(at + i)) + sums->b;
        sums->b += (is_big ? big(at + i + 4) : little(at + i + 4)) + sums->a;
    }
}

struct log {
    FILE *file;
    unsigned char head[HEAD_BYTES];
    uint32_t page_bytes;
    bool is_big;
    struct sums sums;
    unsigned char frame[FRAME_BYTES + PAGE_MAX];
};

static bool head_is_whole(struct log *log)
{
    uint32_t magic = big(log->head);
    log->is_big = magic & 1;
    log->page_bytes = big(log->head + 8);
    if ((magic & ~1u) != MAGIC || log->page_bytes < 512 || log->page_bytes > PAGE_MAX ||
        (log->page_bytes & (log->page_bytes - 1)))
        return false;
    add(&log->sums, log->head, 24, log->is_big);
    return log->sums.a == big(log->head + 24) && log->sums.b == big(log->head + 28);
}

static bool of_this_log(const struct log *log)
{
    return big(log->frame + 8) == big(log->head + 16) && big(log->frame + 12) == big(log->head + 20);
}

static bool frame_is_whole(struct log *log)
{
    if (!of_this_log(log) || big(log->frame) == 0)
        return false;
    add(&log->sums, log->frame, 8, log->is_big);
    add(&log->sums, log->frame + FRAME_BYTES, log->page_bytes, log->is_big);
    return log->sums.a == big(log->frame + 16) && log->sums.b == big(log->frame + 20);
}

/* How many transactions end behind the first frame that is not whole, that one included. */
static uint32_t beyond_the_break(struct log *log)
{
    uint32_t ends = 0;
    bool broken = false;
    while (fread(log->frame, FRAME_BYTES + log->page_bytes, 1, log->file) == 1) {
        broken = broken || !frame_is_whole(log);
        if (broken && of_this_log(log) && big(log->frame) != 0 && big(log->frame + 4) != 0)
            ends++;
    }
    return ends;
}

static int check(struct log *log, bool needed, const char **what_p)
{
    size_t got = fread(log->head, 1, HEAD_BYTES, log->file);
    if (got < HEAD_BYTES && !ferror(log->file)) {
        *what_p = got ? "cut short" : "empty";
        return needed ? -EILSEQ : 0;
    }
    if (!head_is_whole(log)) {
        *what_p = "damaged at its head";
        return needed ? -EILSEQ : 0;
    }
    if (beyond_the_break(log) > 1) {
        *what_p = "damaged in its middle";
        return -EILSEQ;
    }
    return ferror(log->file) ? -EIO : 0;
}

int store_log_check(const char *file, bool needed, const char **what_p)
{
    *what_p = "missing";
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return -ENOMEM;
    log->file = fopen(file, "rbe");
    int rc = -errno;
    if (log->file)
        rc = check(log, needed, what_p);
    else if (rc == -ENOENT)
        rc = needed ? -EILSEQ : 0;
    if (log->file)
        fclose(log->file);
    free(log);
    return rc;
}

/* The format is described at https://www.sqlite.org/fileformat2.html#the_rollback_journal */
bool store_log_of_first_transaction(const char *file)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char head[20];
    FILE *journal = fopen(file, "rbe");
    bool whole = journal && fread(head, sizeof head, 1, journal) == 1;
    if (journal)
        fclose(journal);
    return whole && memcmp(head, magic, sizeof magic) == 0 && big(head + 16) == 0;
}
