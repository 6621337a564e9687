/* Mistakes in what listens: endpoints that cannot go together, and what is open to anybody. */
#include "tests/unit/check_config.h"

START_TEST(sockets_together)
{
    expect_told("metrics: {bind: []}", "1:17: metrics.bind: no endpoint here and none in metrics.connect; allowed: at "
                                       "least one of them, or no event comes in");
    expect_told("jobs: {bind: []}", "1:14: jobs.bind: no endpoint; allowed: at least one, or no job goes out");
    expect_told("feedback: {bind: []}", "1:18: feedback.bind: no endpoint; allowed: at least one, or jobs: {feedback: "
                                        "none} for trainers that only pull");
    expect_told(
        "jobs: {bind: tcp://127.0.0.1:5570}",
        "1:14: jobs.bind: \"tcp://127.0.0.1:5570\" is that of metrics.bind too; allowed: an endpoint of its own");
    expect_told(
        "metrics: {bind: tcp://127.0.0.1:5573}",
        "1:17: metrics.bind: \"tcp://127.0.0.1:5573\" is that of events.bind too; allowed: an endpoint of its own");
    expect_told("jobs: {bind: tcp://localhost:5570}",
                "1:14: jobs.bind: \"tcp://localhost:5570\" is that of metrics.bind too; allowed: an endpoint of its own");
    expect_told("security: {i_know: true}\njobs: {bind: tcp://*:5570}",
                "2:14: jobs.bind: \"tcp://*:5570\" is that of metrics.bind too; allowed: an endpoint of its own");
    expect_told("http: {listen: 127.0.0.1:5572}",
                "1:16: http.listen: \"127.0.0.1:5572\" is that of feedback.bind too; allowed: an endpoint of its own");
    struct config *config = parse_good("jobs: {bind: tcp://127.0.0.2:5570}\nhttp: {listen: 127.0.0.3:5570}\n");
    config_destroy(&config);
    config = parse_good("metrics: {bind: [], connect: tcp://h:1}\n"
                                       "jobs: {bind: tcp://127.0.0.1:*, feedback: none}\n"
                                       "feedback: {bind: []}\nevents: {bind: tcp://127.0.0.1:*}\n");
    config_destroy(&config);
}
END_TEST

START_TEST(the_http_server)
{
    expect_told("http: {listen: 9570, hosts: [\"*\", a b, \"x:1\", localhost, localhost]}",
                "1:16: http.listen: \"9570\": the port is missing, as in 127.0.0.1:9570; allowed: off or an address and a "
                "port, as in 127.0.0.1:9570, [::1]:9570 or *:9570\n"
                "1:30: http.hosts: \"*\": name the hosts one by one: a page elsewhere could else read along; allowed: a "
                "list of host names or addresses, without a port\n"
                "1:35: http.hosts: \"a b\": no host name and no address; allowed: a list of host names or addresses, without a port\n"
                "1:40: http.hosts: \"x:1\": no host name and no address; allowed: a list of host names or addresses, without a port\n"
                "1:58: http.hosts: \"localhost\" stands here twice; allowed: a list of host names or addresses, without "
                "a port");
    expect_told("http: {listen: example.org:80}",
                "1:16: http.listen: \"example.org:80\": the host must be an address, localhost, or '*' for every "
                "interface; allowed: off or an address and a port, as in 127.0.0.1:9570, [::1]:9570 or *:9570");
    expect_told("http: {listen: 127.0.0.1:70000}",
                "1:16: http.listen: \"127.0.0.1:70000\": the port must be 0 to 65535; 0: any that is free; allowed: off or an address and a "
                "port, as in 127.0.0.1:9570, [::1]:9570 or *:9570");
}
END_TEST

#define REACH "listens beyond this machine, and anybody there could read and forge what is sent; allowed: security: {curve: " \
              "on}, an endpoint on 127.0.0.1, or security: {curve: off, i_know: true}"

#define HTTP_REACH "listens beyond this machine, and HTTP asks for no key: anybody there could read how every model stands; " \
                   "allowed: an address on 127.0.0.1 (with a proxy before it that asks who is there), or security: " \
                   "{i_know: true}"

START_TEST(projects_with_endpoints_of_their_own)
{
    char many[4096] = "projects: {", *at = many + strlen(many);
    for (int i = 0; i < 65; i++)
        at += sprintf(at, "p%d: {}, ", i);
    strcpy(at, "}\n");
    expect_told("projects: [shop]\n", "1:11: projects: this is a list; allowed: a map from projects to their own endpoints, "
                                      "as in shop: {jobs: tcp://127.0.0.1:5581}");
    expect_told("projects: {a/b: {}, c: 5, d: {job: x}, e: {jobs: 'tcp://*'}}\n",
                "1:12: projects.a/b: no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, control characters, "
                "and without a blank at either end\n"
                "1:24: projects.c: \"5\" cannot stand here; allowed: a map of jobs, events\n"
                "1:31: projects.d.job: unknown key; did you mean jobs? allowed here: jobs, events\n"
                "1:50: projects.e.jobs: \"tcp://*\": the port is missing, as in tcp://127.0.0.1:5570; allowed: a list of "
                "endpoints: tcp://host:port, ipc://path or inproc://name");
    expect_told("projects: {a: {jobs: 'tcp://*:1'}, b: {events: 'tcp://10.0.0.1:2'}}\n",
                "1:22: projects.a.jobs: \"tcp://*:1\" " REACH "\n1:48: projects.b.events: \"tcp://10.0.0.1:2\" " REACH);
    expect_told("projects: {a: {jobs: 'tcp://127.0.0.1:5571', events: 'ipc:///x'}, b: {jobs: 'ipc:///x'}}\n",
                "1:22: projects.a.jobs: \"tcp://127.0.0.1:5571\" is that of jobs.bind too; allowed: an endpoint of its own\n"
                "1:77: projects.b.jobs: \"ipc:///x\" is that of projects.a.events too; allowed: an endpoint of its own");
    expect_told(many, "1:11: projects: more than 64 projects; allowed: a map from projects to their own endpoints, as in shop: "
                      "{jobs: tcp://127.0.0.1:5581}");
    struct config *config = parse_good("projects: {a: {jobs: 'tcp://*:1'}}\nsecurity: {curve: on}\n");
    config_destroy(&config);
}
END_TEST

