import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { protomap } from "../../../test/support/protomap.ts";
import { partsAt } from "../../decision/document-parts.ts";
import { PdpError } from "../../decision/error.ts";
import type { JsonObject } from "../../decision/json.ts";
import { CheckRequestSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { type HttpCheck, readContextExtensions, readHttpCheck } from "./check-request.ts";

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
const read = (init: Init) => readHttpCheck(encoded(init), "all");

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
        const check = readHttpCheck(toBinary(CheckRequestSchema, message), "all");
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
    expect(() => readHttpCheck(bytes, "all")).toThrow(why);
  });

  it("throws nothing but what names a field, whatever it is given", () => {
    const whole = encoded({
      attributes: { request: { http: { path: "/a", headers: { a: "b" } } } },
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(whole.length), (noise, at) => {
        for (const bytes of [noise, Buffer.concat([whole.subarray(0, at), noise])]) {
          try {
            readHttpCheck(bytes, "all");
          } catch (error) {
            expect(error).toBeInstanceOf(PdpError);
            expect(error).toMatchObject({ kind: "invalid-argument" });
          }
        }
      }),
    );
  });
});

const paths = [
  ...["source", "source.address.socketAddress.address", "source.labels.a", "source.principal"],
  ...["destination.service", "destination.address.pipe", "destination.labels", "tlsSession.sni"],
  ...["request.time.seconds", "request.http", "request.http.method", "request.http.path.x"],
  ...["request.http.headers", "request.http.headers.a", "request.http.headers.__proto__"],
  ...["request.http.headers.content-type", "request.http.body", "request.http.rawBody"],
  ...["contextExtensions.a", "contextExtensions.toString", "metadataContext.filterMetadata"],
  ...["metadataContext.filterMetadata.a.b", "routeMetadataContext", "unknown.member"],
];
const names = ["a", "__proto__", "content-type", "toString"];
const knownTexts = fc.array(fc.tuple(fc.constantFrom(...names), fc.string()), { maxLength: 5 });

/** What stands at the path, or as far as there are objects on it. */
function standing(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null || Array.isArray(at)) return at;
    at = Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
  }
  return at;
}

describe("readHttpCheck() of parts", () => {
  it("shows of them what it shows of the whole, and reads for the door as much", () => {
    fc.assert(
      fc.property(attributes, knownTexts, fc.subarray(paths), (given, headers, asked) => {
        const init = { attributes: given } as Init;
        const message = create(CheckRequestSchema, init);
        const http = message.attributes!.request!.http!;
        for (const [name, value] of headers) {
          const own = { value, enumerable: true, configurable: true };
          Object.defineProperty(http.headers, name, own);
        }
        const bytes = toBinary(CheckRequestSchema, message);
        const whole = readHttpCheck(bytes, "all");
        const part = readHttpCheck(bytes, partsAt(asked));
        for (const path of asked) {
          expect(standing(part.attributes, path), path).toEqual(standing(whole.attributes, path));
        }
        const facts = ({ path, body, rawBody, sourcePrincipal, headers }: HttpCheck) => ({
          ...{ path, body, rawBody, sourcePrincipal, type: headers["content-type"] },
        });
        expect(facts(part)).toEqual(facts(whole));
        const isAsked = (name: string) =>
          asked.some((path) => ["request.http", `request.http.${name}`].includes(path));
        for (const name of ["body", "rawBody"]) {
          if (isAsked(name)) continue;
          expect(standing(part.attributes, `request.http.${name}`), name).toBeUndefined();
        }
      }),
    );
  });

  it("reads what it needs wherever it stands in an entry of a map", () => {
    const entry = [...field(2, "1"), ...field(1, "a"), ...field(1, "b"), ...field(2, "2")];
    const bytes = http([0x1a, entry.length, ...entry]);
    const headersOf = (name: string) =>
      readHttpCheck(bytes, partsAt([`request.http.headers.${name}`])).headers;
    expect({ ...headersOf("b") }).toEqual({ b: "2" });
    expect({ ...headersOf("a") }).toEqual({});
  });

  it("leaves alone what nobody reads, even if it is malformed", () => {
    const bytes = http([0x4a, 0x01, 0x78]);
    expect(() => readHttpCheck(bytes, "all")).toThrow("http.size: has the wrong wire type");
    expect(readHttpCheck(bytes, partsAt(["request.http.method"])).path).toBe("");
  });
});

describe("readContextExtensions()", () => {
  it("gives what the route says, whatever else there is", () => {
    const contextExtensions = { "postern.decide": "rbac", a: "" };
    expect({ ...readContextExtensions(encoded({ attributes: { contextExtensions } })) }).toEqual(
      contextExtensions,
    );
    expect({ ...readContextExtensions(new Uint8Array()) }).toEqual({});
    expect(() => readContextExtensions(new Uint8Array([0x0a, 0x05]))).toThrow("cut short");
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
