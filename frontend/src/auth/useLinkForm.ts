import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useMemo } from "react";
import { toApiError } from "@/api/error";
import { useCountdown } from "./useCountdown";

/** A form behind a link that somebody was sent: it signs in, or says what stood in the way and how long to wait. */
export function useLinkForm(send: () => Promise<unknown>) {
  const accept = useMutation({
    meta: { inline: true },
    mutationFn: send,
    // A full load, without the token in the address.
    onSuccess: () => window.location.replace("/"),
  });
  const error = useMemo(() => (accept.error ? toApiError(accept.error) : null), [accept.error]);
  const left = useCountdown(error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (left === 0) accept.mutate();
  };
  return {
    error,
    left,
    submit,
    /** Whether the new password is what stood in the way. */
    weak: error?.param === "password",
    busy: accept.isPending || accept.isSuccess,
  };
}
