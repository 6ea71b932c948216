import { expect, test } from "vitest";
import { EventParser, events } from "./sse";

test("events come whole, however the stream is cut", () => {
  const text =
    'event: progress\ndata: {"a":1}\n\n: still here\n\ndata: one\ndata: two\r\n\r\ndata: [DONE]\n\n';
  const whole = new EventParser().push(text);
  expect(whole).toEqual([
    { event: "progress", data: '{"a":1}' },
    { event: "message", data: "one\ntwo" },
    { event: "message", data: "[DONE]" },
  ]);
  const parser = new EventParser();
  expect([...text].flatMap((character) => parser.push(character))).toEqual(whole);
});

test("a letter that is cut in two is put together", async () => {
  const bytes = new TextEncoder().encode("data: مرحبا\n\n");
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  const seen = [];
  for await (const event of events(stream)) seen.push(event.data);
  expect(seen).toEqual(["مرحبا"]);
});
