"""The official Python SDK."""

import base64
import io
import json
import math
import struct
import time
import urllib.request

import openai
from openai import AsyncOpenAI
from pydantic import BaseModel

from checks import (
    ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, FACTS, OBLIGING, OTHER_API_KEY, QUESTION, REPORT,
    SOURCE, WEATHER, Checks, equal, grounded, holds, library, official, raises,
)  # fmt: skip

check = Checks(f"openai-python {openai.__version__.partition('.')[0]}")
ada = official()
bob = official(api_key=OTHER_API_KEY)
store = library("conformance")
asked = [{"role": "user", "content": QUESTION}]
hello = [{"role": "user", "content": "Hello?"}]
weather = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
weather_tool = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}
search_tool = {"type": "file_search", "vector_store_ids": [store]}


class Report(BaseModel):
    city: str
    degrees: int


def texts(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


# Models


@check("/models", "list")
def _():
    ids = [model.id for model in ada.models.list()]
    holds(ids, EXTRACTIVE, EMBEDDING, OBLIGING)
    assert all(model.object == "model" and model.owned_by and model.created >= 0 for model in ada.models.list())


@check("/models", "retrieve a name with a slash")
def _():
    equal(ada.models.retrieve(EXTRACTIVE).id, EXTRACTIVE)


@check("/models", "an unknown model is a NotFoundError")
def _():
    error = raises(openai.NotFoundError, ada.models.retrieve, "gpt-99")
    equal((error.code, error.param, error.type), ("model_not_found", "model", "invalid_request_error"))
    assert error.request_id.startswith("req_")


@check("/models", "a wrong key is an AuthenticationError and not repeated")
def _():
    error = raises(openai.AuthenticationError, official(api_key="isk_wrong").models.list)
    equal(error.code, "invalid_api_key")
    assert "isk_wrong" not in str(error)


# Chat


@check("/chat/completions", "a grounded answer cites the right file")
def _():
    answer = ada.chat.completions.create(model=EXTRACTIVE, messages=asked, extra_body=grounded(store))
    message = answer.choices[0].message
    holds(message.content, ANSWER, "[1]")
    equal(message.annotations[0].model_extra["file_citation"]["filename"], SOURCE)
    equal((answer.object, answer.choices[0].index, answer.choices[0].finish_reason), ("chat.completion", 0, "stop"))
    assert answer.id.startswith("chatcmpl-") and isinstance(answer.created, int)
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


@check("/chat/completions", "streamed is the same as whole")
def _():
    call = {"model": EXTRACTIVE, "messages": asked, "extra_body": grounded(store)}
    chunks = list(ada.chat.completions.create(stream=True, **call))
    equal(texts(chunks), ada.chat.completions.create(**call).choices[0].message.content)
    equal(len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}), 1)
    finished = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    equal(finished, ["stop"])


@check("/chat/completions", "the first piece carries the role, the others none")
def _():
    stream = ada.chat.completions.create(model="fake/ok", messages=hello, stream=True)
    deltas = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in stream]
    equal(deltas[0]["role"], "assistant")
    for delta in deltas[1:]:
        assert "role" not in delta and "tool_calls" not in delta, delta


@check("/chat/completions", "usage comes once, with no choices, and only when asked for")
def _():
    call = {"model": "fake/ok", "messages": hello, "stream": True}
    with_usage = list(ada.chat.completions.create(stream_options={"include_usage": True}, **call))
    equal(with_usage[-1].choices, [])
    assert with_usage[-1].usage.total_tokens > 0
    assert all(chunk.choices and not chunk.usage for chunk in with_usage[:-1])
    assert all(chunk.choices and not chunk.usage for chunk in ada.chat.completions.create(**call))


@check("/chat/completions", "a function is called")
def _():
    answer = ada.chat.completions.create(model="fake/tools", messages=hello, tools=[weather])
    [call] = answer.choices[0].message.tool_calls
    equal((call.function.name, json.loads(call.function.arguments)), ("weather", {"city": "Basra"}))
    equal((answer.choices[0].finish_reason, answer.choices[0].message.content), ("tool_calls", None))


