/**
 * Cold resolves on SQLite: 100,000 subjects, 8 roles each, 5 levels of inheritance.
 * `node bench/directory.ts [subjects]`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import { systemClock } from "../src/base/clock.ts";
import { noDeadline } from "../src/base/deadline.ts";
import { silentHealth } from "../src/base/health.ts";
import { silentLogger } from "../src/base/logger.ts";
import { silentMeter } from "../src/base/meter.ts";
import { insertAll } from "../src/directory/chunks.ts";
import { openDirectory } from "../src/directory/open-directory.ts";
import { openStore } from "../src/directory/open-store.ts";
import { directoryOptionsSchema } from "../src/directory/options.ts";

const SUBJECTS = Number(process.argv[2] ?? 100_000);
const ROLES_EACH = 8;
const LEVELS = 5;
const CHAINS = 200;
const RESOLVES = 5_000;
const IN_FLIGHT = 16;

const folder = await mkdtemp(join(tmpdir(), "postern-bench-"));
const options = {
  ...Create(directoryOptionsSchema),
  database: `sqlite:${join(folder, "directory.db")}`,
};
const open = () =>
  openDirectory({
    options,
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unknownSubjects: () => "deny",
  });

try {
  await measure();
} finally {
  await rm(folder, { recursive: true });
}

async function measure(): Promise<void> {
  let directory = await open();
  await directory.apply({ name: "roles", text: roleFile() }, { dryRun: false });
  await directory.close();
  await timed(`seed ${SUBJECTS} subjects with ${ROLES_EACH} roles each`, seedSubjects);

  directory = await open();
  const one = () =>
    directory.resolve("platform", `subject-${Math.floor(Math.random() * SUBJECTS)}`, noDeadline);
  const first = await one();
  const grants = first.classes.reduce((sum, { grants }) => sum + grants.length, 0);
  report(`grants in a set: ${grants}`);
  const timesUs: number[] = [];
  for (let i = 0; i < RESOLVES; i++) {
    const start = performance.now();
    await one();
    timesUs.push((performance.now() - start) * 1_000);
  }
  timesUs.sort((a, b) => a - b);
  const at = (part: number): string => `${timesUs[Math.floor(part * RESOLVES)]!.toFixed(0)} µs`;
  report(`cold resolve: median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}`);

  const start = performance.now();
  let left = RESOLVES;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const perSecond = RESOLVES / ((performance.now() - start) / 1_000);
  report(`with ${IN_FLIGHT} in flight: ${perSecond.toFixed(0)} resolves/s`);

  await timed("edit a role that thousands hold", async () => {
    const text = `applications: { platform: { roles: [{ name: ${roleName(0, 0)} }] } }`;
    await directory.apply({ name: "edit", text }, { dryRun: false });
  });
  await timed("first resolve after it", one);
  await directory.close();
}

function roleFile(): string {
  const roles = Array.from({ length: CHAINS * LEVELS }, (_, i) => {
    const chain = Math.floor(i / LEVELS);
    const level = i % LEVELS;
    const parent = level + 1 < LEVELS ? [roleName(chain, level + 1)] : [];
    return {
      name: roleName(chain, level),
      permissions: ["agent:read", "workflow:*", "mesh:discover"],
      inheritsFrom: parent,
      restrictions: chain % 4 === 0 && level === 0 ? { mfa: "required" } : {},
    };
  });
  return JSON.stringify({ applications: { platform: { roles } } });
}

function roleName(chain: number, level: number): string {
  return `role-${chain}-${level}`;
}

async function seedSubjects(): Promise<void> {
  const store = await openStore(options, { waiting: () => {} });
  const ids = Array.from({ length: SUBJECTS }, (_, i) => `subject-${i}`);
  await store.write(async (transaction) => {
    const roles = await transaction
      .selectFrom("roles")
      .select("id")
      .where("name", "like", "role-%-0")
      .execute();
    const subject = { type: "user", disabled: 0, attributes: '{"clearance":"secret"}' } as const;
    await insertAll(
      transaction,
      "subjects",
      ids.map((id) => ({ id, ...subject })),
    );
    const terms = { source: "manual", scope: "", expires_at_ms: null } as const;
    const assignments = ids.flatMap((subject_id, i) =>
      Array.from({ length: ROLES_EACH }, (_, j) => ({
        subject_id,
        role_id: roles[(i * 7 + j * 13) % roles.length]!.id,
        ...terms,
        granted_by: null,
        reason: null,
      })),
    );
    await insertAll(transaction, "role_assignments", assignments);
  });
  await store.close();
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  report(`${what}: ${(performance.now() - start).toFixed(1)} ms`);
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}
