import { MantineProvider } from "@mantine/core";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { type Citation, cut } from "./citations";
import Markdown from "./Markdown";
import { withPlaceholders } from "./placeholders";

const citation = (start_index: number, end_index: number) =>
  ({ url_citation: { start_index, end_index } }) as Citation;

const written = (text: string, citations: Citation[] = []) =>
  renderToStaticMarkup(
    <MantineProvider>
      <Markdown
        source={withPlaceholders(cut(text, citations))}
        chip={(index) => <button type="button">{index}</button>}
      />
    </MantineProvider>,
  );

test("citations stay where they are: in words, in lists, and in tables", () => {
  const text = "**Seven** [1].\n\n- a [2]\n\n| t |\n|-|\n| b [3] |\n";
  const at = (marker: string) => citation(text.indexOf(marker), text.indexOf(marker) + 3);
  const html = written(text, [at("[1]"), at("[2]"), at("[3]")]);
  expect(html).toContain('<strong>Seven</strong> <button type="button">1</button>.');
  expect(html).toMatch(/<li>a <button type="button">3<\/button><\/li>/);
  expect(html).toMatch(/<td>b <button type="button">5<\/button><\/td>/);
});

test("HTML of a model stays text", () => {
  const html = written('<img src=x onerror="alert(1)"> <script>alert(1)</script>\n\n<b>bold</b>');
  expect(html).not.toMatch(/<(img|script|b)[ >]/);
  expect(html).toContain("&lt;script&gt;");
});

test("links lead to the web and to mail alone, and images are links", () => {
  expect(written("[a](javascript:alert(1))")).not.toContain("href");
  expect(written("[a](data:text/html,x)")).not.toContain("href");
  expect(written("[a](/operator)")).not.toContain("href");
  const link = written("[a](https://example.com)");
  expect(link).toContain('href="https://example.com"');
  expect(link).toContain('rel="noopener noreferrer nofollow"');
  expect(written("[a](mailto:a@example.com)")).toContain('href="mailto:a@example.com"');
  const image = written("![a cat](https://example.com/cat.png)");
  expect(image).not.toContain("<img");
  expect(image).toContain("a cat");
});
