import { $api, $operator } from "@/api/client";
import { useCan, useSession } from "@/session/session";

/** What people are called, by their ids: those of the install for whoever runs it, those of the tenant for its members. */
export function usePeople(): Map<string, string> {
  const { operator } = useSession();
  const may = useCan("members.read");
  const everybody = $operator.useQuery(
    "get",
    "/v1/organization/users",
    { params: { query: { limit: 100 } } },
    { enabled: operator, staleTime: 60_000 },
  );
  const members = $api.useQuery("get", "/v1/insula/members", undefined, {
    enabled: may && !operator,
    staleTime: 60_000,
  });
  const people = operator ? everybody.data?.data : members.data?.data;
  return new Map(people?.map((person) => [person.id, person.name ?? person.email]));
}
