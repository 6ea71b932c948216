"""pydantic-ai, which validates answers strictly."""

from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, ModelSettings, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.native_tools import FileSearchTool
from pydantic_ai.providers.openai import OpenAIProvider

from checks import ANSWER, API_KEY, BASE_URL, EXTRACTIVE, OBLIGING, QUESTION, Checks, equal, grounded, holds, library

check = Checks("pydantic-ai")
store = library("pydantic")
said = "Hello from the provider [1]."
provider = OpenAIProvider(base_url=BASE_URL, api_key=API_KEY)


class Report(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


def common(endpoint, model):
    @check(endpoint, "run")
    def _():
        result = Agent(model("fake/ok"), instructions="Be brief.").run_sync("Hello?")
        equal(result.output, said)
        assert result.usage.input_tokens > 0 and result.usage.output_tokens > 0

    @check(endpoint, "run_stream")
    async def _():
        async with Agent(model("fake/ok")).run_stream("Hello?") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            equal("".join(pieces), said)
            assert len(pieces) > 1 and result.usage.output_tokens > 0

    @check(endpoint, "a tool is run")
    async def _():
        for streamed in (False, True):
            agent, seen = Agent(model(OBLIGING)), []

            @agent.tool_plain
            def weather(city: str) -> str:
                seen.append(city)
                return "31 degrees"

            if streamed:
                async with agent.run_stream("Hello?") as result:
                    output = await result.get_output()
            else:
                output = (await agent.run("Hello?")).output
            equal((output, seen), ("I heard: 31 degrees", ["Basra"]))

    @check(endpoint, "structured output in its three ways")
    async def _():
        for way in (ToolOutput, NativeOutput):
            agent = Agent(model(OBLIGING), output_type=way(Report))
            equal((await agent.run("The weather?")).output, Report(city="Basra", degrees=31))
            async with agent.run_stream("The weather?") as result:
                equal(await result.get_output(), Report(city="Basra", degrees=31))
        if endpoint == "/chat/completions":
            agent = Agent(model(OBLIGING), output_type=PromptedOutput(Report))
            equal((await agent.run("The weather?")).output, Report(city="Basra", degrees=31))

    @check(endpoint, "a conversation goes on")
    def _():
        agent = Agent(model(OBLIGING))
        first = agent.run_sync("Good morning.")
        second = agent.run_sync("Thanks.", message_history=first.all_messages())
        equal((first.output, second.output), ("I heard: Good morning.", "I heard: Thanks."))

    @check(endpoint, "an error says what is wrong")
    def _():
        try:
            Agent(model("gpt-99")).run_sync("x")
        except ModelHTTPError as error:
            equal((error.status_code, error.body["code"]), (404, "model_not_found"))
        else:
            raise AssertionError("no error")


common("/chat/completions", lambda name: OpenAIChatModel(name, provider=provider))
common("/responses", lambda name: OpenAIResponsesModel(name, provider=provider))


@check("/chat/completions", "a grounded answer with its citations")
def _():
    model = OpenAIChatModel(EXTRACTIVE, provider=provider)
    settings = ModelSettings(extra_body=grounded(store))
    holds(Agent(model, model_settings=settings).run_sync(QUESTION).output, ANSWER, "[1]")


@check("/responses", "file_search")
async def _():
    tools = [NativeTool(FileSearchTool(file_store_ids=[store]))]
    agent = Agent(OpenAIResponsesModel(EXTRACTIVE, provider=provider), capabilities=tools)
    holds((await agent.run(QUESTION)).output, ANSWER)
    async with agent.run_stream(QUESTION) as result:
        holds(await result.get_output(), ANSWER)
