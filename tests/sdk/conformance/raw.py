"""Every endpoint over bare HTTP: each answer and each streamed event against OpenAI's published schemas.

The schemas are not part of the repository: `openai/openai_components.json` below INSULA_SHARED_DATA. Without them nothing
is checked, and the last line says so.
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.parse
import uuid
from pathlib import Path

from jsonschema import Draft202012Validator

from checks import (
    ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, FACTS, OBLIGING, OTHER_API_KEY, QUESTION, SOURCE,
    WEATHER, Checks, equal, grounded, holds,
)  # fmt: skip

check = Checks("raw, by schema")
ADDRESS = urllib.parse.urlsplit(BASE_URL)
PUBLISHED = Path(os.environ.get("INSULA_SHARED_DATA", "")) / "openai" / "openai_components.json"
# Of a browser app that the server lets in.
ORIGIN = os.environ.get("INSULA_ORIGIN", "https://app.example")
hello = [{"role": "user", "content": "Hello?"}]
said = "Hello from the provider [1]."


def readable(schema):
    """The published schemas as JSON Schema: `nullable` is OpenAPI 3.0's, `oneOf` is written where two may fit."""
    if isinstance(schema, list):
        return [readable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {"oneOf": "anyOf"}
    made = {named.get(key, key): readable(part) for key, part in schema.items() if key not in ("discriminator", "nullable")}
    if "$recursiveRef" in made:
        return {"$ref": "#/components/schemas/CompoundFilter"}
    if schema.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


# What our answers have beyond schemas that allow nothing else; SDKs pass it on. Below `data`, then the rest.
SEARCH_ADDITIONS = {"chunk_id", "vector_store_id", "heading_path", "page", "start", "end", "score_parts"}


def published_part(page):
    """A page of search results without what is ours."""
    data = [{key: value for key, value in hit.items() if key not in SEARCH_ADDITIONS} for hit in page["data"]]
    return {**{key: value for key, value in page.items() if key != "recall"}, "data": data}


def batch(found):
    """Keys without a value, which OpenAI's answers have as null and its schema does not allow, are left out."""
    return {key: value for key, value in found.items() if value is not None or key == "metadata"}


class Schemas:
    """OpenAI's schemas, by name and by the type of event."""

    def __init__(self, document):
        self.document = readable(document)
        self.names = self.document["components"]["schemas"]
        self.events = {}
        for name, schema in self.names.items():
            if re.fullmatch(r"Response.*Event", name):
                self.events[schema["properties"]["type"]["enum"][0]] = name

    def fit(self, name, value):
        """Raises an error that names every place in `value` that the schema does not allow."""
        root = {**self.document, "$ref": f"#/components/schemas/{name}"}
        wrong = [
            f"{error.json_path}: {error.message[:300]}"
            for error in Draft202012Validator(root).iter_errors(value)
            for error in most_telling(error)
        ]
        assert not wrong, f"{name}: " + "; ".join(wrong[:5])
        return value


def most_telling(error):
    """Of a choice that fits nowhere, why the nearest does not."""
    if not error.context:
        return [error]
    branches = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    nearest = min(branches.values(), key=lambda inner: ("type" in [str(one.path[-1:]) for one in inner], len(inner)))
    return [error, *nearest]


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status, self.headers, self.bytes = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.bytes)


def call(method, path, body=None, key=API_KEY, headers=None, encode=True):
    """One request, without any library of anybody."""
    connection = http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=60)
    sent = {"authorization": f"Bearer {key}"} if key else {}
    if body is not None and encode:
        body = json.dumps(body)
        sent["content-type"] = "application/json"
    try:
        connection.request(method, f"{ADDRESS.path}{path}", body, {**sent, **(headers or {})})
    except BrokenPipeError:
        pass  # A body that is too long is not read to its end; the answer is there all the same.
    answer = Answer(connection.getresponse())
    connection.close()
    assert answer.headers.get("x-request-id", "").startswith("req_"), f"{method} {path} has no request id"
    return answer


