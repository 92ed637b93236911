/**
 * The directory on both of its databases: 100,000 subjects, 8 roles each, 5 levels of inheritance,
 * and a role that half of them hold. Cold resolves, and edits of that role while reads go on.
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
import type { Directory } from "../src/directory/directory.ts";
import { openDirectory } from "../src/directory/open-directory.ts";
import { openStore } from "../src/directory/open-store.ts";
import { type DirectoryOptions, directoryOptionsSchema } from "../src/directory/options.ts";
import { startPostgres } from "../test/support/postgres.ts";

const SUBJECTS = Number(process.argv[2] ?? 100_000);
const ROLES_EACH = 8;
const LEVELS = 5;
const CHAINS = 200;
const RESOLVES = 5_000;
const IN_FLIGHT = 16;
const EDITS = 20;
const POPULAR = "popular";

const folder = await mkdtemp(join(tmpdir(), "postern-bench-"));
const server = await startPostgres();
try {
  await measure("SQLite", `sqlite:${join(folder, "directory.db")}`);
  await measure("PostgreSQL", await server.createDatabase());
} finally {
  await server.dispose();
  await rm(folder, { recursive: true });
}

async function measure(name: string, database: string): Promise<void> {
  report(`\n== ${name}`);
  const options = { ...Create(directoryOptionsSchema), database };
  let directory = await open(options);
  await directory.apply({ name: "roles", text: roleFile() }, { dryRun: false });
  await directory.close();
  await timed(`seed ${SUBJECTS} subjects with ${ROLES_EACH} roles each`, () => seed(options));

  directory = await open(options);
  const one = () =>
    directory.resolve("platform", `subject-${Math.floor(Math.random() * SUBJECTS)}`, noDeadline);
  const first = await one();
  const grants = first.classes.reduce((sum, { grants }) => sum + grants.length, 0);
  report(`grants in a set: ${grants}`);
  const timesMs: number[] = [];
  for (let i = 0; i < RESOLVES; i++) timesMs.push(await clocked(one));
  report(`cold resolve: ${quantiles(timesMs)}`);

  const start = performance.now();
  let left = RESOLVES;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const perSecond = RESOLVES / ((performance.now() - start) / 1_000);
  report(`with ${IN_FLIGHT} in flight: ${perSecond.toFixed(0)} resolves/s`);
  await measureEdits(directory, one);
  await directory.close();
}

/** One read after the other goes on while the role is edited again and again. */
async function measureEdits(directory: Directory, one: () => Promise<unknown>): Promise<void> {
  let isEditing = true;
  const readsMs: number[] = [];
  const reading = (async () => {
    while (isEditing) readsMs.push(await clocked(one));
  })();
  const editsMs: number[] = [];
  for (let i = 0; i < EDITS; i++) {
    const permissions = i % 2 === 0 ? ["agent:read"] : ["agent:read", "mesh:discover"];
    const text = JSON.stringify({
      applications: { platform: { roles: [{ name: POPULAR, permissions }] } },
    });
    editsMs.push(await clocked(() => directory.apply({ name: "edit", text }, { dryRun: false })));
  }
  isEditing = false;
  await reading;
  report(`edit a role that ${Math.floor(SUBJECTS / 2)} hold: ${quantiles(editsMs)}`);
  report(`resolves meanwhile, the roles read anew after each: ${quantiles(readsMs)}`);
}

function open(options: DirectoryOptions): Promise<Directory> {
  return openDirectory({
    options,
    clock: systemClock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unknownSubjects: () => "deny",
  });
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
  return JSON.stringify({
    applications: { platform: { roles: [...roles, { name: POPULAR }] } },
  });
}

function roleName(chain: number, level: number): string {
  return `role-${chain}-${level}`;
}

async function seed(options: DirectoryOptions): Promise<void> {
  const store = await openStore(options, { waiting: () => {} });
  const ids = Array.from({ length: SUBJECTS }, (_, i) => `subject-${i}`);
  await store.write(async (transaction) => {
    const roles = await transaction.selectFrom("roles").select(["id", "name"]).execute();
    const tops = roles.filter(({ name }) => name.startsWith("role-") && name.endsWith("-0"));
    const popular = roles.find(({ name }) => name === POPULAR)!;
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
        // Every other subject has the popular role instead of its last one.
        role_id: (j === 0 && i % 2 === 0 ? popular : tops[(i * 7 + j * 13) % tops.length]!).id,
        ...terms,
        granted_by: null,
        reason: null,
      })),
    );
    await insertAll(transaction, "role_assignments", assignments);
  });
  await store.close();
}

async function clocked(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  report(`${what}: ${(await clocked(work)).toFixed(0)} ms`);
}

function quantiles(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (part: number): string => `${sorted[Math.floor(part * sorted.length)]!.toFixed(2)} ms`;
  return `median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, of ${sorted.length}`;
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}
