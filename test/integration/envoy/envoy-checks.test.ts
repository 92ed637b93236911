// What Envoy tells the PDP of a request: the reader of checks, and what it may rely on, stand on it.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { CheckRequest } from "../../../src/grpc/gen/envoy/service/auth/v3/external_auth_pb.js";
import { allow } from "../../support/authorization-stub.ts";
import { startUpstream } from "../../support/echo-upstream.ts";
import { envoyBinary, startEnvoy } from "../../support/envoy.ts";
import type { EnvoySetup } from "../../support/envoy-bootstrap.ts";
import { freePort } from "../../support/free-port.ts";
import { type HttpQuestion, httpCall } from "../../support/http-call.ts";
import { http2Call } from "../../support/http2-call.ts";
import { openStubbedEnvoy, type StubbedEnvoy } from "../../support/stubbed-envoy.ts";
import { makeTlsFiles } from "../../support/tls-files.ts";

const PREPARE_TIMEOUT_MS = 300_000;
beforeAll(() => envoyBinary(), PREPARE_TIMEOUT_MS);

/** An Envoy that ends with the test. */
async function started(setup?: Partial<EnvoySetup>, listen?: string): Promise<StubbedEnvoy> {
  const envoy = await openStubbedEnvoy(setup, listen);
  onTestFinished(() => envoy.close());
  return envoy;
}

/** What the PDP is told of a request that it allows; `undefined` if it isn't asked. */
async function checkOf(
  envoy: StubbedEnvoy,
  question: HttpQuestion,
): Promise<CheckRequest | undefined> {
  const before = envoy.stub.checks.length;
  const { status } = await envoy.ask({}, question);
  expect(status).toBe(200);
  return envoy.stub.checks[before];
}

