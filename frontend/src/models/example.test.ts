import { expect, test } from "vitest";
import type { Schema } from "@/api/paths";
import { exampleOf, wayOf } from "./example";

const version = (change: Partial<Schema<"ModelVersion">>, shape = [-1, 3]) =>
  ({
    columns: null,
    preprocessing: null,
    signature: { inputs: [{ name: "x", datatype: "FP32", shape }], outputs: [] },
    ...change,
  }) as unknown as Schema<"ModelVersion">;

test("a version says in what form it is asked", () => {
  expect(wayOf(version({}))).toBe("inputs");
  expect(wayOf(version({ columns: ["age", "income"] }))).toBe("rows");
  expect(wayOf(version({ preprocessing: { image: {} } }, [-1, 1, 8, 8]))).toBe("image");
  expect(wayOf(version({ preprocessing: { text: { max_tokens: 8 } } }))).toBe("texts");
});

test("an example has the shape of the input, with one where the size is free", () => {
  expect(exampleOf(version({}), "inputs")).toBe('{"x":[[0,0,0]]}');
  expect(JSON.parse(exampleOf(version({ columns: ["age"] }), "rows"))).toEqual([{ age: 0 }]);
  // A picture's worth of zeros helps nobody.
  expect(exampleOf(version({}, [-1, 3, 224, 224]), "inputs")).toBe('{"x":[]}');
});
