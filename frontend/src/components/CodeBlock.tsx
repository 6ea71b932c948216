import { Box } from "@mantine/core";
import classes from "./CodeBlock.module.css";
import { CopyButton } from "./CopyButton";

interface Props {
  code: string;
  label: string;
}

export function CodeBlock({ code, label }: Props) {
  return (
    <Box className={classes.block}>
      <section className={classes.code} tabIndex={0} aria-label={label}>
        <pre className={classes.pre}>
          <code>{code}</code>
        </pre>
      </section>
      <div className={classes.copy}>
        <CopyButton value={code} />
      </div>
    </Box>
  );
}
