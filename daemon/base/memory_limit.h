/* memory_limit.h - the least limit of memory that the kernel keeps this process to: its control group's (MemoryMax and
 * MemoryHigh of a unit, a container's), those above it, and what the machine has; and how much of it the process has taken.
 *
 * Threads: any. Memory: nothing is kept. Failure: what cannot be read is no limit.
 */
#ifndef DRIFTD_BASE_MEMORY_LIMIT_H
#define DRIFTD_BASE_MEMORY_LIMIT_H

#include <stdint.h>

#define MEMORY_NO_LIMIT INT64_MAX

/* Bytes. */
int64_t memory_limit_of_machine(void);

/* How much of this process is in memory, in bytes. 0: it cannot be read. */
int64_t memory_resident(void);

/* Of the groups that `list` names, as /proc/self/cgroup does, in the hierarchies that are mounted at `root`: both of
 * version 2 and, as root/memory, of version 1. Bytes; MEMORY_NO_LIMIT. */
int64_t memory_limit_of_groups(const char *list, const char *root);

#endif
