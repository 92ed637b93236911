import { PdpError } from "../../decision/error.ts";

/** Where in `attributes.request.http` something is malformed. */
export type HttpPart = "path" | "headers" | "body";

/** A request that can't be read. `why` follows the field's name, and shows no more than it must. */
export function malformed(part: HttpPart, why: string): PdpError {
  const field = `attributes.request.http.${part}`;
  return new PdpError("invalid-argument", `${field}: ${why}`, { field });
}
