import type * as pending from "./pending";
import type * as schema from "./schema";

/** Every path that the client knows. */
export type Paths = Omit<schema.paths, keyof pending.paths> & pending.paths;

type Schemas = Omit<schema.components["schemas"], keyof pending.components["schemas"]> &
  pending.components["schemas"];

/** A type of the document, by its name there. */
export type Schema<Name extends keyof Schemas> = Schemas[Name];
