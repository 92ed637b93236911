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

/** Throws `PdpError` `too-large` for a body that is larger. */
export function refuseLarge(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  const field = "attributes.request.http.body";
  throw new PdpError("too-large", `${field}: is larger than ${bytesMax} bytes`, { field });
}
