// page.js - the status page: asks the daemon every two seconds for what is in view, and for no more.
//
// Ids, notes and errors come from the network: they are only ever put in as text. Nothing is asked of another host.
import { element as h, setAttribute, setText, sparkline, timeChart, shortNumber, clockText } from "./draw.js";

const EVERY_MS = 2000, PAGE = 50, KPIS_SHOWN = 6;
const SHAPES = { healthy: "●", failing: "▲", drifting: "◆", retraining: "↻", stale: "○", silenced: "‖", warming: "◌", unrecoverable: "✕",
  PENDING: "…", OFFERED: "→", RUNNING: "↻", DONE: "✓", DEAD: "✕", CANCELLED: "–", SUPERSEDED: "⇢" };
const STATES = ["unrecoverable", "drifting", "failing", "retraining", "stale", "silenced", "warming", "healthy"];
const SORTS = { worst: "what needs you", name: "name", failures: "failures", silence: "silence", events: "events", episodes: "episodes" };
const QUEUES = { live: "live", all: "newest of all", DONE: "done", DEAD: "dead", CANCELLED: "cancelled", SUPERSEDED: "superseded" };
const $ = (id) => document.getElementById(id);

const ask = { contains: "", state: "", sort: "worst", offset: 0, queue: "live" };
let view = { name: "fleet" }, turn = 0, failedSince = null, selected = -1, before = null, growth = { lost: {}, dropped: {}, at: 0 };

// --- words and figures

function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min" + (s < 600 && s % 60 ? " " + (s % 60) + " s" : "");
  if (s < 86400) return Math.floor(s / 3600) + " h" + (Math.floor(s % 3600 / 60) ? " " + Math.floor(s % 3600 / 60) + " min" : "");
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}
const since = (text) => (text ? Date.now() / 1000 - Date.parse(text) / 1000 : NaN);
const epoch = (text) => (text ? Date.parse(text) / 1000 : NaN);
const many = (n, one, more) => `${n.toLocaleString("en")} ${n === 1 ? one : more || one + "s"}`;
const path = (id) => id.split("/").map(encodeURIComponent).join("/");
const modelLink = (id, ...more) => h("a", { href: "#/model/" + path(id), class: "id", ...(more[0] || {}) }, id);
const sum = (object) => Object.values(object || {}).reduce((a, b) => a + b, 0);

function badge(state) {
  return h("span", { class: "badge s-" + state }, h("span", { class: "shape", "aria-hidden": "true" }, SHAPES[state] || "?"), state.toLowerCase());
}

async function get(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "omit" });
  const json = await answer.json();
  if (answer.status === 503) throw new Error(json.message || "busy");
  return json;
}

// --- the head: what is wrong with the daemon itself

function banner(title, text, list) {
  return h("div", {}, h("strong", {}, title), text, list && list.length ? h("ul", {}, list.map((line) => h("li", {}, line))) : null);
}

function showBanners(status) {
  const all = [];
  if (failedSince) all.push(banner("The daemon does not answer.", ` Nothing new since ${clockText(failedSince / 1000)}; what is below is what was known then. Is the service running? systemctl status driftd`));
  if (status) {
    const queue = status.queue || {};
    if (status.reload && status.reload.ok === false) all.push(banner("The last reload failed.", " The configuration before it stays in force. Mend the file, then: driftc reload", (status.reload.errors || []).map(String).slice(0, 8)));
    if (status.store_full) all.push(banner("The disk is full.", " Requests cannot be stored: drift is still watched, but no retraining is offered until there is room. It goes on by itself then."));
    if (status.incomplete && status.incomplete.length) all.push(banner("The figures are incomplete.", " No answer in time from: " + status.incomplete.join(", ")));
    const busy = ((status.requests || {}).RUNNING || 0) + ((status.requests || {}).OFFERED || 0);
    if (queue.trainer && queue.trainer_wait_s > 20 && !busy) all.push(banner("No trainer takes jobs.", ` ${many(queue.trainer, "request waits", "requests wait")} for one, the longest for ${duration(queue.trainer_wait_s)}. Start a trainer, or see whether it can reach ${((status.endpoints || {}).jobs || []).join(", ")}`));
    if (status.checkpoint && status.checkpoint.error) all.push(banner("The monitors cannot be written down.", ` ${status.checkpoint.error}. After a restart they would go on from ${status.checkpoint.at ? "where they stood at " + status.checkpoint.at : "nothing"}. Is there room in the state folder?`));
  }
  const key = all.map((one) => one.textContent).join("\n");
  if ($("banners").dataset.key !== key) {
    $("banners").dataset.key = key;
    $("banners").replaceChildren(...all);
  }
}