def ok(method, path, body=None, **more):
    answer = call(method, path, body, **more)
    assert answer.status == 200, f"{method} {path}: {answer.status} {answer.bytes[:500]!r}"
    holds(answer.headers["content-type"], "application/json")
    return answer.json


def events(path, body):
    """The events of a stream as `(event, data)`, read as the standard for them says."""
    answer = call("POST", path, {**body, "stream": True})
    assert answer.status == 200, answer.bytes[:500]
    equal(answer.headers["content-type"].partition(";")[0], "text/event-stream")
    found = []
    for block in answer.bytes.decode().replace("\r\n", "\n").split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for name, _, value in fields if name == "data")
        kind = next((value.strip() for name, _, value in fields if name == "event"), None)
        if data:
            found.append((kind, data if data == "[DONE]" else json.loads(data)))
    return found


def upload(filename, content, purpose="assistants"):
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    field = f'\r\n--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--{boundary}--\r\n'
    body = head.encode() + content + field.encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return ok("POST", "/files", body, headers=headers, encode=False)


def until(path, done):
    """What `path` answers once `done` holds of it."""
    for _ in range(300):
        found = ok("GET", path)
        if done(found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{path} stays {found}")


def refused(status, answer, **wanted):
    """An error in the one shape that errors have."""
    equal(answer.status, status)
    equal(answer.headers["content-type"].partition(";")[0], "application/json")
    error = fit("ErrorResponse", answer.json)["error"]
    equal(set(error) >= {"message", "type", "param", "code"}, True)
    for key, value in wanted.items():
        equal(error[key], value)
    return error


if not PUBLISHED.is_file():
    print("skipped: there is no openai/openai_components.json below INSULA_SHARED_DATA", file=sys.stderr)
    sys.exit(0)
fit = Schemas(json.loads(PUBLISHED.read_text(encoding="utf-8"))).fit
event_names = Schemas(json.loads(PUBLISHED.read_text(encoding="utf-8"))).events
weather = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
weather_tool = {"type": "function", "name": "weather", "parameters": WEATHER}
report = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}


@check("/models", "list, retrieve")
def _():
    listed = fit("ListModelsResponse", ok("GET", "/models"))
    holds([model["id"] for model in listed["data"]], EXTRACTIVE, EMBEDDING, OBLIGING)
    for name in (EXTRACTIVE, urllib.parse.quote(EXTRACTIVE, safe="")):
        equal(fit("Model", ok("GET", f"/models/{name}"))["id"], EXTRACTIVE)


store = {}


@check("/vector_stores", "create, retrieve, update, list")
def _():
    made = fit("VectorStoreObject", ok("POST", "/vector_stores", {}, headers={"OpenAI-Beta": "assistants=v2"}))
    store["id"] = made["id"]
    equal((made["name"], made["file_counts"]["total"]), ("", 0))
    body = {"name": "raw", "metadata": {"a": "b"}, "expires_after": {"anchor": "last_active_at", "days": 3}}
    fit("VectorStoreObject", ok("POST", f"/vector_stores/{made['id']}", body))
    again = fit("VectorStoreObject", ok("GET", f"/vector_stores/{made['id']}"))
    equal((again["name"], again["metadata"], again["expires_after"]["days"]), ("raw", {"a": "b"}, 3))
    cleared = ok("POST", f"/vector_stores/{made['id']}", {"expires_after": None})
    equal((cleared.get("expires_at"), cleared["name"]), (None, "raw"))
    page = fit("ListVectorStoresResponse", ok("GET", "/vector_stores?limit=1"))
    equal((page["data"][0]["id"], page["first_id"], page["last_id"]), (made["id"],) * 3)


