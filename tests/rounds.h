/* rounds.h - how often something random is tried. The sanitizers look at each access to memory, which takes ten times as
 * long: a part of the rounds has them all, and what only many of them show is the plain run's business.
 *
 * Threads, memory, failure: none; a constant. */
#ifndef TESTS_ROUNDS_H
#define TESTS_ROUNDS_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS_OR(many, few) (few)
#else
#define ROUNDS_OR(many, few) (many)
#endif

#endif
