"""What browsers and Prometheus get: shapes, statuses, headers, and that nothing of it can be used by a page elsewhere."""
import http.client
import json
import re
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

import zmq

import line
from test_daemon_line import BAD, GOOD, MODEL, send

STATES = {"warming", "healthy", "failing", "drifting", "retraining", "stale", "silenced", "unrecoverable"}
NAMED = """
budgets:
  - models: "*"
    window: 4
    min_events: 1
    consecutive_failures: 3
    backoff: 1h
    kpis: {accuracy: {min: 0.80, over: mean}}
  - models: "visutility/*"
    window: 5
  - models: visutility/object-detector
    window: 6
"""


class Web:
    """Requests to the daemon's own address; statuses are answers, not errors."""

    def __init__(self, daemon):
        self.address = daemon.http

    def get(self, path, method="GET", **headers):
        request = urllib.request.Request(f"http://{self.address}{path}", method=method,
                                         headers={name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=line.PATIENCE_S) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()

    def json(self, path, expected=200):
        status, headers, body = self.get(path)
        assert status == expected, (path, status, body)
        assert headers["Content-Type"] == "application/json", headers
        return json.loads(body)


def conversation(one, text):
    """Says `text` and listens until the daemon closes: status, headers and body of the first answer, and what follows it."""
    host, port = one.http.rsplit(":", 1)
    said = b""
    with socket.create_connection((host, int(port)), timeout=line.PATIENCE_S) as raw:
        raw.sendall(text.encode())
        while piece := raw.recv(65536):
            said += piece
    head, _, rest = said.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(part.split(": ", 1) for part in lines[1:])
    length = int(headers["Content-Length"])
    return int(lines[0].split()[1]), headers, rest[:length], rest[length:]


def daemon(**more):
    return line.Daemon(http="127.0.0.1:0", **more)


def samples(text):
    """Every sample of an exposition: name and labels as they stand, and the value."""
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.M)}


