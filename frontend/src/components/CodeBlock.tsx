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
      <pre className={classes.code} tabIndex={0} aria-label={label}>
        <code>{code}</code>
      </pre>
      <div className={classes.copy}>
        <CopyButton value={code} />
      </div>
    </Box>
  );
}
