import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { bodyOf, client, setTenantHeader } from "@/api/client";
import { type Session, sessionOptions } from "./session";
import { noteVisit } from "./switched";

/** Goes over to another tenant: everything that is cached was of the one before. */
export function useSwitchTenant() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (id: string) => {
      // The switch itself is of no tenant: named, it would be refused in a tab that is behind.
      setTenantHeader(null);
      return bodyOf(client.POST("/v1/insula/session/tenant", { body: { tenant_id: id } }));
    },
    onSuccess: async (session: Session) => {
      setTenantHeader(session.tenant?.id ?? null);
      noteVisit(session.access && session.tenant ? session.tenant.name : null);
      await queries.cancelQueries();
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
      queries.setQueryData(sessionOptions.queryKey, session);
      await navigate({ to: "/" });
    },
  });
}
