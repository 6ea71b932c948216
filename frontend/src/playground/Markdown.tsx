import { Anchor } from "@mantine/core";
import { memo, type ReactNode } from "react";
import ReactMarkdown, { type Components, type ExtraProps } from "react-markdown";
import remarkGfm from "remark-gfm";
import classes from "./Markdown.module.css";
import { chips, linkTo } from "./placeholders";

interface Props {
  /** With a placeholder where a citation stands. */
  source: string;
  chip: (index: number) => ReactNode;
}

const plugins = [remarkGfm];
const after = [chips];

/** Within a page an answer has no headings of its own rank. */
const heading = ({ children }: { children?: ReactNode }) => <h3>{children}</h3>;

function Link({ href, children }: { href?: string; children?: ReactNode }) {
  if (!href) return <span>{children}</span>;
  return (
    <Anchor href={href} target="_blank" rel="noopener noreferrer nofollow" inherit underline="always">
      {children}
    </Anchor>
  );
}

const elements: Components = {
  a: Link,
  // An address that a model wrote is not asked for anything before somebody clicks on it.
  img: ({ src, alt }) => <Link href={typeof src === "string" ? src : undefined}>{alt || src}</Link>,
  h1: heading,
  h2: heading,
  h3: heading,
  h4: heading,
  h5: heading,
  h6: heading,
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
  table: ({ children }) => (
    <div className={classes.wide} tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
};

/** What a model wrote, as Markdown: its HTML stays text, its images are links, its links lead only to the web and to mail. */
function Markdown({ source, chip }: Props) {
  return (
    <div className={classes.markdown}>
      <ReactMarkdown
        remarkPlugins={plugins}
        rehypePlugins={after}
        urlTransform={linkTo}
        components={{
          ...elements,
          cite: ({ node }: ExtraProps) => chip(Number(node?.properties.dataIndex)),
        }}
      >
        {source}
      </ReactMarkdown>
    </div>
  );
}

export default memo(Markdown);
