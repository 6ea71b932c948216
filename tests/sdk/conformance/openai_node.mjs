// The official Node SDK.

import {
  ANSWER, API_KEY, BASE_URL, DIMENSIONS, EMBEDDING, EXTRACTIVE, FACTS, OBLIGING, OTHER_API_KEY, QUESTION, SOURCE,
  WEATHER, all, checks, equal, grounded, holds, library, load, raises,
} from "./checks.mjs";
import assert from "node:assert/strict";

const OpenAI = load("openai");
const { zodResponseFormat, zodTextFormat } = load("openai/helpers/zod");
const { z } = load("zod");
const { VERSION } = load("openai/version");

const check = checks(`openai-node ${VERSION.split(".")[0]}`);
const { client: ada, store } = await library("node");
const bob = new OpenAI({ baseURL: BASE_URL, apiKey: OTHER_API_KEY, maxRetries: 0 });
const hello = [{ role: "user", content: "Hello?" }];
const asked = [{ role: "user", content: QUESTION }];
const said = "Hello from the provider [1].";
const weather = { type: "function", function: { name: "weather", parameters: WEATHER } };
const weatherTool = { type: "function", name: "weather", parameters: WEATHER, strict: true };
const searchTool = { type: "file_search", vector_store_ids: [store] };
const Report = z.object({ city: z.string(), degrees: z.number().int() });

await check("/models", "list and retrieve", async () => {
  const ids = (await all(ada.models.list())).map((model) => model.id);
  holds(ids, EXTRACTIVE, EMBEDDING, OBLIGING);
  equal((await ada.models.retrieve(EXTRACTIVE)).id, EXTRACTIVE);
});

await check("/models", "errors have their classes, codes and request ids", async () => {
  const unknown = await raises(OpenAI.NotFoundError, ada.models.retrieve("gpt-99"));
  equal([unknown.code, unknown.param, unknown.type], ["model_not_found", "model", "invalid_request_error"]);
  assert.match(unknown.requestID, /^req_/);
  assert.doesNotMatch(unknown.message, /no body/);
  const stranger = new OpenAI({ baseURL: BASE_URL, apiKey: "isk_wrong", maxRetries: 0 });
  equal((await raises(OpenAI.AuthenticationError, stranger.models.list())).code, "invalid_api_key");
});

await check("/chat/completions", "a grounded answer cites the right file", async () => {
  const answer = await ada.chat.completions.create({ model: EXTRACTIVE, messages: asked, ...grounded(store) });
  const { message, finish_reason } = answer.choices[0];
  holds(message.content, ANSWER, "[1]");
  equal([message.annotations[0].file_citation.filename, finish_reason, message.refusal], [SOURCE, "stop", null]);
});

await check("/chat/completions", "streamed, with usage", async () => {
  const call = { model: "fake/ok", messages: hello, stream: true, stream_options: { include_usage: true } };
  const chunks = await all(await ada.chat.completions.create(call));
  equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), said);
  equal([chunks[0].choices[0].delta.role, chunks.at(-1).choices], ["assistant", []]);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

await check("/chat/completions", "the stream helper", async () => {
  const stream = ada.chat.completions.stream({ model: EXTRACTIVE, messages: asked, ...grounded(store) });
  const whole = await stream.finalChatCompletion();
  holds(whole.choices[0].message.content, ANSWER);
});

await check("/chat/completions", "a function is called, streamed the same", async () => {
  const call = { model: "fake/tools", messages: hello, tools: [weather] };
  const whole = (await ada.chat.completions.create(call)).choices[0];
  const streamed = (await ada.chat.completions.stream(call).finalChatCompletion()).choices[0];
  for (const choice of [whole, streamed]) {
    equal(choice.finish_reason, "tool_calls");
    const [{ function: called }] = choice.message.tool_calls;
    equal([called.name, JSON.parse(called.arguments)], ["weather", { city: "Basra" }]);
  }
});

await check("/chat/completions", "runTools goes round until there is an answer", async () => {
  const asked = [];
  const tool = { ...weather.function, parse: JSON.parse, function: ({ city }) => (asked.push(city), "31 degrees") };
  const runner = ada.chat.completions.runTools({ model: OBLIGING, messages: hello, tools: [{ type: "function", function: tool }] });
  equal(await runner.finalContent(), "I heard: 31 degrees");
  equal(asked, ["Basra"]);
});

await check("/chat/completions", "structured output is parsed", async () => {
  const format = zodResponseFormat(Report, "report");
  const answer = await ada.chat.completions.parse({ model: OBLIGING, messages: hello, response_format: format });
  equal(answer.choices[0].message.parsed, { city: "Basra", degrees: 31 });
});

