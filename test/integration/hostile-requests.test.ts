// Bad input through the real port of the real process: an error that names the field, or a deny.
import { connect } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  CheckBatchResponseSchema,
  CheckResponseSchema,
} from "../../src/grpc/gen/postern/v1/decision_pb.js";
import {
  granted,
  type HostileServer,
  methods,
  startHostileServer,
} from "../support/hostile-server.ts";
import { checkFields, field, message, nestedStruct } from "../support/wire.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK } = status;

let server: HostileServer;

beforeAll(async () => {
  server = await startHostileServer();
});
afterEach(() => server.expectUnharmed());
afterAll(() => server.close());

/** `CheckRequest` with one field replaced. */
const withField = (number: number, content: string | Uint8Array | readonly number[]): Buffer =>
  message(checkFields([number]), field(number, content));
const subject = (id: string | readonly number[]): Buffer => withField(2, field(2, id));
const action = (name: string | readonly number[]): Buffer => withField(3, field(1, name));
const type = (name: string | readonly number[]): Buffer => withField(4, field(1, name));
const resource = (id: string | readonly number[]): Buffer =>
  withField(4, message(field(1, "agent"), field(2, id)));
const context = (struct: Uint8Array): Buffer => withField(5, struct);
/** A `Struct` with one member; `value` is an encoded `Value`. */
const struct = (name: string | readonly number[], value: readonly number[] | Uint8Array): Buffer =>
  field(1, message(field(1, name), field(2, value)));

