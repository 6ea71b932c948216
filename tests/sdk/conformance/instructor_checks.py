"""instructor, in its modes."""

import instructor
from pydantic import BaseModel

from checks import OBLIGING, Checks, equal, official

check = Checks("instructor")
hello = [{"role": "user", "content": "The weather?"}]
wanted = {"city": "Basra", "degrees": 31}


class Report(BaseModel):
    city: str
    degrees: int


for mode in ("TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "RESPONSES_TOOLS"):
    endpoint = "/responses" if mode.startswith("RESPONSES") else "/chat/completions"

    @check(endpoint, f"mode {mode}")
    def _():
        client = instructor.from_openai(official(), mode=instructor.Mode[mode])
        if mode.startswith("RESPONSES"):
            made = client.responses.create(model=OBLIGING, input="The weather?", response_model=Report, max_retries=0)
        else:
            made = client.chat.completions.create(model=OBLIGING, messages=hello, response_model=Report, max_retries=0)
        equal(made.model_dump(), wanted)


@check("/chat/completions", "partial answers, streamed")
def _():
    client = instructor.from_openai(official(), mode=instructor.Mode.TOOLS)
    *_, last = client.create_partial(model=OBLIGING, messages=hello, response_model=Report)
    equal(last.model_dump(), wanted)


@check("/chat/completions", "a list, streamed")
def _():
    client = instructor.from_openai(official(), mode=instructor.Mode.TOOLS)
    equal([one.model_dump() for one in client.create_iterable(model=OBLIGING, messages=hello, response_model=Report)], [wanted])
