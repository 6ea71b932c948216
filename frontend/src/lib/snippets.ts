export const snippetLanguages = [
  { id: "curl", label: "curl" },
  { id: "python", label: "Python" },
  { id: "typescript", label: "TypeScript" },
] as const;

export type SnippetLanguage = (typeof snippetLanguages)[number]["id"];

/** What can be shown as code: a chat by the SDKs' own way, anything else as a plain call. */
export type SnippetCall = "chat" | { path: string };

const origin = () => (typeof window === "undefined" ? "http://127.0.0.1:8080" : window.location.origin);

/** Stands where the reader's own key goes; a real one never does. */
const key = "isk_YOUR_API_KEY";

const isName = (name: string) => /^[A-Za-z_]\w*$/.test(name);

/** A value of JSON in the notation of a language. */
function literal(value: unknown, language: "python" | "typescript", depth = 0): string {
  if (value === null || value === undefined) return language === "python" ? "None" : "null";
  if (typeof value === "boolean") return language === "python" ? (value ? "True" : "False") : String(value);
  if (typeof value !== "object") return JSON.stringify(value);
  const pad = "    ".repeat(depth + 1);
  const parts = Array.isArray(value)
    ? value.map((item) => literal(item, language, depth + 1))
    : Object.entries(value).map(([name, item]) => {
        const written = language === "typescript" && isName(name) ? name : JSON.stringify(name);
        return `${written}: ${literal(item, language, depth + 1)}`;
      });
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length + depth * 4 < 88 && !line.includes("\n")) return line;
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${"    ".repeat(depth)}${close}`;
}

/** A call that does what the page just did, to be pasted elsewhere. */
export function snippet(language: SnippetLanguage, call: SnippetCall, body: Record<string, unknown>): string {
  const path = call === "chat" ? "/chat/completions" : call.path;
  if (language === "curl") {
    const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
    return [
      `curl ${origin()}/v1${path} \\`,
      `  -H "Authorization: Bearer ${key}" \\`,
      `  -H "Content-Type: application/json" \\`,
      `  -d '${json}'`,
    ].join("\n");
  }
  // What the SDKs do not know goes beside what they know.
  const { model, messages, stream, ...more } = body;
  const extra = Object.keys(more).length > 0;
  if (language === "python") {
    const client = `from openai import OpenAI\n\nclient = OpenAI(base_url="${origin()}/v1", api_key="${key}")\n`;
    if (call !== "chat") {
      return `${client}result = client.post(\n    "${path}",\n    cast_to=object,\n    body=${literal(body, "python", 1)},\n)\nprint(result)`;
    }
    const args = [
      `model=${literal(model, "python", 1)}`,
      `messages=${literal(messages, "python", 1)}`,
      ...(stream ? ["stream=True"] : []),
      ...(extra ? [`extra_body=${literal(more, "python", 1)}`] : []),
    ];
    const print = stream
      ? 'for chunk in answer:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="")'
      : "print(answer.choices[0].message.content)";
    return `${client}answer = client.chat.completions.create(\n${args.map((arg) => `    ${arg},\n`).join("")})\n${print}`;
  }
  const client = `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${origin()}/v1", apiKey: "${key}" });\n`;
  if (call !== "chat") {
    return `${client}const result = await client.post("${path}", {\n    body: ${literal(body, "typescript", 1)},\n});\nconsole.log(result);`;
  }
  const args = literal(body, "typescript");
  // The SDK's types do not know the field; the server does.
  const cast = extra ? " as OpenAI.ChatCompletionCreateParams" : "";
  const print = stream
    ? 'for await (const chunk of answer) {\n    process.stdout.write(chunk.choices[0]?.delta.content ?? "");\n}'
    : "console.log(answer.choices[0].message.content);";
  return `${client}const answer = await client.chat.completions.create(${args}${cast});\n${print}`;
}
