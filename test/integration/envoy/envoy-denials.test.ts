// What Envoy makes of a denial and of an error: the encoder's rules for what a client is told, and
// for what stays shut where Envoy is told to fail open, stand on it.
import { connect } from "node:net";
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HeaderValueOptionSchema } from "../../../src/grpc/gen/envoy/config/core/v3/base_pb.js";
import { type AuthorizationStub, allow, deny, fail } from "../../support/authorization-stub.ts";
import { valuesOf } from "../../support/http-call.ts";
import { openStubbedEnvoy, type StubbedEnvoy } from "../../support/stubbed-envoy.ts";

type Answer = AuthorizationStub["answer"];
type Option = MessageInitShape<typeof HeaderValueOptionSchema>;

const PREPARE_TIMEOUT_MS = 300_000;

let envoy: StubbedEnvoy;
let failOpen: StubbedEnvoy;
let status503: StubbedEnvoy;
beforeAll(async () => {
  const accessLogFormat =
    "%RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.ext_authz)%";
  envoy = await openStubbedEnvoy({ accessLogFormat });
  failOpen = await openStubbedEnvoy({ accessLogFormat, failureModeAllow: true });
  status503 = await openStubbedEnvoy({ accessLogFormat, statusOnError: 503 });
}, PREPARE_TIMEOUT_MS);
afterAll(() => Promise.all([envoy, failOpen, status503].map((server) => server.close())));

const bare = (value: string, key = "x-a"): Option => ({ header: { key, value } });
const set = (value: string, key?: string): Option => ({ ...bare(value, key), append: false });
const add = (value: string, key?: string): Option => ({ ...bare(value, key), append: true });

describe("a status code", () => {
  it.each([1, 7, 13, 14, 16, 999, -1])("of %i denies with 403", async (code) => {
    for (const answer of [{ status: { code } }, deny({}, code)]) {
      const { status, body, reached } = await failOpen.ask(answer);
      expect([status, body, reached]).toEqual([403, "", undefined]);
      expect(await failOpen.logged()).toMatch(/^ext_authz_denied /);
    }
  });

  it("other than 0 denies an ok_response, too", async () => {
    const { status, reached } = await envoy.ask({ ...allow(), status: { code: 7 } });
    expect([status, reached]).toEqual([403, undefined]);
  });

  it.each([
    ["a denied_response", deny({ status: { code: 401 }, body: "no" }, 0)],
    ["a denied_response, and no status", { ...deny(), status: undefined }],
    ["an error_response", fail({ status: { code: 500 } }, 0)],
    ["nothing at all", new Uint8Array()],
    ["a field that Envoy doesn't know", Uint8Array.of(0x7a, 1, 0x61)],
  ])("of 0 allows with %s", async (_, answer) => {
    expect(await envoy.ask(answer)).toMatchObject({ status: 200, reached: { method: "GET" } });
  });
});