function showHead(status) {
  const live = $("live");
  live.className = "live " + (failedSince ? "off" : "on");
  setText(live, failedSince ? "no answer" : "live");
  if (!status) return;
  setText($("about"), `${String(status.source || "").replace(/^driftd\//, "")} · ${status.version} · up ${duration(status.up_s)}`);
  const states = status.requests || {}, waiting = (states.PENDING || 0) + (states.OFFERED || 0) + (states.RUNNING || 0);
  $("nav-queue").hidden = !waiting;
  setText($("nav-queue"), waiting.toLocaleString("en"));
  const fresh = sum(growth.lost) + sum(growth.dropped);
  $("nav-losses").hidden = !fresh;
  $("nav-losses").className = "pill bad";
  setText($("nav-losses"), "+" + shortNumber(fresh));
  setText($("foot"), `${status.config || ""} · ${many(status.workers || 0, "worker")} · ${shortNumber((status.http || {}).requests || 0)} HTTP requests`);
  const bad = STATES.slice(0, 3).reduce((n, state) => n + ((status.models || {})[state] || 0), 0);
  document.title = (bad ? `(${bad}) ` : "") + "driftd";
}

// What was lost and dropped in the last minute or so, by comparing with what the page saw then.
function noteGrowth(status) {
  const now = Date.now();
  if (!before || status.up_s < before.up_s) before = { ...status, at: now };
  const grown = (name) => Object.fromEntries(Object.entries(status[name] || {}).map(([key, value]) => [key, value - ((before[name] || {})[key] || 0)]).filter((pair) => pair[1] > 0));
  growth = { lost: grown("lost"), dropped: grown("dropped"), at: before.at };
  if (now - before.at > 90000) before = { ...status, at: now };
}

// --- what there is to do

function todo(mark, kind, text, action) {
  return h("li", { class: kind }, h("span", { class: "mark s-" + kind, "aria-hidden": "true" }, mark), h("span", {}, text, action ? h("span", { class: "do" }, " ", action) : null));
}
const filterTo = (state, text) => h("a", { href: "#/", onclick: () => { setFilter({ state }); } }, text);

function showTodo(status, dead) {
  const models = status.models || {}, queue = status.queue || {}, all = sum(models), items = [];
  const trained = (status.requests || {}).RUNNING || "none";
  const recent = (dead || []).filter((request) => since(request.ended_at) < 86400);
  if (models.unrecoverable) items.push(todo("✕", "unrecoverable", filterTo("unrecoverable", `${many(models.unrecoverable, "model is", "models are")} unrecoverable.`), ["Retraining did not help, so no more is asked for. Look at data and labels, then ", h("code", {}, "driftc retrain MODEL")]));
  if (recent.length) items.push(todo("✕", "DEAD", h("a", { href: "#/queue", onclick: () => setQueue("DEAD") }, `${many(recent.length, "request")} died in the last day.`), ["Every attempt failed. Read why, then ", h("code", {}, "driftc requeue " + recent[0].id)]));
  if (models.drifting) items.push(todo("◆", "drifting", filterTo("drifting", `${many(models.drifting, "model is", "models are")} drifting`), "and no request is under way: backing off after the last one, or not asked for yet."));
  if (models.failing) items.push(todo("▲", "failing", filterTo("failing", `${many(models.failing, "model fails", "models fail")} a budget.`), "Retraining is asked for by itself when it goes on."));
  if (models.retraining) items.push(todo("↻", "retraining", filterTo("retraining", `${many(models.retraining, "model is", "models are")} being retrained.`), `${trained} with a trainer now; ${models.retraining === 1 ? "it goes on by itself" : "they go on by themselves"}.`));
  if (queue.trainer && (status.requests || {}).RUNNING) items.push(todo("…", "PENDING", h("a", { href: "#/queue" }, `${many(queue.trainer, "request waits", "requests wait")} for a free trainer`), `since ${duration(queue.trainer_wait_s)}. All trainers are busy; one more would help.`));
  if (queue.limit) items.push(todo("…", "PENDING", h("a", { href: "#/queue" }, `${many(queue.limit, "request is", "requests are")} held by a limit.`), (queue.limit === 1 ? "It goes on by itself" : "They go on by themselves") + "; retraining.limits says when."));
  if (models.stale) items.push(todo("○", "stale", filterTo("stale", `${many(models.stale, "model is", "models are")} silent.`), (models.stale === 1 ? "Does it still serve?" : "Do they still serve?") + " Silence is never counted as health."));
  const lost = Object.entries(growth.lost);
  if (lost.length) items.push(todo("↯", "drifting", h("a", { href: "#/losses" }, `${many(sum(growth.lost), "message")} of ${lost.length === 1 ? lost[0][0] : many(lost.length, "node")} got lost just now.`), "Too fast for the network or for this machine? See Losses."));
  const dropped = Object.entries(growth.dropped);
  if (dropped.length) items.push(todo("⊘", "failing", h("a", { href: "#/losses" }, `${many(sum(growth.dropped), "event")} dropped just now: ${dropped.map((pair) => pair[0]).join(", ")}.`), "The last example of each is under Losses."));
  const urgent = models.unrecoverable || recent.length || $("banners").children.length;
  const acts = models.drifting || models.failing || models.stale || lost.length || dropped.length;
  const head = !all ? "No model has been heard of yet." : urgent ? "Somebody has to look at this." : acts ? "Worth a look." : models.retraining ? `Nothing to do: ${many(models.retraining, "model is", "models are")} being retrained, the other ${(all - models.retraining).toLocaleString("en")} are well.` : `All is well: ${many(all, "model")} within ${all === 1 ? "its budgets" : "their budgets"}.`;
  if (!all) items.push(todo("→", "PENDING", "Publish metric events to " + ((status.endpoints || {}).metrics || []).join(", ") + "."));
  const card = $("todo");
  card.className = "card" + (urgent ? " danger" : acts ? " act" : "");
  const fresh = [h("div", { class: "head" }, head), items.length ? h("ul", {}, items) : null].filter(Boolean);
  const key = fresh.map((one) => one.textContent).join("\n");
  if (card.dataset.key !== key) {
    card.dataset.key = key;
    card.replaceChildren(...fresh);
  }
}

