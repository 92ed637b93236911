import type { HttpCheck } from "../../src/grpc/ext-authz/check-request.ts";

/** `GET /a` without headers, by nobody known, but for what is given. */
export function httpCheck(given: Partial<HttpCheck> = {}): HttpCheck {
  return {
    ...{ attributes: {}, method: "GET", path: "/a", headers: {}, hasRawHeaders: false },
    ...{ body: "", rawBody: "", sourceAddress: "", sourcePrincipal: "" },
    ...given,
  };
}
