#include "daemon/observe/page.h"

#include <string.h>

/* The assembler takes a file in as it stands; the paths are seen from the root of the sources, where make runs. */
#define TAKE_IN(name, path)                                                                                            \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".hidden " #name "_at\n.global " #name "_at\n" #name "_at:\n.incbin \"" path "\"\n"                        \
            ".hidden " #name "_end\n.global " #name "_end\n" #name "_end:\n.byte 0\n"                                  \
            ".popsection\n");                                                                                          \
    extern const char name##_at[] __attribute__((visibility("hidden")));                                               \
    extern const char name##_end[] __attribute__((visibility("hidden")))

TAKE_IN(page_html, "daemon/observe/page/index.html");
TAKE_IN(page_css, "daemon/observe/page/page.css");
TAKE_IN(page_js, "daemon/observe/page/page.js");
TAKE_IN(page_draw, "daemon/observe/page/draw.js");
TAKE_IN(page_icon, "daemon/observe/page/icon.svg");

static const struct page_file files[] = {
    {"/", "text/html; charset=utf-8", page_html_at, page_html_end},
    {"/page.css", "text/css; charset=utf-8", page_css_at, page_css_end},
    {"/page.js", "text/javascript; charset=utf-8", page_js_at, page_js_end},
    {"/draw.js", "text/javascript; charset=utf-8", page_draw_at, page_draw_end},
    {"/icon.svg", "image/svg+xml", page_icon_at, page_icon_end},
};

const struct page_file *page_find(const char *path)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    }
    return NULL;
}