@check("/files", "create, retrieve, list, content, delete")
def _():
    file = fit("OpenAIFile", upload("größe.txt", bytes(range(256))))
    equal((file["filename"], file["bytes"], file["status"]), ("größe.txt", 256, "processed"))
    equal(fit("OpenAIFile", ok("GET", f"/files/{file['id']}")), file)
    equal(call("GET", f"/files/{file['id']}/content").bytes, bytes(range(256)))
    holds([one["id"] for one in fit("ListFilesResponse", ok("GET", "/files?purpose=assistants"))["data"]], file["id"])
    equal(fit("DeleteFileResponse", ok("DELETE", f"/files/{file['id']}")), {"id": file["id"], "object": "file", "deleted": True})
    refused(404, call("GET", f"/files/{file['id']}"))


@check("/files", "what is missing is named")
def _():
    headers = {"content-type": "multipart/form-data; boundary=x"}
    only = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--x--\r\n'
    refused(400, call("POST", "/files", only, headers=headers, encode=False), param="file")


@check("/uploads", "create, part, complete, cancel")
def _():
    body = {"filename": "a.txt", "bytes": 3, "mime_type": "text/plain", "purpose": "assistants"}
    made = fit("Upload", ok("POST", "/uploads", body))
    part = b'--x\r\ncontent-disposition: form-data; name="data"; filename="blob"\r\n\r\nabc\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    part = ok("POST", f"/uploads/{made['id']}/parts", part, headers=headers, encode=False)
    equal((part["object"], part["upload_id"]), ("upload.part", made["id"]))
    done = fit("Upload", ok("POST", f"/uploads/{made['id']}/complete", {"part_ids": [part["id"]]}))
    equal((done["status"], fit("OpenAIFile", done["file"])["bytes"]), ("completed", 3))
    gone = fit("Upload", ok("POST", f"/uploads/{ok('POST', '/uploads', body)['id']}/cancel"))
    equal(gone["status"], "cancelled")


@check("/vector_stores/file_batches", "create, retrieve, files, cancel")
def _():
    path = f"/vector_stores/{store['id']}/file_batches"
    files = [upload(name, text.encode())["id"] for name, text in FACTS.items()]
    made = fit("VectorStoreFileBatchObject", ok("POST", path, {"file_ids": files, "attributes": {"n": 1.5}}))
    done = until(f"{path}/{made['id']}", lambda found: found["status"] != "in_progress")
    equal((fit("VectorStoreFileBatchObject", done)["file_counts"]["completed"]), 3)
    page = fit("ListVectorStoreFilesResponse", ok("GET", f"{path}/{made['id']}/files?limit=2"))
    equal((len(page["data"]), page["has_more"], page["data"][0]["attributes"]), (2, True, {"n": 1.5}))
    fit("VectorStoreFileBatchObject", ok("POST", f"{path}/{made['id']}/cancel"))


@check("/vector_stores/files", "create, retrieve, update, list, content, delete")
def _():
    path = f"/vector_stores/{store['id']}/files"
    file = upload("moons.txt", b"Mars has two moons.")["id"]
    fit("VectorStoreFileObject", ok("POST", path, {"file_id": file, "attributes": {"a": True}}))
    done = until(f"{path}/{file}", lambda found: found["status"] != "in_progress")
    equal((fit("VectorStoreFileObject", done)["status"], done["last_error"]), ("completed", None))
    equal(done["chunking_strategy"], {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}})
    equal(fit("VectorStoreFileObject", ok("POST", f"{path}/{file}", {"attributes": {"b": 1}}))["attributes"], {"b": 1})
    holds([one["id"] for one in fit("ListVectorStoreFilesResponse", ok("GET", f"{path}?filter=completed"))["data"]], file)
    content = fit("VectorStoreFileContentResponse", ok("GET", f"{path}/{file}/content"))
    equal(content["data"], [{"type": "text", "text": "Mars has two moons."}])
    fit("DeleteVectorStoreFileResponse", ok("DELETE", f"{path}/{file}"))


