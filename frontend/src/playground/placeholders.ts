import type { Part } from "./citations";

// Characters for private use stand for a citation, so that Markdown leaves them as they are.
const open = "\ue000";
const close = "\ue001";
const placeholder = /\ue000(\d+)\ue001/;

/** An answer as Markdown, with a placeholder for each citation that `cut` has found: its number among the parts. */
export function withPlaceholders(parts: Part[]): string {
  return parts
    .map((part, index) =>
      "text" in part ? part.text.replaceAll(/[\ue000\ue001]/g, "") : `${open}${index}${close}`,
    )
    .join("");
}

interface Node {
  type: string;
  value?: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

function split(text: string): Node[] {
  return text.split(placeholder).flatMap((piece, index): Node[] => {
    if (index % 2)
      return [{ type: "element", tagName: "cite", properties: { dataIndex: piece }, children: [] }];
    return piece ? [{ type: "text", value: piece }] : [];
  });
}

function walk(node: Node) {
  node.children = node.children?.flatMap((child) => {
    if (child.type === "text" && child.value) return split(child.value);
    walk(child);
    return [child];
  });
}

/** For rehype: placeholders become elements of their own. */
export const chips = () => (tree: unknown) => walk(tree as Node);

/** Where a link of an answer may lead: to the web and to mail, by a whole address. */
export function linkTo(address: string): string | undefined {
  return /^(https?:\/\/|mailto:)/i.test(address) ? address.replaceAll(/%EE%80%8[01]/gi, "") : undefined;
}
