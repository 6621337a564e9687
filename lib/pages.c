/* Areas of pages, each twice as large as the one before, with a bit for each page that nobody has. They are only ever
 * added: so whoever walks them needs no lock. */
#include "lib/pages.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORD_PAGES 64
#define FIRST_WORDS 4 /* a megabyte */

struct area {
    struct area *before;
    char *pages;
    uint32_t words;
    atomic_uint idle_count, hint; /* pages that nobody has, at most; and a word that had one */
    _Atomic uint64_t idle[];      /* a bit for each of them */
};

static _Atomic(struct area *) newest;

static void *page_at(const struct area *area, uint32_t word, uint32_t bit)
{
    return area->pages + ((size_t)word * WORD_PAGES + bit) * PAGES_BYTES;
}

static void *take_of_word(struct area *area, uint32_t word)
{
    uint64_t idle = atomic_load(&area->idle[word]);
    while (idle) {
        if (!atomic_compare_exchange_weak(&area->idle[word], &idle, idle & (idle - 1)))
            continue;
        atomic_fetch_sub(&area->idle_count, 1);
        atomic_store_explicit(&area->hint, word, memory_order_relaxed);
        return page_at(area, word, (uint32_t)__builtin_ctzll(idle));
    }
    return NULL;
}

static void *take_of(struct area *area)
{
    const uint32_t first = atomic_load_explicit(&area->hint, memory_order_relaxed);
    void *page = NULL;
    for (uint32_t i = 0; i < area->words && !page && atomic_load(&area->idle_count); i++)
        page = take_of_word(area, (first + i) % area->words);
    return page;
}

/* Another area, the first page of which is the caller's. */
static void *add_area(uint32_t words)
{
    const size_t head = sizeof(struct area) + words * sizeof(uint64_t);
    struct area *area = malloc(head + ((size_t)words * WORD_PAGES + 1) * PAGES_BYTES);
    if (!area)
        return NULL;
    area->pages = (char *)(((uintptr_t)area + head + PAGES_BYTES - 1) / PAGES_BYTES * PAGES_BYTES);
    area->words = words;
    /* They come and go one by one: a large page of the kernel's would be taken apart again. */
    madvise(area->pages, (size_t)words * WORD_PAGES * PAGES_BYTES, MADV_NOHUGEPAGE);
    atomic_init(&area->idle_count, words * WORD_PAGES - 1);
    atomic_init(&area->hint, 0);
    for (uint32_t word = 0; word < words; word++)
        atomic_init(&area->idle[word], word ? UINT64_MAX : UINT64_MAX - 1);
    area->before = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &area->before, area))
        ;
    return area->pages;
}

void *pages_take(void)
{
    struct area *last = atomic_load(&newest);
    void *page = NULL;
    for (struct area *area = last; area && !page; area = area->before)
        page = take_of(area);
    return page ? page : add_area(last ? 2 * last->words : FIRST_WORDS);
}

void pages_give(void *page)
{
    struct area *area = atomic_load(&newest);
    if (!page)
        return;
    while ((uintptr_t)page - (uintptr_t)area->pages >= (size_t)area->words * WORD_PAGES * PAGES_BYTES)
        area = area->before;
    const size_t number = (size_t)((char *)page - area->pages) / PAGES_BYTES;
    const uint64_t bit = UINT64_C(1) << number % WORD_PAGES;
    assert((atomic_load(&area->idle[number / WORD_PAGES]) & bit) == 0);
    madvise(page, PAGES_BYTES, MADV_DONTNEED);
    atomic_fetch_add(&area->idle_count, 1); /* first: it is never below what there is */
    atomic_fetch_or(&area->idle[number / WORD_PAGES], bit);
    atomic_store_explicit(&area->hint, (uint32_t)(number / WORD_PAGES), memory_order_relaxed);
}

size_t pages_idle_bytes(void)
{
    size_t pages = 0;
    for (const struct area *area = atomic_load(&newest); area; area = area->before)
        pages += atomic_load(&area->idle_count);
    return pages * PAGES_BYTES;
}