await check("/chat/completions", "a refusal names the field, whole and streamed", async () => {
  for (const stream of [false, true]) {
    const call = ada.chat.completions.create({ model: EXTRACTIVE, messages: hello, temperature: 3, stream });
    const error = await raises(OpenAI.BadRequestError, call);
    equal([error.param, error.type], ["temperature", "invalid_request_error"]);
  }
});

await check("/chat/completions", "a stream that breaks is an APIError", async () => {
  const read = async () => all(await ada.chat.completions.create({ model: "fake/cut", messages: hello, stream: true }));
  const error = await raises(OpenAI.APIError, read());
  assert.ok(error.message.length > 0);
});

await check("/completions", "whole and streamed", async () => {
  equal((await ada.completions.create({ model: "fake/ok", prompt: "Hello?" })).choices[0].text, said);
  const chunks = await all(await ada.completions.create({ model: "fake/ok", prompt: "Hello?", stream: true }));
  equal(chunks.map((chunk) => chunk.choices[0]?.text ?? "").join(""), said);
});

await check("/responses", "file_search cites the right file", async () => {
  const include = ["file_search_call.results"];
  const response = await ada.responses.create({ model: EXTRACTIVE, input: QUESTION, tools: [searchTool], include });
  holds(response.output_text, ANSWER);
  equal(response.output.map((item) => item.type), ["file_search_call", "message"]);
  equal([response.output[0].results[0].filename, response.output[1].content[0].annotations[0].filename], [SOURCE, SOURCE]);
});

await check("/responses", "streamed: every event counted, the pieces are the whole", async () => {
  const call = { model: EXTRACTIVE, input: QUESTION, tools: [searchTool], stream: true };
  const events = await all(await ada.responses.create(call));
  equal(events.map((event) => event.sequence_number), [...events.keys()]);
  const pieces = events.filter((event) => event.type === "response.output_text.delta");
  const text = pieces.map((event) => event.delta).join("");
  holds(text, ANSWER);
  equal([events.at(-1).type, events.at(-1).response.output[1].content[0].text], ["response.completed", text]);
});

await check("/responses", "the stream helper", async () => {
  const stream = ada.responses.stream({ model: EXTRACTIVE, input: QUESTION, tools: [searchTool] });
  holds((await stream.finalResponse()).output_text, ANSWER);
});

await check("/responses", "a function is called, and its answer is heard", async () => {
  const first = await ada.responses.create({ model: OBLIGING, input: "Hello?", tools: [weatherTool] });
  const [call] = first.output;
  equal([call.type, JSON.parse(call.arguments)], ["function_call", { city: "Basra" }]);
  const input = [{ type: "function_call_output", call_id: call.call_id, output: "31 degrees" }];
  const second = await ada.responses.create({
    model: OBLIGING, input, tools: [weatherTool], previous_response_id: first.id,
  });
  equal(second.output_text, "I heard: 31 degrees");
});

await check("/responses", "structured output is parsed", async () => {
  const text = { format: zodTextFormat(Report, "report") };
  const response = await ada.responses.parse({ model: OBLIGING, input: "Hello?", text });
  equal(response.output_parsed, { city: "Basra", degrees: 31 });
});

await check("/responses", "retrieve, input items, delete, errors", async () => {
  const response = await ada.responses.create({ model: "fake/ok", input: "Hello?" });
  equal((await ada.responses.retrieve(response.id)).output[0].content[0].text, said);
  const [item] = await all(ada.responses.inputItems.list(response.id));
  equal([item.role, item.content[0].text], ["user", "Hello?"]);
  await ada.responses.delete(response.id);
  await raises(OpenAI.NotFoundError, ada.responses.retrieve(response.id));
  const wrong = ada.responses.create({ model: "fake/ok", input: "x", max_output_tokens: 1 });
  equal((await raises(OpenAI.BadRequestError, wrong)).param, "max_output_tokens");
});

await check("/conversations", "what was said is kept", async () => {
  const conversation = await ada.conversations.create({ metadata: { topic: "bees" } });
  await ada.responses.create({ model: OBLIGING, input: "Good morning.", conversation: conversation.id });
  const items = await all(ada.conversations.items.list(conversation.id, { order: "asc", limit: 1 }));
  equal(items.map((item) => item.content[0].text), ["Good morning.", "I heard: Good morning."]);
  await raises(OpenAI.NotFoundError, bob.conversations.retrieve(conversation.id));
  equal((await ada.conversations.delete(conversation.id)).deleted, true);
});

