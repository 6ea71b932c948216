import { Select, type SelectProps } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";

export type Role = Schema<"MemberRole">;

export const roles: Role[] = ["owner", "admin", "developer", "viewer"];

interface Props extends Omit<SelectProps, "value" | "onChange" | "data"> {
  value: Role;
  onChange: (role: Role) => void;
  /** Owners are made by owners. */
  mayMakeOwners: boolean;
}

export function RoleSelect({ value, onChange, mayMakeOwners, ...rest }: Props) {
  const { t } = useTranslation(["members", "shell"]);
  return (
    <Select
      {...rest}
      value={value}
      onChange={(next) => next && onChange(next as Role)}
      data={roles.map((role) => ({
        value: role,
        label: t(`shell:role.${role}`),
        disabled: role === "owner" && !mayMakeOwners && value !== "owner",
      }))}
    />
  );
}
