import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { TextMap } from "./check-request.ts";
import type { ExtAuthzOptions } from "./options.ts";

/** The application that a route asks for, by its extensions. */
export function namedApplication(extensions: TextMap): string | undefined {
  return extensions["postern.application"];
}

/**
 * Who was to answer, for refusals: one that the route asks for has a name of its own only where it has a
 * policy, so that metrics know a bounded number of them.
 */
export type RefusingApplication = (way: string, extensions: TextMap) => string;

/** Makes it. */
export function createRefusingApplication(
  pipeline: Pipeline,
  options: ExtAuthzOptions,
): RefusingApplication {
  return (way, extensions) => {
    const named = namedApplication(extensions);
    if (named !== undefined && pipeline.serves(named)) return named;
    return way === "rego" ? options.application : options.rbac.application;
  };
}
