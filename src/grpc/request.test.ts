import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { checkFields, field, message, nestedStruct, varint } from "../../test/support/wire.ts";
import { PdpError } from "../decision/error.ts";
import {
  CheckBatchRequestSchema,
  CheckRequestSchema,
  GetPermissionSetRequestSchema,
  MfaRequiredRequestSchema,
} from "./gen/postern/v1/decision_pb.js";
import {
  readCheckBatchRequest,
  readCheckRequest,
  readMfaRequiredRequest,
  readPermissionSetRequest,
} from "./request.ts";

function fault(read: () => unknown): PdpError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(PdpError);
    const pdpError = error as PdpError;
    expect(pdpError.kind).toBe("invalid-argument");
    expect(pdpError.message.startsWith(pdpError.field || "message")).toBe(true);
    return pdpError;
  }
  throw new Error("was read");
}

function refused(bytes: Uint8Array): PdpError {
  return fault(() => readCheckRequest(bytes));
}

/** The valid request with `bytes` after it. */
function extended(...bytes: readonly Uint8Array[]): Buffer {
  return message(checkFields(), ...bytes);
}

/** `context { a: <value> }`, the value's bytes given. */
function contextOf(value: readonly number[] | Uint8Array): Buffer {
  return field(5, field(1, message(field(1, "a"), field(2, value))));
}

