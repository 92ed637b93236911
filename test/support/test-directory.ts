import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { Directory } from "../../src/directory/directory.ts";
import { type DirectoryDeps, openDirectory } from "../../src/directory/open-directory.ts";
import { directoryOptionsSchema } from "../../src/directory/options.ts";
import type { Plan } from "../../src/directory/plan.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

/** A directory in a folder of its own. */
export interface TestDirectory {
  readonly directory: Directory;
  readonly clock: ManualClock;
  /** The URL of its database. */
  readonly database: string;
  /** A folder of its own. */
  readonly folder: string;
  /** Applies YAML text. */
  apply(text: string, options?: { readonly dryRun?: boolean }): Promise<Plan>;
  /** Does what the poll timer does. */
  poll(): void;
  /** Another one on the same database, as another process has it. */
  openAnother(overrides?: Partial<DirectoryDeps["options"]>): Promise<TestDirectory>;
  /** Closes it and removes its folder. */
  dispose(): Promise<void>;
}

/** Opens an empty directory with the shipped catalogues: on SQLite, unless a database is given. */
export async function openTestDirectory(
  overrides: Partial<DirectoryDeps["options"]> = {},
  deps: Partial<DirectoryDeps> = {},
): Promise<TestDirectory> {
  const folder = await mkdtemp(join(tmpdir(), "postern-directory-"));
  const database = overrides.database ?? `sqlite:${join(folder, "directory.db")}`;
  const opened = await openAt({ database, folder }, overrides, deps);
  return {
    ...opened,
    async dispose() {
      await opened.directory.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function openAt(
  at: Pick<TestDirectory, "database" | "folder">,
  overrides: Partial<DirectoryDeps["options"]>,
  deps: Partial<DirectoryDeps>,
): Promise<TestDirectory> {
  const clock = manualClock();
  let poll: () => void = () => {};
  const directory = await openDirectory({
    options: { ...Create(directoryOptionsSchema), database: at.database, ...overrides },
    clock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unknownSubjects: () => "deny",
    repeat: (run) => {
      poll = run;
      return () => {};
    },
    ...deps,
  });
  return {
    directory,
    clock,
    ...at,
    apply: (text, { dryRun = false } = {}) =>
      directory.apply({ name: "test.yaml", text }, { dryRun }),
    poll: () => poll(),
    openAnother: (more = {}) => openAt(at, { ...overrides, ...more }, deps),
    dispose: () => directory.close(),
  };
}
