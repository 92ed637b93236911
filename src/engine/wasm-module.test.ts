import { describe, expect, it } from "vitest";
import { buildWasm } from "../../test/support/opa.ts";
import { PolicyRefused } from "./prepared-policy.ts";
import { adaptModule, STACK_POINTER_EXPORT, STEPS_LEFT_EXPORT } from "./wasm-module.ts";

const { wasm } = buildWasm({ "a.rego": "package a\n\nallow := true\n" }, ["a/allow"]);

function refusal(bytes: Uint8Array<ArrayBuffer>): unknown {
  try {
    return adaptModule(bytes);
  } catch (error) {
    return error;
  }
}

describe("adaptModule()", () => {
  it("refuses what is no module", () => {
    for (const bytes of [new Uint8Array(0), wasm.slice(0, 4), new Uint8Array(64)]) {
      expect(refusal(bytes)).toMatchObject({ name: "PolicyRefused", stage: "compile" });
    }
  });

  it("refuses or rewrites each truncation without another error", () => {
    for (let length = 0; length < wasm.length; length += 997) {
      const result = refusal(wasm.slice(0, length));
      if (result instanceof Error) expect(result).toBeInstanceOf(PolicyRefused);
    }
  });

  it("refuses a module without a stack pointer", () => {
    const empty = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    expect(refusal(empty)).toMatchObject({
      message: "not a policy compiled by OPA: it has 0 mutable globals instead of a stack pointer",
    });
  });

  it("adds two exports and changes no other", () => {
    const before = WebAssembly.Module.exports(new WebAssembly.Module(wasm));
    const after = WebAssembly.Module.exports(new WebAssembly.Module(adaptModule(wasm).wasm));
    expect(after).toEqual([
      ...before,
      { name: STACK_POINTER_EXPORT, kind: "global" },
      { name: STEPS_LEFT_EXPORT, kind: "global" },
    ]);
  });

  it("asks for memory beyond the data segments", () => {
    const { memoryMinBytes } = adaptModule(wasm);
    expect(memoryMinBytes).toBeGreaterThan(2 * 64 * 1024);
    expect(memoryMinBytes).toBeLessThan(1024 * 1024);
  });
});
