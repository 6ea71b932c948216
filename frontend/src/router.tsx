import { Box } from "@mantine/core";
import type { QueryClient } from "@tanstack/react-query";
import { createRouter, useRouter } from "@tanstack/react-router";
import { ErrorState } from "@/components/ErrorState";
import { routeTree } from "./routeTree.gen";

function Failed({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <Box p="md">
      <ErrorState error={error} retry={() => void router.invalidate()} />
    </Box>
  );
}

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree,
    context: { queries },
    defaultPreload: "intent",
    // The query cache knows better what is fresh.
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: Failed,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
