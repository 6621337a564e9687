/* The n-th endpoint of a station as a string that stands until the next call; "": there is none. */
#ifndef TESTS_ENDPOINT_AT_H
#define TESTS_ENDPOINT_AT_H

#include "daemon/base/endpoint.h"

#define ENDPOINT_AT(ask, station, n) (ask((station), (n), endpoint_kept) ? endpoint_kept : strcpy(endpoint_kept, ""))

static char endpoint_kept[ENDPOINT_MAX];

#endif
