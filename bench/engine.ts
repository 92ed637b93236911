// One evaluation of the `platform` policy in process, with a permission set that is already
// parsed, beside npm opa-wasm on the same bundle and input: the least that decides, what the
// pipeline writes for this policy, and what it writes for one that may read anything. And what a
// storm of aborting inputs does to the rate. Times are CPU time of this thread, so that neighbours
// matter less.
// node bench/engine.ts [rounds]

import { execFileSync } from "node:child_process";
import { loadPolicy as loadNpmPolicy } from "@open-policy-agent/opa-wasm";
import { MiB } from "../src/base/sizes.ts";
import { readManifest } from "../src/bundle/manifest.ts";
import { everythingRead, type PartsRead, partsRead } from "../src/bundle/parts-read.ts";
import { loadPolicy } from "../src/engine/load-policy.ts";
import type { InputDocument, KeptDocument, Policy } from "../src/engine/policy.ts";
import { preparePolicy } from "../src/engine/prepare-policy.ts";
import { buildWasm } from "../test/support/opa.ts";
import { stagePipeline } from "../test/support/pipeline.ts";
import { median, printTable } from "./support/figures.ts";

const rounds = Number(process.argv[2] ?? 15);
const ROUND_MS = 40;
const INPUTS = 256;
const WARM_UP = 100_000;
const STORM = 100_000;
const LEVELS = ["public", "internal"];
const GOALS = [
  { permissions: 10, microseconds: undefined, ratio: undefined },
  { permissions: 100, microseconds: 5, ratio: 6 },
  { permissions: 1_000, microseconds: undefined, ratio: 50 },
  { permissions: 10_000, microseconds: 6, ratio: undefined },
];

type NpmPolicy = Awaited<ReturnType<typeof loadNpmPolicy>>;

const bundle = "bundles/platform.tar.gz";
const wasm = new Uint8Array(
  execFileSync("tar", ["-xzOPf", bundle, "/policy.wasm"], { maxBuffer: 64 * MiB }),
);
const manifest = execFileSync("tar", ["-xzOPf", bundle, "/.manifest"], { encoding: "utf8" });
const data = execFileSync("tar", ["-xzOPf", bundle, "/data.json"], { encoding: "utf8" });

/**
 * What the pipeline writes of requests with properties and context, for a policy that reads these
 * parts.
 */
function inputsOf(reads: PartsRead): InputDocument[] {
  const staged = stagePipeline({ active: { reads } });
  for (let index = 0; index < INPUTS; index += 1) {
    const properties = { owner: `user-${index}`, project: "alpha", classification: "internal" };
    staged.clock.advance(1);
    staged.decide({
      resource: { type: "agent", id: `agent-${index}`, properties },
      context: { ip: `10.1.2.${index % 256}`, userAgent: "curl/8.5.0" },
    });
  }
  return staged.seen.map(({ input }) => input);
}

/** The least that decides: what a policy costs that reads no context. */
function bareInputs(): InputDocument[] {
  return Array.from({ length: INPUTS }, (_, index) => ({
    ...{ resource: "agent", action: "execute" },
    resource_classification: LEVELS[index % 2]!,
  }));
}

function permissionsOf(count: number): string[] {
  return Array.from({ length: count - 1 }, (_, n) => `resource-${n}:act`).concat("agent:execute");
}

function keptUser(count: number): KeptDocument {
  const permissions = permissionsOf(count).map((permission) => JSON.stringify(permission));
  const text =
    `{"id":"user-1","type":"user","roles":{"developer"},"permissions":{${permissions.join(",")}},` +
    '"groups":set(),"mfaVerified":false,"clearance":"secret"}';
  return { text: () => text };
}

/** What the set has to be for npm, which can't take sets: the policy looks up keys in either. */
function npmUser(count: number): object {
  const permissions = Object.fromEntries(permissionsOf(count).map((name) => [name, true]));
  const groups = {};
  return {
    ...{ id: "user-1", type: "user", roles: { developer: true }, permissions, groups },
    ...{ mfaVerified: false, clearance: "secret" },
  };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Microseconds of CPU per call: each function's median of rounds that take turns. */
function compare(...calls: readonly ((index: number) => void)[]): number[] {
  const perRound = calls.map(callsPerRound);
  const times = calls.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    calls.forEach((call, which) => {
      const count = perRound[which]!;
      times[which]!.push((time(call, count) * 1000) / count);
    });
  }
  return times.map(median);
}

/** By the wall clock: that of the processor ticks too seldom to time a few calls. */
function callsPerRound(call: (index: number) => void): number {
  const end = performance.now() + ROUND_MS;
  let count = 0;
  for (; performance.now() < end; count += 1) call(count);
  return count;
}

function time(call: (index: number) => void, count: number): number {
  const start = cpuMs();
  for (let index = 0; index < count; index += 1) call(index);
  return Math.max(cpuMs() - start, 0.001);
}

