/* requests_case.h - what the tests of the requests station's core share: one rig for each test, and how its replies
 * read. Add begin() and finish() as the checked fixture. */
#ifndef TESTS_REQUESTS_CASE_H
#define TESTS_REQUESTS_CASE_H

#include "tests/unit/requests_rig.h"

static struct rig rig;

static inline void begin(void)
{
    rig_new(&rig);
}

static inline void finish(void)
{
    rig_end(&rig);
}

#define REPLY(reply, expected) ck_assert_str_eq((reply), (expected))
#define REFUSED(reply, code) ck_assert_ptr_nonnull(strstr((reply), "{\"ok\":false,\"error\":\"" code "\""))
#define STATE(id, state) ck_assert_str_eq(rig_member(&rig, (id), "state"), (state))
#define OK_LEASE "{\"ok\":true,\"lease_s\":300}"
#define OK_PROGRESS "{\"ok\":true,\"lease_s\":300,\"cancel\":false}"
#define OK_CANCEL "{\"ok\":true,\"lease_s\":300,\"cancel\":true}"
#define OK "{\"ok\":true}"

#endif