await check("/embeddings", "base64 by default is what float says", async () => {
  const call = { model: EMBEDDING, input: ["hello world", "good bye"] };
  const packed = await ada.embeddings.create(call);
  const floats = await ada.embeddings.create({ ...call, encoding_format: "float" });
  for (const [index, { embedding }] of packed.data.entries()) {
    equal([embedding.length, packed.data[index].index], [DIMENSIONS, index]);
    assert.ok(embedding.every((value, at) => Math.abs(value - floats.data[index].embedding[at]) < 1e-6));
  }
});

await check("/embeddings", "token arrays and dimensions", async () => {
  const tokens = await ada.embeddings.create({ model: EMBEDDING, input: [[15339, 1917]], dimensions: 16 });
  equal(tokens.data[0].embedding.length, 16);
  const wrong = ada.embeddings.create({ model: EMBEDDING, input: "x", dimensions: 100_000 });
  equal((await raises(OpenAI.BadRequestError, wrong)).param, "dimensions");
});

await check("/files", "upload, read, delete", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
  const file = await ada.files.create({ file: await OpenAI.toFile(bytes, "größe.bin"), purpose: "user_data" });
  equal([file.filename, file.bytes, file.status], ["größe.bin", 256, "processed"]);
  const read = new Uint8Array(await (await ada.files.content(file.id)).arrayBuffer());
  equal(read, bytes);
  await raises(OpenAI.NotFoundError, bob.files.retrieve(file.id));
  equal((await ada.files.delete(file.id)).deleted, true);
});

await check("/vector_stores", "pages follow each other", async () => {
  const made = [];
  for (let n = 0; n < 5; n++) made.push((await ada.vectorStores.create({ name: `node page ${n}` })).id);
  const stores = await all(ada.vectorStores.list({ limit: 2, order: "asc" }));
  equal(stores.filter(({ name }) => name.startsWith("node page")).map(({ id }) => id), made);
  for (const id of made) equal((await ada.vectorStores.delete(id)).deleted, true);
  equal((await raises(OpenAI.BadRequestError, ada.vectorStores.list({ limit: 0 }))).param, "limit");
});

await check("/vector_stores/files", "attach and poll, content, detach", async () => {
  const made = await ada.vectorStores.create({ name: "moons" });
  const source = await OpenAI.toFile(Buffer.from("Mars has two moons."), "moons.txt");
  const file = await ada.files.create({ file: source, purpose: "assistants" });
  const attached = await ada.vectorStores.files.createAndPoll(made.id, { file_id: file.id, attributes: { year: 2026.5 } });
  equal([attached.status, attached.last_error, attached.attributes], ["completed", null, { year: 2026.5 }]);
  const [part] = await all(ada.vectorStores.files.content(file.id, { vector_store_id: made.id }));
  equal(part.text, "Mars has two moons.");
  equal((await ada.vectorStores.files.delete(file.id, { vector_store_id: made.id })).deleted, true);
});

await check("/vector_stores/file_batches", "upload and poll", async () => {
  const made = await ada.vectorStores.create({ name: "batch" });
  const files = await Promise.all(
    Object.entries(FACTS).map(([name, text]) => OpenAI.toFile(Buffer.from(text), name)),
  );
  const batch = await ada.vectorStores.fileBatches.uploadAndPoll(made.id, { files });
  equal([batch.status, batch.file_counts.completed], ["completed", 3]);
});

await check("/vector_stores/search", "the right file comes first, filters hold", async () => {
  const found = await all(ada.vectorStores.search(store, { query: QUESTION }));
  equal([found[0].filename, found[0].content[0].text], [SOURCE, FACTS[SOURCE]]);
  const filters = { type: "eq", key: "nothing", value: 1 };
  equal(await all(ada.vectorStores.search(store, { query: QUESTION, filters })), []);
  await raises(OpenAI.NotFoundError, all(bob.vectorStores.search(store, { query: "x" })));
});

await check("/batches", "every line is answered", async () => {
  const body = { model: "fake/ok", messages: hello };
  const line = JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/chat/completions", body });
  const file = await ada.files.create({ file: await OpenAI.toFile(Buffer.from(line), "a.jsonl"), purpose: "batch" });
  const call = { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" };
  let batch = await ada.batches.create(call);
  for (let tries = 0; tries < 300 && !["completed", "failed"].includes(batch.status); tries++) {
    await new Promise((wake) => setTimeout(wake, 100));
    batch = await ada.batches.retrieve(batch.id);
  }
  equal([batch.status, batch.request_counts], ["completed", { total: 1, completed: 1, failed: 0 }]);
  const answer = JSON.parse(await (await ada.files.content(batch.output_file_id)).text());
  equal([answer.custom_id, answer.response.body.choices[0].message.content], ["a", said]);
});
