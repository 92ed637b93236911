import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import { PdpError } from "../../decision/error.ts";
import { parseGrpcBody } from "./grpc-body.ts";
import { type BodySource, parseBody } from "./parsed-body.ts";

const PROTO = `
syntax = "proto3";
package shop.v1;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
service Orders {
  rpc Place(Order) returns (Order);
  rpc Watch(Order) returns (stream Order);
  rpc Upload(stream Order) returns (Order);
  rpc Talk(stream Order) returns (stream Order);
}
enum Kind { KIND_UNSPECIFIED = 0; KIND_GIFT = 1; }
message Order {
  int64 total_cents = 1;
  Kind kind = 2;
  bytes token = 3;
  double weight = 4;
  map<string, string> notes = 5;
  google.protobuf.Timestamp placed_at = 6;
  google.protobuf.Struct extra = 7;
  google.protobuf.Any any = 8;
  Order parent = 9;
  optional string coupon = 10;
}
`;

let protoset: FileRegistry;

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "postern-protoset-"));
  try {
    writeFileSync(join(folder, "shop.proto"), PROTO);
    const buf = join(import.meta.dirname, "../../../node_modules/.bin/buf");
    const image = execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-"], {
      cwd: folder,
    });
    protoset = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const PATH = ["shop.v1.Orders", "Place"];

function frame(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const header = Buffer.from([flag, 0, 0, 0, 0]);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, message]);
}

function order(json: JsonValue): Uint8Array {
  const schema = protoset.getMessage("shop.v1.Order")!;
  return toBinary(schema, fromJson(schema, json, { registry: protoset }));
}

function nested(depth: number): JsonValue {
  let json: JsonValue = {};
  for (let level = 1; level < depth; level++) json = { parent: json };
  return json;
}

const read = (message: Uint8Array) => parseGrpcBody(frame(message), PATH, protoset);

describe("parseGrpcBody()", () => {
  it.each([
    [
      "a field of another wire type",
      frame(Buffer.from([0x50, 1])),
      "is no shop.v1.Order that can be",
    ],
    [
      "a message that goes past its end",
      frame(Buffer.from([0x4a, 2, 0x52, 1, 0x78])),
      "is no shop.v1.Order that can be",
    ],
    [
      "a message given twice",
      frame(Buffer.from([0x4a, 0, 0x4a, 0])),
      "is no shop.v1.Order that can be",
    ],
    ["less than a frame", Buffer.alloc(4), "is no gRPC frame, which has at least 5 bytes"],
    ["a cut message", frame(Buffer.from([0x52, 9, 0x73])), "is no shop.v1.Order that can be"],
    [
      "text that is not UTF-8",
      frame(Buffer.from([0x52, 1, 0xff])),
      "is no shop.v1.Order that can be",
    ],
    [
      "a message of a type that the protoset has not",
      frame(Buffer.from([0x42, 8, 0x0a, 6, ...Buffer.from("x/s3cr")])),
      "is no shop.v1.Order that can be written as JSON",
    ],
  ])("refuses %s", (_what, body, why) => {
    const field = "attributes.request.http.body";
    expect(() => parseGrpcBody(body, PATH, protoset)).toThrow(`${field}: ${why}`);
  });

  it("refuses what is nested deeper than JSON may be", () => {
    expect(() => read(order(nested(64)))).not.toThrow();
    expect(() => read(order(nested(65)))).toThrow("is nested deeper than 64");
    const endless = Buffer.concat(new Array(20_000).fill(Buffer.from([0x4a, 0xff, 0xff, 0x03])));
    expect(() => read(endless)).toThrow(PdpError);
  });

  it("refuses Anys that are nested without end", () => {
    const any = protoset.getMessage("google.protobuf.Any")!;
    const typeUrl = "type.googleapis.com/google.protobuf.Any";
    let value = new Uint8Array();
    for (let level = 0; level < 2_000; level++) {
      value = toBinary(any, create(any, { typeUrl, value })) as Uint8Array<ArrayBuffer>;
    }
    const schema = protoset.getMessage("shop.v1.Order")!;
    const message = create(schema, { any: { typeUrl, value } });
    expect(() => read(toBinary(schema, message))).toThrow(PdpError);
  });

  it.each([[["shop.v1.Orders"]], [["a", "shop.v1.Orders", "Place"]], [[""]]])(
    "refuses the path %j",
    (path) => {
      expect(() => parseGrpcBody(frame(order({})), path, protoset)).toThrow(
        "attributes.request.http.path: is no gRPC method's; expected two segments",
      );
    },
  );

  it.each([
    ["shop.v1.Orders", "Upload"],
    ["shop.v1.Orders", "Talk"],
    ["shop.v1.Orders", "place"],
    ["shop.v1.Orders", "Other"],
    ["shop.v1.Orders", "__proto__"],
    ["shop.v1.Order", "Place"],
    ["Orders", "Place"],
    ["__proto__", "Place"],
  ])("gives null for %s/%s, which is no method with one request", (...path) => {
    expect(parseGrpcBody(frame(order({})), path, protoset)).toBe(null);
  });

  it("gives null for a compressed message", () => {
    expect(parseGrpcBody(frame(order({}), { flag: 1 }), PATH, protoset)).toBe(null);
  });

  it("knows a message that is cut, whatever its method", () => {
    const cut = frame(order({ coupon: "x" }), { length: 4 });
    expect(parseGrpcBody(cut, PATH, protoset)).toBe("truncated");
    expect(parseGrpcBody(cut, ["Orders", "Place"], protoset)).toBe("truncated");
    const huge = frame(Buffer.alloc(0), { length: 0xffffffff });
    expect(parseGrpcBody(huge, PATH, protoset)).toBe("truncated");
  });

  it("reads the first message as protobuf JSON", () => {
    const json = {
      totalCents: "9007199254740993",
      kind: "KIND_GIFT",
      token: "/w==",
      weight: "NaN",
      notes: { a: "b" },
      placedAt: "2026-11-27T00:00:00Z",
      extra: { a: [1, null, { b: true }] },
      any: { "@type": "type.googleapis.com/shop.v1.Order", coupon: "x" },
      coupon: "",
    };
    const two = Buffer.concat([frame(order(json)), frame(order({ coupon: "second" }))]);
    expect(parseGrpcBody(two, ["shop.v1.Orders", "Watch"], protoset)).toEqual(json);
    expect(read(Buffer.from([0x10, 7]))).toEqual({ kind: 7 });
    expect(read(Buffer.alloc(0))).toEqual({});
  });

  it("takes any name for a map's", () => {
    const text = '{"notes":{"__proto__":"a","constructor":"b"},"extra":{"__proto__":{"c":1}}}';
    const value = read(order(JSON.parse(text)));
    expect(JSON.stringify(value)).toBe(text);
    expect(Object.getPrototypeOf(value)).toBe(null);
  });
});

describe("parseBody() of a gRPC call", () => {
  const source = (rawBody: Uint8Array): BodySource => ({
    headers: { "content-type": "application/grpc+proto", "content-length": "no number" },
    body: "",
    rawBody,
    path: { parsedPath: PATH },
    protoset,
  });

  it("reads the bytes, whatever their announced length", () => {
    const whole = parseBody(source(frame(order({ coupon: "x" }))));
    expect(whole).toEqual({ parsedBody: { coupon: "x" }, isTruncated: false });
    const cut = parseBody(source(frame(order({ coupon: "x" })).subarray(0, 6)));
    expect(cut).toEqual({ parsedBody: null, isTruncated: true });
    expect(parseBody(source(new Uint8Array()))).toEqual({ parsedBody: null, isTruncated: false });
  });
});
