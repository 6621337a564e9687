#include "cli/kpi.h"

#include <math.h>

#include "cli/figure.h"
#include "cli/member.h"

static void put(FILE *out, struct text text)
{
    fwrite(text.at, 1, text.len, out);
}

void kpi_put_limits(FILE *out, const json_t *kpi)
{
    double min = member_number(kpi, "min", NAN), max = member_number(kpi, "max", NAN);
    if (!isnan(min) && !isnan(max))
        fprintf(out, "%s to %s", figure_value(min).text, figure_value(max).text);
    else if (!isnan(min))
        fprintf(out, "min %s", figure_value(min).text);
    else if (!isnan(max))
        fprintf(out, "max %s", figure_value(max).text);
}

void kpi_put(FILE *out, const json_t *kpi)
{
    double observed = member_number(kpi, "observed", NAN), min = member_number(kpi, "min", NAN);
    put(out, member_text(kpi, "name"));
    fputc(' ', out);
    put(out, member_text(kpi, "over"));
    if (isnan(observed)) {
        fputs(" not seen", out);
        return;
    }
    fprintf(out, " %s", figure_value(observed).text);
    if (member_true(kpi, "violated")) {
        bool below = !isnan(min) && observed < min;
        fprintf(out, " %s %s", below ? "<" : ">", figure_value(below ? min : member_number(kpi, "max", NAN)).text);
        return;
    }
    fputs(" (", out);
    kpi_put_limits(out, kpi);
    fputc(')', out);
}