describe("readCheckRequest()", () => {
  it.each([
    ["nothing", Buffer.alloc(0), "subject"],
    ["no subject", checkFields([2]), "subject"],
    ["no action", checkFields([3]), "action"],
    ["no resource", checkFields([4]), "resource"],
    ["an empty subject", message(checkFields([2]), field(2, [])), "subject.id"],
    ["a subject type", message(checkFields([2]), field(2, field(1, "robot"))), "subject.type"],
    ["a * in an action", message(checkFields([3]), field(3, field(1, "*"))), "action.name"],
    ["a : in a type", message(checkFields([4]), field(4, field(1, "a:b"))), "resource.type"],
    [
      "an empty resource id",
      message(checkFields([4]), field(4, message(field(1, "agent"), field(2, "")))),
      "resource.id",
    ],
    ["NUL in an id", message(checkFields([2]), field(2, field(2, "a\0b"))), "subject.id"],
    [
      "an id of 257 bytes",
      message(checkFields([2]), field(2, field(2, "ü".repeat(129)))),
      "subject.id",
    ],
    ["an application", extended(field(1, "Platform")), "application"],
    ["a request id with a line break", extended(field(6, "a\nb")), "request_id"],
    ["a request id of 257 bytes", extended(field(6, "a".repeat(257))), "request_id"],
    [
      "a negative generation",
      extended(field(7, [8, ...varint(2n ** 64n - 1n)])),
      "consistency.minimum_generation",
    ],
  ])("refuses %s", (_what, bytes, path) => {
    expect(refused(bytes).field).toBe(path);
  });

  it.each([
    ["a truncated tag", extended(Buffer.from([0x80])), ""],
    ["a tag of 0", extended(Buffer.from([0x00])), ""],
    [
      "a varint of 11 bytes",
      extended(field(7, [8, ...new Array(10).fill(0xff), 1])),
      "consistency.minimum_generation",
    ],
    [
      "a varint over 64 bits",
      extended(field(7, [16, ...new Array(9).fill(0xff), 2])),
      "consistency.bypass_cache",
    ],
    [
      "a length over 32 bits",
      extended(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x1f])),
      "application",
    ],
    ["a length beyond the message", extended(Buffer.from([0x0a, 0x05, 0x61])), "application"],
    ["a nested length beyond its parent", extended(field(2, [0x12, 0x05, 0x61])), "subject"],
    ["a group", extended(Buffer.from([0x4b, 0x4c])), ""],
    ["wire type 6", extended(Buffer.from([0x4e])), ""],
    ["a subject that is a number", extended(Buffer.from([0x10, 0x01])), ""],
    ["a second subject", extended(field(2, field(2, "admin"))), "subject"],
    ["a second context", extended(field(5, []), field(5, [])), "context"],
    ["an overlong encoding", extended(field(1, [0xc0, 0x80])), "application"],
    ["a lone surrogate", extended(field(6, [0xed, 0xa0, 0x80])), "request_id"],
    ["half a character", extended(field(6, [0xe2, 0x82])), "request_id"],
    ["a long text that is not UTF-8", extended(field(6, Buffer.alloc(100, 0xff))), "request_id"],
  ])("refuses %s", (_what, bytes, path) => {
    const error = refused(bytes);
    expect(error.field?.startsWith(path)).toBe(true);
  });

  it.each([
    ["NaN", [0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]],
    ["infinity", [0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f]],
    ["no kind", []],
    ["two kinds", [0x08, 0x00, 0x20, 0x01]],
    ["a number cut short", [0x11, 0, 0, 0]],
    ["a number as a varint", [0x10, 0x01]],
  ])("refuses a value of %s in the context", (_what, value) => {
    expect(refused(extended(contextOf(value))).field).toBe("context.a");
  });

  it("refuses a member without a value", () => {
    expect(refused(extended(field(5, field(1, field(1, "a"))))).field).toBe("context.a");
  });

  it("takes 64 levels of JSON and refuses the 65th, at whatever depth it is sent", () => {
    expect(() => readCheckRequest(extended(field(5, nestedStruct(64))))).not.toThrow();
    for (const depth of [65, 10_000]) {
      const error = refused(extended(field(5, nestedStruct(depth))));
      expect(error.message).toMatch(/nested deeper than 64/);
      expect(error.field!.length).toBeLessThan(1_000);
    }
  });

  it("counts lists as levels", () => {
    let value: Uint8Array = Buffer.from([0x08, 0x00]);
    for (let level = 0; level < 64; level++) value = field(6, field(1, value));
    expect(refused(extended(contextOf(value))).message).toMatch(/nested deeper than 64/);
  });

  it("names the place in a list, and cuts names that are long", () => {
    const list = field(6, message(field(1, [0x08, 0x00]), field(1, [])));
    expect(refused(extended(contextOf(list))).field).toBe("context.a[1]");
    const long = field(5, field(1, field(1, "k".repeat(5_000))));
    expect(refused(extended(long)).field!.length).toBeLessThan(100);
  });

  it("fills in what may be left out", () => {
    const request = readCheckRequest(checkFields());
    expect(request).toEqual({
      application: "",
      subject: { type: "user", id: "user-123", properties: Object.create(null) },
      action: { name: "execute", properties: Object.create(null) },
      resource: { type: "agent", id: "agent-7", properties: Object.create(null) },
      context: Object.create(null),
      requestId: "",
      consistency: { minimumGeneration: 0, bypassCache: false },
    });
  });

  it("lets an absent resource id differ from an empty one", () => {
    const request = readCheckRequest(message(checkFields([4]), field(4, field(1, "agent"))));
    expect(request.resource.id).toBeUndefined();
  });

  it("takes the last of a scalar given twice, and skips unknown fields", () => {
    const unknown = Buffer.from([...varint((1000 << 3) | 5), 1, 2, 3, 4]);
    const request = readCheckRequest(extended(field(1, "a"), unknown, field(1, "gateway")));
    expect(request.application).toBe("gateway");
  });

  it("keeps __proto__ and constructor as names like any other", () => {
    const bytes = toBinary(
      CheckRequestSchema,
      create(CheckRequestSchema, {
        subject: { id: "__proto__" },
        action: { name: "constructor" },
        resource: { type: "constructor", id: "__proto__" },
      }),
    );
    const evil = field(
      5,
      field(
        1,
        message(
          field(1, "__proto__"),
          field(2, field(5, field(1, message(field(1, "admin"), field(2, [0x20, 1]))))),
        ),
      ),
    );
    const request = readCheckRequest(message(bytes, evil));
    expect(Object.getPrototypeOf(request.context)).toBeNull();
    expect(Object.keys(request.context)).toEqual(["__proto__"]);
    expect(request.subject.id).toBe("__proto__");
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });

  it("keeps numbers, also the largest exact generation", () => {
    const request = readCheckRequest(
      extended(field(7, [8, ...varint(Number.MAX_SAFE_INTEGER), 16, 1])),
    );
    expect(request.consistency).toEqual({ minimumGeneration: 2 ** 53 - 1, bypassCache: true });
    expect(refused(extended(field(7, [8, ...varint(2n ** 53n)]))).field).toBe(
      "consistency.minimum_generation",
    );
  });
});