@check("/chat/completions", "a streamed call has an index and comes together")
def _():
    stream = list(ada.chat.completions.create(model="fake/tools", messages=hello, tools=[weather], stream=True))
    deltas = [chunk.choices[0].delta.tool_calls for chunk in stream if chunk.choices and chunk.choices[0].delta.tool_calls]
    assert all(len(delta) == 1 and delta[0].index == 0 for delta in deltas), deltas
    equal("".join(delta[0].function.arguments or "" for delta in deltas), '{"city":"Basra"}')
    with ada.chat.completions.stream(model="fake/tools", messages=hello, tools=[weather]) as events:
        [call] = events.get_final_completion().choices[0].message.tool_calls
    equal((call.function.name, call.function.arguments), ("weather", '{"city":"Basra"}'))


@check("/chat/completions", "what the function answered is heard")
def _():
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turn = [*hello, {"role": "assistant", "content": None, "tool_calls": [call]}]
    turn.append({"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "31 degrees"}]})
    answer = ada.chat.completions.create(model=OBLIGING, messages=turn, tools=[weather])
    equal(answer.choices[0].message.content, "I heard: 31 degrees")


@check("/chat/completions", "structured output is parsed")
def _():
    answer = ada.chat.completions.parse(model=OBLIGING, messages=hello, response_format=Report)
    equal(answer.choices[0].message.parsed, Report(city="Basra", degrees=31))


@check("/chat/completions", "structured output, streamed")
def _():
    with ada.chat.completions.stream(model=OBLIGING, messages=hello, response_format=Report) as stream:
        kinds = {event.type for event in stream}
        parsed = stream.get_final_completion().choices[0].message.parsed
    holds(kinds, "content.delta", "content.done")
    equal(parsed, Report(city="Basra", degrees=31))


@check("/chat/completions", "developer messages, max_completion_tokens and fields of no use are taken")
def _():
    messages = [{"role": "developer", "content": "Be brief."}, *hello]
    more = {"max_completion_tokens": 50, "store": True, "service_tier": "auto", "user": "u", "metadata": {"a": "b"}}
    answer = ada.chat.completions.create(
        model="fake/ok", messages=messages, stream=False, stream_options=openai.NOT_GIVEN, extra_body={"vendor": 1}, **more
    )
    equal(answer.choices[0].message.content, "Hello from the provider [1].")


@check("/chat/completions", "a refusal names the field, whole and streamed")
def _():
    for stream in (False, True):
        call = {"model": EXTRACTIVE, "messages": hello, "temperature": 3, "stream": stream}
        error = raises(openai.BadRequestError, ada.chat.completions.create, **call)
        equal((error.param, error.type), ("temperature", "invalid_request_error"))
        equal(error.response.headers["content-type"].partition(";")[0], "application/json")


@check("/chat/completions", "a stream that breaks is an APIError")
def _():
    def read():
        return texts(ada.chat.completions.create(model="fake/cut", messages=hello, stream=True))

    raises(openai.APIError, read)


@check("/chat/completions", "a provider's limit is a RateLimitError or is passed on as busy")
def _():
    try:
        ada.chat.completions.create(model="fake/limit-429", messages=hello)
        raise AssertionError("no error")
    except openai.APIStatusError as error:
        assert isinstance(error, (openai.RateLimitError, openai.InternalServerError)), repr(error)
        assert error.body["message"] and error.body["type"], error.body


@check("/chat/completions", "a store of somebody else is a NotFoundError")
def _():
    call = {"model": EXTRACTIVE, "messages": asked, "extra_body": grounded(store)}
    raises(openai.NotFoundError, bob.chat.completions.create, **call)


@check("/chat/completions", "asynchronously")
async def _():
    async with AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY) as client:
        stream = await client.chat.completions.create(model="fake/ok", messages=hello, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    equal(text, "Hello from the provider [1].")


# Completions


@check("/completions", "whole, streamed, and echoed")
def _():
    whole = ada.completions.create(model="fake/ok", prompt="Hello?", max_tokens=20)
    equal((whole.object, whole.choices[0].text), ("text_completion", "Hello from the provider [1]."))
    streamed = ada.completions.create(model="fake/ok", prompt="Hello?", max_tokens=20, stream=True)
    equal("".join(chunk.choices[0].text for chunk in streamed if chunk.choices), whole.choices[0].text)
    both = ada.completions.create(model="fake/ok", prompt=["a", "b"], echo=True)
    equal([choice.text[0] for choice in both.choices], ["a", "b"])


# Responses


@check("/responses", "file_search cites the right file")
def _():
    response = ada.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[search_tool])
    equal([item.type for item in response.output], ["file_search_call", "message"])
    equal((response.output[0].queries, response.output[0].results), ([QUESTION], None))
    holds(response.output_text, ANSWER)
    equal(response.output[1].content[0].annotations[0].filename, SOURCE)
    equal((response.status, response.object, response.error), ("completed", "response", None))
    equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens)