@check("/vector_stores/search", "a page of results")
def _():
    path = f"/vector_stores/{store['id']}/search"
    page = fit("VectorStoreSearchResultsPage", published_part(ok("POST", path, {"query": QUESTION, "max_num_results": 2})))
    best = page["data"][0]
    equal((best["filename"], best["content"], best["attributes"]), (SOURCE, [{"type": "text", "text": FACTS[SOURCE]}], {"n": 1.5}))
    equal((page["search_query"], len(page["data"])), ([QUESTION], 2))
    none = {"query": QUESTION, "filters": {"type": "eq", "key": "n", "value": 2}}
    equal(fit("VectorStoreSearchResultsPage", published_part(ok("POST", path, none)))["data"], [])
    strict = {"query": QUESTION, "ranking_options": {"ranker": "auto", "score_threshold": 0.3}}
    kept = fit("VectorStoreSearchResultsPage", published_part(ok("POST", path, strict)))["data"]
    assert kept and all(hit["score"] >= 0.3 for hit in kept), kept


@check("/embeddings", "strings, lists, token arrays, dimensions")
def _():
    for given, count in (("a", 1), (["a", "b"], 2), ([15339], 1), ([[15339], [1917], [5]], 3)):
        body = {"model": EMBEDDING, "input": given, "encoding_format": "float", "user": None}
        answer = fit("CreateEmbeddingResponse", ok("POST", "/embeddings", body))
        equal([len(one["embedding"]) for one in answer["data"]], [DIMENSIONS] * count)
        equal([one["index"] for one in answer["data"]], list(range(count)))
    body = {"model": EMBEDDING, "input": "a", "encoding_format": "float", "dimensions": 8}
    equal(len(ok("POST", "/embeddings", body)["data"][0]["embedding"]), 8)


@check("/embeddings", "wrong inputs are named")
def _():
    for given in ("", [], [""], None, [1, "a"], [["a"]], [[]], {"a": 1}, [[-1]], [[10_000_000]]):
        error = refused(400, call("POST", "/embeddings", {"model": EMBEDDING, "input": given}))
        assert (error["param"] or "").startswith("input"), (given, error)


# Chat


def chat(**more):
    return {"model": "fake/ok", "messages": hello, **more}


@check("/chat/completions", "whole")
def _():
    answer = fit("CreateChatCompletionResponse", ok("POST", "/chat/completions", chat()))
    equal((answer["choices"][0]["message"]["content"], answer["choices"][0]["index"]), (said, 0))
    grounded_call = {"model": EXTRACTIVE, "messages": [{"role": "user", "content": QUESTION}], **grounded(store["id"])}
    answer = fit("CreateChatCompletionResponse", ok("POST", "/chat/completions", grounded_call))
    holds(answer["choices"][0]["message"]["content"], ANSWER)


@check("/chat/completions", "calls and structured output")
def _():
    answer = fit("CreateChatCompletionResponse", ok("POST", "/chat/completions", chat(model="fake/tools", tools=[weather])))
    choice = answer["choices"][0]
    equal((choice["finish_reason"], choice["message"]["tool_calls"][0]["function"]["name"]), ("tool_calls", "weather"))
    shape = {"type": "json_schema", "json_schema": {"name": "report", "schema": report, "strict": True}}
    answer = fit("CreateChatCompletionResponse", ok("POST", "/chat/completions", chat(model=OBLIGING, response_format=shape)))
    equal(json.loads(answer["choices"][0]["message"]["content"]), {"city": "Basra", "degrees": 31})


