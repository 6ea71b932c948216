import { useMutation } from "@tanstack/react-query";
import { bodyOf, client } from "@/api/client";

export function useSignOut() {
  return useMutation({
    mutationFn: () => bodyOf(client.DELETE("/v1/insula/session")),
    // A full load: nothing that the session saw stays in memory.
    onSuccess: () => window.location.assign("/sign-in"),
  });
}
