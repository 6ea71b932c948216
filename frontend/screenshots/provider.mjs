// A provider of models with something to say, so that the pictures cost nothing.
import { createServer } from "node:http";

const answers = [
  [
    /return|refund|send.*back/i,
    "Yes. **Books can be returned within 30 days** of delivery, unread and in the condition in which they arrived [1].\n\n- Refunds go back to the card that paid, within *five working days* [1].\n- For a book that came damaged we pay the way back [1].\n\nGifts are exchanged for a voucher.",
  ],
  [
    /ship|deliver|arrive/i,
    "Orders before **14:00** leave the same day [1]. Within the country they take one to two days, elsewhere in Europe three to five [1].",
  ],
  [
    /إرجاع|أعيد|استرداد/,
    "نعم. **يمكن إرجاع الكتب خلال 30 يوماً** من استلامها [1].\n\n- يعود المبلغ إلى البطاقة خلال خمسة أيام عمل [1].",
  ],
];
const otherwise = "I have read your question, and the documents that were given with it do not answer it.";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function serve(port) {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const { model, messages = [], stream } = JSON.parse(text || "{}");
    const last = messages.filter((one) => one.role === "user").at(-1)?.content ?? "";
    const asked = typeof last === "string" ? last : JSON.stringify(last);
    const answer = answers.find(([about]) => about.test(asked))?.[1] ?? otherwise;
    const usage = {
      prompt_tokens: Math.ceil(text.length / 4),
      completion_tokens: Math.ceil(answer.length / 4),
      total_tokens: Math.ceil((text.length + answer.length) / 4),
    };
    await pause(120 + Math.random() * 240);
    const created = Math.floor(Date.now() / 1000);
    if (!stream) {
      response.setHeader("content-type", "application/json");
      const message = { role: "assistant", content: answer };
      response.end(
        JSON.stringify({
          id: "c",
          object: "chat.completion",
          created,
          model,
          choices: [{ index: 0, message, finish_reason: "stop" }],
          usage,
        }),
      );
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    const send = (choices, more = {}) =>
      response.write(
        `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created, model, choices, ...more })}\n\n`,
      );
    for (const word of answer.match(/\S+\s*/g)) {
      send([{ index: 0, delta: { content: word }, finish_reason: null }]);
      await pause(8);
    }
    send([{ index: 0, delta: {}, finish_reason: "stop" }]);
    send([], { usage });
    response.end("data: [DONE]\n\n");
  });
  return new Promise((ready) => server.listen(port, "127.0.0.1", () => ready(server)));
}
