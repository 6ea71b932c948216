export interface Said {
  role: string;
  text: string;
}

const object = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" ? (value as Record<string, unknown>) : {};

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part) => object(part).text)
    .filter((text) => typeof text === "string")
    .join("\n");
}

/** The messages in what was logged of a call; none if it was no conversation, or was cut. */
export function saidIn(logged: unknown): Said[] {
  const { messages, choices, message, content, role, text } = object(logged);
  if (Array.isArray(messages)) {
    return messages
      .map((one) => ({ role: String(object(one).role ?? ""), text: textOf(object(one).content) }))
      .filter((one) => one.text);
  }
  if (Array.isArray(choices)) return choices.flatMap((choice) => saidIn(object(choice).message));
  if (message) return saidIn(message);
  const said = textOf(content) || textOf(text);
  return said ? [{ role: typeof role === "string" ? role : "assistant", text: said }] : [];
}
