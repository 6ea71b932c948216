// What every Node client is checked with; checks.py says the same for Python. INSULA_NODE is the folder of the packages.

import { createRequire } from "node:module";
import assert from "node:assert/strict";

export const load = createRequire(`${process.env.INSULA_NODE}/package.json`);
export const BASE_URL = process.env.INSULA_BASE_URL;
export const API_KEY = process.env.INSULA_API_KEY;
export const OTHER_API_KEY = process.env.INSULA_OTHER_API_KEY;

export const EXTRACTIVE = "insula/extractive";
export const OBLIGING = "fake/obliging";
export const EMBEDDING = "all-MiniLM-L6-v2";
export const DIMENSIONS = 384;
export const FACTS = {
  "lanterns.txt":
    "A customer may return an unused lantern within 45 days of delivery. The refund is paid within five days.",
  "bees.txt":
    "The angle of the waggle dance tells honeybees the direction of the flowers, and its length the distance.",
  "tides.txt": "The harbour of Basra is closed to deep ships for two hours around low tide.",
};
export const QUESTION = "How do honeybees show the direction of flowers?";
export const ANSWER = "waggle dance";
export const SOURCE = "bees.txt";
export const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

/** `await check(endpoint, what, async () => …)` says what became of it, and goes on. */
export function checks(client) {
  return async (endpoint, what, run) => {
    let error = null;
    try {
      await run();
    } catch (failure) {
      const line = /\/(\w+\.mjs:\d+)/.exec(failure?.stack ?? "")?.[1] ?? "?";
      error = `${line}: ${failure?.name}: ${failure?.message}`.slice(0, 2000);
    }
    console.log(JSON.stringify({ client, endpoint, check: what, ok: error === null, error }));
  };
}

export const equal = assert.deepEqual;

export function holds(found, ...wanted) {
  for (const one of wanted) assert.ok(found.includes(one), `${one} is not in ${JSON.stringify(found)}`);
}

/** The error of a promise that must fail as `kind` exactly. */
export async function raises(kind, promise) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.constructor.name, kind.name, error.message);
    return error;
  }
  throw new Error(`no ${kind.name}`);
}

/** All of an asynchronous iterable. */
export async function all(iterable) {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
}

/** A store of the documents, ready to be searched, and the official client that made it. */
export async function library(name) {
  const { OpenAI, toFile } = load("openai");
  const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
  const store = await client.vectorStores.create({ name });
  for (const [filename, text] of Object.entries(FACTS)) {
    const file = await toFile(Buffer.from(text), filename);
    await client.vectorStores.files.uploadAndPoll(store.id, file);
  }
  const counts = (await client.vectorStores.retrieve(store.id)).file_counts;
  if (counts.completed !== Object.keys(FACTS).length) throw new Error("the documents are not ready");
  return { client, store: store.id };
}

export function grounded(store) {
  return { data_sources: [{ type: "insula_vector_stores", parameters: { vector_store_ids: [store] } }] };
}
