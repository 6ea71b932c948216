import { Tooltip } from "@mantine/core";
import { cloneElement, type ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Scope } from "@/lib/scopes";
import { useCan } from "@/session/session";

interface Props {
  scope: Scope;
  children: ReactElement<{
    disabled?: boolean;
    onClick?: unknown;
    "data-disabled"?: boolean;
    "aria-disabled"?: boolean;
  }>;
}

/** What the role does not allow stays in sight, and says why it does nothing. */
export function Guarded({ scope, children }: Props) {
  const { t } = useTranslation();
  const can = useCan(scope);
  if (can) return children;
  // `data-disabled` instead of `disabled`: the button keeps its focus and its tooltip.
  return (
    <Tooltip label={t("notAllowed", { scope })} events={{ hover: true, focus: true, touch: true }}>
      {cloneElement(children, {
        "data-disabled": true,
        "aria-disabled": true,
        onClick: (event: { preventDefault: () => void }) => event.preventDefault(),
      })}
    </Tooltip>
  );
}