@check("/responses", "file_search tells its results when they are included")
def _():
    included = ["file_search_call.results"]
    response = ada.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[search_tool], include=included)
    best = response.output[0].results[0]
    equal(best.filename, SOURCE)
    equal(best.text, FACTS[SOURCE])
    assert 0 <= best.score <= 1


@check("/responses", "streamed: every event counted, the pieces are the whole")
def _():
    events = list(ada.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[search_tool], stream=True))
    kinds = [event.type for event in events]
    equal([event.sequence_number for event in events], list(range(len(events))))
    equal((kinds[0], kinds[1], kinds[-1]), ("response.created", "response.in_progress", "response.completed"))
    holds(
        kinds, "response.file_search_call.searching", "response.output_text.annotation.added", "response.content_part.done"
    )
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    equal(said, events[-1].response.output_text)
    holds(said, ANSWER)


@check("/responses", "the stream helper ends with the whole response")
def _():
    with ada.responses.stream(model=EXTRACTIVE, input=QUESTION, tools=[search_tool]) as stream:
        for event in stream:
            pass
        final = stream.get_final_response()
    equal(final.output[-1].content[0].annotations[0].filename, SOURCE)


@check("/responses", "a function is called, and its answer is heard")
def _():
    first = ada.responses.create(model=OBLIGING, input="Hello?", tools=[weather_tool])
    [call] = first.output
    equal((call.type, call.name, json.loads(call.arguments)), ("function_call", "weather", {"city": "Basra"}))
    answer = {"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees"}
    second = ada.responses.create(
        model=OBLIGING, input=[answer], previous_response_id=first.id, tools=[weather_tool]
    )
    equal(second.output_text, "I heard: 31 degrees")
    replayed = [{"role": "user", "content": "Hello?"}, *[item.model_dump() for item in first.output], answer]
    equal(ada.responses.create(model=OBLIGING, input=replayed, store=False, tools=[weather_tool]).output_text, second.output_text)


@check("/responses", "a streamed function call comes together")
def _():
    events = list(ada.responses.create(model="fake/tools", input="Hello?", tools=[weather_tool], stream=True))
    arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    [done] = [event for event in events if event.type == "response.function_call_arguments.done"]
    equal((arguments, done.arguments), ('{"city":"Basra"}', '{"city":"Basra"}'))
    assert done.item_id and done.output_index == 0


@check("/responses", "structured output is parsed, whole and streamed")
def _():
    response = ada.responses.parse(model=OBLIGING, input="Hello?", text_format=Report)
    equal(response.output_parsed, Report(city="Basra", degrees=31))
    with ada.responses.stream(model=OBLIGING, input="Hello?", text_format=Report) as stream:
        for event in stream:
            pass
        equal(stream.get_final_response().output_parsed, Report(city="Basra", degrees=31))


