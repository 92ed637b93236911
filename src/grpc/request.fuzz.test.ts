import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PdpError } from "../decision/error.ts";
import { CheckBatchRequestSchema, CheckRequestSchema } from "./gen/postern/v1/decision_pb.js";
import { readCheckBatchRequest, readCheckRequest } from "./request.ts";
import { readCheck } from "./request-message.ts";
import { WireReader } from "./wire-reader.ts";

const text = fc.string({ unit: "grapheme", maxLength: 80 });
const json = fc.jsonValue({ maxDepth: 4, stringUnit: "grapheme" });
const struct = fc.dictionary(fc.string({ unit: "grapheme", maxLength: 60 }), json, {
  maxKeys: 5,
  noNullPrototype: true,
});
const properties = fc.option(struct, { nil: undefined });

const init = fc.record(
  {
    application: text,
    subject: fc.record({ type: text, id: text, properties }, { requiredKeys: [] }),
    action: fc.record({ name: text, properties }, { requiredKeys: [] }),
    resource: fc.record({ type: text, id: text, properties }, { requiredKeys: [] }),
    context: struct,
    requestId: text,
    consistency: fc.record({
      minimumGeneration: fc.maxSafeNat().map(BigInt),
      bypassCache: fc.boolean(),
    }),
  },
  { requiredKeys: [] },
);

function encoded(value: unknown): Uint8Array {
  // Generated objects leave keys out or set them undefined, which `create` takes alike.
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, value as MessageInitShape<typeof CheckRequestSchema>),
  );
}

/** JSON has one zero, and the order of names says nothing. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? {}));
}

describe("readCheck()", () => {
  it("reads what protobuf-es writes", () => {
    fc.assert(
      fc.property(init, (value) => {
        const message = create(
          CheckRequestSchema,
          value as MessageInitShape<typeof CheckRequestSchema>,
        );
        const read = readCheck(new WireReader(encoded(value)));
        expect(read.application).toBe(message.application);
        expect(read.requestId).toBe(message.requestId);
        expect(read.subject?.id).toBe(message.subject?.id);
        expect(read.subject?.type).toBe(message.subject?.type);
        expect(plain(read.subject?.properties)).toEqual(plain(message.subject?.properties));
        expect(read.action?.name).toBe(message.action?.name);
        expect(plain(read.action?.properties)).toEqual(plain(message.action?.properties));
        expect(read.resource?.type).toBe(message.resource?.type);
        expect(read.resource?.id).toBe(message.resource?.id);
        expect(plain(read.resource?.properties)).toEqual(plain(message.resource?.properties));
        expect(plain(read.context)).toEqual(plain(message.context));
        expect(read.consistency?.minimumGeneration).toBe(
          message.consistency && Number(message.consistency.minimumGeneration),
        );
        expect(read.consistency?.bypassCache).toBe(message.consistency?.bypassCache);
      }),
      { numRuns: 400 },
    );
  });
});

describe("readCheckRequest()", () => {
  const named = fc.record({
    subject: fc.constant({ id: "user-123" }),
    action: fc.constant({ name: "execute" }),
    resource: fc.record({ type: fc.constant("agent"), properties }),
    context: struct,
  });
  const edits = fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      byte: fc.nat(255),
    }),
    { maxLength: 6 },
  );

  function onlyInvalidArgument(read: () => unknown): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof PdpError) || error.kind !== "invalid-argument") throw error;
    }
  }

  it("gives a request or an invalid-argument for bytes that were damaged", () => {
    fc.assert(
      fc.property(named, edits, fc.nat(400), (value, damage, length) => {
        const bytes = Buffer.from(encoded(value));
        for (const { at, byte } of damage) bytes[Math.floor(at * bytes.length)] = byte;
        const cut = bytes.subarray(0, Math.max(1, bytes.length - (length % bytes.length)));
        onlyInvalidArgument(() => readCheckRequest(bytes));
        onlyInvalidArgument(() => readCheckRequest(cut));
      }),
      { numRuns: 3_000 },
    );
  });

  it("gives a request or an invalid-argument for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        onlyInvalidArgument(() => readCheckRequest(bytes));
        onlyInvalidArgument(() => readCheckBatchRequest(bytes, 1_000));
      }),
      { numRuns: 5_000 },
    );
  });

  it("confines damage inside an item of a batch to that item", () => {
    fc.assert(
      fc.property(named, fc.uint8Array({ maxLength: 40 }), (value, garbage) => {
        const good = encoded(value);
        const batch = toBinary(CheckBatchRequestSchema, create(CheckBatchRequestSchema, {}));
        const item = (bytes: Uint8Array): Buffer => {
          const length = [];
          let rest = bytes.length;
          for (; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80);
          return Buffer.concat([Buffer.from([0x12, ...length, rest]), bytes]);
        };
        const results = readCheckBatchRequest(
          Buffer.concat([batch, item(good), item(garbage), item(good)]),
          1_000,
        );
        expect(results).toHaveLength(3);
        expect(results[0]).not.toBeInstanceOf(PdpError);
        expect(results[2]).toEqual(results[0]);
      }),
      { numRuns: 500 },
    );
  });
});
