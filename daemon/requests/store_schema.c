/* The schema and every statement of the store: what is on disk stands in this file alone.
 *
 * A change of the schema raises STORE_VERSION and adds the step from the version before to store_steps; a store that is
 * newer than the daemon is refused. */
#include "daemon/requests/store_schema.h"

#include "daemon/requests/store_inside.h"

#define LIVE "('PENDING','OFFERED','RUNNING')"
#define FINAL "('DONE','DEAD','CANCELLED','SUPERSEDED')"

/* Moments are two columns: _ns on the steady clock of the row's boot, _s since the epoch. */
static const char version_1[] =
    "CREATE TABLE boots (boot INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first_s REAL NOT NULL);"
    "CREATE TABLE requests ("
    " id TEXT NOT NULL PRIMARY KEY, model TEXT NOT NULL, family TEXT NOT NULL, episode INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN " LIVE " OR state IN " FINAL "),"
    " attempt INTEGER NOT NULL CHECK (attempt >= 1), offers INTEGER NOT NULL, taken INTEGER NOT NULL,"
    " cancel_asked INTEGER NOT NULL, silent INTEGER NOT NULL,"
    " strategy TEXT NOT NULL, strategy_reason TEXT NOT NULL, gpu_hours REAL NOT NULL,"
    " trainer TEXT, fraction REAL, note TEXT,"
    " severity REAL NOT NULL, metric TEXT, observed REAL, bound REAL, trigger_json TEXT NOT NULL,"
    " metrics_json TEXT NOT NULL, lease_end_s REAL, offered_for_ns INTEGER NOT NULL, boot INTEGER NOT NULL,"
    " created_ns INTEGER, created_s REAL, not_before_ns INTEGER, not_before_s REAL,"
    " first_offered_ns INTEGER, first_offered_s REAL, offered_ns INTEGER, offered_s REAL,"
    " accepted_ns INTEGER, accepted_s REAL, ended_ns INTEGER, ended_s REAL);"
    "CREATE UNIQUE INDEX requests_episode ON requests (model, episode);"
    "CREATE UNIQUE INDEX requests_one_live ON requests (family) WHERE state IN " LIVE ";"
    "CREATE INDEX requests_state ON requests (state);"
    "CREATE INDEX requests_created ON requests (created_s);"
    "CREATE TRIGGER requests_final BEFORE UPDATE ON requests WHEN OLD.state IN " FINAL " AND NEW.state <> OLD.state"
    " BEGIN SELECT RAISE (ABORT, 'a final state never changes'); END;"
    "CREATE TABLE history ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL REFERENCES requests (id), attempt INTEGER NOT NULL,"
    " at REAL NOT NULL, \"from\" TEXT, \"to\" TEXT NOT NULL, \"by\" TEXT NOT NULL, why TEXT NOT NULL);"
    "CREATE INDEX history_request ON history (request);"
    "CREATE TRIGGER history_no_update BEFORE UPDATE ON history"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;"
    "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;"
    "CREATE TABLE outcomes ("
    " seq INTEGER PRIMARY KEY, request TEXT NOT NULL REFERENCES requests (id), attempt INTEGER NOT NULL,"
    " family TEXT NOT NULL, strategy TEXT NOT NULL, trainer TEXT NOT NULL, outcome TEXT NOT NULL,"
    " said INTEGER NOT NULL, expected_gpu_hours REAL NOT NULL, gpu_hours REAL, gain REAL, version TEXT, artifact TEXT,"
    " metrics_json TEXT, error TEXT, boot INTEGER NOT NULL, accepted_ns INTEGER, accepted_s REAL, heard_s REAL,"
    " ended_s REAL, UNIQUE (request, attempt));"
    "CREATE INDEX outcomes_family ON outcomes (family, seq);"
    "CREATE TABLE models ("
    " model TEXT NOT NULL PRIMARY KEY, family TEXT NOT NULL, episode INTEGER NOT NULL, request TEXT,"
    " boot INTEGER NOT NULL, first_seen_ns INTEGER, first_seen_s REAL, served_ns INTEGER, served_s REAL,"
    " triggered_ns INTEGER, triggered_s REAL, ended_ns INTEGER, ended_s REAL);"
    "CREATE INDEX models_family ON models (family);"
    "CREATE INDEX models_request ON models (request) WHERE request IS NOT NULL;"
    "CREATE TABLE families ("
    " family TEXT NOT NULL PRIMARY KEY, requests INTEGER NOT NULL, fruitless INTEGER NOT NULL,"
    " unrecoverable INTEGER NOT NULL, recovered INTEGER NOT NULL, last_request TEXT);";