def chunks(body):
    *pieces, (_, end) = events("/chat/completions", body)
    equal(end, "[DONE]")
    for kind, piece in pieces:
        equal(kind, None)
        fit("CreateChatCompletionStreamResponse", piece)
        # Keys that clients want although the schema does not ask for them.
        assert piece["id"] and piece["object"] == "chat.completion.chunk" and isinstance(piece["choices"], list)
        for choice in piece["choices"]:
            equal(choice["index"], 0)
            empty = {key: value for key, value in choice["delta"].items() if value is None or value == []}
            equal(empty, {})
            calls = choice["delta"].get("tool_calls", [])
            places = [one["index"] for one in calls]
            assert all(type(place) is int for place in places) and len(set(places)) == len(places), calls
    return [piece for _, piece in pieces]


@check("/chat/completions", "streamed: every piece, role first, one finish, usage last")
def _():
    grounding = grounded(store["id"])
    bodies = [
        chat(), chat(model=OBLIGING), chat(model="fake/usage-each"), chat(model="fake/tools", tools=[weather]),
        chat(model=EXTRACTIVE, messages=[{"role": "user", "content": QUESTION}], **grounding),
    ]  # fmt: skip
    for body in bodies:
        pieces = chunks({**body, "stream_options": {"include_usage": True}})
        usage = pieces.pop()
        equal(usage["choices"], [])
        assert usage["usage"]["total_tokens"] > 0
        assert all(piece["choices"] and not piece.get("usage") for piece in pieces), body["model"]
        roles = [choice["delta"].get("role") for piece in pieces for choice in piece["choices"]]
        equal(roles, ["assistant"] + [None] * (len(roles) - 1))
        reasons = [piece["choices"][0]["finish_reason"] for piece in pieces]
        assert reasons[-1] in ("stop", "tool_calls") and set(reasons[:-1]) == {None}, reasons
        equal(len({(piece["id"], piece["created"], piece["model"]) for piece in pieces}), 1)
        without = chunks(body)
        assert all(piece["choices"] and not piece.get("usage") for piece in without), body["model"]


@check("/chat/completions", "a provider's own finish reasons and tiers do not come through")
def _():
    whole = fit("CreateChatCompletionResponse", ok("POST", "/chat/completions", chat(model="fake/odd")))
    equal((whole["choices"][0]["finish_reason"], whole["choices"][0]["message"]["content"]), ("stop", said))
    *_, last = chunks(chat(model="fake/odd"))
    equal(last["choices"][0]["finish_reason"], "stop")


@check("/chat/completions", "a failure in the middle is told in the stream")
def _():
    for model in ("fake/cut", "fake/short"):
        found = events("/chat/completions", chat(model=model))
        [error] = [data["error"] for _, data in found if isinstance(data, dict) and "error" in data]
        fit("Error", error)
        assert error["message"] and found[-1][1] != "[DONE]" or found[-2][1].get("error"), found[-2:]


@check("/chat/completions", "refusals, whole and streamed, are JSON")
def _():
    wrong = [
        ({"messages": []}, "messages"), ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"temperature": 9}, "temperature"), ({"top_p": -1}, "top_p"), ({"presence_penalty": 3}, "presence_penalty"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"), ({"n": 0}, "n"),
        ({"model": None}, "model"),
    ]  # fmt: skip
    for change, param in wrong:
        for stream in (False, True):
            refused(400, call("POST", "/chat/completions", {**chat(stream=stream), **change}), param=param)
    refused(404, call("POST", "/chat/completions", chat(model="gpt-99", stream=True)), code="model_not_found", param="model")


@check("/chat/completions", "nulls and fields of no use are as if they were not there")
def _():
    none = dict.fromkeys(
        ["temperature", "top_p", "stop", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "n", "seed",
         "stream_options", "response_format", "logit_bias", "user", "metadata", "parallel_tool_calls", "stream"]
    )  # fmt: skip
    extras = {"store": True, "service_tier": "auto", "verbosity": "low", "reasoning_effort": "low", "vendor": {"a": [1]}}
    equal(ok("POST", "/chat/completions", chat(**none, **extras))["choices"][0]["message"]["content"], said)


