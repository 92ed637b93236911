import { Metadata, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { fakeDecision } from "../../test/support/fake-pipeline.ts";
import { CHECK, createGrpcBench, question } from "../../test/support/grpc-bench.ts";
import { badRequestField, failureOf } from "../../test/support/grpc-client.ts";
import { checkFields, field, message, nestedStruct } from "../../test/support/wire.ts";
import { DecisionService } from "./gen/postern/v1/decision_pb.js";

const BATCH = "/postern.v1.DecisionService/CheckBatch";

const { connected, close } = createGrpcBench();
afterEach(close);

describe("bad input through the port", () => {
  it("hands the pipeline nothing that is not valid", async () => {
    const client = await connected({
      check: () => {
        throw new Error("was asked");
      },
    });
    const bad: readonly [string, Uint8Array, string][] = [
      ["nothing at all", Buffer.alloc(0), "subject"],
      ["a * as action", message(checkFields([3]), field(3, field(1, "*"))), "action.name"],
      ["a : in a type", message(checkFields([4]), field(4, field(1, "a:b"))), "resource.type"],
      ["invalid UTF-8", message(checkFields([2]), field(2, field(2, [0xff]))), "subject.id"],
      [
        "a lone surrogate",
        message(checkFields([2]), field(2, field(2, [0xed, 0xa0, 0x80]))),
        "subject.id",
      ],
      ["NUL", message(checkFields([2]), field(2, field(2, "a\0"))), "subject.id"],
      [
        "a name of 64",
        message(checkFields([4]), field(4, field(1, "a".repeat(64)))),
        "resource.type",
      ],
      [
        "an id of 257",
        message(checkFields([2]), field(2, field(2, "a".repeat(257)))),
        "subject.id",
      ],
      ["an application", message(checkFields(), field(1, "__proto__")), "application"],
    ];
    for (const [what, bytes, path] of bad) {
      const error = await failureOf(client.raw(CHECK, bytes));
      expect([what, error.code]).toEqual([what, status.INVALID_ARGUMENT]);
      expect([what, badRequestField(error)]).toEqual([what, path]);
      expect(error.details.startsWith(`${path}: `)).toBe(true);
    }
  });

  it("refuses bytes that don't decode, and JSON 10,000 deep", async () => {
    const client = await connected();
    const garbage = await failureOf(client.raw(CHECK, Buffer.alloc(100, 0xff)));
    expect(garbage.code).toBe(status.INVALID_ARGUMENT);
    const deep = message(checkFields(), field(5, nestedStruct(10_000)));
    const error = await failureOf(client.raw(CHECK, deep));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(badRequestField(error)).toMatch(/^context\.a\.a/);
  });

  it("names fields in any script without breaking the header they travel in", async () => {
    const client = await connected();
    const nan = field(2, [0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
    const name = `${"ж".repeat(63)}😀%\n`;
    const bytes = message(checkFields(), field(5, field(1, message(field(1, name), nan))));
    const error = await failureOf(client.raw(CHECK, bytes));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(badRequestField(error)).toMatch(/^context\.ж+/);
  });

  it("lets __proto__ and constructor be ids and properties like any other", async () => {
    let seen: unknown;
    const client = await connected({
      check: (request) => {
        seen = request;
        return fakeDecision(request);
      },
    });
    const evil = field(1, message(field(1, "__proto__"), field(2, field(3, "x"))));
    const bytes = message(checkFields([2]), field(2, field(2, "__proto__")), field(5, evil));
    await client.raw(CHECK, bytes);
    expect(seen).toMatchObject({ subject: { id: "__proto__" } });
    expect(Object.keys((seen as { context: object }).context)).toEqual(["__proto__"]);
  });

  it("refuses a 10 MB message and a batch of 100,000, and answers the next call", async () => {
    const client = await connected();
    const large = message(checkFields(), field(6, "a".repeat(10_000_000)));
    expect((await failureOf(client.raw(CHECK, large))).code).toBe(status.RESOURCE_EXHAUSTED);
    const batch = Buffer.concat(new Array(100_000).fill(field(2, [])));
    const error = await failureOf(client.raw(BATCH, batch));
    expect([error.code, badRequestField(error)]).toEqual([status.INVALID_ARGUMENT, "items"]);
    expect((await client.call(DecisionService.method.check, question)).allowed).toBe(true);
  });

  it("says UNIMPLEMENTED to unknown methods and to paths that are almost right", async () => {
    const client = await connected();
    for (const path of [
      "/postern.v1.DecisionService/Delete",
      "/postern.v1.decisionservice/Check",
    ]) {
      expect((await failureOf(client.raw(path, checkFields()))).code).toBe(status.UNIMPLEMENTED);
    }
  });

  it("does no work for a call whose deadline has passed", async () => {
    let asked = 0;
    const client = await connected({
      check: (request) => {
        asked++;
        return fakeDecision(request);
      },
    });
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "0m");
    const error = await failureOf(
      new Promise((resolve, reject) => {
        const asIs = (bytes: Buffer): Buffer => bytes;
        client.inner.makeUnaryRequest(CHECK, asIs, asIs, checkFields(), metadata, (e, r) =>
          e ? reject(e) : resolve(r),
        );
      }),
    );
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    const past = { deadline: Date.parse("2020-01-01") };
    expect((await failureOf(client.raw(CHECK, checkFields(), past))).code).toBe(
      status.DEADLINE_EXCEEDED,
    );
    expect(asked).toBe(0);
  });
});