@check("/responses", "previous_response_id goes on from what was said")
def _():
    first = ada.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[search_tool])
    second = ada.responses.create(
        model=EXTRACTIVE, input="What about the distance?", previous_response_id=first.id, tools=[search_tool]
    )
    equal(second.previous_response_id, first.id)
    holds(second.output_text, "distance")


@check("/responses", "retrieve, input items, delete")
def _():
    response = ada.responses.create(model="fake/ok", input="Hello?", metadata={"a": "b"})
    equal(ada.responses.retrieve(response.id).output_text, "Hello from the provider [1].")
    [item] = ada.responses.input_items.list(response.id)
    equal((item.role, item.content[0].text), ("user", "Hello?"))
    ada.responses.delete(response.id)
    raises(openai.NotFoundError, ada.responses.retrieve, response.id)
    unstored = ada.responses.create(model="fake/ok", input="Hello?", store=False)
    raises(openai.NotFoundError, ada.responses.retrieve, unstored.id)


@check("/responses", "what is wrong is a BadRequestError that names the field")
def _():
    call = {"model": EXTRACTIVE, "input": "x", "tools": [{"type": "file_search", "vector_store_ids": []}]}
    for stream in (False, True):
        error = raises(openai.BadRequestError, ada.responses.create, stream=stream, **call)
        equal(error.param, "tools[0].vector_store_ids")
    error = raises(openai.BadRequestError, ada.responses.create, model=EXTRACTIVE, input="x", tools=[{"type": "wizardry"}])
    holds(error.param, "tools[0]")
    raises(openai.NotFoundError, bob.responses.create, model=EXTRACTIVE, input=QUESTION, tools=[search_tool])


@check("/responses", "a stream that breaks says so at its end")
def _():
    def read():
        events = list(ada.responses.create(model="fake/cut", input="Hello?", stream=True))
        equal(events[-1].type, "response.failed")
        assert events[-1].response.error.code and events[-1].response.status == "failed"
        raise LookupError

    try:
        read()
    except (LookupError, openai.APIError):
        pass


# Conversations


@check("/conversations", "what was said is kept and gone on from")
def _():
    conversation = ada.conversations.create(metadata={"topic": "bees"})
    equal(conversation.metadata, {"topic": "bees"})
    ada.responses.create(model=EXTRACTIVE, input=QUESTION, tools=[search_tool], conversation=conversation.id)
    second = ada.responses.create(model=OBLIGING, input="Thanks.", conversation=conversation.id)
    equal((second.conversation.id, second.output_text), (conversation.id, "I heard: Thanks."))
    items = list(ada.conversations.items.list(conversation.id, order="asc", limit=2))
    equal([item.type for item in items], ["message", "file_search_call", "message", "message", "message"])
    equal(items[0].content[0].text, QUESTION)
    holds(items[2].content[0].text, ANSWER)
    equal(ada.conversations.items.retrieve(items[0].id, conversation_id=conversation.id).id, items[0].id)
    ada.conversations.items.delete(items[0].id, conversation_id=conversation.id)
    equal(ada.conversations.update(conversation.id, metadata={"topic": "x"}).metadata, {"topic": "x"})
    assert ada.conversations.delete(conversation.id).deleted
    raises(openai.NotFoundError, ada.conversations.retrieve, conversation.id)


@check("/conversations", "items are put in, and those of somebody else are not there")
def _():
    item = {"type": "message", "role": "user", "content": "My lantern is blue."}
    conversation = ada.conversations.create(items=[item])
    made = ada.conversations.items.create(conversation.id, items=[{**item, "content": "And old."}])
    equal(made.data[0].content[0].text, "And old.")
    raises(openai.NotFoundError, bob.conversations.retrieve, conversation.id)
    raises(openai.NotFoundError, bob.conversations.items.list, conversation.id)


# Embeddings