function tile(figure, what, bad, link) {
  const inner = [h("div", { class: "figure" }, figure), h("div", { class: "what" }, what)];
  return h("div", { class: "tile" + (bad ? " bad" : "") }, link ? h("a", { href: link }, inner) : inner);
}

function showTiles(status) {
  const models = status.models || {}, requests = status.requests || {}, all = sum(models);
  const lost = sum(status.lost), seen = (status.nodes || []).reduce((n, node) => n + node.messages, (status.other_nodes || {}).messages || 0);
  $("tiles").replaceChildren(
    tile(all.toLocaleString("en"), "models"),
    tile(all ? Math.floor((models.healthy || 0) / all * 1000) / 10 + " %" : "–", "healthy"),
    tile(shortNumber(Math.round(status.events_per_s || 0)), "events per second"),
    tile(String((requests.RUNNING || 0) + (requests.OFFERED || 0)), `retraining now, ${requests.PENDING || 0} waiting`, false, "#/queue"),
    tile(lost ? shortNumber(lost) : "0", lost && seen ? `messages lost, ${(lost / (lost + seen) * 100).toPrecision(2)} %` : "messages lost", sum(growth.lost) > 0, "#/losses"),
    tile(shortNumber(sum(status.dropped)), "events dropped", sum(growth.dropped) > 0, "#/losses"));
}

function showStates(status) {
  const models = status.models || {};
  const buttons = STATES.filter((state) => models[state] || ask.state === state).map((state) =>
    h("button", { type: "button", class: "s-" + state, "aria-pressed": String(ask.state === state), "data-state": state }, `${SHAPES[state]} ${(models[state] || 0).toLocaleString("en")} ${state}`));
  const key = buttons.map((b) => b.textContent + b.getAttribute("aria-pressed")).join();
  if ($("states").dataset.key === key) return;
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.state : null;
  $("states").dataset.key = key;
  $("states").replaceChildren(...buttons);
  const again = focused && buttons.find((b) => b.dataset.state === focused);
  if (again) again.focus();
}

// --- the fleet's table: rows are kept and only what changed is written

function makeKpi() {
  const spark = sparkline(92, 30), name = h("span", { class: "name" }), value = h("span", { class: "value" });
  const box = h("div", { class: "kpi" }, spark, name, value);
  box.update = (kpi) => {
    box.className = "kpi" + (kpi.violated ? " violated" : "");
    setText(name, `${kpi.name} ${kpi.over}`);
    const limit = [kpi.min !== null && kpi.min !== undefined ? "≥ " + shortNumber(kpi.min) : "", kpi.max !== null && kpi.max !== undefined ? "≤ " + shortNumber(kpi.max) : ""].filter(Boolean).join(", ");
    setText(value, `${shortNumber(kpi.observed)}  (${limit})`);
    setAttribute(box, "title", `${kpi.name}: ${kpi.over} of ${kpi.n} values is ${shortNumber(kpi.observed)}, budget ${limit}${kpi.judged ? "" : ", not judged yet"}`);
    spark.update(kpi.recent || [], kpi.min, kpi.max);
  };
  return box;
}