class Api(unittest.TestCase):
    def test_the_shapes_of_the_control_socket(self):
        for workers in ("0", "3"):
            with daemon(workers=workers, backoff="1h") as one:
                web, node = Web(one), one.publisher()
                for _ in range(3):
                    send(node, MODEL, BAD)
                for i in range(20):
                    send(node, f"fleet/m{i}/v1", GOOD)
                one.wait_status(lambda status: status.get("events", 0) == 23 and status["requests"]["PENDING"] == 1)
                self.assertEqual(web.json("/api/v1/status").keys(), one.ask("status").keys())
                models = web.json("/api/v1/models")
                self.assertEqual([m["model"] for m in models["models"]],
                                 sorted([MODEL] + [f"fleet/m{i}/v1" for i in range(20)]))
                for model in models["models"]:
                    self.assertLessEqual({"model", "state", "failures", "episode", "backoff_left_s"}, model.keys())
                    self.assertIn(model["state"], STATES)
                    self.assertNotIn("key", model)
                self.assertEqual(web.json("/api/v1/models/" + MODEL).keys(), one.ask("model", model=MODEL).keys())
                [request] = web.json("/api/v1/requests")["requests"]
                self.assertEqual(request["model"], MODEL)
                whole = web.json("/api/v1/requests/" + request["id"])
                self.assertEqual([step["to"] for step in whole["history"]], ["PENDING"])
                self.assertEqual(web.json("/api/v1/requests?state=DONE")["requests"], [])
                self.assertEqual(web.json("/api/v1/rejects"), {"ok": True, "rejects": []})

    def test_pages_of_a_sorted_list(self):
        for workers in ("0", "3"):
            with daemon(workers=workers, backoff="1h") as one:
                web, node = Web(one), one.publisher()
                for i in range(30):
                    for _ in range(i % 3):
                        send(node, f"fleet/m{i:02}/v1", BAD)
                    send(node, f"fleet/m{i:02}/v1", BAD if i % 3 else GOOD)
                one.wait_status(lambda status: status.get("events", 0) == 60 and status["models"].get("retraining") == 10)
                all_of_them = [(m["model"], m["state"]) for m in web.json("/api/v1/models?sort=worst")["models"]]
                rank = {"failing": 0, "retraining": 1, "healthy": 2}
                self.assertEqual(all_of_them, sorted(all_of_them, key=lambda m: (rank[m[1]], m[0])))
                self.assertEqual({state for _, state in all_of_them}, rank.keys())
                pages = []
                for offset in range(0, 40, 7):
                    page = web.json(f"/api/v1/models?sort=worst&limit=7&offset={offset}")
                    self.assertEqual(page["matched"], 30)
                    pages += [(m["model"], m["state"]) for m in page["models"]]
                self.assertEqual(pages, all_of_them)
                by_name, after = [], ""
                while after is not None:
                    page = web.json(f"/api/v1/models?sort=name&limit=7&after={after}")
                    by_name += [m["model"] for m in page["models"]]
                    after = page.get("next")
                self.assertEqual(by_name, sorted(m for m, _ in all_of_them))
                found = web.json("/api/v1/models?contains=m1&state=failing")
                self.assertEqual([m["model"] for m in found["models"]],
                                 [f"fleet/m{i}/v1" for i in range(10, 20) if i % 3 == 1])
                self.assertEqual(web.json("/api/v1/models?pattern=fleet/m2*&limit=1")["left_out"], 9)

    def test_errors_are_json_too(self):
        with daemon() as one:
            web = Web(one)
            for path, status, error in (("/api/v1/models/a/b/c", 404, "unknown_model"), ("/api/v1/nothing", 404, "not_found"),
                                        ("/api/v1/requests/nobody", 404, "unknown_request"),
                                        ("/api/v1/models/a", 400, "bad_message"),
                                        ("/api/v1/models?limit=many", 400, "bad_message"),
                                        ("/api/v1/models?state=tired", 400, "bad_message"),
                                        ("/api/v1/models?pattern=%ff", 400, "bad_message"),
                                        ("/api/v1/models?sort=age", 400, "bad_message"),
                                        ("/api/v1/models?offset=-1", 400, "bad_message"),
                                        ("/api/v1/requests?state=LOST", 400, "bad_message"),
                                        ("/api/v1/models/%ff/b/c", 400, "bad_message")):
                answer = web.json(path, expected=status)
                self.assertIs(answer["ok"], False)
                self.assertEqual(answer["error"], error, path)
                self.assertTrue(answer["message"])
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                status, headers, body = web.get("/api/v1/status", method=method)
                self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
                self.assertEqual(json.loads(body)["error"], "method_not_allowed")

    def test_ids_in_any_script(self):
        with daemon() as one:
            web, node = Web(one), one.publisher()
            model = "проект/モデル <b>&\"%/v 1"
            send(node, model, GOOD)
            one.wait_status(lambda status: status.get("events", 0) == 1)
            path = urllib.request.quote("/api/v1/models/" + model)
            self.assertEqual(web.json(path)["model"], model)


class Health(unittest.TestCase):
    def test_alive_and_ready(self):
        with daemon() as one:
            web = Web(one)
            self.assertEqual(web.get("/healthz")[::2], (200, b"ok\n"))
            self.assertEqual(web.json("/readyz"), {"ok": True, "ready": True, "reasons": [], "warnings": []})

    def test_off(self):
        with line.Daemon(http="off") as one:
            self.assertEqual(one.http, "off")
            self.assertEqual(one.ask("status")["endpoints"]["http"], [])

    def test_an_address_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            one = line.Daemon(http=f"127.0.0.1:{port}")
            try:
                ended = subprocess.run([line.DRIFTD, "--config", one.config], capture_output=True, text=True,
                                       timeout=line.PATIENCE_S)
                self.assertEqual(ended.returncode, 69)
                self.assertIn(f"http.listen: 127.0.0.1:{port} cannot be had: another program listens there", ended.stderr)
            finally:
                one.clean()


