import { describe, expect, it } from "vitest";
import { type Logger, silentLogger } from "../base/logger.ts";
import { type Labels, type Meter, silentMeter } from "../base/meter.ts";
import type { ActivePolicy } from "./active-policy.ts";
import { createBundleJournal } from "./bundle-journal.ts";
import { BundleRefused } from "./bundle-refused.ts";

function journal() {
  const lines: string[] = [];
  const counts: string[] = [];
  const write = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { ...silentLogger, info: write, warn: write, error: write };
  const record = (name: string) => (value: number, labels?: Labels) => {
    counts.push(`${name} ${value} ${JSON.stringify(labels)}`);
  };
  const meter: Meter = {
    ...silentMeter,
    counter: ({ name }) => ({ add: record(name) }),
    gauge: ({ name }) => ({ set: record(name) }),
  };
  return { journal: createBundleJournal(logger, meter), lines, counts };
}

describe("createBundleJournal()", () => {
  it("says what was refused, why, and what holds", () => {
    const { journal: written, lines, counts } = journal();
    const reason = new BundleRefused("container", "the file is not gzip");
    written.refused("a", reason, "r1");
    written.refused("a", reason, undefined);
    const fields = '{"application":"a","stage":"container"}';
    expect(lines).toEqual([
      `Bundle refused: the file is not gzip. Revision r1 stays active. ${fields}`,
      `Bundle refused: the file is not gzip. None is active. ${fields}`,
    ]);
    expect(counts).toEqual(Array(2).fill('postern_bundle_refusals_total 1 {"stage":"container"}'));
  });

  it("counts activations and their memory by application", () => {
    const { journal: written, counts } = journal();
    const policy = { application: "a", policy: { memoryBytes: () => 7 } } as ActivePolicy;
    written.activated(policy, "folder");
    written.removed("a");
    expect(counts).toEqual([
      'postern_bundle_activations_total 1 {"application":"a"}',
      'postern_bundle_memory_bytes 7 {"application":"a"}',
      'postern_bundle_memory_bytes 0 {"application":"a"}',
    ]);
  });
});