/* What strategies have brought. `gain` is what the trainer claims, `measured` what the monitors saw, `recovery` what counts.
 * Tallies and the fleet's sums over them outlive the outcomes that they were made of. */
static const char version_2[] =
    "ALTER TABLE outcomes ADD COLUMN measured REAL;"
    "ALTER TABLE outcomes ADD COLUMN recovery REAL;"
    "CREATE TABLE tallies ("
    " family TEXT NOT NULL, strategy TEXT NOT NULL, attempts REAL NOT NULL, recovered REAL NOT NULL, costs REAL NOT NULL,"
    " gpu_hours REAL NOT NULL, PRIMARY KEY (family, strategy)) WITHOUT ROWID;"
    "CREATE TABLE fleet ("
    " strategy TEXT NOT NULL PRIMARY KEY, families REAL NOT NULL, attempts REAL NOT NULL, attempts_squared REAL NOT NULL,"
    " recovered REAL NOT NULL, recovered_squared REAL NOT NULL, cost_families REAL NOT NULL, per_hour REAL NOT NULL,"
    " per_hour_squared REAL NOT NULL) WITHOUT ROWID;"
    "UPDATE outcomes SET recovery = CASE outcome WHEN 'done' THEN (SELECT max (0.0, min (1.0, coalesce (outcomes.gain /"
    " nullif (abs (r.bound - r.observed), 0), 1.0))) FROM requests r WHERE r.id = outcomes.request) ELSE 0.0 END"
    " WHERE outcome IN ('done', 'failed', 'lost');"
    "INSERT INTO tallies SELECT family, strategy, count (*), total (recovery), total (gpu_hours > 0),"
    " total (max (gpu_hours, 0)) FROM outcomes WHERE recovery IS NOT NULL GROUP BY family, strategy;"
    "INSERT INTO fleet SELECT strategy, count (*), total (attempts), total (attempts * attempts), total (recovered),"
    " total (recovered * recovered / attempts), total (costs > 0), total (costs / nullif (gpu_hours, 0)),"
    " total ((costs / nullif (gpu_hours, 0)) * (costs / nullif (gpu_hours, 0))) FROM tallies GROUP BY strategy;";
/* A silence is counted from its making: across a reboot the wall clock tells how long ago that was. */
static const char version_3[] =
    "CREATE TABLE silences ("
    " pattern TEXT NOT NULL PRIMARY KEY, reason TEXT NOT NULL, for_ns INTEGER NOT NULL, boot INTEGER NOT NULL,"
    " made_ns INTEGER NOT NULL, made_s REAL NOT NULL);"
    "CREATE TABLE probes (probe INTEGER PRIMARY KEY, count INTEGER NOT NULL);"
    "INSERT INTO probes VALUES (1, 0);"
    /* A request that has ended leaves whole, when it has been kept for long enough; its history stands as long as it does. */
    "CREATE INDEX requests_ended ON requests (ended_s) WHERE ended_s IS NOT NULL;"
    "DROP TRIGGER history_no_delete;"
    "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"
    " WHEN EXISTS (SELECT 1 FROM requests WHERE id = OLD.request)"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;"
    "CREATE TRIGGER requests_live_stay BEFORE DELETE ON requests WHEN OLD.state IN " LIVE
    " BEGIN SELECT RAISE (ABORT, 'a live request is never dropped'); END;";
/* Indexes that cost every row and save nobody: who waits for a request is of its family, which has an index; rows are
 * made in the order of their rowids; what is live has requests_one_live, and states are counted once, at a start, which
 * reads all of the file anyway. */
static const char version_4[] = "DROP INDEX models_request; DROP INDEX requests_created; DROP INDEX requests_state;";

/* A list after IN is a table that SQLite makes anew for each row which is checked or indexed, a quarter of what a trigger
 * cost: the table of requests is made again with comparisons instead. Its order of rows stays. */