function makeRow() {
  const state = h("td"), id = h("a", { class: "id" }), kpis = h("div", { class: "kpis" });
  const failures = h("td", { class: "num", "data-label": "failures" }), episode = h("td", { class: "num" }), last = h("td", { class: "num", "data-label": "last event" });
  const row = h("tr", {}, state, h("td", {}, id), h("td", {}, kpis), failures, episode, last);
  row.update = (model) => {
    if (row.state !== model.state) { row.state = model.state; state.replaceChildren(badge(model.state)); }
    setText(id, model.model);
    setAttribute(id, "href", "#/model/" + path(model.model));
    const list = model.kpis.slice(0, KPIS_SHOWN);
    while (kpis.children.length > list.length) kpis.lastChild.remove();
    while (kpis.children.length < list.length) kpis.append(makeKpi());
    list.forEach((kpi, i) => kpis.children[i].update(kpi));
    setText(failures, `${model.failures} / ${model.consecutive_failures}`);
    failures.className = "num" + (model.failures ? " bad" : "");
    setText(episode, model.episode ? String(model.episode) : "–");
    setText(last, model.last_event_s === null ? "never" : duration(model.last_event_s) + " ago");
  };
  return row;
}

function showModels(answer) {
  const body = document.querySelector("#models tbody"), list = answer.models || [];
  while (body.children.length > list.length) body.lastChild.remove();
  while (body.children.length < list.length) body.append(makeRow());
  list.forEach((model, i) => body.children[i].update(model));
  const none = $("models-none");
  none.hidden = list.length > 0;
  setText(none, answer.ok === false ? answer.message : ask.contains || ask.state ? "No model is like that." : "No model has been heard of yet.");
  const matched = answer.matched || 0;
  setText($("where"), matched ? `${(ask.offset + 1).toLocaleString("en")} to ${(ask.offset + list.length).toLocaleString("en")} of ${matched.toLocaleString("en")}` : "");
  $("prev").disabled = ask.offset === 0;
  $("next").disabled = ask.offset + list.length >= matched;
  if (ask.offset && !list.length && matched) { ask.offset = 0; hurry(); }
}

// --- requests

function whereItStands(request) {
  if (request.state === "RUNNING") {
    const fraction = request.fraction;
    return h("span", {}, request.trainer || "a trainer", fraction !== null ? `, ${Math.round(fraction * 100)} %` : "", request.lease_left_s !== null ? `, lease ${duration(request.lease_left_s)}` : "", request.note ? h("span", { class: "quiet" }, " " + request.note) : null);
  }
  if (request.state === "OFFERED") return `offered ${duration(since(request.offered_at))} ago, not accepted yet`;
  if (request.state !== "PENDING") return request.ended_at ? `ended ${duration(since(request.ended_at))} ago` : "";
  if (request.waiting_for === "retry") return `waits ${duration(request.due_in_s)} before the next attempt`;
  if (request.waiting_for === "limit") return `held by ${request.held_by}${request.due_in_s !== null ? ", " + duration(request.due_in_s) + " left" : ""}`;
  return "waits for a trainer";
}

function whyText(request) {
  const trigger = request.trigger || {};
  if (!trigger.rule) return "asked for by hand";
  const evidence = trigger.evidence || {};
  if (evidence.detector) return `${trigger.rule}: ${shortNumber(evidence.statistic)} over ${shortNumber(evidence.threshold)} after ${shortNumber(evidence.n)} values`;
  return `${trigger.rule}: ${shortNumber(trigger.observed)}${trigger.failures ? `, ${trigger.failures} in a row` : ""}`;
}

function requestRow(request) {
  const fraction = request.state === "RUNNING" ? request.fraction : null;
  return h("tr", {},
    h("td", {}, badge(request.state), request.cancel_asked ? h("div", { class: "small bad" }, "cancel asked") : null),
    h("td", {}, modelLink(request.model), h("div", { class: "small quiet nowrap", title: request.id }, request.id.slice(0, 12))),
    h("td", { class: "wrap" }, whyText(request)),
    h("td", { title: request.strategy_reason || "" }, request.strategy || "–", h("div", { class: "small quiet nowrap" }, request.gpu_hours !== null ? `~ ${shortNumber(request.gpu_hours)} GPU h` : "")),
    h("td", { class: "num" }, `${request.attempt} of ${request.attempts}`),
    h("td", {}, whereItStands(request), fraction !== null ? meter(fraction) : null),
    h("td", { class: "num" }, duration(since(request.created_at))));
}

function meter(fraction, kind) {
  const inner = h("i");
  inner.style.width = Math.max(0, Math.min(100, fraction * 100)) + "%";
  return h("div", { class: "meter " + (kind || "") }, inner);
}

