/** Reads a file of routes as it reads the configuration's own: by schema, and with line numbers. */
import { MiB } from "./base/sizes.ts";
import { ConfigError } from "./config/config-error.ts";
import type { Origins } from "./config/read-options.ts";
import { loadOptions, readOptionsFile } from "./config/yaml-options.ts";
import { type RoutesFileOptions, routesFileSchema } from "./grpc/ext-authz/options.ts";
import { RoutesRefused } from "./grpc/ext-authz/route-list.ts";
import { createRouteQuestions } from "./grpc/ext-authz/route-questions.ts";

/** Room for 10,000 routes of 400 bytes. */
export const ROUTES_FILE_BYTES_MAX = 4 * MiB;

/** Where a table of routes stands. */
export interface RoutesPlace {
  readonly fileName: string;
  readonly origins: Origins;
  /** Path of the options around it, such as `ext_authz.rbac.`; empty in a file of its own. */
  readonly prefix: string;
}

/** A table of routes that can be served, and where it stands. */
export interface RoutesFile {
  readonly options: RoutesFileOptions;
  readonly place: RoutesPlace;
}

/** Reads and checks a file. Throws `ConfigError` with everything that is wrong with it. */
export function readRoutesFile(file: string): RoutesFile {
  const text = readOptionsFile(file, ROUTES_FILE_BYTES_MAX);
  return parseRoutesFile({ text, fileName: file });
}

/** The same from a text. */
export function parseRoutesFile(source: {
  readonly text: string;
  readonly fileName: string;
}): RoutesFile {
  const { value, origins } = loadOptions(routesFileSchema, source);
  const options = value as RoutesFileOptions;
  const place = { fileName: source.fileName, origins, prefix: "" };
  refuseBadRoutes(options, place);
  return { options, place };
}

/** Throws `ConfigError` with everything because of which the table can't be served. */
export function refuseBadRoutes(options: RoutesFileOptions, place: RoutesPlace): void {
  try {
    // The name of the application has no part in whether the rest is right.
    createRouteQuestions({ ...options, application: "" });
  } catch (error) {
    if (!(error instanceof RoutesRefused)) throw error;
    const problems = error.problems.map(({ path, message }) => {
      return { at: placeOf(path, place), path: place.prefix + path, message };
    });
    throw new ConfigError(problems);
  }
}

/** `file:line` of an option of the table, or that of the nearest around it. */
export function placeOf(path: string, { fileName, origins, prefix }: RoutesPlace): string {
  let at = path;
  for (;;) {
    const origin = origins.get(prefix + at);
    if (origin !== undefined && origin !== "default") return origin;
    const end = Math.max(at.lastIndexOf("."), at.lastIndexOf("["));
    if (end < 0) return fileName;
    at = at.slice(0, end);
  }
}