#define IS_LIVE(state) "(" state " = 'PENDING' OR " state " = 'OFFERED' OR " state " = 'RUNNING')"
#define IS_FINAL(state)                                                                                                \
    "(" state " = 'DONE' OR " state " = 'DEAD' OR " state " = 'CANCELLED' OR " state " = 'SUPERSEDED')"
#define HAS_ENDED "NOT " IS_LIVE("state")
static const char version_5[] =
    "DROP TRIGGER requests_final; DROP TRIGGER requests_live_stay; DROP TRIGGER history_no_delete;"
    "CREATE TABLE requests_anew ("
    " id TEXT NOT NULL PRIMARY KEY, model TEXT NOT NULL, family TEXT NOT NULL, episode INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (" IS_LIVE("state") " OR " IS_FINAL("state") "),"
    " attempt INTEGER NOT NULL CHECK (attempt >= 1), offers INTEGER NOT NULL, taken INTEGER NOT NULL,"
    " cancel_asked INTEGER NOT NULL, silent INTEGER NOT NULL,"
    " strategy TEXT NOT NULL, strategy_reason TEXT NOT NULL, gpu_hours REAL NOT NULL,"
    " trainer TEXT, fraction REAL, note TEXT,"
    " severity REAL NOT NULL, metric TEXT, observed REAL, bound REAL, trigger_json TEXT NOT NULL,"
    " metrics_json TEXT NOT NULL, lease_end_s REAL, offered_for_ns INTEGER NOT NULL, boot INTEGER NOT NULL,"
    " created_ns INTEGER, created_s REAL, not_before_ns INTEGER, not_before_s REAL,"
    " first_offered_ns INTEGER, first_offered_s REAL, offered_ns INTEGER, offered_s REAL,"
    " accepted_ns INTEGER, accepted_s REAL, ended_ns INTEGER, ended_s REAL);"
    "INSERT INTO requests_anew SELECT * FROM requests ORDER BY rowid;"
    "DROP TABLE requests;"
    "ALTER TABLE requests_anew RENAME TO requests;"
    "CREATE UNIQUE INDEX requests_episode ON requests (model, episode);"
    "CREATE UNIQUE INDEX requests_one_live ON requests (family) WHERE " IS_LIVE("state") ";"
    "CREATE INDEX requests_ended ON requests (ended_s) WHERE ended_s IS NOT NULL;"
    "CREATE TRIGGER requests_final BEFORE UPDATE ON requests WHEN NEW.state <> OLD.state AND " IS_FINAL("OLD.state")
    " BEGIN SELECT RAISE (ABORT, 'a final state never changes'); END;"
    "CREATE TRIGGER requests_live_stay BEFORE DELETE ON requests WHEN " IS_LIVE("OLD.state")
    " BEGIN SELECT RAISE (ABORT, 'a live request is never dropped'); END;"
    "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"
    " WHEN EXISTS (SELECT 1 FROM requests WHERE id = OLD.request)"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;";

/* The table of requests since version 6; `of_id`: what its ids must keep to. */
#define REQUESTS_ANEW(of_id)                                                                                           \
    "CREATE TABLE requests_anew ("                                                                                     \
    " number INTEGER PRIMARY KEY,"                                                                                     \
    " id TEXT NOT NULL" of_id ", model TEXT NOT NULL, family TEXT NOT NULL, episode INTEGER NOT NULL,"                 \
    " state TEXT NOT NULL CHECK (" IS_LIVE("state") " OR " IS_FINAL("state") "),"                                      \
    " attempt INTEGER NOT NULL CHECK (attempt >= 1), offers INTEGER NOT NULL, taken INTEGER NOT NULL,"                 \
    " cancel_asked INTEGER NOT NULL, silent INTEGER NOT NULL,"                                                         \
    " strategy TEXT NOT NULL, strategy_reason TEXT NOT NULL, gpu_hours REAL NOT NULL,"                                 \
    " trainer TEXT, fraction REAL, note TEXT,"                                                                         \
    " severity REAL NOT NULL, metric TEXT, observed REAL, bound REAL, trigger_json TEXT NOT NULL,"                     \
    " metrics_json TEXT NOT NULL, lease_end_s REAL, offered_for_ns INTEGER NOT NULL, boot INTEGER NOT NULL,"           \
    " created_ns INTEGER, created_s REAL, not_before_ns INTEGER, not_before_s REAL,"                                   \
    " first_offered_ns INTEGER, first_offered_s REAL, offered_ns INTEGER, offered_s REAL,"                             \
    " accepted_ns INTEGER, accepted_s REAL, ended_ns INTEGER, ended_s REAL);"

