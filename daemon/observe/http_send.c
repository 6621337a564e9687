/* How responses leave: with the headers that every one of them has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/observe/http_send.h"

#define JSON_TYPE "application/json"

/* A page of ours loads nothing from elsewhere, and stands in no frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void http_count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
                           const char *type)
{
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Security-Policy", policy);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    if (type)
        MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "1");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A text that is sent as it stands, or not at all when the reader has it already. */
enum MHD_Result http_send_tagged(struct MHD_Connection *connection, uint64_t tag, struct MHD_Response *response,
                                 const char *type)
{
    char etag[24];
    snprintf(etag, sizeof etag, "\"%016llx\"", (unsigned long long)tag);
    const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    unsigned status = MHD_HTTP_OK;
    if (response && known && strstr(known, etag)) {
        MHD_destroy_response(response);
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        status = MHD_HTTP_NOT_MODIFIED;
        type = NULL;
    }
    if (response)
        MHD_add_response_header(response, "ETag", etag);
    return http_queue(connection, status, response, type);
}

/* Takes `text` over. */
enum MHD_Result http_send_text(struct MHD_Connection *connection, unsigned status, char *text, const char *type)
{
    if (!text)
        return MHD_NO;
    return http_queue(connection, status, MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE),
                      type);
}

enum MHD_Result http_refuse(struct http *self, struct MHD_Connection *connection, unsigned status, const char *code,
                            const char *sentence)
{
    json_t *json = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", code, "message", sentence);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    http_count(&self->refused);
    return http_send_text(connection, status, text, JSON_TYPE);
}
