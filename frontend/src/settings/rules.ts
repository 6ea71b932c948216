import type { Schema } from "@/api/paths";

export type Rules = Required<Schema<"GuardrailsRules">>;
export type Kind = Schema<"GuardrailsKind">;
export type Place = Schema<"GuardrailsPlace">;

export const kinds: Kind[] = ["email", "phone", "iban", "payment_card", "ip_address", "national_id"];
export const places: Place[] = ["input", "passages", "output"];
export const personalActions = ["flag", "redact", "block", "route_local"] as const;
export const termActions = ["flag", "redact", "block"] as const;
export const injectionActions = ["flag", "drop", "block"] as const;

/** The rules alone, with everything that may be absent in its place: two that mean the same look the same. */
export function rulesOf(stored: Schema<"Guardrails">): Rules {
  return {
    personal_data: stored.personal_data ?? [],
    injection: stored.injection ?? null,
    blocked_terms: stored.blocked_terms ?? [],
    output: stored.output ?? {},
    phone_regions: stored.phone_regions ?? [],
  };
}