@check("/chat/completions", "developer is system")
def _():
    for role in ("developer", "system"):
        messages = [{"role": role, "content": [{"type": "text", "text": "Be brief."}]}]
        answer = ok("POST", "/chat/completions", chat(model=OBLIGING, messages=messages))
        equal(answer["choices"][0]["message"]["content"], "I heard: Be brief.")


@check("/completions", "whole and streamed")
def _():
    body = {"model": "fake/ok", "prompt": "Hello?", "max_tokens": 9}
    whole = ok("POST", "/completions", body)
    choice = whole["choices"][0]
    equal((whole["object"], choice["text"], choice["index"], choice["logprobs"]), ("text_completion", said, 0, None))
    *pieces, (_, end) = events("/completions", body)
    equal((end, "".join(data["choices"][0]["text"] for _, data in pieces if data["choices"])), ("[DONE]", said))


# Responses


def response(**more):
    return {"model": "fake/ok", "input": "Hello?", **more}


def searching(**more):
    tool = {"type": "file_search", "vector_store_ids": [store["id"]], **more.pop("tool", {})}
    return {"model": EXTRACTIVE, "input": QUESTION, "tools": [tool], **more}


def response_calls():
    filters = {"type": "and", "filters": [{"type": "eq", "key": "n", "value": 1.5}]}
    ranking = {"ranker": "auto", "score_threshold": 0.01}
    shape = {"format": {"type": "json_schema", "name": "report", "schema": report, "strict": True}}
    return {
        "plain": response(metadata={"a": "b"}, temperature=0.5, top_p=0.5, max_output_tokens=100, truncation="auto"),
        "extractive": searching(),
        "with results": searching(include=["file_search_call.results"], instructions="Be brief."),
        "filtered": searching(tool={"filters": filters, "ranking_options": ranking, "max_num_results": 1}),
        "forced": searching(tool_choice={"type": "file_search"}),
        "an agent": searching(model="fake/agent"),
        "a function": response(model="fake/tools", tools=[weather_tool], tool_choice="required"),
        "structured": response(model=OBLIGING, text=shape),
        "items": response(
            model=OBLIGING,
            input=[
                {"role": "developer", "content": "Be brief."},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
            ],
        ),
        "nothing found": searching(input="Who painted the ceiling of the chapel?"),
    }


def streamed(body):
    found = events("/responses", body)
    equal([data["sequence_number"] for _, data in found], list(range(len(found))))
    open_items, text, arguments = {}, {}, {}
    for kind, data in found:
        equal(kind, data["type"])
        fit(event_names[kind], data)
        place = data.get("output_index")
        if kind == "response.output_item.added":
            open_items[place] = data["item"]
        elif kind == "response.output_item.done":
            equal(data["item"]["id"], open_items.pop(place)["id"])
            if data["item"]["type"] == "message":
                equal(text[data["item"]["id"]], data["item"]["content"][0]["text"])
            if data["item"]["type"] == "function_call":
                equal(arguments[data["item"]["id"]], data["item"]["arguments"])
        elif "item_id" in data:
            equal(data["item_id"], open_items[place]["id"])
            pieces = {"response.output_text.delta": text, "response.function_call_arguments.delta": arguments}.get(kind)
            if pieces is not None:
                pieces[data["item_id"]] = pieces.get(data["item_id"], "") + data["delta"]
    kinds = [kind for kind, _ in found]
    equal((kinds[:2], open_items, kinds[-1]), (["response.created", "response.in_progress"], {}, "response.completed"))
    equal((found[0][1]["response"]["output"], found[0][1]["response"]["status"]), ([], "in_progress"))
    return found


@check("/responses", "whole: every kind of output")
def _():
    for name, body in response_calls().items():
        try:
            answer = fit("Response", ok("POST", "/responses", body))
            equal(answer["status"], "completed")
            equal(fit("Response", ok("GET", f"/responses/{answer['id']}"))["output"][-1], answer["output"][-1])
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@check("/responses", "streamed: every event, numbered, in order, with its places")
def _():
    for name, body in response_calls().items():
        try:
            streamed(body)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@check("/responses", "a failure in the middle is the last event")