/* And its indexes and rules, which fall with the table that is replaced. */
#define REQUESTS_RULES                                                                                                 \
    "CREATE UNIQUE INDEX requests_one_live ON requests (family) WHERE " IS_LIVE("state") ";"                           \
    "CREATE INDEX requests_ended ON requests (ended_s) WHERE ended_s IS NOT NULL;"                                     \
    "CREATE TRIGGER requests_final BEFORE UPDATE ON requests WHEN NEW.state <> OLD.state AND " IS_FINAL("OLD.state")   \
    " BEGIN SELECT RAISE (ABORT, 'a final state never changes'); END;"                                                 \
    "CREATE TRIGGER requests_live_stay BEFORE DELETE ON requests WHEN " IS_LIVE("OLD.state")                           \
    " BEGIN SELECT RAISE (ABORT, 'a live request is never dropped'); END;"                                             \
    "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"                                                        \
    " WHEN EXISTS (SELECT 1 FROM requests WHERE number = OLD.request)"                                                 \
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;"

/* Fewer trees a trigger, seven instead of twelve: an id is made of model and episode, so that its own index keeps
 * (model, episode) unique as well; models of a family stand together under their names; rows found by their names alone
 * are kept in the tree of these; and lines point at a request by its number, which grows, where its id, a hash, would
 * touch a page of the index for each line. */
static const char version_6[] =
    "DROP TRIGGER requests_final; DROP TRIGGER requests_live_stay; DROP TRIGGER history_no_delete;"
    "DROP TRIGGER history_no_update;"
    REQUESTS_ANEW(" UNIQUE")
    "INSERT INTO requests_anew SELECT rowid, * FROM requests ORDER BY rowid;"
    "CREATE TABLE history_anew ("
    " seq INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests (number), attempt INTEGER NOT NULL,"
    " at REAL NOT NULL, \"from\" TEXT, \"to\" TEXT NOT NULL, \"by\" TEXT NOT NULL, why TEXT NOT NULL);"
    "INSERT INTO history_anew SELECT h.seq, r.number, h.attempt, h.at, h.\"from\", h.\"to\", h.\"by\", h.why"
    " FROM history h JOIN requests_anew r ON r.id = h.request ORDER BY h.seq;"
    "CREATE TABLE models_anew ("
    " model TEXT NOT NULL PRIMARY KEY, episode INTEGER NOT NULL, request TEXT,"
    " boot INTEGER NOT NULL, first_seen_ns INTEGER, first_seen_s REAL, served_ns INTEGER, served_s REAL,"
    " triggered_ns INTEGER, triggered_s REAL, ended_ns INTEGER, ended_s REAL) WITHOUT ROWID;"
    "INSERT INTO models_anew SELECT model, episode, request, boot, first_seen_ns, first_seen_s, served_ns, served_s,"
    " triggered_ns, triggered_s, ended_ns, ended_s FROM models ORDER BY model;"
    "CREATE TABLE families_anew ("
    " family TEXT NOT NULL PRIMARY KEY, requests INTEGER NOT NULL, fruitless INTEGER NOT NULL,"
    " unrecoverable INTEGER NOT NULL, recovered INTEGER NOT NULL, last_request TEXT) WITHOUT ROWID;"
    "INSERT INTO families_anew SELECT * FROM families ORDER BY family;"
    "DROP TABLE history; DROP TABLE requests; DROP TABLE models; DROP TABLE families;"
    "ALTER TABLE requests_anew RENAME TO requests; ALTER TABLE history_anew RENAME TO history;"
    "ALTER TABLE models_anew RENAME TO models; ALTER TABLE families_anew RENAME TO families;"
    REQUESTS_RULES
    "CREATE INDEX history_request ON history (request);"
    "CREATE TRIGGER history_no_update BEFORE UPDATE ON history"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;";