function showNow(requests) {
  const live = requests.slice(0, 6);
  $("now").hidden = !live.length;
  $("now-list").replaceChildren(...live.map((request) => h("li", {}, badge(request.state), modelLink(request.model), h("div", { class: "wrap" }, whyText(request), h("div", { class: "small quiet" }, `${request.strategy}, attempt ${request.attempt} of ${request.attempts}`)), h("span", { class: "small" }, whereItStands(request), request.state === "RUNNING" && request.fraction !== null ? meter(request.fraction) : null))));
}

async function liveRequests(most) {
  const answers = await Promise.all(["RUNNING", "OFFERED", "PENDING"].map((state) => get(`/api/v1/requests?state=${state}&limit=${most}`)));
  return answers.flatMap((answer) => answer.requests || []);
}

function showQueue(status, list) {
  const states = status.requests || {}, queue = status.queue || {};
  $("queue-tiles").replaceChildren(
    tile(String(states.RUNNING || 0), "running"), tile(String(states.OFFERED || 0), "offered"), tile(String(states.PENDING || 0), "pending"),
    tile(String(queue.limit || 0), "held by a limit"), tile(String(queue.retry || 0), "waiting to try again"),
    tile(String(queue.trainer || 0), queue.trainer ? `waiting for a trainer, ${duration(queue.trainer_wait_s)}` : "waiting for a trainer", queue.trainer_wait_s > 20 && !states.RUNNING && !states.OFFERED),
    tile(String(states.DONE || 0), "done"), tile(String(states.DEAD || 0), "dead"));
  document.querySelector("#requests tbody").replaceChildren(...list.map(requestRow));
  $("requests-none").hidden = list.length > 0;
  setText($("requests-none"), "There is none.");
}

// --- losses