const surrogate = [0xed, 0xa0, 0x80];
const notANumber = [0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

describe("one bad field", () => {
  it.each<[string, Buffer, string]>([
    ["no subject", checkFields([2]), "subject"],
    ["no action", checkFields([3]), "action"],
    ["no resource", checkFields([4]), "resource"],
    ["an empty subject", withField(2, ""), "subject.id"],
    ["an empty subject id", subject(""), "subject.id"],
    ["an empty resource id", resource(""), "resource.id"],
    ["a subject id of 257 bytes", subject("a".repeat(257)), "subject.id"],
    ["a subject id of 258 bytes in 129 letters", subject("ж".repeat(129)), "subject.id"],
    ["a resource id of 257 bytes", resource("a".repeat(257)), "resource.id"],
    ["an action of 64", action("a".repeat(64)), "action.name"],
    ["a type of 64", type("a".repeat(64)), "resource.type"],
    ["a request id of 257 bytes", withField(6, "a".repeat(257)), "request_id"],
    ["an action * ", action("*"), "action.name"],
    ["a type *", type("*"), "resource.type"],
    ["a whole permission as type", type("agent:execute"), "resource.type"],
    ["a whole permission as action", action("agent:execute"), "action.name"],
    ["an application *", withField(1, "*"), "application"],
    ["an application with :", withField(1, "a:b"), "application"],
    ["an application that leads away", withField(1, "../platform"), "application"],
    ["__proto__ as application", withField(1, "__proto__"), "application"],
    ["__proto__ as type", type("__proto__"), "resource.type"],
    ["__proto__ as action", action("__proto__"), "action.name"],
    ["a subject of type constructor", withField(2, field(1, "constructor")), "subject.type"],
    ["a lone surrogate in a subject", subject(surrogate), "subject.id"],
    ["a lone surrogate in a resource", resource(surrogate), "resource.id"],
    ["a lone surrogate in a property", context(struct("a", field(3, surrogate))), "context.a"],
    ["a lone surrogate as property", context(struct(surrogate, [0x20, 1])), "context."],
    ["NUL in a subject", subject("user-123\0"), "subject.id"],
    ["NUL in a resource", resource("\0"), "resource.id"],
    ["a line break in an action", action("execute\n"), "action.name"],
    ["invalid UTF-8 in a subject", subject([0xc3, 0x28]), "subject.id"],
    ["overlong UTF-8 in a type", type([0xc1, 0xa1]), "resource.type"],
    ["a number as subject", message(checkFields([2]), Buffer.from([0x10, 1])), ""],
    ["a number as action name", withField(3, [0x08, 1]), "action"],
    ["a text as generation", withField(7, field(1, "1")), "consistency"],
    ["a negative generation", withField(7, [8, ...new Array(9).fill(0xff), 1]), "consistency."],
    ["a subject given twice", message(checkFields(), field(2, field(2, "x"))), "subject"],
    ["a context given twice", message(checkFields(), field(5, ""), field(5, "")), "context"],
    ["NaN", context(struct("a", notANumber)), "context.a"],
    ["a value of no kind", context(struct("a", [])), "context.a"],
    ["a value of two kinds", context(struct("a", [0x20, 1, 0x08, 0])), "context.a"],
    ["bytes that are no message", Buffer.alloc(64, 0xff), ""],
    ["a message that is cut short", checkFields().subarray(0, -1), ""],
    ["nothing at all", Buffer.alloc(0), "subject"],
    ["JSON 65 deep", context(nestedStruct(65)), "context.a"],
    ["JSON 10,000 deep", context(nestedStruct(10_000)), "context.a"],
    ["JSON 60,000 deep", context(nestedStruct(60_000)), "context.a"],
  ])("refuses %s by the field's path", async (_, bytes, path) => {
    const outcome = await server.send(methods.check, bytes);
    expect(outcome).toMatchObject({ code: INVALID_ARGUMENT, answer: undefined });
    expect(outcome.field).toMatch(path === "" ? /^/ : new RegExp(`^${RegExp.escape(path)}`));
    expect(outcome.message).toContain(path);
    const inside = await server.send(methods.mfaRequired, field(1, bytes));
    expect(inside.code).toBe(INVALID_ARGUMENT);
    const items = await server.send(methods.checkBatch, message(field(2, bytes)));
    if (items.answer === undefined) expect(items.code).toBe(INVALID_ARGUMENT);
    else expect(resultsOf(items.answer)).toEqual(["error 3"]);
  });

  it("takes JSON of depth 64 all the way to the policy", async () => {
    expect(await decisionOf(context(nestedStruct(64)))).toMatchObject({ allowed: true });
  });
});

describe("names that mean something to JavaScript", () => {
  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"])(
    "knows nobody called %s, and lets resources and properties be called so",
    async (name) => {
      const unknown = await server.check({ ...granted, subject: { id: name } });
      expect(unknown).toMatchObject({ allowed: false, reason: "unknown_subject" });
      const set = await server.send(methods.getPermissionSet, field(2, field(2, name)));
      expect(set).toMatchObject({ code: NOT_FOUND, field: "subject.id" });
      for (const value of [field(3, "x"), field(5, struct("allowed", [0x20, 1]))]) {
        const odd = field(3, struct(name, value));
        const bytes = message(
          field(2, message(field(2, "user-123"), odd)),
          field(3, message(field(1, "execute"), field(2, struct(name, value)))),
          field(4, message(field(1, "agent"), field(2, name), odd)),
          field(5, struct(name, value)),
        );
        expect(await decisionOf(bytes)).toMatchObject({ allowed: true });
        const refused = message(bytes, field(1, "gateway"));
        expect(await decisionOf(refused)).toMatchObject({ allowed: false });
      }
    },
  );

  it.each(["constructor", "toString"])("has no permission %s", async (name) => {
    expect(await server.check({ ...granted, action: { name } })).toMatchObject({
      allowed: false,
      reason: `unknown:agent:${name}`,
    });
    const typed = await server.check({ ...granted, resource: { type: name } });
    expect(typed).toMatchObject({ allowed: false, reason: `unknown:${name}:execute` });
  });

  it("takes no subject for another that looks like it", async () => {
    for (const id of ["USER-123", " user-123", "user-123 ", "user-123\u200b", "\ufeffuser-123"]) {
      const answer = await server.check({ ...granted, subject: { id } });
      expect([id, answer.reason]).toEqual([id, "unknown_subject"]);
    }
  });
});