/* An id is a hash: each trigger wrote a page of its index, two thirds of what it wrote. A request that is live is known
 * by its number, and its id is indexed when it ends. */
static const char version_7[] =
    "DROP TRIGGER requests_final; DROP TRIGGER requests_live_stay; DROP TRIGGER history_no_delete;"
    REQUESTS_ANEW("")
    "INSERT INTO requests_anew SELECT * FROM requests ORDER BY number;"
    "DROP TABLE requests; ALTER TABLE requests_anew RENAME TO requests;"
    "CREATE UNIQUE INDEX requests_id ON requests (id) WHERE " HAS_ENDED ";"
    REQUESTS_RULES;

/* A request has the number of the line that it begins with, which is found by it: only the lines after that are indexed.
 * Requests and lines of before stay as they are; where the two numbers are not the same the line is in the index. */
static const char version_8[] =
    "DROP INDEX history_request; CREATE INDEX history_request ON history (request) WHERE seq <> request;";

/* What a history begins with is told by the request itself: who made it, and why. The other lines are a table of their
 * own, which nothing is written into when a request is made; `history` shows both. */
static const char version_9[] =
    "ALTER TABLE requests ADD COLUMN asked_by TEXT; ALTER TABLE requests ADD COLUMN asked_why TEXT;"
    "ALTER TABLE history RENAME TO lines;"
    "CREATE VIEW history AS SELECT number AS seq, number AS request, 1 AS attempt, created_s AS at, NULL AS \"from\","
    " 'PENDING' AS \"to\", asked_by AS \"by\", asked_why AS why FROM requests WHERE asked_by IS NOT NULL"
    " UNION ALL SELECT seq, request, attempt, at, \"from\", \"to\", \"by\", why FROM lines;"
    "CREATE TRIGGER requests_beginning BEFORE UPDATE OF asked_by, asked_why, created_s ON requests"
    " BEGIN SELECT RAISE (ABORT, 'history is append-only'); END;";

const char *const store_steps[STORE_VERSION] = {version_1, version_2, version_3, version_4, version_5, version_6,
                                                version_7, version_8, version_9};

#define REQUEST_COLUMNS                                                                                                \
    "number, id, model, episode, state, attempt, offers, taken, cancel_asked, silent, strategy, strategy_reason,"      \
    " gpu_hours, trainer, fraction, note, severity, metric, observed, bound, trigger_json, metrics_json,"               \
    " offered_for_ns, boot, created_ns, created_s, not_before_ns, not_before_s, first_offered_ns, first_offered_s,"    \
    " offered_ns, offered_s, accepted_ns, accepted_s, ended_ns, ended_s"

#define MODEL_COLUMNS                                                                                                  \
    "model, episode, request, boot, first_seen_ns, first_seen_s, served_ns, served_s, triggered_ns, triggered_s,"      \
    " ended_ns, ended_s"

#define OUTCOME_COLUMNS                                                                                                \
    "request, attempt, strategy, trainer, outcome, expected_gpu_hours, gpu_hours, gain, measured, recovery,"           \
    " version, artifact, metrics_json, error"

/* Rows of this boot are judged by the steady clock, older ones by the wall clock. ?1 this boot, ?2 and ?3 the moment
 * from which on things count. */
#define SINCE(name) "(boot = ?1 AND " name "_ns > ?2 OR boot <> ?1 AND " name "_s > ?3)"

/* The models of the family ?1: nothing but a slash follows it in their names, and the character after that is '0'. */
#define OF_FAMILY "model > ?1 || '/' AND model < ?1 || '0'"

#define LINE_COLUMNS "attempt, at, \"from\", \"to\", \"by\", why"

/* Lines but those that a request of version 8 begins with, which have its number. */
#define OF_INDEX "seq <> request"

