#include "lib/detect/reference.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/chart.h"

#define EARLY_VALUES DETECT_REFERENCE_LEAST /* of a reference of 500: judged from here on, with a limit widened for it */
#define EARLY_LEAST 200  /* shorter references are judged when they are full */
#define CUT_CHANGE 0.01  /* how much a cut may change the run length */
#define AR_FREEDOM 3.0   /* with a fitted AR(1) the deviation is as uncertain as from a third of the values */
#define ROBUST_FREEDOM 1.1
#define FREEDOM_LEAST 10.0 /* fewer are not calculated */
#define ROOM_FIRST 32 /* values */

bool reference_check(const struct detect_params *params, struct detect_error *error)
{
    if (isnan(detect_params_get(params, "mean")) == isnan(detect_params_get(params, "sd")))
        return true;
    detect_say(error, "mean and sd go together: give both for a known reference, or none");
    return false;
}

struct detect_stage reference_stage(const struct reference *self, uint32_t index)
{
    if (self->stage)
        return self->stage[index];
    return (struct detect_stage){.values = self->wanted,
                                 .cut = INFINITY,
                                 .choices = 1,
                                 .limit = {self->plain_limit},
                                 .slack = {self->plain_slack}};
}

/* What the stage and the choice mean for the next value. */
static void put_in_force(struct reference *self)
{
    const struct detect_stage stage = reference_stage(self, self->judged ? self->judged - 1 : 0);
    self->limit = stage.limit[self->chosen];
    self->slack = stage.slack[self->chosen];
    self->cut = stage.cut;
}

void reference_init(struct reference *self, const struct detect_params *params, double limit)
{
    self->known_mean = detect_params_get(params, "mean");
    self->known_sd = detect_params_get(params, "sd");
    self->prewhiten = detect_params_get(params, "prewhiten") == 1;
    self->robust = detect_params_get(params, "robust") == 1;
    double log = detect_params_get(params, "log");
    self->log = isnan(log) ? REFERENCE_LOG_OFF : (uint8_t)log;
    bool known = !isnan(self->known_mean);
    if (known && self->log == REFERENCE_LOG_AUTO)
        self->log = REFERENCE_LOG_OFF;
    double direction = detect_params_get(params, "direction");
    self->watched[0] = direction != DETECT_DOWN;
    self->watched[1] = direction != DETECT_UP;
    self->lambda = !isnan(detect_params_get(params, "k")) ? 0 : detect_params_get(params, "lambda");
    self->wanted = known && !self->prewhiten ? 0 : (uint32_t)detect_params_get(params, "reference");
    if (params->stages > 0) {
        reference_retune(self, params);
    } else {
        self->stages = 1;
        self->plain_limit = limit;
        self->plain_slack = detect_params_get(params, "k");
    }
}

void reference_retune(struct reference *self, const struct detect_params *params)
{
    if (params->stages == 0)
        return;
    self->stages = (uint8_t)params->stages;
    self->stage = params->stage;
    /* A rarer alarm may leave fewer allowances to choose from than the one that was chosen. */
    if (self->judged > 0 && self->chosen >= reference_stage(self, self->judged - 1).choices)
        reference_choose(self);
    put_in_force(self);
}

void reference_restart(struct reference *self)
{
    self->count = self->judged = 0;
    self->chosen = 0;
    self->scale[0] = self->scale[1] = 1;
    self->logs = self->log == REFERENCE_LOG_ON;
    self->phi = self->previous = 0;
    self->centre = self->known_mean;
    self->sd = self->known_sd;
    if (self->wanted == 0)
        self->judged = self->stages;
    put_in_force(self);
}

void reference_release(struct reference *self)
{
    if (self->paged)
        pages_give(self->buffer);
    else
        free(self->buffer);
    self->buffer = NULL;
    self->room = 0;
    self->paged = false;
}

size_t reference_more_bytes(const struct reference *self)
{
    return self->room * sizeof self->buffer[0];
}

static bool take_page(struct reference *self)
{
    double *page = pages_take();
    if (!page)
        return false;
    if (self->room)
        memcpy(page, self->buffer, self->room * sizeof *page);
    free(self->buffer);
    self->buffer = page;
    self->room = REFERENCE_PAGED;
    self->paged = true;
    return true;
}

