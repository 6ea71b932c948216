"""Our own document held against the server: schemathesis with the keys of two tenants at once, and every operation without.

First every operation gets what lies at the edges of its schema, however long that takes; then, for some time, what comes to mind. A
check per operation and key: what was sent to it found no 5xx and no answer that the document forbids.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import API_KEY, BASE_URL, OTHER_API_KEY, Checks

ADDRESS = urllib.parse.urlsplit(BASE_URL)
# For what comes to mind.
SECONDS = int(os.environ.get("INSULA_FUZZ_SECONDS", "20"))
# For the edges: enough on any machine, so that a slow one does not fail.
ENOUGH = 240
METHODS = ("get", "put", "post", "delete", "patch")
# All of the document that has a shape of OpenAI's has a row of its own; the rest is one.
EVERY = "every endpoint"
check = Checks("own document")


def ask(method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=30)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


document = json.loads(ask("GET", "/openapi.json")[1])
operations = [
    (method.upper(), path, operation)
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]


def without_key():
    wrong = []
    guarded = [(method, path, operation.get("security")) for method, path, operation in operations]
    guarded = [(method, path, security) for method, path, security in guarded if security != [{}]]
    for method, path, security in guarded:
        status, body = ask(method, re.sub(r"{\w+}", "x", path), {"content-type": "application/json"}, "{}")
        # What is about somebody's session takes no key at all.
        expected = "not_signed_in" if security == [{"session": []}] else "invalid_api_key"
        error = json.loads(body)["error"]
        # The Open Inference Protocol has a text in place of the object.
        refused = isinstance(error, str) if path.startswith("/v2") else error["code"] == expected
        if status != 401 or not refused:
            wrong.append(f"{method} {path}: {status}")
    assert len(guarded) > 100, "the document lost its operations"
    return wrong


def fuzz(key, seed):
    """What schemathesis found wrong, and how much it tried: at the edges, and beyond."""
    return run(key, seed, "examples,coverage", ENOUGH), run(key, seed, "fuzzing", SECONDS)


def run(key, seed, phases, seconds):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"http://{ADDRESS.netloc}/openapi.json",
            "-H", f"Authorization: Bearer {key}", "--checks",
            "not_a_server_error,response_schema_conformance,content_type_conformance",
            "--phases", phases, "--continue-on-failure", "--no-shrink", "--warnings", "off",
            "--seed", str(seed), "--max-time", str(seconds), "--request-timeout", "30",
            "--report", "json", "--report-json-path", str(report),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 120)
        if not report.exists():
            raise AssertionError(f"schemathesis did not run: {done.stdout[-1500:]} {done.stderr[-1500:]}")
        return json.loads(report.read_text())


@check(EVERY, "no key is a 401, on every operation")
def _():
    wrong = without_key()
    assert not wrong, "; ".join(wrong)


with ThreadPoolExecutor() as pool:
    reports = list(pool.map(fuzz, (API_KEY, OTHER_API_KEY), (1, 2)))
for tenant, (edges, beyond) in zip(("one tenant", "another tenant"), reports):

    @check(EVERY, f"schemathesis reached every operation as {tenant}")
    def _():
        assert edges["operations"]["tested"] == len(operations), edges["operations"]
        assert edges["test_cases"]["generated"] > len(operations), edges["test_cases"]
        assert not edges["errors"] and not beyond["errors"], (edges["errors"], beyond["errors"])

    found = {}
    for failure in edges["failures"] + beyond["failures"]:
        for operation in failure["operations"]:
            found.setdefault(operation, []).append(json.dumps(failure)[:1500])
    for method, path, _ in operations:
        wrong = found.get(f"{method} {path}")
        check.say(EVERY, f"{method} {path} as {tenant}", None if wrong is None else " ".join(wrong).replace(API_KEY, "KEY"))