class Metrics(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon(budgets=NAMED).__enter__()
        self.addCleanup(self.daemon.clean)
        self.web, node = Web(self.daemon), self.daemon.publisher()
        self.addCleanup(node.close)
        for _ in range(3):
            send(node, MODEL, {**BAD, "node": "c\"a\\m\n", "boot": "b", "seq": 0})
        for i in range(40):
            send(node, f"visutility/other{i}/v1", GOOD)
        send(node, MODEL, {"accuracy": 7})
        self.daemon.wait_status(lambda status: status.get("events", 0) == 43 and status["models"].get("retraining") == 1 and status["dropped"] == {"range": 1})

    def test_figures(self):
        status, headers, body = self.web.get("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        text = body.decode()
        got = samples(text)
        self.assertEqual(got["driftd_events_total"], 43)
        self.assertEqual(got['driftd_dropped_total{reason="range"}'], 1)
        self.assertEqual(got['driftd_dropped_total{reason="syntax"}'], 0)
        self.assertEqual(got['driftd_lost_total{node="c\\"a\\\\m\\n"}'], 0)
        self.assertEqual(got['driftd_models{state="retraining"}'], 1)
        self.assertEqual(got['driftd_requests{state="PENDING"}'], 1)
        self.assertEqual(got["driftd_config_reload_ok"], 1)
        self.assertEqual(got["driftd_store_full"], 0)
        self.assertIn("# TYPE driftd_events_total counter\n", text)
        # Only a model that the configuration calls by its name has series of its own.
        self.assertEqual(got[f'driftd_model_events_total{{model="{MODEL}"}}'], 3)
        self.assertEqual(got[f'driftd_model_kpi{{model="{MODEL}",kpi="accuracy",over="mean"}}'], 0.5)
        self.assertEqual(got[f'driftd_model_kpi_violated{{model="{MODEL}",kpi="accuracy"}}'], 1)
        self.assertNotIn("other1", text)
        self.assertEqual(got["driftd_unlabelled_models"], 40)
        self.assertEqual(got["driftd_unlabelled_events_total"], 40)

    def test_events_are_counted_from_the_start_on(self):
        """As those of the daemon are; what a monitor has taken goes on."""
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        self.web, node = Web(self.daemon), self.daemon.publisher()
        self.addCleanup(node.close)
        send(node, MODEL, GOOD)
        for i in range(2):
            send(node, f"visutility/other{i}/v1", GOOD)
        self.daemon.wait_status(lambda status: status.get("events", 0) == 3)
        got = samples(self.web.get("/metrics")[2].decode())
        self.assertEqual(got[f'driftd_model_events_total{{model="{MODEL}"}}'], 1)
        self.assertEqual(got["driftd_unlabelled_events_total"], 2)
        model = self.daemon.ask("model", model=MODEL)
        self.assertEqual((model["events"], model["events_since_start"]), (4, 1))

    def test_open_metrics_when_asked_for(self):
        status, headers, body = self.web.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        self.assertEqual(headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(body.endswith(b"# EOF\n"))
        self.assertIn(b"# TYPE driftd_events counter\n", body)
        self.assertIn(b"\ndriftd_events_total 43\n", body)

    def test_every_family_has_its_head_once_and_before_its_samples(self):
        seen, current = set(), None
        for text in self.web.get("/metrics")[2].decode().splitlines():
            if text.startswith("# HELP "):
                current = text.split()[2]
                self.assertNotIn(current, seen)
                seen.add(current)
            elif not text.startswith("# TYPE "):
                self.assertEqual(re.match("[a-z_]+", text).group(), current)

    @unittest.skipUnless(line.PROMTOOL, "there is no promtool; `make deps` gets it")
    def test_promtool(self):
        found = subprocess.run([line.PROMTOOL, "check", "metrics"], input=self.web.get("/metrics")[2], capture_output=True)
        self.assertEqual((found.returncode, found.stdout + found.stderr), (0, b""))


class ManyNodes(unittest.TestCase):
    def test_what_many_nodes_lose_is_counted(self):
        """A list ends somewhere; what stands behind its end is summed up."""
        for workers in ("0", "2"):
            with daemon(workers=workers) as one:
                web, node = Web(one), one.publisher()
                for i in range(2100):
                    for seq in (3, 8):
                        send(node, f"shop/m{i % 7}/v1", {**GOOD, "node": f"n{i}", "boot": "b", "seq": seq})
                status = one.wait_status(lambda status: status.get("events", 0) == 4200)
                self.assertEqual(sum(status["lost"].values()), 2100 * 4)
                got = samples(web.get("/metrics")[2].decode())
                for name, expected in {"lost": 2100 * 4, "node_messages": 4200, "before_joining": 2100 * 3}.items():
                    self.assertEqual(sum(value for sample, value in got.items() if sample.startswith(f"driftd_{name}_total{{")), expected)
                self.assertEqual(got["driftd_nodes"], 2100 if workers == "0" else status["node_count"])
                self.assertGreaterEqual(got['driftd_lost_total{node="(others)"}'], 1600 * 4 if workers == "0" else 1)
                node.close()


class Guard(unittest.TestCase):
    def test_only_known_hosts(self):
        with daemon() as one:
            web = Web(one)
            port = one.http.rsplit(":", 1)[1]
            for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:" + port):
                self.assertEqual(web.get("/healthz", Host=host)[0], 200, host)
            for host in ("evil.example", "localhost.evil.example", "evil.example:" + port, ":80", "[::1]"):
                for path in ("/", "/metrics", "/api/v1/status", "/nothing"):
                    status, _, body = web.get(path, Host=host)
                    self.assertEqual((status, json.loads(body)["error"]), (421, "unknown_host"), (host, path))

    def test_two_hosts_are_none(self):
        """A proxy may go by the one name and the daemon by the other: neither is believed."""
        with daemon() as one:
            address, port = one.http.rsplit(":", 1)
            for hosts in (("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost", "localhost")):
                with socket.create_connection((address, int(port)), timeout=line.PATIENCE_S) as raw:
                    raw.sendall("GET /healthz HTTP/1.1\r\nHost: {}\r\nhOST: {}\r\n\r\n".format(*hosts).encode())
                    self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 400 "), hosts)

    def test_without_a_host(self):
        """HTTP/1.1 wants one: one whole answer says so."""
        with daemon() as one:
            for path in ("/healthz", "http://localhost/healthz"):
                status, _, body, rest = conversation(one, f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n")
                self.assertEqual((status, json.loads(body)["error"], rest), (400, "bad_request", b""), path)
            self.assertEqual(conversation(one, "GET /healthz HTTP/1.0\r\n\r\n")[0], 421)

    def test_the_host_of_an_absolute_address_counts(self):
        with daemon() as one:
            for address, header, expected in (
                    ("http://localhost/healthz", "localhost", (200, b"ok\n")),
                    ("HTTP://LOCALHOST:9570/healthz?x=1", "evil.example", (200, b"ok\n")),
                    ("http://127.0.0.1/nothing", "localhost", (404, None)),
                    ("http://localhost/", "localhost", (200, None)),
                    ("http://localhost", "localhost", (200, None)),
                    ("http://evil.example/healthz", "localhost", (421, None)),
                    ("http://localhost:x@evil.example/healthz", "localhost", (421, None)),
                    ("http:///healthz", "localhost", (421, None)),
                    ("http://" + "localhost" * 100 + "/healthz", "localhost", (421, None)),
                    ("ftp://localhost/healthz", "localhost", (404, None))):
                status, _, body, rest = conversation(
                    one, f"GET {address} HTTP/1.1\r\nHost: {header}\r\nConnection: close\r\n\r\n")
                self.assertEqual((status, body if expected[1] else None, rest), (*expected, b""), address)

    def test_what_a_get_brings_along_is_passed_over(self):
        hello = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n{}"
        closing = hello.format("/healthz", "Connection: close", "")
        with daemon() as one:
            for path in ("/healthz", "/api/v1/status"):
                for how, body in (("Content-Length: 5", "hello"), ("Content-Length: 100000", "h" * 100000),
                                  ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")):
                    status, _, said, rest = conversation(one, hello.format(path, how, body) + closing)
                    self.assertEqual(status, 200, (path, how))
                    self.assertTrue(said == b"ok\n" or json.loads(said)["ok"], said)
                    self.assertTrue(rest.startswith(b"HTTP/1.1 200 ") and rest.endswith(b"\r\n\r\nok\n"), (path, how, rest))

    def test_headers_of_everything(self):
        with daemon() as one:
            web = Web(one)
            for path in ("/", "/page.js", "/api/v1/status", "/metrics", "/nothing", "/api/v1/models/a/b/c"):
                headers = web.get(path)[1]
                policy = headers["Content-Security-Policy"]
                self.assertIn("default-src 'none'", policy)
                self.assertNotIn("unsafe", policy)
                self.assertNotIn("http", policy)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_head_and_etag(self):
        with daemon() as one:
            web = Web(one)
            status, headers, body = web.get("/api/v1/requests")
            self.assertEqual(web.get("/api/v1/requests", If_None_Match=headers["ETag"])[::2], (304, b""))
            self.assertEqual(web.get("/api/v1/requests", If_None_Match='"other"')[2], body)
            status, headers, nothing = web.get("/api/v1/requests", method="HEAD")
            self.assertEqual((status, headers["Content-Length"], nothing), (200, str(len(body)), b""))

    def test_headers_are_bounded_and_many_connections_harm_nobody(self):
        with daemon() as one:
            host, port = one.http.rsplit(":", 1)
            status = Web(one).get("/healthz", X_Long="x" * 40000)[0]
            self.assertIn(status, (413, 431))
            crowd = [socket.create_connection((host, int(port))) for _ in range(100)]
            self.assertTrue(one.ask("status")["ok"])
            for connection in crowd:
                connection.close()
            one.wait_status(lambda status: status["http"]["connections"] == 0)
            self.assertEqual(Web(one).get("/healthz")[0], 200)

    def test_a_crowd_costs_one_question(self):
        """A hundred requests within a second, answered from few snapshots: the daemon's own age says which."""
        with daemon() as one:
            connection = http.client.HTTPConnection(one.http, timeout=line.PATIENCE_S)
            ages = set()
            started = one.ask("status")["up_s"]
            for _ in range(200):
                connection.request("GET", "/api/v1/status")
                ages.add(json.loads(connection.getresponse().read())["up_s"])
            passed_s = one.ask("status")["up_s"] - started
            self.assertLessEqual(len(ages), passed_s + 2)
            connection.close()


class FailedReload(unittest.TestCase):
    def test_the_gauge_and_the_warning(self):
        """A reload that really failed: the gauge is 0 until one takes, and the daemon is ready all the while."""
        with line.Daemon(http="127.0.0.1:0", jobs_more="lease: 5m") as daemon:
            web = Web(daemon)

            def gauge():
                return samples(web.get("/metrics")[2].decode())["driftd_config_reload_ok"]

            with open(daemon.config) as file:
                good = file.read()
            for text, expected in ((good.replace("lease: 5m", "leese: 5m"), 0), (good, 1)):
                daemon.write_config(text)
                self.assertEqual(daemon.ask("reload")["ok"], bool(expected))
                deadline = line.time.monotonic() + line.PATIENCE_S
                while gauge() != expected:  # what is shown is at most a second old
                    self.assertLess(line.time.monotonic(), deadline)
                status, _, body = web.get("/readyz")
                self.assertEqual(status, 200)
                self.assertEqual("reload" in " ".join(json.loads(body)["warnings"]), not expected)


if __name__ == "__main__":
    unittest.main()