describe("headers of a denial", () => {
  it.each<[string, Option[], string[]]>([
    ["gives both of two bare options", [bare("1"), bare("2")], ["1", "2"]],
    ["gives both of two append:false", [set("1"), set("2")], ["1", "2"]],
    ["drops append:true", [add("1"), add("2")], []],
    ["drops append:true after append:false", [set("1"), add("2")], ["1"]],
    ["drops append:true before append:false", [add("1"), set("2")], ["2"]],
    ["gives an empty value, asked to keep it or not", [bare("")], [""]],
    ["lowers names", [bare("1", "X-A")], ["1"]],
    ["doesn't read raw_value", [{ header: { key: "x-a", rawValue: Buffer.of(97) } }], [""]],
  ])("%s", async (_, headers, values) => {
    expect(valuesOf(await envoy.ask(deny({ headers })), "x-a")).toEqual(values);
  });

  it.each([0, 1, 2, 3, 9])("doesn't read append_action %i", async (appendAction) => {
    const headers = [bare("1"), set("2"), add("3")].map((option) => ({ ...option, appendAction }));
    expect(valuesOf(await envoy.ask(deny({ headers })), "x-a")).toEqual(["1", "2"]);
  });

  it("gives each cookie a line, and joins a content-type that is given twice", async () => {
    const headers = ["set-cookie", "content-type"].flatMap((key) => [
      bare("a", key),
      bare("b", key),
    ]);
    const answer = await envoy.ask(deny({ headers, body: "no" }));
    expect(valuesOf(answer, "set-cookie")).toEqual(["a", "b"]);
    expect(valuesOf(answer, "content-type")).toEqual(["a,b"]);
  });

  it("keeps the frame, the server and the status Envoy's own", async () => {
    const names = ["content-length", "transfer-encoding", "upgrade", "server", ":status"];
    const headers = names.map((name) => bare("299", name));
    const answer = await envoy.ask(deny({ headers, body: "hello" }));
    expect(answer).toMatchObject({ status: 403, body: "hello" });
    expect(names.map((name) => valuesOf(answer, name))).toEqual([["5"], [], [], ["envoy"], []]);
  });

  it.each([bare("1\r\nx-forged: 1"), bare("1", "x-a: 1\r\nx-forged")])(
    "lets a header be forged by CR and LF: $header",
    async (option) => {
      for (const answer of [deny({ headers: [option] }), fail({ headers: [option] })]) {
        expect(valuesOf(await envoy.ask(answer), "x-forged")).toEqual(["1"]);
      }
    },
  );

  it.each([bare("1\n2"), bare("1\r2"), bare("1\0"), bare("1", "x a"), bare("1", "")])(
    "makes an answer that can't be read of $header",
    async (option) => {
      await expect(envoy.ask(deny({ headers: [option] }))).rejects.toThrow(/Parse Error/);
    },
  );
});

describe("the body of a denial", () => {
  it("is text/plain unless its content-type says otherwise", async () => {
    const plain = await envoy.ask(deny({ body: "no" }));
    expect(valuesOf(plain, "content-type")).toEqual(["text/plain"]);
    const headers = [bare("application/json", "content-type")];
    const json = await envoy.ask(deny({ body: "{}", headers }));
    expect([valuesOf(json, "content-type"), json.body]).toEqual([["application/json"], "{}"]);
  });

  it("takes the content-type with it if there is none", async () => {
    const answer = await envoy.ask(deny({ headers: [bare("application/json", "content-type")] }));
    expect(valuesOf(answer, "content-type")).toEqual([]);
  });

  it("is the message of a gRPC call, whose status is told by the HTTP status", async () => {
    const call = { method: "POST", headers: { "content-type": "application/grpc" } };
    const answer = await envoy.ask(deny({ status: { code: 401 }, body: "who?" }), call);
    expect([answer.status, answer.body]).toEqual([200, ""]);
    expect(valuesOf(answer, "grpc-status")).toEqual(["16"]);
    expect(valuesOf(answer, "grpc-message")).toEqual(["who?"]);
  });
});

describe("the HTTP status of a denial", () => {
  it.each([200, 205, 299, 306, 400, 418, 451, 500, 599, 600, 999])("is given: %i", async (code) => {
    const { status, body, reached } = await failOpen.ask(deny({ status: { code }, body: "no" }));
    expect([status, body, reached]).toEqual([code, "no", undefined]);
  });

  it("is 403 if it is 0", async () => {
    expect((await envoy.ask(deny({ status: { code: 0 } }))).status).toBe(403);
  });

  it("is given with where to go instead", async () => {
    const location = "https://login.example/?a=b&c=d";
    const headers = [bare(location, "location")];
    const answer = await envoy.ask(deny({ status: { code: 302 }, headers }));
    expect([answer.status, valuesOf(answer, "location")]).toEqual([302, [location]]);
  });

  it.each([100, 102, 103, 199])("leaves the client waiting: %i", async (code) => {
    envoy.stub.answer = deny({ status: { code }, body: "no" });
    const said = await saidOn(envoy.port);
    expect(said).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it.each([1, 99, -1, 204, 304])("makes an answer that can't be read: %i", async (code) => {
    const asked = envoy.ask(deny({ status: { code }, body: "no" }));
    await expect(asked).rejects.toThrow(/Parse Error/);
  });

  it.each([204, 304])("is given without a body: %i", async (code) => {
    expect(await envoy.ask(deny({ status: { code } }))).toMatchObject({ status: code, body: "" });
  });
});

/** What comes back for a request on a connection that stays open, until its blank line and body. */
function saidOn(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    socket.on("error", reject);
    socket.on("data", (data) => {
      said += data.toString();
      if (!said.endsWith("\r\n\r\nno")) return;
      socket.destroy();
      resolve(said);
    });
  });
}