def _():
    found = events("/responses", response(model="fake/cut"))
    kind, last = found[-1]
    holds(["response.failed", "error"], kind)
    fit(event_names[kind], last)
    if kind == "response.failed":
        equal(last["response"]["status"], "failed")
        assert last["response"]["error"]["message"]


@check("/responses", "cut short is incomplete")
def _():
    found = events("/responses", response(model="fake/short"))
    assert found[-1][0] in ("response.failed", "response.incomplete", "error"), found[-1]


@check("/responses", "input items, delete, cancel")
def _():
    made = ok("POST", "/responses", response())
    page = fit("ResponseItemList", ok("GET", f"/responses/{made['id']}/input_items"))
    equal((page["data"][0]["content"][0]["text"], page["has_more"]), ("Hello?", False))
    refused(400, call("POST", f"/responses/{made['id']}/cancel"))
    equal(ok("DELETE", f"/responses/{made['id']}"), {"id": made["id"], "object": "response", "deleted": True})
    refused(404, call("GET", f"/responses/{made['id']}"))


@check("/responses", "refusals, whole and streamed, are JSON and name the field")
def _():
    wrong = [
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools[0].vector_store_ids"),
        ({"tools": [{"type": "wizardry"}]}, "tools[0].type"), ({"max_output_tokens": 1}, "max_output_tokens"),
        ({"include": ["everything"]}, "include[0]"), ({"background": True}, "background"), ({"input": None}, "input"),
        ({"temperature": 3}, "temperature"),
    ]  # fmt: skip
    for change, param in wrong:
        for stream in (False, True):
            answer = call("POST", "/responses", {**response(stream=stream), **change})
            error = refused(400, answer)
            assert (error["param"] or "").startswith(param.partition("[")[0]), (change, error)


# Conversations have no published schema here; their keys are those of the SDK's types.


@check("/conversations", "create, items, delete")
def _():
    item = {"type": "message", "role": "user", "content": "My lantern is blue."}
    made = ok("POST", "/conversations", {"metadata": {"a": "b"}, "items": [item]})
    equal((made["object"], made["metadata"], type(made["created_at"])), ("conversation", {"a": "b"}, int))
    ok("POST", "/responses", response(conversation=made["id"]))
    page = fit("ResponseItemList", ok("GET", f"/conversations/{made['id']}/items?order=asc"))
    equal([one["content"][0]["text"] for one in page["data"]], ["My lantern is blue.", "Hello?", said])
    refused(404, call("GET", f"/conversations/{made['id']}", key=OTHER_API_KEY))
    equal(ok("DELETE", f"/conversations/{made['id']}")["deleted"], True)


# Batches


@check("/batches", "create, retrieve, list, cancel")
def _():
    bodies = [("/v1/chat/completions", chat()), ("/v1/chat/completions", chat(temperature=9))]
    lines = [json.dumps({"custom_id": str(n), "method": "POST", "url": url, "body": body}) for n, (url, body) in enumerate(bodies)]
    file = upload("calls.jsonl", "\r\n".join(lines).encode(), "batch")
    body = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = fit("Batch", batch(ok("POST", "/batches", body)))
    done = until(f"/batches/{made['id']}", lambda found: found["status"] in ("completed", "failed"))
    equal(fit("Batch", batch(done))["request_counts"], {"total": 2, "completed": 1, "failed": 1})
    line = json.loads(call("GET", f"/files/{done['output_file_id']}/content").bytes)
    fit("CreateChatCompletionResponse", line["response"]["body"])
    equal((line["custom_id"], line["error"], line["response"]["status_code"]), ("0", None, 200))
    line = json.loads(call("GET", f"/files/{done['error_file_id']}/content").bytes)
    equal(fit("ErrorResponse", line["response"]["body"])["error"]["param"], "temperature")
    page = ok("GET", "/batches?limit=1")
    fit("ListBatchesResponse", {**page, "data": [batch(one) for one in page["data"]]})
    equal(page["data"][0]["id"], made["id"])
    refused(400, call("POST", f"/batches/{made['id']}/cancel"))
    refused(400, call("POST", "/batches", {**body, "completion_window": "1h"}), param="completion_window")


