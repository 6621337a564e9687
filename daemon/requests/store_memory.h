/* store_memory.h - the memory that SQLite works with.
 *
 * SQLite asks for some twenty pieces a trigger and gives them back at once; and for each page of its cache the
 * allocator made another page of the thread's heap accessible, with a call of the system. So pieces are cut from
 * blocks, and those that come back are kept for the next of their size. What is large is the allocator's.
 *
 * Threads: any, at the same time; each has pieces of its own, and what another took is its own once it gives it back.
 * Memory: blocks stay until the process ends. They hold what SQLite has had at once, its bounded cache most of all.
 * Failure: SQLite keeps the allocator that it has where it is in use already.
 */
#ifndef DRIFTD_REQUESTS_STORE_MEMORY_H
#define DRIFTD_REQUESTS_STORE_MEMORY_H

/* Before SQLite is first used; again, it does nothing. */
void store_memory_use(void);

#endif