@check("/embeddings", "base64 by default is what float says")
def _():
    packed = ada.embeddings.create(model=EMBEDDING, input=["hello world", "good bye"])
    floats = ada.embeddings.create(model=EMBEDDING, input=["hello world", "good bye"], encoding_format="float")
    equal([item.index for item in packed.data], [0, 1])
    for one, other in zip(packed.data, floats.data):
        equal((len(one.embedding), len(other.embedding)), (DIMENSIONS, DIMENSIONS))
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(one.embedding, other.embedding))
    assert packed.data[0].embedding != packed.data[1].embedding
    assert packed.usage.total_tokens == packed.usage.prompt_tokens > 0


@check("/embeddings", "base64 is packed little-endian")
def _():
    raw = ada.embeddings.with_raw_response.create(model=EMBEDDING, input="hello world", encoding_format="base64")
    values = struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(raw.http_response.json()["data"][0]["embedding"]))
    assert math.isclose(sum(x * x for x in values), 1, rel_tol=1e-3)


@check("/embeddings", "token arrays are cl100k_base")
def _():
    text = ada.embeddings.create(model=EMBEDDING, input="hello world").data[0].embedding
    for tokens in ([15339, 1917], [[15339, 1917]]):
        [item] = ada.embeddings.create(model=EMBEDDING, input=tokens).data
        assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(text, item.embedding))
    error = raises(openai.BadRequestError, ada.embeddings.create, model=EMBEDDING, input=[[-1]])
    holds(error.param, "input")


@check("/embeddings", "dimensions are kept to")
def _():
    short = ada.embeddings.create(model=EMBEDDING, input="hello world", dimensions=16).data[0].embedding
    assert len(short) == 16 and math.isclose(sum(x * x for x in short), 1, rel_tol=1e-3)
    full = ada.embeddings.create(model=EMBEDDING, input="hello world", dimensions=DIMENSIONS).data[0].embedding
    equal(len(full), DIMENSIONS)
    error = raises(openai.BadRequestError, ada.embeddings.create, model=EMBEDDING, input="x", dimensions=100_000)
    equal(error.param, "dimensions")


@check("/embeddings", "what is wrong is named")
def _():
    for wrong in ("", [], [""]):
        holds(raises(openai.BadRequestError, ada.embeddings.create, model=EMBEDDING, input=wrong).param, "input")
    raises(openai.NotFoundError, ada.embeddings.create, model="text-embedding-99", input="x")


# Files and uploads


@check("/files", "upload, read, list, delete")
def _():
    content = bytes(range(256))
    file = ada.files.create(file=("größe.bin", io.BytesIO(content)), purpose="user_data")
    equal((file.filename, file.bytes, file.status, file.purpose), ("größe.bin", 256, "processed", "user_data"))
    equal(ada.files.wait_for_processing(file.id).id, file.id)
    equal(ada.files.content(file.id).read(), content)
    equal([found.id for found in ada.files.list(purpose="user_data", order="desc")][0], file.id)
    raises(openai.NotFoundError, bob.files.retrieve, file.id)
    assert ada.files.delete(file.id).deleted
    raises(openai.NotFoundError, ada.files.content, file.id)


@check("/files", "expires_after")
def _():
    expires = {"anchor": "created_at", "seconds": 3600}
    file = ada.files.create(file=("a.txt", b"a"), purpose="assistants", expires_after=expires)
    equal(file.expires_at, file.created_at + 3600)
    wrong = {"anchor": "created_at", "seconds": 1}
    raises(openai.BadRequestError, ada.files.create, file=("a.txt", b"a"), purpose="assistants", expires_after=wrong)


@check("/files", "pages follow each other whatever the order")
def _():
    made = [ada.files.create(file=(f"{n}.txt", b"x"), purpose="vision" if n else "vision").id for n in range(5)]
    for order, wanted in (("asc", made), ("desc", made[::-1])):
        equal([file.id for file in ada.files.list(purpose="vision", limit=2, order=order)], wanted)
    for file in made:
        ada.files.delete(file)


@check("/uploads", "a file in parts")
def _():
    content = bytes(range(256)) * 400
    done = ada.uploads.upload_file_chunked(
        file=content, filename="parts.bin", bytes=len(content), mime_type="application/octet-stream",
        purpose="user_data", part_size=40_000,
    )  # fmt: skip
    equal((done.status, done.file.bytes), ("completed", len(content)))
    equal(ada.files.content(done.file.id).read(), content)