static bool make_room(struct reference *self, uint32_t count)
{
    if (count <= self->room)
        return true;
    uint32_t room = self->room ? self->room : ROOM_FIRST;
    while (room < count)
        room += room / 2;
    room = room < self->wanted ? room : self->wanted;
    if (room > REFERENCE_UNPAGED && self->wanted <= REFERENCE_PAGED)
        return take_page(self);
    double *buffer = realloc(self->buffer, room * sizeof *buffer);
    if (!buffer)
        return false;
    self->buffer = buffer;
    self->room = room;
    return true;
}

void reference_walk(struct reference *self, struct codec *codec)
{
    uint32_t chosen = self->chosen;
    codec_u32(codec, &self->count, self->wanted);
    codec_flag(codec, &self->logs);
    codec_f64(codec, &self->centre);
    codec_f64(codec, &self->sd);
    codec_f64(codec, &self->phi);
    codec_f64(codec, &self->previous);
    codec_u32(codec, &chosen, DETECT_CHOICES_MAX - 1);
    self->chosen = (uint8_t)chosen;
    codec_f64s(codec, self->scale, 2);
    if (self->count < self->wanted) {
        if (!codec->failed && !make_room(self, self->count))
            codec->failed = codec->out_of_memory = true;
        codec_f64s(codec, self->buffer, self->count);
    }
    if (!codec_loads(codec))
        return;
    for (self->judged = 0; self->judged < self->stages && reference_stage_values(self, self->judged) <= self->count;)
        self->judged++;
    if (self->chosen >= reference_stage(self, self->judged ? self->judged - 1 : 0).choices)
        codec->failed = true;
    else
        put_in_force(self);
}

/* Taking values --------------------------------------------------------------------------------------------------- */

/* A value for the reference; true: it is as long as the next stage needs. */
static bool collect(struct reference *self, double seen)
{
    if (!make_room(self, self->count + 1))
        return false;
    self->buffer[self->count++] = seen;
    return self->count == reference_stage_values(self, self->judged);
}

static void next_stage(struct reference *self)
{
    reference_fit(self);
    self->judged++;
    put_in_force(self);
    if (self->count == self->wanted)
        reference_release(self);
}

enum reference_taken reference_take(struct reference *self, double value, double *residual)
{
    bool judging = self->judged > 0;
    double seen = reference_seen(self, value);
    if (self->count < self->wanted && collect(self, seen)) {
        next_stage(self);
        self->previous = reference_seen(self, value);
        return judging ? REFERENCE_RENEWED : REFERENCE_COLLECTED;
    }
    if (judging) {
        *residual = reference_residual(self, seen);
        return REFERENCE_JUDGED;
    }
    self->previous = seen;
    return REFERENCE_COLLECTED;
}

void reference_size(const struct reference *self, double shift, double half, struct detect_verdict *out)
{
    double unit = self->sd / (1 - self->phi);
    if (self->wanted > 0 && isnan(self->known_mean))
        half = sqrt(half * half + DETECT_NORMAL_95 * DETECT_NORMAL_95 / self->count);
    if (!self->logs) {
        detect_size(out, shift * unit, half * fabs(unit));
        return;
    }
    double level = exp(self->centre / (1 - self->phi));
    out->size = level * expm1(shift * unit);
    out->lower = level * expm1((shift - half) * unit);
    out->upper = level * expm1((shift + half) * unit);
}

/* The promise ----------------------------------------------------------------------------------------------------- */

/* From how many values of reference on a chart judges, the first stages with a limit that is widened for it. Returns how
 * many stages there are. */
static uint32_t stage_values(const struct detect_params *params, uint32_t out[DETECT_STAGES_MAX])
{
    const bool known = !isnan(detect_params_get(params, "mean"));
    const uint32_t wanted = (uint32_t)detect_params_get(params, "reference");
    uint32_t count = 0;
    if (known && detect_params_get(params, "prewhiten") != 1) {
        out[count++] = 0;
        return count;
    }
    if (wanted >= EARLY_LEAST) {
        out[count++] = EARLY_VALUES;
        out[count++] = (uint32_t)sqrt((double)EARLY_VALUES * wanted);
    }
    out[count++] = wanted;
    return count;
}

