#include "lib/wire/cloud_event.h"

#include <stdlib.h>

void cloud_event_open(struct json_write *out, const struct cloud_event_head *head)
{
    json_write_bracket(out, '{');
    json_write_name(out, "specversion");
    json_write_string(out, "1.0");
    json_write_name(out, "type");
    json_write_string(out, head->type);
    json_write_name(out, "source");
    json_write_string(out, head->source);
    json_write_name(out, "id");
    json_write_string(out, head->id);
    json_write_name(out, "time");
    json_write_time(out, head->time_s);
    if (head->subject) {
        json_write_name(out, "subject");
        json_write_string(out, head->subject);
    }
    json_write_name(out, "datacontenttype");
    json_write_string(out, "application/json");
    json_write_name(out, "data");
}

char *cloud_event_text(const struct cloud_event_head *head, struct text data)
{
    struct json_write out = {.at = NULL};
    cloud_event_open(&out, head);
    json_write_raw(&out, data);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

void cloud_event_model(struct json_write *out, const struct model_id *model)
{
    json_write_name(out, "model");
    json_write_bracket(out, '{');
    json_write_name(out, "project");
    json_write_text(out, model->project);
    json_write_name(out, "name");
    json_write_text(out, model->name);
    json_write_name(out, "version");
    json_write_text(out, model->version);
    json_write_bracket(out, '}');
}