# Vector stores


@check("/vector_stores", "create, update, list, delete")
def _():
    made = ada.vector_stores.create(name="shop", metadata={"team": "a"}, expires_after={"anchor": "last_active_at", "days": 2})
    equal((made.name, made.metadata, made.file_counts.total), ("shop", {"team": "a"}, 0))
    equal(made.expires_at, made.last_active_at + 2 * 86400)
    equal(ada.vector_stores.update(made.id, name="new", metadata={"b": "c"}).metadata, {"b": "c"})
    equal(ada.vector_stores.retrieve(made.id).name, "new")
    assert ada.vector_stores.delete(made.id).deleted
    raises(openai.NotFoundError, ada.vector_stores.retrieve, made.id)


@check("/vector_stores", "pages in both directions")
def _():
    made = [ada.vector_stores.create(name=f"page {n}").id for n in range(5)]
    for order, wanted in (("asc", made), ("desc", made[::-1])):
        walked = [one.id for one in ada.vector_stores.list(limit=2, order=order) if one.name.startswith("page")]
        equal(walked, wanted)
    before = ada.vector_stores.list(before=made[2], order="desc", limit=2).data
    equal([one.id for one in before], [made[4], made[3]])
    error = raises(openai.BadRequestError, ada.vector_stores.list, limit=0)
    equal(error.param, "limit")
    for one in made:
        ada.vector_stores.delete(one)


@check("/vector_stores/files", "attach with attributes, poll, content, detach")
def _():
    made = ada.vector_stores.create()
    file = ada.files.create(file=("moons.txt", b"Mars has two moons."), purpose="assistants")
    attached = ada.vector_stores.files.create_and_poll(
        file.id, vector_store_id=made.id, attributes={"year": 2026, "share": 0.5, "draft": False, "lang": "en"}
    )
    equal((attached.status, attached.last_error), ("completed", None))
    equal(attached.attributes, {"year": 2026, "share": 0.5, "draft": False, "lang": "en"})
    equal(attached.chunking_strategy.static.max_chunk_size_tokens, 800)
    [part] = ada.vector_stores.files.content(file.id, vector_store_id=made.id)
    equal(part.text, "Mars has two moons.")
    equal([one.id for one in ada.vector_stores.files.list(made.id, filter="completed")], [file.id])
    equal(ada.vector_stores.files.update(file.id, vector_store_id=made.id, attributes={"a": "b"}).attributes, {"a": "b"})
    assert ada.vector_stores.files.delete(file.id, vector_store_id=made.id).deleted
    equal(ada.files.retrieve(file.id).id, file.id)
    raises(openai.NotFoundError, ada.vector_stores.files.create, made.id, file_id="file-unknown")


@check("/vector_stores/files", "a file that cannot be read says why")
def _():
    made = ada.vector_stores.create()
    failed = ada.vector_stores.files.upload_and_poll(vector_store_id=made.id, file=("empty.txt", b""))
    equal(failed.status, "failed")
    holds(["server_error", "unsupported_file", "invalid_file"], failed.last_error.code)


@check("/vector_stores/file_batches", "upload and poll, list, cancel")
def _():
    made = ada.vector_stores.create()
    batch = ada.vector_stores.file_batches.upload_and_poll(
        made.id, files=[(name, text.encode()) for name, text in FACTS.items()]
    )
    equal((batch.status, batch.file_counts.completed, batch.object), ("completed", 3, "vector_store.files_batch"))
    listed = list(ada.vector_stores.file_batches.list_files(batch.id, vector_store_id=made.id, limit=2))
    equal(len({file.id for file in listed}), 3)
    equal(ada.vector_stores.file_batches.cancel(batch.id, vector_store_id=made.id).status, "completed")


@check("/vector_stores/search", "the right file comes first")
def _():
    page = ada.vector_stores.search(store, query=QUESTION)
    scores = [hit.score for hit in page]
    equal((page.data[0].filename, page.data[0].content[0].text), (SOURCE, FACTS[SOURCE]))
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores), scores


