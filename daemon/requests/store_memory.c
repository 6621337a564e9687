#include "daemon/requests/store_memory.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MOST 16384 /* bytes of a piece: a page of SQLite's and what it takes to balance some */
#define STEP 64
#define BLOCK_BYTES (124 * 1024) /* below what the allocator maps by itself */

/* Stands before each piece; SQLite asks for no more than its eight bytes to begin at. */
struct head {
    size_t bytes; /* with this */
};

struct idle {
    struct head head;
    struct idle *next;
};

struct block {
    struct block *before;
    char bytes[];
};

static _Atomic(struct block *) newest; /* so that nothing is lost sight of when a thread ends */
static _Thread_local struct idle *idle[MOST / STEP + 1];
static _Thread_local char *rest; /* of this thread's block */
static _Thread_local size_t left;

static size_t steps_of(size_t bytes)
{
    return (bytes + STEP - 1) / STEP;
}

static bool is_large(size_t bytes)
{
    return bytes > MOST;
}

static bool begin_block(void)
{
    struct block *block = malloc(BLOCK_BYTES);
    if (!block)
        return false;
    block->before = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &block->before, block))
        ;
    rest = block->bytes;
    left = BLOCK_BYTES - sizeof *block;
    return true;
}

static struct head *take_piece(size_t bytes)
{
    size_t steps = steps_of(bytes);
    struct idle *piece = idle[steps];
    if (piece) {
        idle[steps] = piece->next;
        return &piece->head;
    }
    if (left < steps * STEP && !begin_block())
        return NULL;
    struct head *cut = (struct head *)(void *)rest;
    rest += steps * STEP;
    left -= steps * STEP;
    return cut;
}

static void *take(int wanted)
{
    size_t bytes = sizeof(struct head) + (size_t)wanted;
    struct head *piece = is_large(bytes) ? malloc(bytes) : take_piece(bytes);
    if (!piece)
        return NULL;
    piece->bytes = bytes;
    return piece + 1;
}

static void give(void *memory)
{
    struct head *piece = (struct head *)memory - 1;
    if (is_large(piece->bytes)) {
        free(piece);
        return;
    }
    struct idle *given = (struct idle *)(void *)piece;
    size_t steps = steps_of(piece->bytes);
    given->next = idle[steps];
    idle[steps] = given;
}

static int size_of(void *memory)
{
    return memory ? (int)(((struct head *)memory - 1)->bytes - sizeof(struct head)) : 0;
}

static void *take_again(void *memory, int wanted)
{
    struct head *piece = (struct head *)memory - 1;
    size_t bytes = sizeof *piece + (size_t)wanted;
    if (is_large(piece->bytes) && is_large(bytes)) {
        struct head *moved = realloc(piece, bytes);
        if (!moved)
            return NULL;
        moved->bytes = bytes;
        return moved + 1;
    }
    void *other = take(wanted);
    if (!other)
        return NULL;
    memcpy(other, memory, (piece->bytes < bytes ? piece->bytes : bytes) - sizeof *piece);
    give(memory);
    return other;
}

static int round_up(int wanted)
{
    return (wanted + 7) & ~7;
}

static int begin(void *argument)
{
    (void)argument;
    return SQLITE_OK;
}

static void end(void *argument)
{
    (void)argument;
}

void store_memory_use(void)
{
    static const sqlite3_mem_methods methods = {take, give, take_again, size_of, round_up, begin, end, NULL};
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
