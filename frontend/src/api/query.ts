import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { toApiError } from "./error";

declare module "@tanstack/react-query" {
  interface Register {
    queryMeta: { quiet?: boolean };
    /** `inline`: the form shows its error itself, so no notification does. */
    mutationMeta: { inline?: boolean };
  }
}

interface Reactions {
  /** The session is over. */
  signedOut: () => void;
  /** A mutation failed and nothing on the page says so. */
  failed: (error: ReturnType<typeof toApiError>) => void;
}

export function makeQueryClient(react: Reactions): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        retry: (count, error) => {
          const { status } = toApiError(error);
          return count < 2 && (status === 0 || status >= 500);
        },
      },
      mutations: { retry: false },
    },
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (toApiError(error).status === 401 && !query.meta?.quiet) react.signedOut();
      },
    }),
    mutationCache: new MutationCache({
      onError: (cause, _variables, _context, mutation) => {
        const error = toApiError(cause);
        if (error.status === 401 && !mutation.meta?.inline) react.signedOut();
        else if (!mutation.meta?.inline) react.failed(error);
      },
    }),
  });
}
