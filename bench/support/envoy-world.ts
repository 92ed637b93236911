import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { CheckRequestSchema } from "../../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";
import { runPostern } from "./postern.ts";

/** The method that Envoy calls. */
export const CHECK = "/envoy.service.auth.v3.Authorization/Check";

const USERS = 10_000;

/** Builds `envoy.tar.gz` in `bundles`, of sources that it puts in a folder; data may be added. */
export function buildEnvoyBundle(sources: string, bundles: string, data: object = {}): void {
  mkdirSync(bundles, { recursive: true });
  cpSync(join(import.meta.dirname, "envoy-policy"), sources, { recursive: true });
  writeFileSync(join(sources, "data.json"), JSON.stringify({ ...usersDocument(), ...data }));
  runPostern(["bundle", "build", sources, "-o", join(bundles, "envoy.tar.gz")]);
}

/** What two users of three may do on `/v1`, by one of four roles each. */
function usersDocument(): object {
  const paths = ["/v1/agents", "/v1/models", "/v1/datasets", "/v1/workflows"];
  const roles = paths.map((path, index) => [
    `role-${index}`,
    ["GET", "POST", "PUT", "DELETE"].map((method) => ({ method, path })),
  ]);
  const users = Array.from({ length: USERS }, (_, index) => [
    `user-${index}`,
    { roles: [`role-${(index + 1) % 4}`, `role-${index % 4}`], department: `team-${index % 50}` },
  ]);
  return { roles: Object.fromEntries(roles), users: Object.fromEntries(users) };
}

/** What Envoy sends of a browser's request. */
export function checkRequest(user: string): Uint8Array {
  const path = "/v1/agents/agent-7?verbose=1&page=2";
  const headers = {
    ...{ ":authority": "api.example", ":method": "GET", ":path": path, ":scheme": "https" },
    ...{ accept: "application/json", "accept-language": "en", "user-agent": "bench/1" },
    ...{ "x-user": user, "x-request-id": "f7a6f2b4-6b1e-4d36-9e39-1d0f3b0c0a11" },
    ...{ "x-forwarded-proto": "https", "x-forwarded-for": "10.1.2.3", cookie: "session=abcdef" },
  };
  const address = (host: string, port: number) => ({
    address: {
      address: {
        case: "socketAddress" as const,
        value: { address: host, portSpecifier: { case: "portValue" as const, value: port } },
      },
    },
  });
  const message = create(CheckRequestSchema, {
    attributes: {
      source: address("10.1.2.3", 51_234),
      destination: address("10.0.0.9", 8_443),
      request: {
        time: { seconds: 1_764_000_000n, nanos: 123_456_789 },
        http: {
          ...{ id: "1234567890", method: "GET", path, host: "api.example", scheme: "https" },
          ...{ headers, size: -1n, protocol: "HTTP/2" },
        },
      },
      metadataContext: {},
    },
  });
  return toBinary(CheckRequestSchema, message);
}
