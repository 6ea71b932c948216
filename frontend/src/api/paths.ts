// The one place that knows that the types are generated.
import type * as schema from "./schema";

/** Every path that the client knows. */
export type Paths = schema.paths;

/** A type of the document, by its name there. */
export type Schema<Name extends keyof schema.components["schemas"]> = schema.components["schemas"][Name];
