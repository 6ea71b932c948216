import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { bodyOf, client, setTenantHeader } from "@/api/client";
import type { Schema } from "@/api/paths";
import type { Scope } from "@/lib/scopes";
import { noteVisit } from "./switched";

export type Session = Schema<"Session">;

/** Who is signed in. Kept until it is told otherwise: every call checks it anyway. */
export const sessionOptions = queryOptions({
  queryKey: ["session"],
  queryFn: async () => {
    const session: Session = await bodyOf(client.GET("/v1/insula/session"));
    setTenantHeader(session.tenant?.id ?? null);
    noteVisit(session.access && session.tenant ? session.tenant.name : null);
    return session;
  },
  staleTime: Number.POSITIVE_INFINITY,
  meta: { quiet: true },
});

/** On pages behind the sign-in, where the session is loaded before anything is shown. */
export function useSession(): Session {
  return useSuspenseQuery(sessionOptions).data;
}

/** Whether the session may do what needs this scope. */
export function useCan(scope: Scope): boolean {
  return useSession().scopes.includes(scope);
}
