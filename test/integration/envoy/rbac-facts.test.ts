// A real Envoy, the real Postern with a table of routes, and requests of which upstreams may read
// something else than Postern does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EnvoyServer, openEnvoy } from "../../support/envoy.ts";
import { type EnvoyScene, openScene } from "../../support/envoy-scene.ts";
import { httpCall } from "../../support/http-call.ts";
import { type Authority, type CertificateRequest, makeAuthority } from "../../support/tls-files.ts";

const routes = [
  {
    ...{ route: "POST /models/{id}/deploy", permission: "model:deploy" },
    resource: { id: "path/id", owner: "body/owner_id" },
  },
  { route: "POST /agents/{id}/run", permission: "agent:execute", resource: { id: "path/id" } },
];

let folder: string;
let authority: Authority;
let scene: EnvoyScene;
/** Tells of certificates, and adds to what the client says of them. */
let appending: EnvoyServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-facts-"));
  authority = makeAuthority(folder);
  scene = await openScene({
    env: {
      POSTERN_EXT_AUTHZ_DECIDE: "rbac",
      POSTERN_EXT_AUTHZ_RBAC_SUBJECT: JSON.stringify([
        { from: "header/x-user" },
        { from: "header/x-service", type: "service" },
        { from: "xfcc/uri" },
      ]),
      POSTERN_EXT_AUTHZ_RBAC_ROUTES: JSON.stringify(routes),
    },
    envoy: { withRequestBody: { maxRequestBytes: 4_096, packAsBytes: true } },
  });
  appending = await openEnvoy({
    ...{ pdp: [scene.server.address], upstreamPort: scene.upstream.port },
    includePeerCertificate: authority.issue("server", {
      san: "DNS:localhost,URI:spiffe://example.org/server",
    }),
    forwardClientCert: "APPEND_FORWARD",
  });
});
afterAll(async () => {
  await appending?.close();
  await scene?.close();
  rmSync(folder, { recursive: true, force: true });
});

const FORM = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data; boundary=b";
const OWNER = 'Content-Disposition: form-data; name="owner_id"';
const fieldOf = (header: string, value: string) => `--b\r\n${header}\r\n\r\n${value}\r\n`;
const mine = fieldOf(OWNER, "user-123");
const fileOf = (name: string) =>
  fieldOf(
    `Content-Disposition: form-data; name="${name}"; filename="a.bin"\r\nContent-Type: image/png`,
    "\x89PNG\r\n\x1a\n\0",
  );

async function deploy(type: string, body: string, query = ""): Promise<number> {
  const before = scene.upstream.requests.length;
  const headers = { "x-user": "user-123", "content-type": type };
  const path = `/models/m1/deploy${query}`;
  const bytes = Buffer.from(body, "latin1");
  const question = { method: "POST", path, headers, body: bytes };
  const { status } = await httpCall(scene.envoy.port, question);
  expect(scene.upstream.requests).toHaveLength(status === 200 ? before + 1 : before);
  return status;
}

