import { ActionIcon, Button, type ButtonProps, CopyButton as Copy, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

interface Props {
  value: string;
  /** What is copied, for those who do not see where the button is. */
  label?: string;
  /** With a text beside the icon. */
  text?: string;
  size?: ButtonProps["size"];
}

export function CopyButton({ value, label, text, size = "sm" }: Props) {
  const { t } = useTranslation();
  return (
    <Copy value={value} timeout={1500}>
      {({ copied, copy }) => {
        const icon = copied ? <IconCheck size={14} /> : <IconCopy size={14} />;
        const name = copied ? t("copied") : (label ?? t("copy"));
        if (text) {
          return (
            <Button size={size} variant="default" leftSection={icon} onClick={copy}>
              {copied ? t("copied") : text}
            </Button>
          );
        }
        return (
          <Tooltip label={name}>
            <ActionIcon size={size} color={copied ? "sea" : "gray"} onClick={copy} aria-label={name}>
              {icon}
            </ActionIcon>
          </Tooltip>
        );
      }}
    </Copy>
  );
}
