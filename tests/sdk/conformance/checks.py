"""What every Python client is checked with: where the server is, documents to ask about, and one line per check.

The environment says INSULA_BASE_URL, INSULA_API_KEY, and INSULA_OTHER_API_KEY, another tenant's.
"""

import asyncio
import inspect
import json
import os
import sys
import traceback

BASE_URL = os.environ["INSULA_BASE_URL"]
API_KEY = os.environ["INSULA_API_KEY"]
OTHER_API_KEY = os.environ["INSULA_OTHER_API_KEY"]

EXTRACTIVE = "insula/extractive"
OBLIGING = "fake/obliging"
EMBEDDING = "all-MiniLM-L6-v2"
DIMENSIONS = 384

FACTS = {
    "lanterns.txt": "A customer may return an unused lantern within 45 days of delivery. The refund is paid within five days.",
    "bees.txt": "The angle of the waggle dance tells honeybees the direction of the flowers, and its length the distance.",
    "tides.txt": "The harbour of Basra is closed to deep ships for two hours around low tide.",
}
QUESTION = "How do honeybees show the direction of flowers?"
ANSWER = "waggle dance"
SOURCE = "bees.txt"

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
REPORT = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}


class Checks:
    """The checks of one client. `@checks(endpoint, what)` runs the function below it and says what became of it."""

    def __init__(self, client):
        self.client = client

    def __call__(self, endpoint, what):
        def run(check):
            error = None
            try:
                done = check()
                if inspect.isawaitable(done):
                    asyncio.run(_finish(done))
            except Exception as failure:
                place = traceback.extract_tb(failure.__traceback__)
                lines = [frame.lineno for frame in place if frame.filename == check.__code__.co_filename]
                error = f"line {lines[-1] if lines else '?'}: {type(failure).__name__}: {failure}"[:2000]
            self.say(endpoint, what, error)
            return check

        return run

    def say(self, endpoint, what, error):
        line = {"client": self.client, "endpoint": endpoint, "check": what, "ok": error is None, "error": error}
        print(json.dumps(line, ensure_ascii=False), flush=True)


async def _finish(awaitable):
    return await awaitable


def equal(found, wanted):
    """As `assert found == wanted`, but says both."""
    assert found == wanted, f"{found!r} instead of {wanted!r}"


def holds(found, *wanted):
    """Every one of `wanted` is in `found`."""
    for one in wanted:
        assert one in found, f"{one!r} is not in {found!r}"


def raises(kind, call, *arguments, **more):
    """The error of a call that must fail as `kind`."""
    try:
        call(*arguments, **more)
    except Exception as error:
        # Some clients put classes of their own below those of the official one.
        assert isinstance(error, kind), f"{type(error).__name__} instead of {kind.__name__}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def official(**more):
    """The official client, for clients that leave files and stores to it."""
    from openai import OpenAI

    return OpenAI(**({"base_url": BASE_URL, "api_key": API_KEY, "max_retries": 0} | more))


def library(name):
    """A store of the documents, ready to be searched."""
    client = official()
    store = client.vector_stores.create(name=name)
    for filename, text in FACTS.items():
        client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(filename, text.encode()))
    counts = client.vector_stores.retrieve(store.id).file_counts
    if counts.completed != len(FACTS):
        sys.exit(f"the documents are not ready: {counts}")
    return store.id


def grounded(store):
    """What makes a chat answer from a store."""
    return {"data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}]}
