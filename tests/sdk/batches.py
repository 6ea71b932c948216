"""Batches with the official SDK, nothing but base URL and key changed."""

import io
import json
import os
import time

import openai
from openai import OpenAI

ada = OpenAI(base_url=os.environ["INSULA_BASE_URL"], api_key=os.environ["INSULA_API_KEY"])


def done(what: str) -> None:
    print(f"{what}: ok", flush=True)


def line(name: str, **body) -> str:
    call = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(call)


question = [{"role": "user", "content": "Hello?"}]
calls = [line(f"call-{n}", model="fake/ok", messages=question) for n in range(20)]
calls.append(line("too-hot", model="fake/ok", messages=question, temperature=9))
calls = "\n".join(calls).encode()
source = ada.files.create(file=("calls.jsonl", io.BytesIO(calls)), purpose="batch")
batch = ada.batches.create(
    input_file_id=source.id,
    endpoint="/v1/chat/completions",
    completion_window="24h",
    metadata={"night": "1"},
)
assert batch.status == "validating" and batch.object == "batch" and batch.metadata == {"night": "1"}, batch
done("a batch is made")

for _ in range(300):
    batch = ada.batches.retrieve(batch.id)
    if batch.status in ("completed", "failed", "expired", "cancelled"):
        break
    time.sleep(0.1)
assert batch.status == "completed", batch
assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (21, 20, 1)
assert batch.errors is None and batch.completed_at >= batch.created_at
done("a batch is polled")

answers = [json.loads(text) for text in ada.files.content(batch.output_file_id).text.splitlines()]
assert [answer["custom_id"] for answer in answers] == [f"call-{n}" for n in range(20)]
over_http = ada.chat.completions.create(model="fake/ok", messages=question)
for answer in answers:
    body = openai.types.chat.ChatCompletion.model_validate(answer["response"]["body"])
    assert answer["response"]["status_code"] == 200 and answer["error"] is None
    assert body.choices == over_http.choices and body.usage == over_http.usage
errors = [json.loads(text) for text in ada.files.content(batch.error_file_id).text.splitlines()]
assert [error["custom_id"] for error in errors] == ["too-hot"]
assert errors[0]["response"]["body"]["error"]["param"] == "temperature"
assert ada.files.retrieve(batch.output_file_id).purpose == "batch_output"
done("a batch is read")

assert [found.id for found in ada.batches.list(limit=1)][0] == batch.id
try:
    ada.batches.cancel(batch.id)
    raise AssertionError("a finished batch was cancelled")
except openai.BadRequestError as error:
    assert "completed" in error.message
bad = ada.files.create(file=("bad.jsonl", io.BytesIO(b"nonsense")), purpose="batch")
failed = ada.batches.create(
    input_file_id=bad.id, endpoint="/v1/chat/completions", completion_window="24h"
)
while ada.batches.retrieve(failed.id).status == "validating":
    time.sleep(0.1)
failed = ada.batches.retrieve(failed.id)
assert failed.status == "failed" and failed.errors.data[0].line == 1, failed
done("batches that go wrong")
