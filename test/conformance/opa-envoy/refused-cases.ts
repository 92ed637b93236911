// What OPA's Envoy plugin answers 400 itself, so that no policy is asked.
import type { ContractCase, Http } from "./contract-case.ts";

const posted = (type: string, body: string, more: Record<string, string> = {}): Http => ({
  ...{ method: "POST", path: "/a", headers: { "content-type": type, ...more }, body },
});

const paths = ["/%zz", "/a%2", "/a?b=%zz", "/a?b;c", "/a?b=1;c=2"];

const bodies: readonly Http[] = [
  posted("application/json", "{"),
  posted("application/json", '{"a":01}'),
  posted("application/json", "{}", { "content-length": "two" }),
  posted("application/x-www-form-urlencoded", "a=%zz"),
  posted("application/x-www-form-urlencoded", "a=1;b=2"),
  posted("multipart/form-data; boundary=b", "a=1"),
  posted("multipart/form-data; boundary", "--b--"),
  {
    ...{ method: "POST", path: "/grpc.health.v1.Health/Check" },
    headers: { "content-type": "application/grpc" },
    rawBody: Buffer.from([0, 0, 0, 0, 2, 0x0a, 5]),
  },
];

/** All of them, with a policy that would allow them. */
export const refusedCases: readonly ContractCase[] = [
  ...paths.map((path): Http => ({ path })),
  ...bodies,
].map((http) => ({
  ...{ row: "refused", rego: "allow := true", isRefused: true, http },
  name: `${http.headers?.["content-type"] ?? ""} ${http.body || http.path}`.trim(),
}));
