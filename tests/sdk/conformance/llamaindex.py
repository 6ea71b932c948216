"""LlamaIndex: OpenAILike and OpenAILikeEmbedding."""

import math

import openai
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from checks import (
    ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, FACTS, OBLIGING, QUESTION, Checks, equal, grounded, holds,
    library, official, raises,
)  # fmt: skip

check = Checks("llama-index")
store = library("llama")
said = "Hello from the provider [1]."
hello = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="Hello?")]


class Report(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


def weather(city: str) -> str:
    """The weather in a city."""
    return f"31 degrees in {city}"


def model(name="fake/ok", **more):
    return OpenAILike(model=name, api_base=BASE_URL, api_key=API_KEY, max_retries=0, **more)


def embedding():
    return OpenAILikeEmbedding(model_name=EMBEDDING, api_base=BASE_URL, api_key=API_KEY, embed_batch_size=10)


def chat(name="fake/ok", **more):
    return model(name, is_chat_model=True, is_function_calling_model=True, **more)


@check("/completions", "what OpenAILike does unless told otherwise")
def _():
    equal(model().complete("Hello?").text, said)
    equal("".join(piece.delta for piece in model().stream_complete("Hello?")), said)


@check("/chat/completions", "chat and stream_chat")
def _():
    equal(chat().chat(hello).message.content, said)
    equal("".join(piece.delta or "" for piece in chat().stream_chat(hello)), said)


@check("/chat/completions", "asynchronously")
async def _():
    equal((await chat().achat(hello)).message.content, said)


@check("/chat/completions", "a grounded answer")
def _():
    grounding = chat(EXTRACTIVE, additional_kwargs={"extra_body": grounded(store)})
    holds(grounding.complete(QUESTION).text, ANSWER, "[1]")


@check("/chat/completions", "predict_and_call runs a function")
def _():
    tool = FunctionTool.from_defaults(weather)
    answer = chat(OBLIGING).predict_and_call([tool], user_msg="Hello?")
    equal(answer.response, "31 degrees in Basra")


@check("/chat/completions", "a streamed call comes together")
def _():
    tool = FunctionTool.from_defaults(weather)
    *_, last = chat("fake/tools").stream_chat_with_tools([tool], user_msg="Hello?")
    [call] = chat("fake/tools").get_tool_calls_from_response(last)
    equal((call.tool_name, call.tool_kwargs), ("weather", {"city": "Basra"}))


@check("/chat/completions", "structured output")
def _():
    program = FunctionCallingProgram.from_defaults(output_cls=Report, prompt_template_str="The weather?", llm=chat(OBLIGING))
    equal(program(), Report(city="Basra", degrees=31))
    schema = chat(OBLIGING, should_use_structured_outputs=True).as_structured_llm(Report)
    equal(schema.complete("The weather?").raw, Report(city="Basra", degrees=31))


@check("/chat/completions", "errors have their classes")
def _():
    equal(raises(openai.NotFoundError, chat("gpt-99").chat, hello).code, "model_not_found")
    equal(raises(openai.BadRequestError, chat(additional_kwargs={"top_p": 9}).chat, hello).param, "top_p")


@check("/embeddings", "one and many")
def _():
    plain = official().embeddings.create(model=EMBEDDING, input="hello world").data[0].embedding
    vectors = embedding().get_text_embedding_batch(["hello world", *(f"text {n}" for n in range(12))])
    equal([len(vector) for vector in vectors], [DIMENSIONS] * 13)
    for vector in (vectors[0], embedding().get_query_embedding("hello world")):
        assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(vector, plain))


@check("/embeddings", "an index of its own finds the right document")
def _():
    Settings.llm = chat()
    index = VectorStoreIndex.from_documents([Document(text=text) for text in FACTS.values()], embed_model=embedding())
    holds(index.as_retriever(similarity_top_k=1).retrieve(QUESTION)[0].text, ANSWER)
