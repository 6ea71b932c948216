import { Alert, Group, Text } from "@mantine/core";
import { IconEraser } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { $operator } from "@/api/client";
import { ButtonLink } from "@/components/links";
import { erasuresPath, stageOf } from "../queries";

/** On the page of a tenant that is archived: that it is erased, if it is, and where its receipt is. */
export function ErasureNote({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation("erasures");
  const erasures = $operator.useQuery("get", erasuresPath, { params: { query: { limit: 100 } } });
  const erasure = erasures.data?.data.find((one) => one.tenant_id === tenantId);
  if (!erasure) return null;
  return (
    <Alert color="gray" variant="light" icon={<IconEraser />}>
      <Group justify="space-between" gap="xs">
        <Text inherit>{t(`of.${stageOf(erasure)}`)}</Text>
        <ButtonLink size="xs" variant="default" to="/operator/erasures/$id" params={{ id: erasure.id }}>
          {t("of.open")}
        </ButtonLink>
      </Group>
    </Alert>
  );
}