function showLosses(status, rejects) {
  const nodes = [...(status.nodes || [])].sort((a, b) => b.lost - a.lost || (a.node < b.node ? -1 : 1)).slice(0, 200);
  const dropped = Object.entries(status.dropped || {}).sort((a, b) => b[1] - a[1]);
  const examples = Object.fromEntries((rejects.rejects || []).map((one) => [one.reason, one]));
  const head = (...names) => h("thead", {}, h("tr", {}, names.map((name, i) => h("th", { scope: "col", class: i && name !== "The last one" ? "num" : "" }, name))));
  $("losses").replaceChildren(
    h("section", { class: "card section" }, h("h2", {}, "Lost on the way, by node"),
      h("p", { class: "quiet small" }, "What a node numbered and what never arrived. Nodes without sequence numbers cannot be watched for this."),
      nodes.length ? h("div", { class: "scroll" }, h("table", {}, head("Node", "Messages", "Lost", "Share", "Just now", "Before joining", "While down", "Repeated", "Restarts"), h("tbody", {}, nodes.map((node) =>
        h("tr", {}, h("td", { class: "wrap" }, node.node), ...[node.messages, node.lost].map((n) => h("td", { class: "num" + (n === node.lost && n ? " bad" : "") }, n.toLocaleString("en"))),
          h("td", { class: "num" }, node.lost ? (node.lost / (node.lost + node.messages) * 100).toPrecision(2) + " %" : "–"),
          h("td", { class: "num" + (growth.lost[node.node] ? " bad" : "") }, growth.lost[node.node] ? "+" + growth.lost[node.node].toLocaleString("en") : "–"),
          ...[node.before_joining, node.while_down || 0, node.repeated, node.restarts].map((n) => h("td", { class: "num" }, n.toLocaleString("en")))))))) : h("p", { class: "quiet" }, "No node numbers its messages.")),
    h("section", { class: "card section" }, h("h2", {}, "Dropped at the door, by reason"),
      dropped.length ? h("div", { class: "scroll" }, h("table", {}, head("Reason", "Count", "Just now", "The last one"), h("tbody", {}, dropped.map(([reason, n]) => {
        const last = (examples[reason] || {}).last;
        return h("tr", {}, h("td", {}, h("code", {}, reason)), h("td", { class: "num" }, n.toLocaleString("en")), h("td", { class: "num" }, growth.dropped[reason] ? "+" + growth.dropped[reason].toLocaleString("en") : "–"),
          h("td", { class: "wrap small" }, last ? [h("div", {}, `${clockText(last.at_s, true)} · ${last.topic}`), h("div", {}, last.detail), h("div", { class: "quiet" }, last.payload)] : ""));
      })))) : h("p", { class: "quiet" }, "Nothing was dropped.")),
    h("section", { class: "card section" }, h("h2", {}, "Elsewhere"), h("dl", { class: "facts" },
      fact("Events to observers", shortNumber((status.observers || {}).sent || 0)), fact("of these dropped", shortNumber((status.observers || {}).dropped || 0)),
      fact("Log lines lost", shortNumber(status.log_lost || 0)), fact("Left out for want of memory", shortNumber(status.no_memory || 0)),
      fact("Members passed over", shortNumber(status.ignored || 0)), fact("Streams not followed", shortNumber(status.streams_not_followed || 0)))));
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

// --- one model

const trail = new Map(); // of the model in view: what the page has seen itself, by KPI

function pointsOf(kpi, history, key) {
  const at = history && history.kpis ? history.kpis.indexOf(kpi.name) : -1;
  const kept = at < 0 ? [] : history.samples.map((sample) => [sample[0], sample[2 + at]]);
  const own = trail.get(key + "\n" + kpi.name) || [];
  const last = kept.length ? kept[kept.length - 1][0] : 0;
  return kept.concat(own.filter((point) => point[0] > last));
}

function noteTrail(model) {
  const now = Date.now() / 1000;
  for (const kpi of model.kpis) {
    const key = model.model + "\n" + kpi.name, list = trail.get(key) || [];
    if (trail.size > 200) trail.clear();
    list.push([now, kpi.observed]);
    if (list.length > 1800) list.shift();
    trail.set(key, list);
  }
}

function marksOf(requests) {
  const marks = [], spans = [];
  for (const request of requests) {
    const from = epoch(request.created_at), to = request.ended_at ? epoch(request.ended_at) : Date.now() / 1000;
    spans.push({ from, to, text: `episode ${request.episode}: request ${request.state.toLowerCase()}` });
    const change = request.trigger && request.trigger.change_at ? epoch(request.trigger.change_at) : NaN;
    if (Number.isFinite(change)) marks.push({ at: change, kind: "change", text: "the change began, as far as can be told" });
    marks.push({ at: from, short: "asked", text: `retraining asked for: ${whyText(request)}` });
    if (request.accepted_at) marks.push({ at: epoch(request.accepted_at), short: "accepted", text: `accepted by ${request.trainer || "a trainer"}` });
    if (request.ended_at) marks.push({ at: to, short: request.state.toLowerCase(), text: `the request is ${request.state.toLowerCase()}` });
  }
  return { marks, spans };
}

function ruleRow(rule) {
  const judged = rule.statistic !== null && rule.threshold !== null;
  const share = judged && rule.threshold ? rule.statistic / rule.threshold : 0;
  return h("tr", {}, h("td", { class: "wrap" }, rule.rule, h("div", { class: "small quiet" }, rule.detector)),
    h("td", { class: "num" }, judged ? `${shortNumber(rule.statistic)} of ${shortNumber(rule.threshold)}` : "not yet"),
    h("td", {}, judged ? meter(share, share >= 1 ? "over" : share > 0.7 ? "warn" : "") : h("span", { class: "quiet small" }, rule.reference ? `reference: ${Math.min(rule.taken, rule.reference)} of ${rule.reference} values` : "waits for values")),
    h("td", { class: "num" }, shortNumber(rule.taken)), h("td", { class: "num" }, rule.promise ? `${rule.approximate ? "about " : ""}${shortNumber(rule.promise)}` : "no promise"));
}

function explainCard(explain) {
  if (!explain || explain.ok === false) return null;
  if (typeof explain.text === "string") return h("section", { class: "card section" }, h("h2", {}, "Why it is judged so"), h("pre", {}, explain.text));
  return h("section", { class: "card section" }, h("h2", {}, "Why it is judged so"), explain.summary ? h("p", {}, explain.summary) : null,
    (explain.rules || []).map((rule) => h("div", { class: "section" }, h("h3", {}, rule.rule, rule.file ? h("span", { class: "quiet small" }, `  ${rule.file}:${rule.line}`) : null),
      h("dl", { class: "facts" }, (rule.says || []).map((says) => fact(says.about, says.text))))),
    explain.settings && explain.settings.length ? h("details", {}, h("summary", {}, "Every setting, and where it was set"), h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, explain.settings.map((setting) =>
      h("tr", {}, h("td", {}, h("code", {}, setting.key)), h("td", { class: "wrap" }, String(setting.value)), h("td", { class: "quiet small wrap" }, setting.file ? `${setting.file}:${setting.line}` : "default"))))))) : null);
}

