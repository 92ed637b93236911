import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { buildWasm } from "../../test/support/opa.ts";
import { KiB, MiB } from "../base/sizes.ts";
import { loadPolicy } from "./load-policy.ts";
import { MEMORY_BYTES_MAX, preparePolicy } from "./prepare-policy.ts";
import type { PolicySource, PreparedPolicy } from "./prepared-policy.ts";

const plain = buildWasm({ "a.rego": "package a\n\nallow if data.users[input.id]\n" }, ["a/allow"]);

function source(changes: Partial<PolicySource> = {}): PolicySource {
  return { wasm: plain.wasm, data: "{}", memoryMaxBytes: 16 * MiB, ...changes };
}

async function refusal(changes: Partial<PolicySource>): Promise<unknown> {
  return await preparePolicy(source(changes)).catch((error: unknown) => error);
}

/** The bytes of `text`, each once, replaced by those of another text of the same length. */
function replaced(bytes: Uint8Array, text: string, other: string): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const at = Buffer.from(copy.buffer).indexOf(text);
  copy.set(Buffer.from(other), at);
  return copy;
}

describe("preparePolicy()", () => {
  it("refuses what does not compile", async () => {
    for (const wasm of [new Uint8Array(0), plain.wasm.slice(0, 5_000), new Uint8Array(100)]) {
      expect(await refusal({ wasm })).toMatchObject({ name: "PolicyRefused", stage: "compile" });
    }
    const torn = plain.wasm.slice();
    torn.fill(0xff, 60_000, 60_100);
    expect(await refusal({ wasm: torn })).toMatchObject({ stage: "compile" });
  });

  it("refuses foreign imports and missing exports, by name", async () => {
    expect(await refusal({ wasm: replaced(plain.wasm, "opa_abort", "opa_hello") })).toMatchObject({
      stage: "abi",
      message: "the module imports what OPA's ABI has not: env.opa_hello",
    });
    const renamed = replaced(plain.wasm, "opa_heap_ptr_get", "opa_heap_ptr_got");
    expect(await refusal({ wasm: renamed })).toMatchObject({
      stage: "abi",
      message: "the module lacks the function opa_heap_ptr_get of OPA's ABI",
    });
  });

  it("refuses built-ins that are missing here, naming all of them", async () => {
    const { wasm } = buildWasm(
      {
        "a.rego": `package a

allow if net.lookup_ip_addr("localhost")

allow if http.send({"method": "get", "url": "http://localhost"}).status_code == 200

allow if sprintf("%d", [1]) == "1"
`,
      },
      ["a/allow"],
    );
    expect(await refusal({ wasm })).toMatchObject({
      stage: "builtins",
      message:
        "the policy calls built-ins that are not available here: http.send, net.lookup_ip_addr",
    });
  });

  it("refuses data that is not a JSON object of well-formed text", async () => {
    for (const data of ["", "{", "[]", "null", "{} {}", '{"a":{1,2}}', '{"a":"\\ud800"}']) {
      expect(await refusal({ data })).toMatchObject({ stage: "data" });
    }
  });

  it("refuses data that needs more memory than the policy may have", async () => {
    const data = JSON.stringify({ list: Array.from({ length: 50_000 }, (_, n) => ({ n })) });
    expect(await refusal({ data })).toMatchObject({
      stage: "memory",
      message: `the data needs more memory than ${16 * MiB} bytes`,
    });
  });

  it("refuses memory limits that are too low or too high", async () => {
    expect(await refusal({ memoryMaxBytes: 64 * KiB })).toMatchObject({ stage: "memory" });
    expect(await refusal({ memoryMaxBytes: MEMORY_BYTES_MAX + 1 })).toMatchObject({
      stage: "memory",
    });
  });

  it("gives what can be posted and then loaded in pieces", async () => {
    const users = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`user-${n}`, true]));
    const prepared = await preparePolicy(source({ data: JSON.stringify({ users }) }));
    const { port1, port2 } = new MessageChannel();
    const arrived = once(port2, "message");
    port1.postMessage(prepared, [prepared.image.buffer]);
    const [posted] = (await arrived) as [PreparedPolicy];
    port1.close();

    let turns = 0;
    const policy = await loadPolicy(posted, {
      yieldToLoop: async () => {
        turns += 1;
      },
      chunkBytes: 64 * KiB,
      keptBytesMax: MiB,
      stepsMax: 10_000_000,
    });
    expect(turns).toBe(Math.ceil(posted.image.length / (64 * KiB)));
    const ask = (id: string): unknown =>
      policy.evaluate({ entrypoint: 0, input: { id }, kept: undefined, nowNs: 0n });
    expect(ask("user-1999")).toEqual({ kind: "value", value: true });
    expect(ask("user-2000")).toEqual({ kind: "undefined" });
  });
});