START_TEST(an_address_without_brackets)
{
    expect_told("http: {hosts: ['::1', 'b:80']}",
                "1:16: http.hosts: \"::1\": an IPv6 address stands in brackets, as in [::1]; allowed: a list of host names or "
                "addresses, without a port\n"
                "1:23: http.hosts: \"b:80\": no host name and no address; allowed: a list of host names or addresses, without a port");
    struct config *config = parse_good("http: {hosts: ['[::1]', b]}");
    config_destroy(&config);
}
END_TEST

START_TEST(both_families)
{
    struct config *config = parse_good("metrics: {bind: 'tcp://*:1'}\njobs: {bind: 'tcp://[::1]:1'}\n" "security: {curve: on}\n");
    config_destroy(&config);
    expect_told("metrics: {bind: 'tcp://[::]:1'}\njobs: {bind: 'tcp://127.0.0.1:1'}\n" "security: {curve: on}\n",
                "2:14: jobs.bind: \"tcp://127.0.0.1:1\" is that of metrics.bind too; allowed: an endpoint of its own");
    expect_told("metrics: {bind: 'tcp://0.0.0.0:1'}\njobs: {bind: 'tcp://127.0.0.1:1'}\n" "security: {curve: on}\n",
                "2:14: jobs.bind: \"tcp://127.0.0.1:1\" is that of metrics.bind too; allowed: an endpoint of its own");
}
END_TEST

START_TEST(an_overlap_without_curve)
{
    expect_told("security: {overlap: {jobs: 'tcp://127.0.0.1:1'}}\n",
                "1:28: security.overlap.jobs: an endpoint of a second key, and there is no first; allowed with security: "
                "{curve: on}");
    expect_told("security: {curve: on, overlap: {jobs: 'tcp://127.0.0.1:5571'}}\n",
                "1:39: security.overlap.jobs: \"tcp://127.0.0.1:5571\" is that of jobs.bind too; allowed: an endpoint of its own");
}
END_TEST

/* HTTP is in the clear with CURVE too. */
START_TEST(http_in_the_open)
{
    static const char *const open[] = {"0.0.0.0:9570", "*:9570", "[::]:0", "192.168.1.2:80"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        char text[128], told[512];
        snprintf(text, sizeof text, "security: {curve: %s}\nhttp: {listen: \"%s\"}", i % 2 ? "on" : "off", open[i]);
        snprintf(told, sizeof told, "2:16: http.listen: \"%s\" " HTTP_REACH, open[i]);
        expect_told(text, told);
    }
    static const char *const fine[] = {
        "http: {listen: 127.0.0.1:1}\n", "http: {listen: \"[::1]:1\"}\n", "http: {listen: localhost:1}\n",
        "http: {listen: off}\n", "http: {listen: \"*:1\"}\nsecurity: {i_know: true}\n"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct config *config = parse_good(fine[i]);
        config_destroy(&config);
    }
}
END_TEST

/* In the clear beyond this machine only where a person says so. */
START_TEST(listening_in_the_open)
{
    expect_told("metrics: {bind: [\"tcp://0.0.0.0:5570\"]}\njobs: {bind: \"tcp://*:1\"}\nfeedback: {bind: tcp://h:2}\n"
                "events: {bind: \"tcp://[::]:3\"}\nsecurity: {curve: off}\n",
                "1:17: metrics.bind: \"tcp://0.0.0.0:5570\" " REACH "\n"
                "2:14: jobs.bind: \"tcp://*:1\" " REACH "\n"
                "3:18: feedback.bind: \"tcp://h:2\" " REACH "\n"
                "4:16: events.bind: \"tcp://[::]:3\" " REACH);
    static const char *const fine[] = {
        "metrics: {bind: tcp://127.0.0.1:1}\njobs: {bind: \"tcp://[::1]:1\"}\nevents: {bind: ipc://x}\n",
        "metrics: {bind: tcp://localhost:1, connect: tcp://far:1}\nfeedback: {bind: tcp://127.1.2.3:1}\n",
        "metrics: {bind: \"tcp://*:1\"}\nsecurity: {curve: on}\n",
        "metrics: {bind: \"tcp://*:1\"}\nsecurity: {i_know: true}\n",
        "metrics: {bind: \"tcp://*:1\"}\nsecurity: {curve: off, i_know: true}\n"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct config *config = parse_good(fine[i]);
        config_destroy(&config);
    }
    expect_told("security: {curve: on}\ncontrol: {bind: tcp://127.0.0.1:9}\n",
                "2:17: control.bind: \"tcp://127.0.0.1:9\" knows no CURVE, and anybody on this machine could command; "
                "allowed with security.curve: on: ipc://path");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("config sockets");
    tcase_add_test(cases, sockets_together);
    tcase_add_test(cases, the_http_server);
    tcase_add_test(cases, listening_in_the_open);
    tcase_add_test(cases, http_in_the_open);
    tcase_add_test(cases, projects_with_endpoints_of_their_own);
    tcase_add_test(cases, an_address_without_brackets);
    tcase_add_test(cases, both_families);
    tcase_add_test(cases, an_overlap_without_curve);
    return run_tests(cases, "config sockets");
}