describe("an error", () => {
  const GARBAGE = Uint8Array.of(0xff, 0xff, 0xff);
  const INVALID_UTF8 = Buffer.from("1a0b12090a070a02782d1201ff", "hex");

  it.each<[string, Answer]>([
    ["an error_response", fail()],
    ["a denial that can't be decoded", GARBAGE],
    ["invalid UTF-8 in a header", INVALID_UTF8],
    ["a denial with metadata nested too deep", { ...deny(), dynamicMetadata: nested(33) }],
    ...[1, 3, 4, 7, 8, 12, 13, 14, 16].map((code): [string, Answer] => [
      `gRPC ${code}`,
      { grpcStatus: code },
    ]),
  ])("is %s", async (_, answer) => {
    const shut = await envoy.ask(answer);
    expect([shut.status, shut.reached]).toEqual([403, undefined]);
    expect(await envoy.logged()).toMatch(/^ext_authz_error /);
    expect((await status503.ask(answer)).status).toBe(503);
    const sent = { headers: { "x-user": "client" } };
    const { status, reached } = await failOpen.ask(answer, sent);
    expect([status, valuesOf(reached, "x-user")]).toEqual([200, ["client"]]);
  });

  it("has a status, headers and a body of its own, unless Envoy fails open", async () => {
    const headers = [set("1"), add("2")];
    const answer = fail({ status: { code: 500 }, headers, body: "broken" });
    for (const server of [envoy, status503]) {
      const got = await server.ask(answer);
      expect(got).toMatchObject({ status: 500, body: "broken", reached: undefined });
      expect(valuesOf(got, "x-a")).toEqual(["1", "2"]);
    }
    const open = await failOpen.ask(answer);
    expect(open).toMatchObject({ status: 200, reached: { method: "GET" } });
    expect(valuesOf(open, "x-a")).toEqual([]);
  });

  it("may have a status that looks like success", async () => {
    const { status, reached } = await envoy.ask(fail({ status: { code: 200 } }));
    expect([status, reached]).toEqual([200, undefined]);
  });
});

/** An object below an object, so many times. */
function nested(depth: number): JsonObject {
  let value: JsonObject = { end: true };
  for (let level = 0; level < depth; level += 1) value = { d: value };
  return value;
}

describe("dynamic_metadata", () => {
  const dynamicMetadata = { reason: "r", list: [1, null, { a: true }] };
  const written = JSON.stringify({ list: [1, null, { a: true }], reason: "r" });

  it("is in the access log of an allow, with how long the check took", async () => {
    await envoy.ask({ dynamicMetadata: { ...dynamicMetadata, ext_authz_duration: "ours" } });
    const logged = (await envoy.logged()).replace(/"ext_authz_duration":\d+,/, "");
    expect(logged).toBe(`via_upstream ${written}`);
  });

  it.each([
    ["a denial", deny(), "ext_authz_denied"],
    ["an error", fail(), "ext_authz_error"],
  ])("is in the access log of %s", async (_, answer, details) => {
    await envoy.ask({ ...answer, dynamicMetadata });
    expect(await envoy.logged()).toBe(`${details} ${written}`);
  });

  it("is in the access log of an error that lets the request through", async () => {
    await failOpen.ask({ ...fail(), dynamicMetadata });
    expect(await failOpen.logged()).toBe(`via_upstream ${written}`);
  });

  it("yields to that of the ok_response", async () => {
    const answer = allow({ dynamicMetadata: { from: "ok_response" } });
    await envoy.ask({ ...answer, dynamicMetadata });
    expect(await envoy.logged()).toContain('"from":"ok_response"');
    expect(await envoy.logged()).not.toContain("reason");
  });

  it("goes 32 objects deep below its own", async () => {
    expect((await failOpen.ask({ ...deny(), dynamicMetadata: nested(32) })).status).toBe(403);
    expect((await failOpen.ask({ ...deny(), dynamicMetadata: nested(33) })).status).toBe(200);
  });
});
