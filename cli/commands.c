#include "cli/command.h"

#include <stdint.h>
#include <string.h>

#include "lib/config/nearest.h"

#define PREFIX "REQUEST is its id, or a beginning that no other has."
#define REASON "The reason is kept in the history of the request."

const struct command commands[] = {
    {"status", "How the daemon is: models, requests, rate, what was lost or dropped", "", "", "driftc status",
     status_run},
    {"models", "The models with their budgets, those that need somebody first", "[PATTERN]",
     "PATTERN is project, project/name or project/name/version; * and ? stand for anything within a segment.",
     "driftc models 'shop/*'", models_run},
    {"model", "One model: its budgets, metrics, histories, episode and back-off", "ID", "ID is project/name/version.",
     "driftc model shop/detector/v1", model_run},
    {"explain", "Why a model is judged as it is: settings with file and line, how often it cries wolf, how soon it sees", "ID",
     "ID is project/name/version. For a model that has not been heard of it explains what the configuration says.",
     "driftc explain shop/detector/v1", explain_run},
    {"requests", "The retraining requests, those that are live first", "", "", "driftc requests --state running",
     requests_run},
    {"request", "One request and its whole history", "REQUEST", PREFIX, "driftc request 968a", request_run},
    {"rejects", "What was dropped at the door: reason, count, last example", "", "", "driftc rejects", rejects_run},
    {"retrain", "Asks for a model's retraining by hand", "ID", REASON,
     "driftc retrain shop/detector/v1 --reason 'new camera'", retrain_run},
    {"cancel", "Ends a request; a trainer that works on it is told with its next progress", "REQUEST",
     PREFIX " " REASON, "driftc cancel 968a64de --reason 'wrong data'", cancel_run},
    {"requeue", "Makes a new request of one that has ended", "REQUEST", PREFIX " " REASON,
     "driftc requeue 968a64de --reason 'disk replaced'", requeue_run},
    {"silence", "Keeps models from triggering for a time: they are judged and shown", "PATTERN --for TIME",
     "PATTERN is project, project/name or project/name/version; * and ? stand for anything within a segment. It lasts "
     "through restarts of the daemon, and `driftc status` lists it.",
     "driftc silence 'shop/*' --for 2h --reason 'cameras are moved'", silence_run},
    {"unsilence", "Ends a silence before its time", "[PATTERN]",
     "PATTERN as it was silenced; without one all silences end.", "driftc unsilence 'shop/*'", unsilence_run},
    {"checkpoint", "Writes the monitors down now, so that a crash loses nothing up to here", "", "", "driftc checkpoint",
     checkpoint_run},
    {"check", "Reads configuration files as driftd would, and says everything that is wrong", "FILE...",
     "Asks no daemon, and opens none of the files of keys that a configuration names: `driftd --check` does. Ends with "
     "status 78 where a file has mistakes.", "driftc check /etc/driftd/driftd.yaml",
     check_run},
    {"reload", "Lets the daemon read its configuration again; what is wrong with it is said here", "",
     "Nothing changes where there is a mistake. What did not change in the configuration keeps its windows, episodes and "
     "back-offs. Ends once the new one is in force for every model; --timeout is 600 where it is not given.",
     "driftc reload", reload_run},
    {"log-level", "Sets how much the daemon writes to its log", "LEVEL",
     "LEVEL is debug, info, warning or error. It lasts until the next reload or restart.", "driftc log-level debug",
     log_level_run},
    {"watch", "Follows what happens, a line an event: violations, requests, losses, alarms", "[PATTERN]",
     "PATTERN is project, project/name or project/name/version; events of no model, as losses and alarms, are shown without "
     "one only. With --json each line is the CloudEvent itself.",
     "driftc watch 'shop/*'", watch_run},
    {"top", "Status and models on a screen that is drawn anew every two seconds", "[PATTERN]",
     "Those that need somebody come first, as many as the terminal has lines for. q ends it. With --json each drawing is a "
     "line of JSON, and no terminal is needed.",
     "driftc top", top_run},
    {"publish", "Sends recorded events to the metrics socket, as a serving node would", "FILE",
     "FILE has one event a line, as JSON or as CSV under a header; - is standard input. Its members model, node, boot, "
     "seq and received_at are not sent: the topic names the model, and this publisher numbers its own messages, so "
     "that "
     "the daemon sees what gets lost. Nothing is sent before somebody subscribes, and nothing is dropped here.",
     "driftc publish --speed 60 metrics.jsonl", publish_run},
    {"trainer", "Is a trainer: takes jobs, runs a command for each, reports how it went", "--exec 'CMD'",
     "CMD is run by /bin/sh in a process group of its own, with the job on its standard input and in DRIFT_REQUEST, "
     "DRIFT_ATTEMPT, DRIFT_MODEL, DRIFT_PROJECT, DRIFT_NAME, DRIFT_VERSION, DRIFT_STRATEGY, DRIFT_STRATEGY_REASON, "
     "DRIFT_PARAMETERS, DRIFT_RULE, DRIFT_METRIC, DRIFT_OBSERVED, DRIFT_LIMIT, DRIFT_LEASE_S and DRIFT_TRAINER. A line "
     "`progress 0.4 some note` of its output is passed on. Status 0: done, and the last line may be a JSON object with "
     "version, artifact, metrics and gpu_hours. Status 75: to be tried again. Any other: failed, and the last line "
     "may be a JSON object with error, retry and gpu_hours; else the error is the last line of its standard error. Where it "
     "names no gpu_hours, the hours that CMD ran are reported: name 0 for one that waits for work done elsewhere. What "
     "it leaves running in its group is killed.",
     "driftc trainer --exec './retrain.sh'", trainer_run},
    {"record", "Writes what the daemon takes to a file that backtest and publish read", "FILE",
     "Each event is a line of JSON with its `model` and `received_at`, in the order in which the daemon took it; what "
     "its requests came to stands between them, so that a backtest under the same configuration decides as the daemon "
     "did. A FILE that is there is gone on with; - is standard output. It goes on through a restart of the daemon, until "
     "a signal ends it.",
     "driftc record week.jsonl", record_run},
    {"backtest", "What would have been triggered on recorded events, when and why", "METRICS...",
     "METRICS are JSON lines as on the wire, each with `model` and a time (`received_at`, else `timestamp`), CSV with a "
     "header of the same names, or what `driftc record` wrote; - is standard input. The very same code as the daemon's "
     "judges them, by their own clock. Without a recording of what became of them, requests count as done at once. LINE "
     "in the output counts from 0, a CSV's header apart. A bad line is named, counted and passed over.",
     "driftc backtest --config /etc/driftd/driftd.yaml --labels changes.jsonl metrics.jsonl", backtest_run},
    {"detect", "One detector over one number a line; one line of JSON for each alarm", "NAME FILE",
     "NAME is cusum, ewma, shewhart, page_hinkley, adwin, ddm, eddm, hddm_a, hddm_w, kswin, evidence, psi, js, chi2, ks or "
     "wasserstein; FILE may be - for standard input. Blank lines are skipped; a line that is no finite number takes an "
     "index and is not fed. After an alarm the detector starts anew with the next value.",
     "driftc detect cusum --set direction=down --set h=5 accuracy.txt", detect_run},
    {"arl", "How often a chart cries wolf, and how soon it sees a shift", "NAME",
     "NAME is cusum, ewma or shewhart; parameters are those of `detect`, direction=both is two-sided. Values are taken to "
     "be independent and normal, and the reference to be known.",
     "driftc arl cusum --set k=0.5 --set h=5 --shift 1", arl_run},
    {"keygen", "Makes a key of CURVE: a certificate, and the line for clients.yaml", "NAME",
     "NAME is what the log calls the client. The certificate holds the secret key and is written with mode 0600; an existing "
     "file is left alone. With --server it is the daemon's own (security.server_key).",
     "driftc keygen camera-7 --project shop", keygen_run},
    {"help", "This list, or how one command is used", "[COMMAND]", "", "driftc help publish", help_run},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

const struct command *command_nearest(const char *name)
{
    const struct command *nearest = NULL;
    uint32_t least = 3; /* beyond two slips of the finger it is a guess */
    for (const struct command *command = commands; command->name; command++) {
        uint32_t distance = nearest_distance(text_of(command->name), text_of(name));
        if (distance < least && distance < strlen(command->name)) {
            nearest = command;
            least = distance;
        }
    }
    return nearest;
}
