"""The official OpenAI SDK against this server: nothing is changed but base_url and api_key.

Run by tests/sdk/main.rs, which starts the server and gives INSULA_BASE_URL, INSULA_API_KEY and
INSULA_OTHER_API_KEY (another tenant's).
"""

import asyncio
import base64
import hashlib
import io
import math
import os
import struct

import openai
from openai import AsyncOpenAI, OpenAI

BASE_URL = os.environ["INSULA_BASE_URL"]
ada = OpenAI(base_url=BASE_URL, api_key=os.environ["INSULA_API_KEY"], max_retries=0)
bob = OpenAI(base_url=BASE_URL, api_key=os.environ["INSULA_OTHER_API_KEY"], max_retries=0)

TEXT = (
    "# Lanterns\n\nA customer may return an unused lantern within 45 days of delivery. "
    "The refund is paid within five working days.\n"
)
QUESTION = "Within how many days may a customer return a lantern?"


def raises(kind, call, *arguments, **more):
    """The error of a call that must fail as `kind` exactly."""
    try:
        call(*arguments, **more)
    except openai.APIError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def files():
    uploaded = ada.files.create(file=("lanterns.md", io.BytesIO(TEXT.encode())), purpose="assistants")
    assert uploaded.id.startswith("file-") and uploaded.bytes == len(TEXT.encode())
    assert ada.files.wait_for_processing(uploaded.id).status == "processed"
    assert ada.files.retrieve(uploaded.id) == uploaded
    assert ada.files.content(uploaded.id).read() == TEXT.encode()
    assert [file.id for file in ada.files.list(purpose="assistants")] == [uploaded.id]
    assert list(bob.files.list()) == []
    return uploaded.id


def uploads():
    content = bytes(range(256)) * 9000
    digest = hashlib.md5(content).hexdigest()
    done = ada.uploads.upload_file_chunked(
        file=content,
        filename="große Datei.bin",
        bytes=len(content),
        mime_type="application/octet-stream",
        purpose="user_data",
        part_size=1_000_000,
        md5=digest,
    )
    assert done.status == "completed" and done.bytes == len(content) and done.expires_at > done.created_at
    assert done.file.filename == "große Datei.bin" and done.file.status == "processed"
    assert ada.files.content(done.file.id).read() == content
    raises(openai.NotFoundError, bob.files.retrieve, done.file.id)
    assert ada.files.delete(done.file.id).deleted

    begun = ada.uploads.create(
        filename="a.txt",
        bytes=3,
        mime_type="text/plain",
        purpose="assistants",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    part = ada.uploads.parts.create(begun.id, data=b"abc")
    assert part.object == "upload.part" and part.upload_id == begun.id
    raises(openai.NotFoundError, bob.uploads.parts.create, begun.id, data=b"abc")
    error = raises(openai.BadRequestError, ada.uploads.complete, begun.id, part_ids=[part.id], md5="0" * 32)
    assert error.param == "md5"
    assert ada.uploads.cancel(begun.id).status == "cancelled"
    raises(openai.BadRequestError, ada.uploads.complete, begun.id, part_ids=[part.id])


def vector_stores(file_id):
    store = ada.vector_stores.create(name="shop", metadata={"team": "a"})
    assert store.name == "shop" and store.metadata == {"team": "a"} and store.file_counts.total == 0
    attached = ada.vector_stores.files.create_and_poll(
        file_id, vector_store_id=store.id, attributes={"year": 2026, "draft": False}
    )
    assert attached.status == "completed" and attached.last_error is None
    assert attached.attributes == {"year": 2026, "draft": False}
    second = ada.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("bees.txt", b"Honeybees dance to tell where flowers are.")
    )
    assert second.status == "completed"
    counts = ada.vector_stores.retrieve(store.id).file_counts
    assert (counts.completed, counts.total) == (2, 2)
    assert {file.id for file in ada.vector_stores.files.list(store.id)} == {file_id, second.id}
    parts = list(ada.vector_stores.files.content(file_id, vector_store_id=store.id))
    assert any("45 days" in part.text for part in parts)
    updated = ada.vector_stores.files.update(file_id, vector_store_id=store.id, attributes={"year": 2027})
    assert updated.attributes == {"year": 2027}
    assert ada.vector_stores.update(store.id, name="renamed").name == "renamed"
    return store.id