async function httpOf(envoy: StubbedEnvoy, question: HttpQuestion) {
  return (await checkOf(envoy, question))!.attributes!.request!.http!;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "postern-envoy-checks-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("headers of a check", () => {
  const headers: [string, string][] = [
    ["host", "Ex.Am"],
    ["X-Twice", "1"],
    ["x-twice", "2"],
    ["cookie", "a=1"],
    ["cookie", "b=2"],
    ["x-bytes", "z\xff\xc3\xabz"],
  ];

  it("are a map of lower-case names, joined by commas, without bytes that aren't UTF-8", async () => {
    const http = await httpOf(await started(), { path: "/p", headers });
    expect(http.headerMap).toBeUndefined();
    expect(http.headers).toEqual({
      ":authority": "Ex.Am",
      ":method": "GET",
      ":path": "/p",
      ":scheme": "http",
      "x-twice": "1,2",
      cookie: "a=1,b=2",
      "x-bytes": "z!ëz",
      "x-forwarded-proto": "http",
      "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it("and a path of HTTP/2 have a mark in place of each byte that is not UTF-8", async () => {
    const { port, stub } = await started();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    await http2Call(session, { ":path": "/z\xff/\xc3\xabz" }, []);
    expect(stub.checks[0]?.attributes?.request?.http?.path).toBe("/z!/ëz");
  });

  it("are a list of bytes if encode_raw_headers is set", async () => {
    const http = await httpOf(await started({ encodeRawHeaders: true }), { headers });
    expect(http.headers).toEqual({});
    const list = http.headerMap!.headers;
    expect(list.map(({ value }) => value).filter((value) => value !== "")).toEqual([]);
    const raw = list.map(({ key, rawValue }) => [key, Buffer.from(rawValue).toString("latin1")]);
    expect(raw).toEqual([
      [":authority", "Ex.Am"],
      [":path", "/"],
      [":method", "GET"],
      [":scheme", "http"],
      ["x-twice", "1"],
      ["x-twice", "2"],
      ["cookie", "a=1"],
      ["cookie", "b=2"],
      ["x-bytes", "z\xff\xc3\xabz"],
      ["x-forwarded-proto", "http"],
      ["x-request-id", expect.stringMatching(/^[0-9a-f-]{36}$/)],
    ]);
  });
});

describe("the path of a check", () => {
  it("is as the client wrote it, with the query, which has no field of its own", async () => {
    const path = "/a//b/../c%2Fd?x=1&x=2;y";
    const http = await httpOf(await started(), { path, headers: { host: "Ex.Am" } });
    expect(http).toMatchObject({ path, query: "", fragment: "", host: "Ex.Am", scheme: "http" });
    expect(http).toMatchObject({ method: "GET", protocol: "HTTP/1.1" });
  });
});

describe("the body of a check", () => {
  const post = (body: HttpQuestion["body"], headers: HttpQuestion["headers"] = {}) =>
    ({ method: "POST", body: body!, headers }) as const;
  const PARTIAL = "x-envoy-auth-partial-body";

  it("isn't told unless asked for, nor is its size", async () => {
    const http = await httpOf(await started(), post("hello"));
    expect(http).toMatchObject({ body: "", rawBody: new Uint8Array(), size: 0n });
    expect(http.headers["content-length"]).toBe("5");
    expect(http.headers).not.toHaveProperty(PARTIAL);
  });

  it("has its size from content-length, or from what was read", async () => {
    const envoy = await started({ withRequestBody: { maxRequestBytes: 20 } });
    const whole = { body: "hello", size: 5n, headers: { [PARTIAL]: "false" } };
    expect(await httpOf(envoy, post("hello"))).toMatchObject(whole);
    const chunked = post("hello", { "transfer-encoding": "chunked" });
    expect(await httpOf(envoy, chunked)).toMatchObject(whole);
    expect((await httpOf(envoy, {})).headers).not.toHaveProperty(PARTIAL);
  });

  it("beyond the limit makes a 413 without a check, fail open or not", async () => {
    for (const failureModeAllow of [false, true]) {
      const setup = { withRequestBody: { maxRequestBytes: 20 }, failureModeAllow };
      const envoy = await started(setup);
      expect((await httpOf(envoy, post("a".repeat(19)))).size).toBe(19n);
      const { status, reached } = await envoy.ask({}, post("a".repeat(21)));
      expect([status, reached, envoy.stub.checks.length]).toEqual([413, undefined, 1]);
    }
  });

  it("is cut at the limit if it may be partial, and says so", async () => {
    const withRequestBody = { maxRequestBytes: 20, allowPartialMessage: true };
    const http = await httpOf(await started({ withRequestBody }), post(`${"a".repeat(19)}é`));
    expect(http).toMatchObject({ body: `${"a".repeat(19)}!`, size: 21n });
    expect(http.headers[PARTIAL]).toBe("true");
  });

  it("is bytes if pack_as_bytes is set, and text without what isn't UTF-8 if not", async () => {
    const bytes = Uint8Array.of(1, 0, 0xff, 0xfe, 0x61);
    const packAsBytes = { maxRequestBytes: 20, packAsBytes: true };
    const packed = await httpOf(await started({ withRequestBody: packAsBytes }), post(bytes));
    expect([packed.body, ...packed.rawBody]).toEqual(["", ...bytes]);
    const text = await started({ withRequestBody: { maxRequestBytes: 20 } });
    expect(await httpOf(text, post(bytes))).toMatchObject({ body: "\x01\0!!a" });
  });

  it("isn't called partial by the client", async () => {
    const forged = { [PARTIAL]: "true" };
    expect((await httpOf(await started(), post("hello", forged))).headers).not.toHaveProperty(
      PARTIAL,
    );
    const envoy = await started({ withRequestBody: { maxRequestBytes: 20 } });
    expect((await httpOf(envoy, post("hello", forged))).headers[PARTIAL]).toBe("false");
    expect((await httpOf(envoy, { headers: forged })).headers).not.toHaveProperty(PARTIAL);
  });
});

describe("a route", () => {
  it("adds its context extensions, or does without a check", async () => {
    const routes = [
      { prefix: "/open", disabled: true },
      { prefix: "/tenant", contextExtensions: { tenant: "t" } },
      { prefix: "/" },
    ];
    const envoy = await started({ routes });
    expect(await checkOf(envoy, { path: "/open" })).toBeUndefined();
    const tenant = await checkOf(envoy, { path: "/tenant" });
    expect(tenant?.attributes?.contextExtensions).toEqual({ tenant: "t" });
    expect((await checkOf(envoy, {}))?.attributes?.contextExtensions).toEqual({});
  });
});

describe("clear_route_cache", () => {
  it.each([
    [true, "/b"],
    [false, "/a"],
  ])("set to %s sends a request with a new path by route %s", async (clearRouteCache, route) => {
    const routes = [{ prefix: "/a" }, { prefix: "/b" }];
    const envoy = await started({ clearRouteCache, routes, accessLogFormat: "%ROUTE_NAME%" });
    const headers = [{ header: { key: ":path", value: "/b" } }];
    const { reached } = await envoy.ask(allow({ headers }), { path: "/a" });
    expect(reached?.url).toBe("/b");
    expect(await envoy.logged()).toBe(route);
  });
});

describe("metadata_context", () => {
  it("has the namespaces that are configured", async () => {
    const metadata = { "envoy.filters.http.jwt_authn": { claims: { sub: "u" } }, other: { n: 1 } };
    const check = await checkOf(await started({ metadataContextNamespaces: metadata }), {});
    expect(check?.attributes?.metadataContext?.filterMetadata).toEqual(metadata);
    const without = await checkOf(await started(), {});
    expect(without?.attributes?.metadataContext?.filterMetadata).toEqual({});
  });
});

describe("the peer of a check", () => {
  it("has its certificate as URL-encoded PEM, and the name in it", async () => {
    const tls = makeTlsFiles(folder());
    const check = await checkOf(await started({ includePeerCertificate: tls }), { tls });
    const { principal, certificate } = check!.attributes!.source!;
    expect(principal).toBe("localhost");
    expect(decodeURIComponent(certificate)).toBe(readFileSync(tls.certificate, "utf8"));
    expect(check!.attributes!.request!.http!.scheme).toBe("https");
  });
});

describe("the PDP", () => {
  it("may be at a path", async () => {
    const envoy = await started({}, `unix:${join(folder(), "pdp.sock")}`);
    expect(await checkOf(envoy, {})).toBeDefined();
  });

  it("that is one of two and gone fails every second check", async () => {
    const envoy = await started();
    const upstream = await startUpstream();
    const pdp = [envoy.stub.address, `127.0.0.1:${await freePort()}`];
    const { port } = await startEnvoy({ pdp, upstreamPort: upstream.port });
    const statuses: number[] = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await httpCall(port)).status);
    expect(statuses.sort()).toEqual([200, 200, 403, 403]);
  });

  it("that doesn't answer in time fails the check", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => {
      silent.close();
    });
    await once(silent, "listening");
    const pdp = [`127.0.0.1:${(silent.address() as AddressInfo).port}`];
    const envoy = await started({ pdp, timeoutMs: 50, statusOnError: 504 });
    expect(await envoy.ask({})).toMatchObject({ status: 504, reached: undefined });
  });

  it("that takes its time is not asked again before the check's own timeout", async () => {
    const envoy = await started({ retries: 3, timeoutMs: 1_000, statusOnError: 504 });
    expect(await envoy.ask("silence")).toMatchObject({ status: 504, reached: undefined });
    expect(envoy.stub.checks).toHaveLength(1);
  });
});

describe("startEnvoy()", () => {
  it("says what Envoy says against its configuration", async () => {
    const upstream = await startUpstream();
    const setup = { pdp: ["no-address:1"], upstreamPort: upstream.port };
    await expect(startEnvoy(setup)).rejects.toThrow(/did not start:.*no-address/s);
  });

  it("takes no port that another Envoy has", async () => {
    const upstream = await startUpstream();
    const setup = { pdp: ["127.0.0.1:1"], upstreamPort: upstream.port };
    const { port } = await startEnvoy(setup);
    await expect(startEnvoy({ ...setup, port })).rejects.toThrow(/did not start/);
  });
});
