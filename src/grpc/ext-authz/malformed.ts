import { PdpError } from "../../decision/error.ts";

/** Where in `attributes.request.http` something is malformed. */
export type HttpPart = "path" | "headers" | "body";

/** A request of which a field can't be what it is; `why` follows the field's name. */
export function invalidField(field: string, why: string): PdpError {
  return new PdpError("invalid-argument", `${field}: ${why}`, { field });
}

/** A request that can't be read. `why` follows the field's name, and shows no more than it must. */
export function malformed(part: HttpPart, why: string): PdpError {
  return invalidField(`attributes.request.http.${part}`, why);
}