describe("too much", () => {
  it("refuses a message of 10 MB", async () => {
    const outcome = await server.send(methods.check, withField(6, "a".repeat(10_000_000)));
    expect(outcome.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it("refuses a batch of 100,000, and answers one of 1,000 subjects", async () => {
    const many = (count: number, item: (index: number) => Uint8Array): Buffer =>
      Buffer.concat(Array.from({ length: count }, (_, index) => field(2, item(index))));
    const refused = await server.send(
      methods.checkBatch,
      many(100_000, () => Buffer.alloc(0)),
    );
    expect(refused).toMatchObject({ code: INVALID_ARGUMENT, field: "items" });
    const strangers = many(1_000, (index) => field(2, field(2, `stranger-${index}`)));
    const batch = message(field(1, checkFields()), strangers);
    const { answer } = await server.send(methods.checkBatch, batch);
    expect(new Set(resultsOf(answer!))).toEqual(new Set(["unknown_subject"]));
    expect(resultsOf(answer!)).toHaveLength(1_000);
  });

  it("denies what is too large for a policy to see", async () => {
    const large = field(3, "a".repeat(300_000));
    const numerous = field(
      5,
      Buffer.concat(Array.from({ length: 50_000 }, (_, index) => struct(`k${index}`, [0x20, 1]))),
    );
    for (const value of [large, numerous]) {
      const resource = message(field(1, "agent"), field(3, struct("owner", value)));
      expect(await decisionOf(message(checkFields([4]), field(4, resource)))).toMatchObject({
        allowed: false,
        reason: "indeterminate:input",
      });
      // The policy can't read it, and so never gets it.
      expect(await decisionOf(context(struct("unheard-of", value)))).toMatchObject({
        allowed: true,
      });
    }
  });

  it("ends a batch whose caller has gone, and answers others meanwhile", async () => {
    const keys = Array.from({ length: 2_000 }, (_, index) => struct(`k${index}`, [0x20, 1]));
    const heavy = message(
      field(1, message(checkFields(), field(5, Buffer.concat(keys)))),
      Buffer.concat(new Array<Buffer>(1_000).fill(field(2, []))),
    );
    const asIs = (bytes: Buffer): Buffer => bytes;
    const calls = Array.from({ length: 20 }, () =>
      server.client.inner.makeUnaryRequest(methods.checkBatch, asIs, asIs, heavy, () => {}),
    );
    await expect.poll(waitingCalls).toBeGreaterThan(0);
    await server.expectUnharmed();
    for (const call of calls) call.cancel();
    await expect.poll(waitingCalls, { timeout: 5_000 }).toBe(0);
  });
});

describe("calls that are no calls", () => {
  it("answers nobody whose deadline has passed", async () => {
    const deadline = Date.parse("2020-01-01");
    for (const path of Object.values(methods)) {
      const outcome = await server.send(path, checkFields(), { deadline });
      expect(outcome.code).toBe(status.DEADLINE_EXCEEDED);
    }
  });

  it.each([
    "/postern.v1.DecisionService/check",
    "/postern.v1.DecisionService/Check/",
    "/postern.v1.DecisionService/__proto__",
    "/postern.v1.decisionservice/Check",
    "/__proto__/constructor",
    "/",
  ])("does not implement %s", async (path) => {
    expect(await server.send(path, checkFields())).toMatchObject({ code: status.UNIMPLEMENTED });
  });

  it.each<[string, Buffer]>([
    ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nHost: postern\r\n\r\n")],
    ["noise", Buffer.alloc(5_000, 0xff)],
    [
      "a frame of 16 MB",
      Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff${"\0".repeat(6)}`, "latin1"),
    ],
  ])("closes a connection that speaks %s", async (_, bytes) => {
    const [host, port] = server.process.address.split(":");
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), host!, () => socket.write(bytes));
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
  });

  it("survives thousands of calls that are cancelled at once", async () => {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const cancelled = Array.from({ length: 3_000 }, (_, index) => {
      const bytes = subject(`passer-by-${index}`);
      return new Promise<void>((resolve) => {
        const { inner } = server.client;
        const call = inner.makeUnaryRequest(methods.check, asIs, asIs, bytes, () => resolve());
        setImmediate(() => call.cancel());
      });
    });
    await Promise.all(cancelled);
    // Resetting so many streams costs the connection; the next call has another.
    await expect.poll(async () => (await server.send(methods.check, checkFields())).code).toBe(OK);
  });
});

async function decisionOf(bytes: Uint8Array) {
  const { answer, message } = await server.send(methods.check, bytes);
  expect(message).toBe("");
  return fromBinary(CheckResponseSchema, answer!);
}

function resultsOf(bytes: Uint8Array): string[] {
  return fromBinary(CheckBatchResponseSchema, bytes).results.map(({ answer }) =>
    answer.case === "error" ? `error ${answer.value.code}` : `${answer.value?.reason}`,
  );
}

async function waitingCalls(): Promise<number> {
  const metrics = await (await fetch(`${server.process.diagnostics}/metrics`)).text();
  return Number(/^postern_grpc_waiting_calls (\d+)$/m.exec(metrics)?.[1]);
}