function showModel(model, history, requests, explain) {
  const section = $("model");
  if (model.ok === false) {
    section.replaceChildren(h("div", { class: "card" }, h("h1", {}, view.id), h("p", {}, model.message), h("a", { href: "#/" }, "Back to the fleet")));
    return;
  }
  noteTrail(model);
  const open = section.querySelector("details[open]") !== null, now = Date.now() / 1000, { marks, spans } = marksOf(requests);
  const charts = model.kpis.map((kpi) => {
    const points = pointsOf(kpi, history, model.model), first = points.length ? points[0][0] : now - 60;
    const inSight = spans.map((span) => span.from).filter((t) => t > now - 7200);
    const from = Math.min(first, now - 60, ...inSight.map((t) => t - 15));
    const limit = [kpi.min !== null ? "at least " + shortNumber(kpi.min) : "", kpi.max !== null ? "at most " + shortNumber(kpi.max) : ""].filter(Boolean).join(", ");
    const spark = sparkline(180, 30);
    spark.update(kpi.recent || [], kpi.min, kpi.max);
    return h("div", { class: "card" + (kpi.violated ? " violated" : "") }, h("h3", {}, kpi.name, h("span", { class: "quiet" }, `  ${kpi.over} of the window, ${limit}${kpi.test === "evidence" ? ", by evidence" : ""}`)),
      h("p", { class: "small" + (kpi.violated ? " bad" : " quiet") }, kpi.judged ? `now ${shortNumber(kpi.observed)}${kpi.violated ? ": outside its budget" : ""}` : `not judged before ${model.settings.min_events} values`, ` (${kpi.n} of ${model.settings.window} values)`),
      timeChart({ points, min: kpi.min, max: kpi.max, from, to: now, spans, marks, label: `${kpi.name} over time` }),
      h("div", { class: "small quiet" }, "the last values themselves ", spark));
  });
  section.replaceChildren(
    h("section", { class: "card section" }, h("div", { class: "bar" }, h("a", { href: "#/" }, "← Fleet"), h("h1", {}, model.model), badge(model.state)),
      h("dl", { class: "facts" }, fact("Failures in a row", `${model.failures} of ${model.consecutive_failures}`), fact("Episode", model.episode ? `${model.episode}${model.episode_open ? ", open" : ""}` : "none yet"),
        fact("Backing off", model.backoff_left_s ? duration(model.backoff_left_s) : "no"), fact("Events", shortNumber(model.events)), fact("Last event", model.last_event_s === null ? "never" : duration(model.last_event_s) + " ago"),
        fact("Window", many(model.settings.window, "event")), fact("Recovers after", many(model.settings.recover_after, "healthy evaluation")))),
    h("div", { class: "charts section" }, charts.length ? charts : h("div", { class: "card quiet" }, "No budget holds for this model: it is shown and not judged.")),
    (model.rules || []).length ? h("section", { class: "card section" }, h("h2", {}, "Detectors against their thresholds"), h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["Rule", "Statistic", "", "Values", "Values per false alarm"].map((name, i) => h("th", { scope: "col", class: i === 1 || i > 2 ? "num" : "" }, name)))), h("tbody", {}, model.rules.map(ruleRow))))) : null,
    h("section", { class: "card section" }, h("h2", {}, "Episodes and requests"), requests.length ? h("div", { class: "scroll" }, h("table", { class: "requests" }, h("tbody", {}, requests.map(requestRow)))) : h("p", { class: "quiet" }, "None among the newest: this model needed no retraining.")),
    h("section", { class: "card section" }, h("h2", {}, "All metrics"), h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["Metric", "Last", "Mean of the window", "Values", "Since the start"].map((name, i) => h("th", { scope: "col", class: i ? "num" : "" }, name)))), h("tbody", {}, model.metrics.map((metric) =>
      h("tr", {}, h("td", {}, metric.name), ...[metric.last, metric.mean, metric.n, metric.total].map((value) => h("td", { class: "num" }, shortNumber(value))))))))),
    explainCard(explain) || "");
  const details = section.querySelector("details");
  if (details && open) details.open = true;
}

// --- asking

let dead = [], ownRequests = [], explained = null, history = null, rejects = {}, lastStatus = null;

async function ofFleet(status) {
  const query = new URLSearchParams({ sort: ask.sort, limit: PAGE, offset: ask.offset });
  if (ask.state) query.set("state", ask.state);
  if (ask.contains) query.set("contains", ask.contains);
  const requests = status.requests || {}, anyLive = (requests.PENDING || 0) + (requests.OFFERED || 0) + (requests.RUNNING || 0);
  const [models, live] = await Promise.all([get("/api/v1/models?" + query), anyLive && turn % 2 === 1 ? liveRequests(6) : null]);
  if (turn % 15 === 1) dead = requests.DEAD ? (await get("/api/v1/requests?state=DEAD&limit=20")).requests || [] : [];
  showTodo(status, dead);
  showTiles(status);
  showStates(status);
  showModels(models);
  if (live || !anyLive) showNow(live || []);
}

async function ofModel() {
  const id = view.id, model = await get("/api/v1/models/" + path(id));
  if (turn % 5 === 1) {
    const [kept, requests] = await Promise.all([get("/api/v1/history/" + path(id)), get("/api/v1/requests?limit=300")]);
    history = kept.ok ? kept : null;
    ownRequests = (requests.requests || []).filter((request) => request.model === id).slice(0, 20);
  }
  if (turn % 30 === 1) explained = await get("/api/v1/explain/" + path(id));
  if (view.name === "model" && view.id === id) showModel(model, history, ownRequests, explained);
}