describe("facts from forms", () => {
  it.each([
    ["a form", FORM, "owner_id=user-123&note=a.b"],
    ["a form of parts", MULTIPART, `${mine}--b--\r\n`],
    ["a form with a file", MULTIPART, `${fileOf("avatar")}${mine}${fileOf("avatar")}--b--\r\n`],
  ])("takes %s as it is", async (_, type, body) => {
    expect(await deploy(type, body)).toBe(200);
    expect(await deploy(type, body.replace("user-123", "user-456"))).toBe(403);
  });

  it.each([
    ["a name that PHP makes one of both", FORM, "owner_id=user-123&owner.id=user-456"],
    ["the same in parts", MULTIPART, `${mine}${fieldOf(OWNER.replace("_", " "), "x")}--b--`],
    ["only that name", FORM, "owner%5Bid=user-456"],
    ["no UTF-8", FORM, "owner_id=user-123&a=%ff"],
    ["an empty text", FORM, "owner_id="],
    ["blanks around it", FORM, "owner_id=user-123%20"],
    ["a file", MULTIPART, `${fileOf("owner_id")}--b--`],
    ["a type", MULTIPART, `${fieldOf(`${OWNER}\r\nContent-Type: text/plain`, "user-123")}--b--`],
    [
      "an encoding",
      MULTIPART,
      `${fieldOf(`${OWNER}\r\nContent-Transfer-Encoding: 8bit`, "x")}--b--`,
    ],
    ["a charset", MULTIPART, `${mine}${fieldOf(OWNER.replace("owner_id", "_charset_"), "x")}--b--`],
    ["a preamble", MULTIPART, `x\r\n${mine}--b--`],
    ["two names", MULTIPART, `${fieldOf(`${OWNER}; name*=utf-8''x`, "user-123")}--b--`],
    ["a fraction", "application/json", '{"owner_id":0.99999999999999999999}'],
    ["a large number", "application/json", '{"owner_id":9007199254740993}'],
    ["protobuf's other name", "application/json", '{"owner_id":"user-123","ownerId":"user-456"}'],
  ])("refuses %s", async (_, type, body) => {
    expect(await deploy(type, body)).toBe(400);
  });

  it("refuses what the query says, too", async () => {
    expect(await deploy(FORM, "owner_id=user-123", "?owner_id=user-456")).toBe(400);
    expect(await deploy("application/json", "{}", "?owner_id=user-456")).toBe(400);
    expect(await deploy(FORM, "owner_id=user-123", "?page=2")).toBe(200);
  });
});

describe("facts from headers", () => {
  const run = async (headers: [string, string][]) => {
    const all: [string, string][] = [["host", "a"], ...headers];
    const question = { method: "POST", path: "/agents/a1/run", headers: all };
    return (await httpCall(scene.envoy.port, question)).status;
  };

  it("refuses a header that is sent twice, or may be", async () => {
    expect(await run([["x-user", "user-123"]])).toBe(200);
    const twice: [string, string][] = [
      ["x-user", "user-123"],
      ["x-user", "user-456"],
    ];
    expect(await run(twice)).toBe(400);
    expect(await run([["x-user", "user-123, user-456"]])).toBe(400);
  });

  it("refuses a header in which Envoy has replaced something", async () => {
    expect(await run([["x-user", "user-123\xff"]])).toBe(400);
    expect(await run([["x-user", "user-123\u00a0"]])).toBe(400);
  });

  it("gives nobody the permissions of a subject of another type", async () => {
    expect(await run([["x-service", "user-123"]])).toBe(403);
  });
});

describe("facts from certificates", () => {
  /** As an extension file has it where commas separate nothing. */
  const names = (...values: string[]): CertificateRequest => ({
    extensions: [
      ...["subjectAltName=@names", "[names]"],
      ...values.map((value, index) => value.replace(":", `.${index} = `)),
    ],
  });
  const run = async (request: CertificateRequest, told?: string) => {
    const headers = told === undefined ? {} : { "x-forwarded-client-cert": told };
    const tls = authority.issue("client", request);
    const question = { method: "POST", path: "/agents/a1/run", headers, tls };
    return (await httpCall(appending.port, question)).status;
  };
  const forged = `Hash=${"ab".repeat(32)};URI=user-123`;

  it("takes the name of the certificate, whatever Envoy says besides", async () => {
    expect(await run(names("URI:user-123", "DNS:a", "DNS:b"))).toBe(200);
    const told = `Hash=${"cd".repeat(32)};URI=user-9`;
    const commonName = 'a",b;c=d\\\\';
    expect(await run({ ...names("URI:user-123"), commonName }, told)).toBe(200);
    expect(await run(names("URI:user-9"), forged)).toBe(403);
  });

  it.each([
    ["another element in a name", names("URI:user-9", `URI:x,${forged}`)],
    ["the same in a host's name", names("URI:user-9", `DNS:x,${forged}`)],
    ["another field in a name", names("URI:user-9", "DNS:x;URI=user-123")],
    ["two names", names("URI:user-9", "URI:user-123")],
    ["a blank in a name", names("URI:user-123 x")],
  ])("refuses %s", async (_, request) => {
    expect(await run(request)).toBe(400);
  });

  it.each(['Subject="', 'Subject="a\\', "URI=user-123;", "a"])(
    "refuses a header in which a client has written %j before",
    async (told) => {
      expect(await run(names("URI:user-123"), told)).toBe(400);
    },
  );
});
