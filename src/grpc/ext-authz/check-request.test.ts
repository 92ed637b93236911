import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { protomap } from "../../../test/support/protomap.ts";
import { PdpError } from "../../decision/error.ts";
import type { JsonObject } from "../../decision/json.ts";
import { CheckRequestSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { readHttpCheck } from "./check-request.ts";

type Init = MessageInitShape<typeof CheckRequestSchema>;

const encoded = (init: Init): Uint8Array =>
  toBinary(CheckRequestSchema, create(CheckRequestSchema, init));
const texts = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });
const peer = fc.record(
  {
    address: fc.record({
      address: fc.constantFrom(
        { case: undefined },
        { case: "pipe" as const, value: { path: "", mode: 0 } },
        { case: "envoyInternalAddress" as const, value: { endpointId: "e" } },
        {
          case: "socketAddress" as const,
          value: { address: "::1", portSpecifier: { case: "namedPort" as const, value: "" } },
        },
      ),
    }),
    service: fc.string(),
    labels: texts,
    principal: fc.string(),
    certificate: fc.string(),
  },
  { requiredKeys: [] },
);
const struct = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 });
const metadata = fc.record({
  filterMetadata: fc.dictionary(fc.string(), struct, { maxKeys: 2 }) as fc.Arbitrary<
    Record<string, JsonObject>
  >,
});
const attributes = fc.record(
  {
    source: peer,
    destination: peer,
    request: fc.record({
      time: fc.record({ seconds: fc.maxSafeInteger().map(BigInt), nanos: fc.nat() }),
      http: fc.record(
        {
          id: fc.string(),
          method: fc.string(),
          headers: texts,
          path: fc.string(),
          host: fc.string(),
          scheme: fc.string(),
          size: fc.maxSafeInteger().map(BigInt),
          protocol: fc.string(),
          body: fc.string({ unit: "grapheme" }),
          rawBody: fc.uint8Array(),
        },
        { requiredKeys: [] },
      ),
    }),
    contextExtensions: texts,
    metadataContext: metadata,
    routeMetadataContext: metadata,
    tlsSession: fc.record({ sni: fc.string() }),
  },
  { requiredKeys: ["request"] },
);
const read = (init: Init) => readHttpCheck(encoded(init));

