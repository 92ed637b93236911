import type { FileRegistry } from "@bufbuild/protobuf";
import { PdpError } from "../../decision/error.ts";
import type { HttpCheck } from "./check-request.ts";
import type { ExtAuthzOptions } from "./options.ts";
import { type ParsedBody, parseBody } from "./parsed-body.ts";
import type { ParsedPath } from "./parsed-path.ts";

/** The body of a request, or that there is none that can be read. */
export interface BodyReading extends ParsedBody {
  /** It is not what its content type says, which is left to the policy. */
  readonly isMalformed: boolean;
}

/** Reads bodies. Throws `PdpError` `invalid-argument` at a malformed one, unless that is allowed. */
export type ReadBody = (request: HttpCheck, path: ParsedPath) => BodyReading;

/** Makes a reader; bodies of gRPC calls are read with the protoset. */
export function createBodyReader(mode: ExtAuthzOptions["body"], protoset?: FileRegistry): ReadBody {
  return ({ headers, body, rawBody }, path) => {
    try {
      const bytes = rawBody === "" ? noBytes : Buffer.from(rawBody, "base64");
      const parsed = parseBody({ headers, body, rawBody: bytes, path, protoset });
      return { ...parsed, isMalformed: false };
    } catch (error) {
      const isMalformed = error instanceof PdpError && error.kind === "invalid-argument";
      if (!isMalformed || mode !== "lenient") throw error;
      return { parsedBody: null, isTruncated: false, isMalformed };
    }
  };
}

const noBytes = Buffer.alloc(0);