async function ofQueue(status) {
  const list = ask.queue === "live" ? await liveRequests(100) : (await get("/api/v1/requests?limit=100" + (ask.queue === "all" ? "" : "&state=" + ask.queue))).requests || [];
  showQueue(status, list);
}

async function look() {
  turn++;
  try {
    const status = await get("/api/v1/status");
    failedSince = null;
    lastStatus = status;
    noteGrowth(status);
    showBanners(status);
    showHead(status);
    if (view.name === "fleet") await ofFleet(status);
    else if (view.name === "model") await ofModel();
    else if (view.name === "queue") await ofQueue(status);
    else { rejects = await get("/api/v1/rejects"); showLosses(status, rejects); }
  } catch (error) {
    failedSince = failedSince || Date.now();
    showBanners(lastStatus);
    showHead(lastStatus);
  }
}

// One round at a time; none while nobody looks.
let timer = null, looking = false, again = false;
async function round() {
  clearTimeout(timer);
  if (looking) { again = true; return; }
  looking = true;
  if (!document.hidden) await look();
  looking = false;
  timer = setTimeout(round, again ? 0 : EVERY_MS);
  again = false;
}
function hurry() { round(); }

// --- where we are, and what the person does

function setFilter(changes) {
  Object.assign(ask, { offset: 0 }, changes);
  $("state").value = ask.state;
  $("sort").value = ask.sort;
  if ($("find").value !== ask.contains) $("find").value = ask.contains;
  select(-1);
  hurry();
}
function setQueue(which) { ask.queue = which; $("queue-state").value = which; hurry(); }

function go() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  let id = "";
  try { id = parts.slice(1).map(decodeURIComponent).join("/"); } catch (error) { id = parts.slice(1).join("/"); }
  view = parts[0] === "model" ? { name: "model", id } : { name: ["queue", "losses"].includes(parts[0]) ? parts[0] : "fleet" };
  turn = 0;
  history = explained = null;
  ownRequests = [];
  for (const name of ["fleet", "model", "queue", "losses"]) $(name).hidden = name !== view.name;
  if (view.name === "model") $("model").replaceChildren(h("div", { class: "card quiet" }, view.id));
  document.querySelectorAll("nav a").forEach((link) => setAttribute(link, "aria-current", link.dataset.view === view.name || (view.name === "model" && link.dataset.view === "fleet") ? "page" : null));
  window.scrollTo(0, 0);
  hurry();
}

function select(at) {
  const rows = document.querySelectorAll("#models tbody tr");
  rows.forEach((row) => row.classList.remove("at"));
  selected = rows.length ? Math.max(-1, Math.min(at, rows.length - 1)) : -1;
  if (selected < 0) return;
  rows[selected].classList.add("at");
  rows[selected].querySelector("a").focus({ preventScroll: true });
  rows[selected].scrollIntoView({ block: "nearest" });
}

function page(by) {
  const button = by > 0 ? $("next") : $("prev");
  if (!button.disabled) { ask.offset = Math.max(0, ask.offset + by * PAGE); select(-1); hurry(); }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (view.name !== "fleet") location.hash = "#/";
    else setFilter({ contains: "", state: "" });
    return;
  }
  if (typing) return;
  const keys = { "/": () => { location.hash = "#/"; $("find").focus(); }, j: () => select(selected + 1), k: () => select(Math.max(0, selected - 1)), n: () => page(1), p: () => page(-1) };
  if (keys[event.key] && (event.key === "/" || view.name === "fleet")) { event.preventDefault(); keys[event.key](); }
});

for (const state of STATES) $("state").append(h("option", { value: state }, state));
for (const [value, text] of Object.entries(SORTS)) $("sort").append(h("option", { value }, text));
for (const [value, text] of Object.entries(QUEUES)) $("queue-state").append(h("option", { value }, text));
let typed = null;
$("find").addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(() => setFilter({ contains: $("find").value.trim() }), 250); });
$("state").addEventListener("change", () => setFilter({ state: $("state").value }));
$("sort").addEventListener("change", () => setFilter({ sort: $("sort").value }));
$("queue-state").addEventListener("change", () => setQueue($("queue-state").value));
$("states").addEventListener("click", (event) => {
  const state = event.target.dataset.state;
  if (state) setFilter({ state: ask.state === state ? "" : state });
});
$("prev").addEventListener("click", () => page(-1));
$("next").addEventListener("click", () => page(1));
document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
window.addEventListener("hashchange", go);
go();
