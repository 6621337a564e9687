/* tsan_libzmq.h - the thread sanitizer does not see inside libzmq, whose own threads hand memory on by lock-free pipes:
 * what it finds there is passed over. For test programs with sockets. */
#ifndef TESTS_TSAN_LIBZMQ_H
#define TESTS_TSAN_LIBZMQ_H

#ifdef __SANITIZE_THREAD__
/* The sanitizer's library looks for it by name. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libzmq.so\nrace:libzmq.so\nrace:libczmq.so\n";
}
#endif

#endif
