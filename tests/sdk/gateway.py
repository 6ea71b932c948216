"""What a developer does through the gateway with the official SDK, nothing but base URL and key changed."""

import os

import openai
from openai import OpenAI

BASE_URL = os.environ["INSULA_BASE_URL"]
HELLO = [{"role": "user", "content": "Hello?"}]


def client(name: str, **more) -> OpenAI:
    return OpenAI(base_url=BASE_URL, api_key=os.environ[name], **more)


def done(what: str) -> None:
    print(f"{what}: ok", flush=True)


ada = client("INSULA_API_KEY")

answer = ada.chat.completions.create(model="fake/ok", messages=HELLO, user="end-user-1")
assert answer.choices[0].message.content == "Hello from the provider [1].", answer
assert answer.choices[0].finish_reason == "stop" and answer.model == "fake/ok"
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
done("a whole answer")

text, usage = "", None
stream = ada.chat.completions.create(
    model="fake/ok", messages=HELLO, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    text += "".join(choice.delta.content or "" for choice in chunk.choices)
    usage = chunk.usage or usage
assert text == answer.choices[0].message.content and usage == answer.usage, (text, usage)
done("a streamed answer")

tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
whole = ada.chat.completions.create(model="fake/tools", messages=HELLO, tools=tools)
calls = whole.choices[0].message.tool_calls
assert whole.choices[0].finish_reason == "tool_calls" and calls[0].function.name == "weather"
with ada.chat.completions.stream(model="fake/tools", messages=HELLO, tools=tools) as events:
    streamed = events.get_final_completion().choices[0].message.tool_calls
assert streamed[0].function.arguments == calls[0].function.arguments == '{"city":"Basra"}'
done("tool calls, whole and streamed")

legacy = ada.completions.create(model="fake/ok", prompt="Hello?")
assert legacy.choices[0].text == answer.choices[0].message.content
vectors = ada.embeddings.create(model="remote", input=["one two", "three"])
assert [len(item.embedding) for item in vectors.data] == [8, 8] and vectors.usage.prompt_tokens == 3
done("completions and remote embeddings")

once = {"Idempotency-Key": "sdk-1"}
raw = [
    ada.chat.completions.with_raw_response.create(model="fake/ok", messages=HELLO, extra_headers=once)
    for _ in range(2)
]
assert [answer.headers.get("idempotent-replayed") for answer in raw] == [None, "true"]
assert raw[0].parse().id == raw[1].parse().id
done("an answer that is asked for twice")

# A client that loses patience tries again by itself; the answer is made once.
hasty = client("INSULA_API_KEY", timeout=0.5, max_retries=8)
late = hasty.chat.completions.create(
    model="fake/late-1000", messages=HELLO, extra_headers={"Idempotency-Key": "sdk-2"}
)
assert late.choices[0].message.content
done("retries of a client without patience")

try:
    for _ in ada.chat.completions.create(model="fake/cut", messages=HELLO, stream=True):
        pass
    raise AssertionError("half a stream was taken for a whole one")
except openai.APIError as error:
    assert not isinstance(error, openai.APIConnectionError), error
done("a stream that breaks is an error")

with ada.chat.completions.create(model="fake/slow", messages=HELLO, stream=True) as stream:
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
done("a stream that is left")

limited = client("INSULA_LIMITED_KEY", max_retries=0)
limited.chat.completions.create(model="fake/ok", messages=HELLO)
try:
    limited.chat.completions.create(model="fake/ok", messages=HELLO)
    raise AssertionError("the limit does not hold")
except openai.RateLimitError as error:
    headers = error.response.headers
    assert error.code == "rate_limit_exceeded", error
    assert headers["x-ratelimit-limit-requests"] == "1" and headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < float(headers["retry-after"]) <= 60
done("a limit")

poor = client("INSULA_POOR_KEY", max_retries=0)
try:
    poor.chat.completions.create(model="fake/ok", messages=HELLO)
    raise AssertionError("the budget does not hold")
except openai.RateLimitError as error:
    assert error.code == "insufficient_quota", error
done("a budget")