describe("readCheckBatchRequest()", () => {
  const batch = (init: Parameters<typeof create<typeof CheckBatchRequestSchema>>[1]) =>
    readCheckBatchRequest(
      toBinary(CheckBatchRequestSchema, create(CheckBatchRequestSchema, init)),
      1_000,
    );

  it("refuses more items than allowed, before it makes any request of them", () => {
    const bytes = Buffer.concat(new Array(100_000).fill(field(2, [])));
    const error = fault(() => readCheckBatchRequest(bytes, 1_000));
    expect(error.field).toBe("items");
    expect(error.message).toMatch(/more than 1000/);
  });

  it("refuses defaults that can't be read", () => {
    const bytes = message(field(1, field(2, field(2, [0xff]))), field(2, checkFields()));
    expect(fault(() => readCheckBatchRequest(bytes, 1_000)).field).toBe("defaults.subject.id");
  });

  it("puts an error in the place of each item at fault and keeps the others", () => {
    const bytes = message(
      field(2, checkFields()),
      // What follows the fault would look like two more items, were it read as part of the batch.
      field(2, message(field(2, field(2, [0xff])), checkFields(), checkFields())),
      field(2, checkFields([4])),
      field(2, message(checkFields(), field(5, nestedStruct(65)))),
      field(2, checkFields()),
    );
    const items = readCheckBatchRequest(bytes, 1_000);
    const paths = items.map((item) => (item instanceof PdpError ? item.field : "ok"));
    expect(paths.slice(0, 3)).toEqual(["ok", "items[1].subject.id", "items[2].resource"]);
    expect(paths[3]).toMatch(/^items\[3\]\.context\./);
    expect(paths[4]).toBe("ok");
  });

  it("lets a field of an item replace the default's whole", () => {
    const items = batch({
      defaults: {
        application: "gateway",
        subject: { id: "a", type: "service", properties: { team: "x" } },
        action: { name: "read" },
        context: { ip: "10.0.0.1" },
        requestId: "r",
        consistency: { bypassCache: true },
      },
      items: [
        { resource: { type: "doc" } },
        { resource: { type: "doc" }, subject: { id: "b" }, context: {}, application: "platform" },
      ],
    });
    expect(items[0]).toMatchObject({
      application: "gateway",
      subject: { id: "a", type: "service", properties: { team: "x" } },
      context: { ip: "10.0.0.1" },
      requestId: "r",
      consistency: { bypassCache: true },
    });
    expect(items[1]).toMatchObject({ application: "platform", subject: { id: "b", type: "user" } });
    const second = items[1];
    if (second === undefined || second instanceof PdpError) throw new Error("was refused");
    expect(Object.keys(second.subject.properties)).toEqual([]);
    expect(Object.keys(second.context)).toEqual([]);
  });

  it("names the defaults where the fault comes from them", () => {
    const items = batch({
      defaults: { action: { name: "*" }, subject: { id: "a" } },
      items: [{ resource: { type: "doc" } }, { resource: { type: "*" }, action: { name: "read" } }],
    });
    const paths = items.map((item) => (item instanceof PdpError ? item.field : "ok"));
    expect(paths).toEqual(["defaults.action.name", "items[1].resource.type"]);
  });

  it("takes an empty batch", () => {
    expect(batch({})).toEqual([]);
  });
});

describe("readMfaRequiredRequest()", () => {
  it("wants the check, and names fields inside it", () => {
    expect(fault(() => readMfaRequiredRequest(Buffer.alloc(0))).field).toBe("check");
    const bytes = field(1, checkFields([2]));
    expect(fault(() => readMfaRequiredRequest(bytes)).field).toBe("check.subject");
  });

  it("reads the check", () => {
    const bytes = toBinary(
      MfaRequiredRequestSchema,
      create(MfaRequiredRequestSchema, {
        check: { subject: { id: "a" }, action: { name: "b" }, resource: { type: "c" } },
      }),
    );
    expect(readMfaRequiredRequest(bytes).resource.type).toBe("c");
  });
});

describe("readPermissionSetRequest()", () => {
  it("wants a subject", () => {
    expect(fault(() => readPermissionSetRequest(Buffer.alloc(0))).field).toBe("subject");
  });

  it("reads application, subject and consistency", () => {
    const bytes = toBinary(
      GetPermissionSetRequestSchema,
      create(GetPermissionSetRequestSchema, {
        application: "gateway",
        subject: { id: "a", type: "service" },
        consistency: { minimumGeneration: 5n },
      }),
    );
    expect(readPermissionSetRequest(bytes)).toMatchObject({
      application: "gateway",
      subject: { id: "a", type: "service" },
      consistency: { minimumGeneration: 5, bypassCache: false },
    });
  });
});
