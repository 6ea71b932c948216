import { expect, test } from "vitest";
import { snippet } from "./snippets";

const body = {
  model: "guide",
  messages: [{ role: "user", content: 'What\'s "it"?' }],
  data_sources: [{ type: "insula_vector_stores", parameters: { vector_store_ids: ["vs_1"], filters: null } }],
};

test("curl quotes what a shell would read", () => {
  expect(snippet("curl", "chat", body)).toContain(`What'\\''s \\"it\\"?`);
});

test("what the SDK does not know goes into extra_body, in Python's words", () => {
  const code = snippet("python", "chat", body);
  expect(code).toContain('model="guide",');
  expect(code).toMatch(/extra_body=\{/);
  expect(code).toContain('"filters": None');
});

test("TypeScript names are bare and no snippet has a real key", () => {
  const code = snippet(
    "typescript",
    { path: "/vector_stores/vs_1/search" },
    { query: "x", "odd-name": true },
  );
  expect(code).toContain('query: "x"');
  expect(code).toContain('"odd-name": true');
  expect(code).toContain("isk_YOUR_API_KEY");
});