const char *const store_sql[STATEMENTS] = {
    [LAST_NUMBER] = "SELECT max (coalesce ((SELECT max (number) FROM requests), 0),"
                    " coalesce ((SELECT max (seq) FROM lines), 0))",
    [ADD_REQUEST] =
        "INSERT INTO requests (number, id, model, family, episode, metric, severity, observed, bound, trigger_json,"
        " metrics_json, created_ns, created_s, state, strategy, strategy_reason, gpu_hours, boot, not_before_ns,"
        " not_before_s, asked_by, asked_why, attempt, offers, taken, cancel_asked, silent, offered_for_ns) VALUES (?1,?2,?3,?4,?5,?6,"
        " ?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?12,?13,?19,?20,1,0,0,0,0,0)",
    [SET_REQUEST] =
        "UPDATE requests SET state = ?2, attempt = ?3, offers = ?4, taken = ?5, cancel_asked = ?6, silent = ?7,"
        " strategy = ?8, strategy_reason = ?9, gpu_hours = ?10, trainer = ?11, fraction = ?12, note = ?13,"
        " lease_end_s = ?14, offered_for_ns = ?15, boot = ?16, created_ns = ?17, not_before_ns = ?18,"
        " not_before_s = ?19, first_offered_ns = ?20, first_offered_s = ?21, offered_ns = ?22, offered_s = ?23,"
        " accepted_ns = ?24, accepted_s = ?25, ended_ns = ?26, ended_s = ?27 WHERE number = ?1",
    [GET_ENDED] = "SELECT " REQUEST_COLUMNS " FROM requests WHERE id = ?1 AND " HAS_ENDED,
    [LIVE_REQUESTS] = "SELECT " REQUEST_COLUMNS " FROM requests WHERE " IS_LIVE("state"),
    [NEWEST_REQUESTS] = "SELECT " REQUEST_COLUMNS " FROM requests WHERE ?1 IS NULL OR state = ?1"
                        " ORDER BY number DESC LIMIT ?2",
    [COUNT_STATES] = "SELECT state, count(*) FROM requests GROUP BY state",
    [ADD_LINE] = "INSERT INTO lines (seq, request, attempt, at, \"from\", \"to\", \"by\", why)"
                 " VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    [LINES] = "SELECT 1, created_s, NULL, 'PENDING', asked_by, asked_why FROM requests WHERE number = ?1 AND"
              " asked_by IS NOT NULL"
              " UNION ALL SELECT " LINE_COLUMNS " FROM lines WHERE seq = ?1 AND request = ?1"
              " UNION ALL SELECT " LINE_COLUMNS " FROM lines WHERE request = ?1 AND " OF_INDEX, /* in their order */
    [BEGIN_ATTEMPT] =
        "INSERT INTO outcomes (request, attempt, family, strategy, trainer, outcome, said, expected_gpu_hours, boot,"
        " accepted_ns, accepted_s, heard_s) VALUES (?1,?2,?3,?4,?5,'running',0,?6,?7,?8,?9,?9)",
    [SAID] = "UPDATE outcomes SET said = said | ?3, heard_s = ?4 WHERE request = ?1 AND attempt = ?2",
    [END_ATTEMPT] = "UPDATE outcomes SET outcome = ?3, gpu_hours = ?4, gain = ?5, version = ?6, artifact = ?7,"
                    " metrics_json = ?8, error = ?9, ended_s = ?10, recovery = ?11 WHERE request = ?1 AND attempt = ?2",
    [LATE_REPORT] = "UPDATE outcomes SET gpu_hours = ?3, version = ?4, artifact = ?5, metrics_json = ?6"
                    " WHERE request = ?1 AND attempt = ?2",
    [GET_ATTEMPT] = "SELECT trainer, said, outcome FROM outcomes WHERE request = ?1 AND attempt = ?2",
    [OUTCOMES] = "SELECT " OUTCOME_COLUMNS " FROM outcomes WHERE family = ?1 AND outcome <> 'running'"
                 " ORDER BY seq DESC LIMIT ?2",
    [LAST_TRAINED] = "SELECT " OUTCOME_COLUMNS " FROM outcomes WHERE family = ?1 AND outcome IN ('done', 'delivered')"
                     " ORDER BY seq DESC LIMIT 1",
    [MEASURED] = "UPDATE outcomes SET measured = ?3, recovery = ?4 WHERE request = ?1 AND attempt = ?2",
    [GET_TALLY] = "SELECT attempts, recovered, costs, gpu_hours FROM tallies WHERE family = ?1 AND strategy = ?2",
    [PUT_TALLY] = "INSERT OR REPLACE INTO tallies (family, strategy, attempts, recovered, costs, gpu_hours)"
                  " VALUES (?1,?2,?3,?4,?5,?6)",
    [FAMILY_TALLIES] = "SELECT strategy, attempts, recovered, costs, gpu_hours FROM tallies WHERE family = ?1",
    [FLEET] = "SELECT strategy, families, attempts, attempts_squared, recovered, recovered_squared, cost_families,"
              " per_hour, per_hour_squared FROM fleet",
    [GET_FLEET] = "SELECT families, attempts, attempts_squared, recovered, recovered_squared, cost_families, per_hour,"
                  " per_hour_squared FROM fleet WHERE strategy = ?1",
    [PUT_FLEET] = "INSERT OR REPLACE INTO fleet (strategy, families, attempts, attempts_squared, recovered,"
                  " recovered_squared, cost_families, per_hour, per_hour_squared) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [ATTEMPTS] = "SELECT " OUTCOME_COLUMNS " FROM outcomes WHERE request = ?1 ORDER BY attempt",
    [USED_STARTS] = "SELECT id, 0, family, NULL, boot, first_offered_ns, first_offered_s FROM requests"
                    " WHERE first_offered_s IS NOT NULL AND (taken OR " IS_LIVE("state") ") AND " SINCE("first_offered"),
    [USED_HOURS] = "SELECT request, attempt, family, coalesce (gpu_hours, expected_gpu_hours), boot, accepted_ns,"
                   " accepted_s FROM outcomes WHERE " SINCE("accepted"),
    [GET_MODEL] = "SELECT " MODEL_COLUMNS " FROM models WHERE model = ?1",
    [PUT_MODEL] = "INSERT OR REPLACE INTO models (model, episode, request, boot, first_seen_ns, first_seen_s,"
                  " served_ns, served_s, triggered_ns, triggered_s, ended_ns, ended_s)"
                  " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
    [EPISODES] = "SELECT " MODEL_COLUMNS " FROM models WHERE episode > 0",
    [FAMILY_EPISODES] = "SELECT " MODEL_COLUMNS " FROM models WHERE " OF_FAMILY " AND episode > 0",
    [WAITING] = "SELECT " MODEL_COLUMNS " FROM models WHERE " OF_FAMILY " AND request = ?2",
    [VERSIONS] = "SELECT " MODEL_COLUMNS " FROM models WHERE " OF_FAMILY " AND served_s IS NOT NULL",
    [GET_FAMILY] = "SELECT requests, fruitless, unrecoverable, recovered, last_request FROM families WHERE family = ?1",
    [PUT_FAMILY] = "INSERT OR REPLACE INTO families (family, requests, fruitless, unrecoverable, recovered,"
                   " last_request) VALUES (?1,?2,?3,?4,?5,?6)",
    [PUT_SILENCE] = "INSERT OR REPLACE INTO silences (pattern, reason, for_ns, boot, made_ns, made_s)"
                    " VALUES (?1,?2,?3,?4,?5,?6)",
    [END_SILENCES] = "DELETE FROM silences WHERE ?1 IS NULL OR pattern = ?1",
    [SILENCES] = "SELECT pattern, reason, for_ns, boot, made_ns, made_s FROM silences ORDER BY pattern",
    [ENDED_LONG_AGO] = "SELECT number, id, state FROM requests WHERE ended_s IS NOT NULL AND state IN " FINAL
                       " AND NOT " SINCE("ended") " AND id NOT IN (SELECT last_request FROM families WHERE last_request"
                                                  " IS NOT NULL) LIMIT ?4",
    [FORGET_REQUEST] = "DELETE FROM requests WHERE number = ?1",
    [FORGET_FIRST_LINE] = "DELETE FROM lines WHERE seq = ?1 AND request = ?1",
    [FORGET_LINES] = "DELETE FROM lines WHERE request = ?1 AND " OF_INDEX,
    [FORGET_OUTCOMES] = "DELETE FROM outcomes WHERE request = ?1",
    [PROBE] = "UPDATE probes SET count = count + 1", /* a row that stays as it was would not be written */
};
