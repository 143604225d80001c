"""How the workers fared themselves, and the line in the master's log that says all of it."""

import csv
import io
import json
import os
import platform
import socket
import time

import gevent
import locust
from locust import events
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV

BEAT = 0.05
body_bytes = 0.0
beats = []
since = {"wall": time.monotonic(), "cpu": time.process_time()}
clients = {}


def cpus_allowed():
    with open("/proc/self/status") as lines:
        return next(line.split(":")[1].strip() for line in lines if line.startswith("Cpus_allowed_list"))


def beat():
    """How late the event loop is with what is due."""
    while True:
        due = time.monotonic() + BEAT
        gevent.sleep(BEAT)
        beats.append((time.monotonic() - due) * 1000)


def reset():
    beats.clear()
    since.update(wall=time.monotonic(), cpu=time.process_time())


@events.init.add_listener
def start(environment, **_):
    if isinstance(environment.runner, locust.runners.WorkerRunner):
        gevent.spawn(beat)
        environment.events.spawning_complete.add_listener(lambda **_: reset())


@events.report_to_master.add_listener
def tell(client_id, data):
    late = sorted(beats)
    data["client"] = {
        "name": socket.gethostname(),
        "node": os.environ.get("NODE_NAME", ""),
        "cpus": cpus_allowed(),
        "cpuSeconds": time.process_time() - since["cpu"],
        "seconds": time.monotonic() - since["wall"],
        "lagP99Ms": late[int(len(late) * 0.99)] if late else 0,
        "lagMaxMs": late[-1] if late else 0,
        "bodyBytes": body_bytes,
    }


@events.worker_report.add_listener
def hear(client_id, data):
    if "client" in data:
        clients[client_id] = data["client"]


def csv_texts(environment):
    table = StatsCSV(environment, PERCENTILES_TO_REPORT)
    texts = {}
    for name in ("requests", "failures", "exceptions"):
        text = io.StringIO()
        getattr(table, f"{name}_csv")(csv.writer(text, lineterminator="\n"))
        texts[name] = text.getvalue()
    return texts


def cpu_model():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def add_line(environment):
    @environment.events.quit.add_listener
    def write(exit_code=None, **_):
        stats = environment.stats
        total = stats.total
        line = {
            "locust": locust.__version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "cpuModel": cpu_model(),
            "node": os.environ.get("NODE_NAME", ""),
            "begin": total.start_time,
            "end": total.last_request_timestamp or total.start_time,
            "requests": total.num_requests,
            "failures": total.num_failures,
            "totalMs": total.total_response_time,
            "minMs": total.min_response_time,
            "maxMs": total.max_response_time,
            "replyBytes": total.total_content_length,
            "responseTimes": {str(ms): count for ms, count in total.response_times.items()},
            "requestsPerSecond": {str(second): count for second, count in total.num_reqs_per_sec.items()},
            "failuresPerSecond": {str(second): count for second, count in total.num_fail_per_sec.items()},
            "errors": [
                {"error": str(error.error), "occurrences": error.occurrences} for error in stats.errors.values()
            ],
            "clients": list(clients.values()),
            "csv": csv_texts(environment),
        }
        print("locust", json.dumps(line), flush=True)


@events.init.add_listener
def end(environment, **_):
    if isinstance(environment.runner, locust.runners.MasterRunner) and environment.web_ui is None:
        add_line(environment)
