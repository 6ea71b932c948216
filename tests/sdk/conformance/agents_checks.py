"""openai-agents."""

import agents
import openai
from agents import Agent, FileSearchTool, OpenAIChatCompletionsModel, OpenAIConversationsSession, OpenAIResponsesModel, Runner, function_tool
from openai import AsyncOpenAI
from pydantic import BaseModel

from checks import ANSWER, API_KEY, BASE_URL, EXTRACTIVE, OBLIGING, QUESTION, SOURCE, Checks, equal, holds, library

check = Checks("openai-agents")
store = library("agents")
agents.set_tracing_disabled(True)
said = "Hello from the provider [1]."


class Report(BaseModel):
    city: str
    degrees: int


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"31 degrees in {city}"


def client():
    """One for each check: connections belong to the loop that opened them."""
    return AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)


def agent(model, endpoint="/responses", **more):
    kind = OpenAIChatCompletionsModel if endpoint == "/chat/completions" else OpenAIResponsesModel
    return Agent(name="helper", instructions="Be brief.", model=kind(model=model, openai_client=client()), **more)


async def streamed(of, question):
    result = Runner.run_streamed(of, question)
    async for event in result.stream_events():
        pass
    return result


for endpoint in ("/responses", "/chat/completions"):

    @check(endpoint, "run and run_streamed")
    async def _():
        equal((await Runner.run(agent("fake/ok", endpoint), "Hello?")).final_output, said)
        equal((await streamed(agent("fake/ok", endpoint), "Hello?")).final_output, said)

    @check(endpoint, "a function is run")
    async def _():
        helper = agent(OBLIGING, endpoint, tools=[weather])
        equal((await Runner.run(helper, "Hello?")).final_output, "I heard: 31 degrees in Basra")
        equal((await streamed(helper, "Hello?")).final_output, "I heard: 31 degrees in Basra")

    @check(endpoint, "structured output")
    async def _():
        helper = agent(OBLIGING, endpoint, output_type=Report)
        equal((await Runner.run(helper, "The weather?")).final_output, Report(city="Basra", degrees=31))
        equal((await streamed(helper, "The weather?")).final_output, Report(city="Basra", degrees=31))

    @check(endpoint, "a handoff")
    async def _():
        other = agent("fake/ok", endpoint)
        other.name = "other"
        equal((await Runner.run(agent(OBLIGING, endpoint, handoffs=[other]), "Hello?")).last_agent.name, "other")

    @check(endpoint, "an error has its class")
    async def _():
        try:
            await Runner.run(agent("gpt-99", endpoint), "x")
        except openai.NotFoundError as error:
            equal(error.code, "model_not_found")
        else:
            raise AssertionError("no error")


@check("/responses", "file_search tells its results and cites them")
async def _():
    helper = agent(EXTRACTIVE, tools=[FileSearchTool(vector_store_ids=[store], max_num_results=3, include_search_results=True)])
    for result in (await Runner.run(helper, QUESTION), await streamed(helper, QUESTION)):
        holds(result.final_output, ANSWER)
        search, message = [item.raw_item for item in result.new_items]
        equal((search.type, search.results[0].filename), ("file_search_call", SOURCE))
        equal(message.content[0].annotations[0].filename, SOURCE)


@check("/responses", "a conversation goes on from the last response")
async def _():
    helper = agent(EXTRACTIVE, tools=[FileSearchTool(vector_store_ids=[store])])
    first = await Runner.run(helper, QUESTION)
    second = await Runner.run(helper, "What about the distance?", previous_response_id=first.last_response_id)
    holds(second.final_output, "distance")
    third = await Runner.run(helper, [*first.to_input_list(), {"role": "user", "content": "What about the distance?"}])
    holds(third.final_output, "distance")


@check("/conversations", "a session keeps what was said")
async def _():
    session = OpenAIConversationsSession(openai_client=client())
    helper = agent(OBLIGING)
    await Runner.run(helper, "Good morning.", session=session)
    await Runner.run(helper, "Thanks.", session=session)
    items = await session.get_items()
    said = [item["content"] if isinstance(item["content"], str) else item["content"][0]["text"] for item in items]
    equal(said, ["Good morning.", "I heard: Good morning.", "Thanks.", "I heard: Thanks."])
    await session.pop_item()
    equal(len(await session.get_items()), 3)
    await session.clear_session()
