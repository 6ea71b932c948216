import { Table } from "@mantine/core";
import { IconCheck, IconMinus } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { type Role, roles } from "./RoleSelect";

// As the server deals roles out: each may what the one below may, and more.
const rights: { key: "look" | "use" | "prompts" | "govern" | "owners"; from: Role }[] = [
  { key: "look", from: "viewer" },
  { key: "use", from: "developer" },
  { key: "prompts", from: "admin" },
  { key: "govern", from: "admin" },
  { key: "owners", from: "owner" },
];

export function RoleTable() {
  const { t } = useTranslation(["members", "shell"]);
  return (
    <Table.ScrollContainer
      minWidth={0}
      type="native"
      // Scrolled by the keyboard as well, on small screens.
      tabIndex={0}
      role="group"
      aria-label={t("roles.title")}
    >
      <Table fz="sm" horizontalSpacing="md" verticalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" fz="xs" fw={500} c="dimmed">
              {t("roles.right")}
            </Table.Th>
            {roles.map((role) => (
              <Table.Th key={role} scope="col" ta="center" fz="xs" fw={500} c="dimmed">
                {t(`shell:role.${role}`)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rights.map(({ key, from }) => (
            <Table.Tr key={key}>
              <Table.Th scope="row" fw={400}>
                {t(`roles.may.${key}`)}
              </Table.Th>
              {roles.map((role) => {
                const may = roles.indexOf(role) <= roles.indexOf(from);
                return (
                  <Table.Td key={role} ta="center">
                    {may ? (
                      <IconCheck size={16} role="img" aria-label={t("roles.yes")} />
                    ) : (
                      <IconMinus
                        size={16}
                        role="img"
                        aria-label={t("roles.no")}
                        color="var(--mantine-color-dimmed)"
                      />
                    )}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
