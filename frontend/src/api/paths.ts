// The one place that knows that the types are generated.
import type * as pending from "./pending";
import type * as schema from "./schema";

/** Every path that the client knows. */
export type Paths = schema.paths & pending.Paths;

type Known = schema.components["schemas"];

/** A type of the document, by its name there. */
export type Schema<Name extends keyof Known | keyof pending.Schemas> = Name extends keyof pending.Schemas
  ? pending.Schemas[Name]
  : Name extends keyof pending.More & keyof Known
    ? Known[Name] & pending.More[Name]
    : Name extends keyof Known
      ? Known[Name]
      : never;