bool reference_check_promise(const struct detect_params *params, struct detect_error *error)
{
    uint32_t values[DETECT_STAGES_MAX], count = stage_values(params, values), wanted = values[count - 1];
    if (wanted == 0 || wanted >= DETECT_REFERENCE_LEAST)
        return true;
    detect_say(error, "%u values are too few for a promise; allowed: from %d on%s", wanted, DETECT_REFERENCE_LEAST,
               isnan(detect_params_get(params, "mean")) ? ", or mean and sd of a known reference" : "");
    return false;
}

static double freedom_of(const struct detect_params *params, uint32_t values)
{
    return fmax(values / (detect_params_get(params, "prewhiten") == 1 ? AR_FREEDOM : ROBUST_FREEDOM), FREEDOM_LEAST);
}

/* What other allowances there are to choose from, as parts of k. */
static const double slack_parts[DETECT_CHOICES_MAX] = {1, 0.75, 0.55, 0.4, 0.3, 0.2, 0.15};

static int promise_stage(struct detect_params *params, const struct chart *chart, double events, uint32_t values)
{
    struct detect_stage stage = {.values = values, .cut = INFINITY};
    bool prewhiten = detect_params_get(params, "prewhiten") == 1;
    uint32_t most = chart->kind == CHART_CUSUM && prewhiten ? DETECT_CHOICES_MAX : 1;
    for (uint32_t i = 0; i < most; i++) {
        struct chart choice = *chart;
        choice.slack *= slack_parts[i];
        int error = values ? chart_limit_estimated(&choice, events, values, freedom_of(params, values), &choice.limit)
                           : chart_limit(&choice, events, &choice.limit);
        /* The smaller the allowance, the more an error in the mean costs. */
        if (error == -ERANGE && i > 0)
            break;
        if (error)
            return error;
        stage.slack[i] = choice.slack;
        stage.limit[i] = choice.limit;
        stage.choices = i + 1;
        if (i == 0 && detect_params_get(params, "robust") == 1 &&
            (error = chart_winsor(&choice, CUT_CHANGE, &stage.cut)))
            return error;
    }
    params->stage[params->stages++] = stage;
    return 0;
}

/* So few values cannot keep a promise, and raise no alarm. The stage stands all the same: detect_retune() goes from the
 * stages of one promise to those of another, with what was collected in between. */
static void silent_stage(struct detect_params *params, const struct chart *chart, uint32_t values)
{
    params->stage[params->stages++] = (struct detect_stage){
        .values = values, .cut = INFINITY, .choices = 1, .slack = {chart->slack}, .limit = {INFINITY}};
}

int reference_promise(struct detect_params *params, double events)
{
    struct chart chart;
    uint32_t values[DETECT_STAGES_MAX], count = stage_values(params, values);
    params->type->chart(params, &chart);
    params->stages = 0;
    for (uint32_t i = 0; i < count; i++) {
        int error = promise_stage(params, &chart, events, values[i]);
        if (error && (i + 1 == count || error != -ERANGE))
            return error;
        if (error)
            silent_stage(params, &chart, values[i]);
    }
    return 0;
}

int reference_strictest(struct detect_params *params)
{
    struct chart chart;
    double cut = INFINITY;
    uint32_t values[DETECT_STAGES_MAX], count = stage_values(params, values);
    params->type->chart(params, &chart);
    chart.limit = CHART_LIMIT_MAX;
    int error = detect_params_get(params, "robust") == 1 ? chart_winsor(&chart, CUT_CHANGE, &cut) : 0;
    if (error)
        return error;
    params->stages = 0;
    for (uint32_t i = 0; i < count; i++)
        silent_stage(params, &chart, values[i]);
    params->stage[count - 1].cut = cut;
    params->stage[count - 1].limit[0] = CHART_LIMIT_MAX;
    return 0;
}

int reference_promise_most(const struct detect_params *params, double *out)
{
    struct chart chart;
    double length;
    uint32_t values[DETECT_STAGES_MAX], last = stage_values(params, values) - 1;
    params->type->chart(params, &chart);
    chart.limit = CHART_LIMIT_MAX;
    int error = values[last] ? chart_run_length_estimated(&chart, values[last], freedom_of(params, values[last]), &length)
                             : chart_run_length(&chart, 0, 1, &length);
    if (!error)
        *out = fmin(length, CHART_RUN_LENGTH_MAX);
    return error;
}