describe("readHttpCheck()", () => {
  it("gives the whole with JSON names, without what is at its default", () => {
    const check = read({
      attributes: {
        source: {
          address: {
            address: {
              case: "socketAddress",
              value: { address: "10.0.0.1", portSpecifier: { case: "portValue", value: 0 } },
            },
          },
          principal: "spiffe://mesh/ns/a",
          labels: { app: "web", empty: "" },
        },
        destination: { address: { address: { case: "pipe", value: { path: "@x", mode: 3 } } } },
        request: {
          time: { seconds: 1_764_000_000n, nanos: 7 },
          http: {
            id: "1",
            method: "GET",
            path: "/a?b=c",
            size: -1n,
            headers: { ":path": "/a?b=c", __proto__x: "1" },
            rawBody: new Uint8Array([1, 2, 255]),
          },
        },
        contextExtensions: { tenant: "a" },
        metadataContext: {
          filterMetadata: { jwt: { sub: "u1", n: 1.5, list: [null, true, { deep: {} }] } },
          typedFilterMetadata: {
            x: { typeUrl: "type.googleapis.com/a.B", value: new Uint8Array([9]) },
          },
        },
        tlsSession: { sni: "a.example" },
      },
    });
    expect(check.attributes).toEqual({
      source: {
        address: { socketAddress: { address: "10.0.0.1", portValue: 0 } },
        principal: "spiffe://mesh/ns/a",
        labels: { app: "web", empty: "" },
      },
      destination: { address: { pipe: { path: "@x", mode: 3 } } },
      request: {
        time: { seconds: 1_764_000_000, nanos: 7 },
        http: {
          ...{ id: "1", method: "GET", path: "/a?b=c", size: -1 },
          headers: { ":path": "/a?b=c", __proto__x: "1" },
          rawBody: "AQL/",
        },
      },
      contextExtensions: { tenant: "a" },
      metadataContext: {
        filterMetadata: { jwt: { sub: "u1", n: 1.5, list: [null, true, { deep: {} }] } },
        typedFilterMetadata: { x: { typeUrl: "type.googleapis.com/a.B", value: "CQ==" } },
      },
      tlsSession: { sni: "a.example" },
    });
    expect(check).toMatchObject({
      ...{ path: "/a?b=c", body: "", rawBody: "AQL/", sourcePrincipal: "spiffe://mesh/ns/a" },
      contextExtensions: { tenant: "a" },
    });
  });

  it("gives raw headers as Envoy packs them", () => {
    const headers = [
      { key: ":path", value: "/" },
      { key: "x-raw", rawValue: new Uint8Array([0xff]) },
    ];
    const http = { headerMap: { headers } };
    expect(read({ attributes: { request: { http } } }).attributes).toEqual({
      request: {
        http: {
          headerMap: {
            headers: [
              { key: ":path", value: "/" },
              { key: "x-raw", rawValue: "/w==" },
            ],
          },
        },
      },
    });
  });

  it("shows any request as the plugin shows it", () => {
    fc.assert(
      fc.property(attributes, (given) => {
        const message = create(CheckRequestSchema, { attributes: given } as Init);
        const check = readHttpCheck(toBinary(CheckRequestSchema, message));
        expect({ attributes: check.attributes }).toEqual(protomap(CheckRequestSchema, message));
      }),
    );
  });

  it("takes names that objects have by nature for names like any other", () => {
    const names = ["__proto__", "constructor", "toString"];
    const headers = Object.fromEntries(names.map((name) => [name, "x"]));
    Object.defineProperty(headers, "__proto__", { value: "x", enumerable: true });
    const check = read({ attributes: { request: { http: { headers } } } });
    expect(Object.keys(check.headers).sort()).toEqual(names.sort());
    expect(read({ attributes: { request: { http: {} } } }).headers["constructor"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(), /^attributes: is missing$/],
    ["no HTTP request", encoded({ attributes: {} }), /^attributes\.request\.http: is missing$/],
    ["bytes that are no message", new Uint8Array([0xff, 0xff]), /is cut short/],
    [
      "a message cut short",
      encoded({ attributes: { request: { http: { path: "/abc" } } } }).subarray(0, -1),
      /cut short/,
    ],
    [
      "attributes of another type",
      new Uint8Array([0x08, 0x01]),
      /attributes: has the wrong wire type/,
    ],
    ["attributes twice", new Uint8Array([0x0a, 0x00, 0x0a, 0x00]), /attributes: is given twice/],
    ["a path twice", http([...field(4, "/a"), ...field(4, "/b")]), /http\.path: is given twice/],
    [
      "a path that is not UTF-8",
      http([0x22, 0x02, 0xc3, 0x28]),
      /http\.path: is not well-formed UTF-8/,
    ],
    [
      "a header that is not UTF-8",
      http([0x1a, 0x04, 0x12, 0x02, 0xc3, 0x28]),
      /not well-formed UTF-8/,
    ],
    [
      "a size of 2^62",
      http([0x48, ...[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], 0x40]),
      /http\.size: is not within/,
    ],
  ])("refuses %s, and names the field", (_, bytes, why) => {
    expect(() => readHttpCheck(bytes)).toThrow(why);
  });

  it("throws nothing but what names a field, whatever it is given", () => {
    const whole = encoded({
      attributes: { request: { http: { path: "/a", headers: { a: "b" } } } },
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(whole.length), (noise, at) => {
        for (const bytes of [noise, Buffer.concat([whole.subarray(0, at), noise])]) {
          try {
            readHttpCheck(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(PdpError);
            expect(error).toMatchObject({ kind: "invalid-argument" });
          }
        }
      }),
    );
  });
});

/** Field `number` with a short text. */
function field(number: number, text: string): number[] {
  return [(number << 3) | 2, text.length, ...Buffer.from(text)];
}

/** A request whose `http` is these bytes. */
function http(bytes: readonly number[]): Uint8Array {
  const request = [0x12, bytes.length, ...bytes];
  const attributes = [0x22, request.length, ...request];
  return new Uint8Array([0x0a, attributes.length, ...attributes]);
}
