#include "lib/wire/cloud_event.h"

#include <stdio.h>
#include <stdlib.h>

char *cloud_event_topic(const struct cloud_event_head *head)
{
    size_t room = strlen(head->type) + (head->subject ? strlen(head->subject) + 1 : 0) + 1;
    char *topic = malloc(room);
    if (topic)
        snprintf(topic, room, "%s%s%s", head->type, head->subject ? "/" : "", head->subject ? head->subject : "");
    return topic;
}

void cloud_event_open(struct json_write *out, const struct cloud_event_head *head)
{
    json_write_bracket(out, '{');
    json_write_key(out, "specversion");
    json_write_string(out, "1.0");
    json_write_key(out, "type");
    json_write_string(out, head->type);
    json_write_key(out, "source");
    json_write_string(out, head->source);
    json_write_key(out, "id");
    json_write_string(out, head->id);
    json_write_key(out, "time");
    json_write_time(out, head->time_s);
    if (head->subject) {
        json_write_key(out, "subject");
        json_write_string(out, head->subject);
    }
    json_write_key(out, "datacontenttype");
    json_write_string(out, "application/json");
    json_write_key(out, "data");
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
    json_write_key(out, "model");
    json_write_bracket(out, '{');
    json_write_key(out, "project");
    json_write_text(out, model->project);
    json_write_key(out, "name");
    json_write_text(out, model->name);
    json_write_key(out, "version");
    json_write_text(out, model->version);
    json_write_bracket(out, '}');
}
