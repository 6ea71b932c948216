import { createFileRoute, redirect } from "@tanstack/react-router";
import { toApiError } from "@/api/error";
import { Shell } from "@/components/shell/Shell";
import { sessionOptions } from "@/session/session";

/** Everything behind the sign-in. */
export const Route = createFileRoute("/_app")({
  beforeLoad: async ({ context, location }) => {
    try {
      const session = await context.queries.ensureQueryData(sessionOptions);
      return { session };
    } catch (error) {
      if (toApiError(error).status !== 401) throw error;
      throw redirect({ to: "/sign-in", search: { next: location.href === "/" ? undefined : location.href } });
    }
  },
  component: Shell,
});