@check("/vector_stores/search", "filters, several queries, a bound")
def _():
    made = ada.vector_stores.create()
    for n, text in enumerate(FACTS.values()):
        ada.vector_stores.files.upload_and_poll(vector_store_id=made.id, file=(f"{n}.txt", text.encode()))
        file = ada.vector_stores.files.list(made.id).data[0]
        ada.vector_stores.files.update(file.id, vector_store_id=made.id, attributes={"n": n})
    both = {"type": "and", "filters": [{"type": "gte", "key": "n", "value": 1}, {"type": "ne", "key": "n", "value": 2}]}
    equal([hit.attributes for hit in ada.vector_stores.search(made.id, query="anything", filters=both)], [{"n": 1}])
    equal(len(ada.vector_stores.search(made.id, query=["bees", "ships"], max_num_results=1).data), 1)
    wrong = {"type": "like", "key": "n", "value": 1}
    raises(openai.BadRequestError, ada.vector_stores.search, made.id, query="x", filters=wrong)
    raises(openai.BadRequestError, ada.vector_stores.search, made.id, query="")
    raises(openai.NotFoundError, bob.vector_stores.search, made.id, query="x")


# Batches


@check("/batches", "every line is answered")
def _():
    bodies = [{"model": "fake/ok", "messages": hello}, {"model": "fake/ok", "messages": hello, "temperature": 9}]
    lines = [
        json.dumps({"custom_id": f"call-{n}", "method": "POST", "url": "/v1/chat/completions", "body": body})
        for n, body in enumerate(bodies)
    ]
    source = ada.files.create(file=("calls.jsonl", "\n".join(lines).encode()), purpose="batch")
    call = {"input_file_id": source.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = ada.batches.create(metadata={"night": "1"}, **call)
    for _ in range(300):
        batch = ada.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            break
        time.sleep(0.1)
    counts = batch.request_counts
    equal((batch.status, counts.total, counts.completed, counts.failed), ("completed", 2, 1, 1))
    [answer] = [json.loads(line) for line in ada.files.content(batch.output_file_id).text.splitlines()]
    equal(answer["custom_id"], "call-0")
    equal(answer["response"]["body"]["choices"][0]["message"]["content"], "Hello from the provider [1].")
    [refused] = [json.loads(line) for line in ada.files.content(batch.error_file_id).text.splitlines()]
    equal((refused["custom_id"], refused["response"]["status_code"]), ("call-1", 400))
    equal([found.id for found in ada.batches.list(limit=1)][0], batch.id)
    raises(openai.BadRequestError, ada.batches.cancel, batch.id)
    raises(openai.NotFoundError, bob.batches.retrieve, batch.id)


@check("/batches", "a file that is no batch fails with the line's number")
def _():
    bad = ada.files.create(file=("bad.jsonl", b"nonsense"), purpose="batch")
    batch = ada.batches.create(input_file_id=bad.id, endpoint="/v1/chat/completions", completion_window="24h")
    for _ in range(300):
        batch = ada.batches.retrieve(batch.id)
        if batch.status != "validating":
            break
        time.sleep(0.1)
    equal((batch.status, batch.errors.data[0].line), ("failed", 1))


# Moderations, which a server may not have


@check("/moderations", "answers, or is not there, as the document says")
def _():
    document = json.load(urllib.request.urlopen(BASE_URL.removesuffix("/v1") + "/openapi.json"))
    try:
        moderation = ada.moderations.create(input="I like lanterns.")
    except openai.NotFoundError as error:
        # Without a model for it there is none to be found.
        wanted = "model_not_found" if "/v1/moderations" in document["paths"] else "unknown_url"
        equal((error.code, error.type), (wanted, "invalid_request_error"))
    else:
        holds(document["paths"], "/v1/moderations")
        equal((moderation.results[0].flagged, moderation.results[0].categories.violence), (False, False))
