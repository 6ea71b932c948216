// Vercel's AI SDK with its provider for OpenAI (whose default is /responses) and the one for compatible servers.

import {
  ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, OBLIGING, QUESTION, SOURCE, all, checks, equal, grounded,
  holds, library, load,
} from "./checks.mjs";
import assert from "node:assert/strict";

const { createOpenAI } = load("@ai-sdk/openai");
const { createOpenAICompatible } = load("@ai-sdk/openai-compatible");
const { APICallError, Output, embed, embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } =
  load("ai");
const { z } = load("zod");

const { store } = await library("vercel");
const said = "Hello from the provider [1].";
const Report = z.object({ city: z.string(), degrees: z.number().int().min(-90).max(60) });
const bases = { baseURL: BASE_URL, apiKey: API_KEY };
const openai = createOpenAI(bases);
const compatible = createOpenAICompatible({ ...bases, name: "insula", includeUsage: true, supportsStructuredOutputs: true });

function weather(seen) {
  const execute = async ({ city }) => (seen.push(city), "31 degrees");
  return { weather: tool({ description: "The weather", inputSchema: z.object({ city: z.string() }), execute }) };
}

async function common(check, endpoint, model) {
  await check(endpoint, "generateText", async () => {
    const { text, usage, finishReason } = await generateText({ model: model("fake/ok"), prompt: "Hello?" });
    equal([text, finishReason], [said, "stop"]);
    equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  });

  await check(endpoint, "streamText", async () => {
    const result = streamText({ model: model("fake/ok"), system: "Be brief.", prompt: "Hello?" });
    const pieces = await all(result.textStream);
    equal(pieces.join(""), said);
    assert.ok(pieces.length > 1, "it came in one piece");
    assert.ok((await result.usage).totalTokens > 0);
    equal(await result.finishReason, "stop");
  });

  await check(endpoint, "tools, step by step", async () => {
    const seen = [];
    const { text, steps } = await generateText({
      model: model(OBLIGING), prompt: "Hello?", tools: weather(seen), stopWhen: stepCountIs(3),
    });
    equal([seen, text, steps.length], [["Basra"], "I heard: 31 degrees", 2]);
  });

  await check(endpoint, "tools, streamed", async () => {
    const seen = [];
    const result = streamText({
      model: model(OBLIGING), prompt: "Hello?", tools: weather(seen), stopWhen: stepCountIs(3),
    });
    await all(result.fullStream);
    equal([await result.text, seen], ["I heard: 31 degrees", ["Basra"]]);
  });

  await check(endpoint, "structured output, whole and streamed", async () => {
    const call = { model: model(OBLIGING), prompt: "The weather?", schema: Report };
    equal((await generateObject(call)).object, { city: "Basra", degrees: 31 });
    const streamed = streamObject(call);
    equal((await all(streamed.partialObjectStream)).at(-1), { city: "Basra", degrees: 31 });
    equal(await streamed.object, { city: "Basra", degrees: 31 });
    const output = Output.object({ schema: Report });
    equal((await generateText({ model: model(OBLIGING), prompt: "x", output })).output, { city: "Basra", degrees: 31 });
  });

  await check(endpoint, "an error says what is wrong", async () => {
    for (const [name, status, code] of [["gpt-99", 404, "model_not_found"], ["fake/bad-400", 400, undefined]]) {
      const error = await generateText({ model: model(name), prompt: "x", maxRetries: 0 }).then(
        () => assert.fail("no error"), (error) => error,
      );
      assert.ok(APICallError.isInstance(error), `${error.name}: ${error.message}`);
      equal(error.statusCode, status);
      if (code) equal(error.data.error.code, code);
      equal(error.message, error.data.error.message);
    }
  });

  await check(endpoint, "a stream that breaks is an error", async () => {
    let broken = null;
    const result = streamText({ model: model("fake/cut"), prompt: "x", maxRetries: 0, onError: ({ error }) => { broken = error; } });
    const parts = await all(result.fullStream);
    assert.ok(broken, "nobody was told");
    assert.ok(parts.some((part) => part.type === "error"));
  });
}

async function embeddings(check, model) {
  await check("/embeddings", "embed and embedMany", async () => {
    const one = await embed({ model, value: "hello world" });
    const { embeddings } = await embedMany({ model, values: ["hello world", "good bye"] });
    equal(embeddings.map((vector) => vector.length), [DIMENSIONS, DIMENSIONS]);
    assert.ok(one.embedding.every((value, at) => Math.abs(value - embeddings[0][at]) < 1e-5));
    assert.notDeepEqual(embeddings[0], embeddings[1]);
  });
}

let check = checks("ai-sdk openai");
await common(check, "/responses", openai);
await common(check, "/chat/completions", openai.chat);
await embeddings(check, openai.embedding(EMBEDDING));

await check("/responses", "file_search gives its sources", async () => {
  const tools = { file_search: openai.tools.fileSearch({ vectorStoreIds: [store], maxNumResults: 3 }) };
  const { text, sources, toolResults, toolCalls } = await generateText({ model: openai(EXTRACTIVE), prompt: QUESTION, tools });
  holds(text, ANSWER);
  equal(sources.map((source) => source.filename), [SOURCE]);
  equal(toolCalls.length, 1);
  equal(toolResults[0].output.queries, [QUESTION]);
});

await check("/responses", "file_search, streamed and forced", async () => {
  const tools = { file_search: openai.tools.fileSearch({ vectorStoreIds: [store] }) };
  const toolChoice = { type: "tool", toolName: "file_search" };
  const result = streamText({ model: openai(EXTRACTIVE), prompt: QUESTION, tools, toolChoice });
  const parts = await all(result.fullStream);
  holds(await result.text, ANSWER);
  const sources = parts.filter((part) => part.type === "source");
  equal(sources.map((source) => source.filename), [SOURCE]);
  equal(parts.filter((part) => part.type === "error"), []);
});

await check("/responses", "previousResponseId goes on from what was said", async () => {
  const tools = { file_search: openai.tools.fileSearch({ vectorStoreIds: [store] }) };
  const first = await generateText({ model: openai(EXTRACTIVE), prompt: QUESTION, tools });
  const { responseId } = first.providerMetadata.openai;
  assert.match(responseId, /^resp_/);
  const options = { openai: { previousResponseId: responseId } };
  const second = await generateText({
    model: openai(EXTRACTIVE), prompt: "What about the distance?", tools, providerOptions: options,
  });
  holds(second.text, "distance");
});

await check("/responses", "a history of messages is taken back", async () => {
  const first = await generateText({ model: openai(OBLIGING), prompt: "Good morning." });
  const messages = [
    { role: "user", content: "Good morning." }, ...first.response.messages, { role: "user", content: "Thanks." },
  ];
  equal((await generateText({ model: openai(OBLIGING), messages })).text, "I heard: Thanks.");
});

check = checks("ai-sdk compatible");
await common(check, "/chat/completions", compatible);
await embeddings(check, compatible.textEmbeddingModel(EMBEDDING));

await check("/chat/completions", "a grounded answer", async () => {
  const model = createOpenAICompatible({
    ...bases, name: "insula", transformRequestBody: (body) => ({ ...body, ...grounded(store) }),
  });
  holds((await generateText({ model: model(EXTRACTIVE), prompt: QUESTION })).text, ANSWER, "[1]");
});

await check("/completions", "generateText and streamText", async () => {
  const model = compatible.completionModel("fake/ok");
  equal((await generateText({ model, prompt: "Hello?" })).text, said);
  equal((await all(streamText({ model, prompt: "Hello?" }).textStream)).join(""), said);
});
