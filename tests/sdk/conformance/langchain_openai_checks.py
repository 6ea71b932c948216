"""LangChain's ChatOpenAI and OpenAIEmbeddings."""

import json
import math

import openai
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from checks import (
    ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, OBLIGING, QUESTION, SOURCE, Checks, equal, grounded, holds,
    library, official, raises,
)  # fmt: skip

check = Checks("langchain-openai")
store = library("langchain")
search_tool = {"type": "file_search", "vector_store_ids": [store]}
said = "Hello from the provider [1]."


class Report(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"31 degrees in {city}"


def chat(model="fake/ok", **more):
    return ChatOpenAI(model=model, base_url=BASE_URL, api_key=API_KEY, max_retries=0, **more)


@check("/chat/completions", "invoke and stream")
def _():
    messages = [SystemMessage("Be brief."), HumanMessage("Hello?")]
    answer = chat(temperature=0, max_tokens=50).invoke(messages)
    equal((answer.text, answer.response_metadata["finish_reason"]), (said, "stop"))
    assert answer.usage_metadata["total_tokens"] > 0
    pieces = list(chat(stream_usage=True).stream(messages))
    equal("".join(piece.text for piece in pieces), said)
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    equal(whole.usage_metadata["total_tokens"], answer.usage_metadata["total_tokens"])


@check("/chat/completions", "a grounded answer")
def _():
    answer = chat(EXTRACTIVE, extra_body=grounded(store)).invoke(QUESTION)
    holds(answer.text, ANSWER, "[1]")


@check("/chat/completions", "asynchronously")
async def _():
    equal((await chat().ainvoke("Hello?")).text, said)
    equal("".join([piece.text async for piece in chat().astream("Hello?")]), said)


@check("/chat/completions", "tools, and what they answered")
def _():
    model = chat(OBLIGING).bind_tools([weather])
    messages = [HumanMessage("Hello?")]
    messages.append(model.invoke(messages))
    [call] = messages[-1].tool_calls
    equal((call["name"], call["args"]), ("weather", {"city": "Basra"}))
    messages.append(ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]))
    equal(model.invoke(messages).text, "I heard: 31 degrees in Basra")


@check("/chat/completions", "tools, streamed")
def _():
    whole = None
    for piece in chat("fake/tools").bind_tools([weather]).stream("Hello?"):
        whole = piece if whole is None else whole + piece
    [call] = whole.tool_calls
    equal((call["name"], call["args"]), ("weather", {"city": "Basra"}))


@check("/chat/completions", "structured output in its three ways")
def _():
    for method in ("json_schema", "function_calling", "json_mode"):
        equal(chat(OBLIGING).with_structured_output(Report, method=method).invoke("The weather?"), Report(city="Basra", degrees=31))


@check("/chat/completions", "errors have their classes")
def _():
    equal(raises(openai.BadRequestError, chat(temperature=3).invoke, "x").param, "temperature")
    equal(raises(openai.NotFoundError, chat("gpt-99").invoke, "x").code, "model_not_found")
    raises(openai.APIError, lambda: list(chat("fake/cut").stream("x")))


@check("/completions", "invoke and stream")
def _():
    model = OpenAI(model="fake/ok", base_url=BASE_URL, api_key=API_KEY)
    equal((model.invoke("Hello?"), "".join(model.stream("Hello?"))), (said, said))


@check("/responses", "invoke and stream with file_search")
def _():
    model = chat(EXTRACTIVE, use_responses_api=True).bind_tools([search_tool])
    answer = model.invoke(QUESTION)
    holds(answer.text, ANSWER)
    cited = [note for block in answer.content_blocks for note in block.get("annotations", [])]
    holds(json.dumps(cited), SOURCE)
    whole = None
    for piece in model.stream(QUESTION):
        whole = piece if whole is None else whole + piece
    equal(whole.text, answer.text)


@check("/responses", "tools, and what they answered")
def _():
    model = chat(OBLIGING, use_responses_api=True).bind_tools([weather])
    messages = [HumanMessage("Hello?")]
    messages.append(model.invoke(messages))
    [call] = messages[-1].tool_calls
    equal((call["name"], call["args"]), ("weather", {"city": "Basra"}))
    messages.append(ToolMessage("31 degrees", tool_call_id=call["id"]))
    equal(model.invoke(messages).text, "I heard: 31 degrees")


@check("/responses", "structured output, and previous_response_id")
def _():
    structured = chat(OBLIGING, use_responses_api=True).with_structured_output(Report)
    equal(structured.invoke("The weather?"), Report(city="Basra", degrees=31))
    model = chat(EXTRACTIVE, use_responses_api=True).bind_tools([search_tool])
    first = model.invoke(QUESTION)
    second = model.invoke("What about the distance?", previous_response_id=first.response_metadata["id"])
    holds(second.text, "distance")


@check("/embeddings", "token arrays are understood")
def _():
    embeddings = OpenAIEmbeddings(model=EMBEDDING, base_url=BASE_URL, api_key=API_KEY)
    vectors = embeddings.embed_documents(["hello world", "good bye", "hello world"])
    equal([len(vector) for vector in vectors], [DIMENSIONS] * 3)
    plain = official().embeddings.create(model=EMBEDDING, input="hello world").data[0].embedding
    for vector in (vectors[0], vectors[2], embeddings.embed_query("hello world")):
        assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(vector, plain))
    assert vectors[0] != vectors[1]


@check("/embeddings", "strings and dimensions")
def _():
    embeddings = OpenAIEmbeddings(
        model=EMBEDDING, base_url=BASE_URL, api_key=API_KEY, check_embedding_ctx_length=False, dimensions=16
    )
    equal([len(vector) for vector in embeddings.embed_documents(["a", "b"])], [16, 16])