async function load(source: { wasm: Uint8Array<ArrayBuffer>; data: string }): Promise<Policy> {
  const prepared = await preparePolicy({ ...source, memoryMaxBytes: 64 * MiB });
  return await loadPolicy(prepared, {
    yieldToLoop: async () => {},
    chunkBytes: MiB,
    keptBytesMax: 32 * MiB,
    stepsMax: 10_000_000,
  });
}

/** What evaluates one of these inputs, by its number: with Postern, and with npm opa-wasm. */
function contestants(
  [policy, npmPolicy]: readonly [Policy, NpmPolicy],
  inputs: readonly InputDocument[],
  permissions: number,
): readonly ((index: number) => void)[] {
  const kept = keptUser(permissions);
  const user = npmUser(permissions);
  const npmInputs = inputs.map((input) => ({ ...withoutBigints(input), user }));
  return [
    (index) => {
      const input = inputs[index % INPUTS]!;
      const result = policy.evaluate({ entrypoint: 0, input, kept, nowNs: 0n });
      if (result.kind !== "value" || !isAllow(result.value)) throw new Error("not an allow");
    },
    (index) => {
      const [answer] = npmPolicy.evaluate(npmInputs[index % INPUTS]!, 0) as [{ result: unknown }];
      if (!isAllow(answer.result)) throw new Error("not an allow");
    },
  ];
}

async function benchSizes(): Promise<void> {
  const policy = await load({ wasm, data });
  const npmPolicy = await loadNpmPolicy(wasm);
  npmPolicy.setData(JSON.parse(data) as object);
  const inputs = {
    bare: bareInputs(),
    read: inputsOf(partsRead(readManifest(manifest).postern.reads?.paths)),
    whole: inputsOf(everythingRead),
  };
  const rows = [["permissions", "input", "postern µs", "goal", "npm opa-wasm µs", "ratio", "goal"]];
  for (const { permissions, microseconds, ratio } of GOALS) {
    const calls = Object.values(inputs).flatMap((some) =>
      contestants([policy, npmPolicy], some, permissions),
    );
    for (const ours of [calls[0]!, calls[2]!, calls[4]!]) time(ours, WARM_UP);
    // All take turns, so that a machine that slows down does so for each.
    const times = compare(...calls);
    for (const [index, label] of Object.keys(inputs).entries()) {
      const [postern, npm] = times.slice(2 * index) as [number, number];
      rows.push([
        ...[String(permissions), label, postern.toFixed(2)],
        microseconds === undefined ? "" : `≤ ${microseconds}`,
        ...[npm.toFixed(1), `${(npm / postern).toFixed(1)} ×`],
        ratio === undefined ? "" : `≥ ${ratio} ×`,
      ]);
    }
  }
  printTable(rows);
}

/** npm stringifies its input, and JSON.stringify takes no bigints. */
function withoutBigints(input: InputDocument): object {
  const text = JSON.stringify(input, (_name, item: unknown) =>
    typeof item === "bigint" ? Number(item) : item,
  );
  return JSON.parse(text) as object;
}

function isAllow(value: unknown): boolean {
  return (value as { allow?: unknown }).allow === true;
}

/** Conflicts, and inputs that are refused, in turn. */
async function benchStorm(): Promise<void> {
  const rego = `package storm

allow if input.user.permissions["agent:execute"]

allow := false if input.conflict
`;
  const policy = await load(buildWasm({ "storm.rego": rego }, ["storm/allow"]));
  const kept = keptUser(100);
  const ask = (input: InputDocument): string => {
    const result = policy.evaluate({ entrypoint: 0, input, kept, nowNs: 0n });
    return result.kind === "failed" ? result.why : result.kind;
  };
  const calm = (index: number): void => {
    if (ask({ index }) !== "value") throw new Error("no answer");
  };
  const conflict = (): void => {
    if (ask({ conflict: true }) !== "conflict") throw new Error("no conflict");
  };
  const surrogate = (): void => {
    if (ask({ text: "\ud800" }) !== "input") throw new Error("no refusal");
  };
  time(calm, WARM_UP);
  const [before] = compare(calm) as [number];
  const aborting = (time(conflict, STORM) * 1000) / STORM;
  const refused = (time(surrogate, STORM) * 1000) / STORM;
  const [after] = compare(calm) as [number];
  printTable([
    ["storm of 100,000", "µs each", "rate of normal", "goal"],
    ["answers before", before.toFixed(2), "1", ""],
    ["conflicts", aborting.toFixed(2), (before / aborting).toFixed(2), "≥ 0.1"],
    ["refused inputs", refused.toFixed(2), (before / refused).toFixed(2), "≥ 0.1"],
    ["answers after", after.toFixed(2), (before / after).toFixed(2), ""],
  ]);
}

await benchSizes();
process.stdout.write("\n");
await benchStorm();