def file_batches():
    store = ada.vector_stores.create(name="batches")
    ids = [
        ada.files.create(file=(f"{n}.txt", f"Lamp {n} is in hall {n}.".encode()), purpose="assistants").id
        for n in range(4)
    ]
    batch = ada.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids, attributes={"hall": True})
    assert batch.id.startswith("vsfb_") and batch.object == "vector_store.files_batch"
    assert (batch.status, batch.file_counts.completed, batch.file_counts.total) == ("completed", 4, 4)
    assert ada.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id) == batch
    listed = ada.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=3, filter="completed")
    listed = list(listed)
    assert {file.id for file in listed} == set(ids) and listed[0].attributes == {"hall": True}
    own = ada.vector_stores.file_batches.create_and_poll(
        store.id, files=[{"file_id": ids[0], "attributes": {"n": 0}}, {"file_id": ids[1], "attributes": {"n": 1}}]
    )
    assert (own.status, own.file_counts.completed) == ("completed", 2)
    uploaded = ada.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("a.txt", b"Walnuts fall in October."), ("b.txt", b"")]
    )
    assert (uploaded.file_counts.completed, uploaded.file_counts.failed) == (1, 1), uploaded
    assert ada.vector_stores.file_batches.cancel(uploaded.id, vector_store_id=store.id).status == "completed"
    error = raises(openai.NotFoundError, ada.vector_stores.file_batches.create, store.id, file_ids=[ids[0], "file-x"])
    assert error.param == "file_ids[1]"
    raises(openai.NotFoundError, bob.vector_stores.file_batches.retrieve, batch.id, vector_store_id=store.id)
    assert ada.vector_stores.delete(store.id).deleted


def search(store_id, file_id):
    results = list(ada.vector_stores.search(store_id, query="How long can I send a lamp back?"))
    assert results[0].file_id == file_id and results[0].filename == "lanterns.md"
    assert 0 <= results[-1].score <= results[0].score <= 1
    assert "45 days" in results[0].content[0].text
    filters = {"type": "and", "filters": [{"type": "gte", "key": "year", "value": 2027}]}
    filtered = list(ada.vector_stores.search(store_id, query="anything", filters=filters, max_num_results=5))
    assert [result.file_id for result in filtered] == [file_id]
    raises(openai.NotFoundError, bob.vector_stores.search, store_id, query="lantern")


def grounding(store_id):
    return {
        "data_sources": [
            {"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store_id]}}
        ]
    }


def chat(store_id):
    messages = [{"role": "user", "content": QUESTION}]
    call = {"model": "insula/extractive", "messages": messages, "extra_body": grounding(store_id)}
    completion = ada.chat.completions.create(**call)
    message = completion.choices[0].message
    assert "45 days" in message.content and "[1]" in message.content, message.content
    assert completion.choices[0].finish_reason == "stop" and completion.usage.total_tokens > 0
    assert message.annotations[0].model_extra["file_citation"]["filename"] == "lanterns.md"

    streamed, usage = "", None
    for chunk in ada.chat.completions.create(stream=True, stream_options={"include_usage": True}, **call):
        if chunk.choices:
            streamed += chunk.choices[0].delta.content or ""
        else:
            usage = chunk.usage
    assert streamed == message.content and usage == completion.usage

    with ada.chat.completions.stream(**call) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert final.choices[0].message.content == message.content

    async def asynchronously():
        async with AsyncOpenAI(base_url=BASE_URL, api_key=ada.api_key) as client:
            stream = await client.chat.completions.create(stream=True, **call)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(asynchronously()) == message.content
    raises(openai.NotFoundError, bob.chat.completions.create, **call)


def completions():
    call = {"model": "insula/extractive", "prompt": "Hello?", "max_tokens": 50}
    completion = ada.completions.create(**call)
    choice = completion.choices[0]
    assert completion.object == "text_completion" and choice.text and choice.finish_reason == "stop"
    assert completion.usage.total_tokens > 0
    streamed, usage = "", None
    for chunk in ada.completions.create(stream=True, stream_options={"include_usage": True}, **call):
        if chunk.choices:
            streamed += chunk.choices[0].text
        else:
            usage = chunk.usage
    assert streamed == choice.text and usage.total_tokens == completion.usage.total_tokens
    several = ada.completions.create(model="insula/extractive", prompt=["a", "b"], echo=True)
    assert [choice.text[0] for choice in several.choices] == ["a", "b"]
    error = raises(openai.BadRequestError, ada.completions.create, suffix="x", **call)
    assert error.param == "suffix"


def assistant(store_id):
    body = {"name": "shopkeeper", "model": "insula/extractive", "vector_store_ids": [store_id]}
    ada.post("/insula/assistants", body=body, cast_to=object)
    completion = ada.chat.completions.create(model="shopkeeper", messages=[{"role": "user", "content": QUESTION}])
    assert completion.model == "shopkeeper" and "45 days" in completion.choices[0].message.content
    assert "shopkeeper" in [model.id for model in ada.models.list()]
    assert "shopkeeper" not in [model.id for model in bob.models.list()]


def embeddings():
    # The SDK asks for base64 by itself and decodes it.
    both = ada.embeddings.create(model="all-MiniLM-L6-v2", input=["hello world", "good bye"])
    assert [item.index for item in both.data] == [0, 1] and both.usage.total_tokens > 0
    vector = both.data[0].embedding
    assert len(vector) == 384 and math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-3)
    floats = ada.embeddings.create(model="all-MiniLM-L6-v2", input="hello world", encoding_format="float")
    assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(vector, floats.data[0].embedding))
    packed = ada.embeddings.with_raw_response.create(
        model="all-MiniLM-L6-v2", input="hello world", encoding_format="base64", dimensions=8
    )
    raw = base64.b64decode(packed.http_response.json()["data"][0]["embedding"])
    assert len(struct.unpack("<8f", raw)) == 8
    # LangChain sends the tokens of cl100k_base for names that tiktoken does not know.
    tokens = ada.embeddings.create(model="all-MiniLM-L6-v2", input=[[15339, 1917]])
    assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(vector, tokens.data[0].embedding))


