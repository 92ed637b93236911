import { describe, expect, it } from "vitest";
import { evaluate, loadTestPolicy } from "../../test/support/wasm-policy.ts";
import { HASH_INIT, HASH_PRIME } from "./value-layout.ts";

const BUCKETS_MASK = 0x7fff;
const LETTERS = Array.from("abcdefghijklmnopqrstuvwxyz0123456789");

function bucketAfter(state: number, text: string): number {
  return Array.from(text).reduce(
    (hash, letter) => (Math.imul(hash, HASH_PRIME) ^ letter.charCodeAt(0)) & BUCKETS_MASK,
    state,
  );
}

/** Names of one bucket in all tables of up to 32,768: put together of texts that leave the hash as it was. */
function collidingNames(count: number): string[] {
  const start = HASH_INIT & BUCKETS_MASK;
  const pairs = LETTERS.flatMap((a) => LETTERS.map((b) => a + b));
  const loops = pairs
    .flatMap((a) => pairs.map((b) => a + b))
    .filter((text) => bucketAfter(start, text) === start);
  return loops.flatMap((a) => loops.map((b) => a + b)).slice(0, count);
}

describe("StructWriter", () => {
  it("refuses members whose names are chosen to be in one bucket", async () => {
    const rego = "package probe\n\nsize := count(input)\n";
    const policy = await loadTestPolicy({ files: { "a.rego": rego }, entrypoints: ["probe/size"] });
    const sizeOf = (names: readonly string[]) => {
      const input = Object.fromEntries(names.map((name) => [name, 1]));
      return evaluate(policy, "probe/size", { input });
    };
    const names = collidingNames(1_000);
    expect(names).toHaveLength(1_000);
    expect(sizeOf(names.slice(0, 60))).toEqual({ kind: "value", value: 60 });
    expect(sizeOf(names)).toMatchObject({ kind: "failed", why: "input" });
    const others = Array.from({ length: 16_000 }, (_, index) => `n${index}`);
    expect(sizeOf(others)).toEqual({ kind: "value", value: 16_000 });
  });
});