@check("/moderations", "answers by its schema, or as an unknown URL")
def _():
    answer = call("POST", "/moderations", {"input": "I like lanterns."})
    if answer.status == 404:
        refused(404, answer)
    else:
        equal(answer.status, 200)
        equal(fit("CreateModerationResponse", answer.json)["results"][0]["flagged"], False)


# For all


@check("every endpoint", "no key, a wrong key, an unknown URL, a wrong method")
def _():
    for key in ("", "isk_wrong_wrong"):
        error = refused(401, call("GET", "/models", key=key), type="invalid_request_error", code="invalid_api_key")
        assert "isk_wrong" not in error["message"]
    refused(404, call("GET", "/wizardry"), code="unknown_url")
    assert call("PUT", "/embeddings", {}).status == 405 and refused(405, call("PUT", "/embeddings", {}))


@check("every endpoint", "what is no JSON, and too much of it")
def _():
    json_type = {"content-type": "application/json"}
    refused(400, call("POST", "/chat/completions", b"{", headers=json_type, encode=False))
    refused(400, call("POST", "/chat/completions", b"[1]", headers=json_type, encode=False))
    refused(413, call("POST", "/vector_stores", {"name": "x" * 3_000_000}))


@check("every endpoint", "somebody else's objects are as if they were not there")
def _():
    file = upload("secret.txt", b"A secret.")["id"]
    made = ok("POST", "/responses", response())["id"]
    paths = [f"/files/{file}", f"/files/{file}/content", f"/vector_stores/{store['id']}", f"/responses/{made}"]
    for path in paths:
        theirs = refused(404, call("GET", path, key=OTHER_API_KEY))
        never = path.replace(file[-6:], "aaaaaa").replace(store["id"][-6:], "aaaaaa").replace(made[-6:], "aaaaaa")
        unknown = refused(404, call("GET", never, key=OTHER_API_KEY))
        blank = [re.sub(r"(file-|vs_|resp_)\w+", "ID", one["message"]) for one in (theirs, unknown)]
        equal(blank[0], blank[1])


@check("every endpoint", "headers that SDKs send change nothing")
def _():
    headers = {
        "OpenAI-Organization": "org-x", "OpenAI-Project": "proj-x", "OpenAI-Beta": "assistants=v2", "X-Stainless-Lang": "js",
        "X-Stainless-Retry-Count": "2", "Content-Type": "application/json; charset=utf-8", "Authorization": f"bearer {API_KEY}",
    }  # fmt: skip
    equal(ok("POST", "/chat/completions", chat(), key="", headers=headers)["choices"][0]["message"]["content"], said)


@check("every endpoint", "a browser's SDK may send headers that nobody has heard of")
def _():
    wanted = "authorization, content-type, x-stainless-lang, x-stainless-not-yet-invented"
    asking = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
    answer = call("OPTIONS", "/chat/completions", key="", headers=asking)
    assert answer.status in (200, 204), answer.status
    equal(answer.headers["access-control-allow-origin"], ORIGIN)
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= set(wanted.split(", ")), allowed
    holds(answer.headers["access-control-allow-methods"].upper(), "POST")
    stranger = call("OPTIONS", "/chat/completions", key="", headers={**asking, "Origin": "https://stranger.example"})
    assert stranger.headers.get("access-control-allow-origin") is None
    answer = call("GET", "/models", headers={"Origin": ORIGIN})
    holds(answer.headers["access-control-expose-headers"].lower(), "x-request-id")