def models():
    listed = [model.id for model in ada.models.list()]
    assert "insula/extractive" in listed and "all-MiniLM-L6-v2" in listed
    assert ada.models.retrieve("insula/extractive").id == "insula/extractive"


def pagination():
    made = [ada.vector_stores.create(name=f"page {n}").id for n in range(5)]
    for order, expected in [("asc", made), ("desc", made[::-1])]:
        walked = [store.id for store in ada.vector_stores.list(limit=2, order=order) if store.name.startswith("page")]
        assert walked == expected, order
    page = ada.vector_stores.list(limit=2)
    assert page.has_next_page() and len(page.data) == 2
    for store_id in made:
        assert ada.vector_stores.delete(store_id).deleted


def errors(store_id):
    stranger = OpenAI(base_url=BASE_URL, api_key="isk_wrong", max_retries=0)
    error = raises(openai.AuthenticationError, stranger.models.list)
    assert error.code == "invalid_api_key" and error.request_id.startswith("req_") and "isk_wrong" not in str(error)
    error = raises(openai.NotFoundError, ada.models.retrieve, "gpt-99")
    assert error.code == "model_not_found" and error.param == "model"
    raises(openai.NotFoundError, bob.vector_stores.retrieve, store_id)
    error = raises(openai.BadRequestError, ada.vector_stores.search, store_id, query="")
    assert error.param == "query" and error.body["message"]
    error = raises(openai.BadRequestError, ada.embeddings.create, model="all-MiniLM-L6-v2", input=[])
    assert error.param == "input"
    messages = [{"role": "user", "content": "x"}]
    for stream in (False, True):
        error = raises(
            openai.BadRequestError,
            ada.chat.completions.create,
            model="insula/extractive",
            messages=messages,
            temperature=3,
            stream=stream,
        )
        assert error.param == "temperature" and error.type == "invalid_request_error"


def deletion(store_id, file_id):
    assert ada.vector_stores.files.delete(file_id, vector_store_id=store_id).deleted
    assert ada.vector_stores.delete(store_id).deleted
    assert ada.files.delete(file_id).deleted
    raises(openai.NotFoundError, ada.files.retrieve, file_id)


def main():
    print(f"openai {openai.__version__}")
    file_id = files()
    store_id = vector_stores(file_id)
    for story in (uploads, file_batches, search, chat, completions, assistant, embeddings, models, pagination, errors, deletion):
        wanted = story.__code__.co_varnames[: story.__code__.co_argcount]
        story(*({"store_id": store_id, "file_id": file_id}[name] for name in wanted))
        print(f"{story.__name__}: ok")


if __name__ == "__main__":
    main()
