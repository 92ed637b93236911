import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Create } from "typebox/value";
import { stringify } from "yaml";
import { silentHealth } from "../../src/base/health.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { silentMeter } from "../../src/base/meter.ts";
import type { UnaryHandlers } from "../../src/base/unary-handler.ts";
import { createUuidV7 } from "../../src/base/uuid-v7.ts";
import { createPermissionSets } from "../../src/cache/cached-permission-sets.ts";
import { createMemoryCache } from "../../src/cache/memory-cache.ts";
import { cacheOptionsSchema } from "../../src/cache/options.ts";
import type { DirectoryText } from "../../src/directory/directory.ts";
import { openDirectory } from "../../src/directory/open-directory.ts";
import { directoryOptionsSchema } from "../../src/directory/options.ts";
import { createDecisionService } from "../../src/grpc/decision-service.ts";
import { createPipeline } from "../../src/pipeline/create-pipeline.ts";
import { applicationOptions, type PipelineOptions } from "../../src/pipeline/options.ts";
import { manualClock } from "../support/manual-clock.ts";
import { pipelineOptions, trusted, untrusted } from "../support/pipeline.ts";
import { projectRoot } from "../support/source-files.ts";
import { activatePolicies } from "./case-policies.ts";
import type { GoldenCase } from "./golden-case.ts";
import type { CaseWorld } from "./run-case.ts";

/** The real parts of a server, composed for one case, on a clock of the case's own. */
export interface GoldenWorld extends Omit<CaseWorld, "ask"> {
  /** What doors serve. */
  readonly handlers: UnaryHandlers;
  close(): Promise<void>;
}

const DEFAULT_CLOCK = "2026-01-05T10:00:00Z";

/** Composes directory, cache, engine and pipeline as the case describes its world. */
export async function openGoldenWorld(golden: GoldenCase): Promise<GoldenWorld> {
  const clock = manualClock(Date.parse(golden.clock ?? DEFAULT_CLOCK));
  const options = optionsOf(golden);
  const folder = await mkdtemp(join(tmpdir(), "postern-golden-"));
  const directory = await openDirectory({
    options: {
      ...Create(directoryOptionsSchema),
      database: `sqlite:${join(folder, "directory.db")}`,
      cataloguesFolder: join(projectRoot, "catalogues"),
    },
    clock,
    logger: silentLogger,
    meter: silentMeter,
    health: silentHealth,
    unknownSubjects: (name) => applicationOptions(options, name).unknownSubjects,
  });
  async function close(): Promise<void> {
    await directory.close();
    await rm(folder, { recursive: true });
  }
  try {
    await directory.apply(await directoryText(golden), { dryRun: false });
    const { catalogues } = directory;
    const cacheOptions = Create(cacheOptionsSchema);
    const parts = { clock, meter: silentMeter, logger: silentLogger };
    const cache = createMemoryCache({
      ...parts,
      random: () => 0,
      announcedUpToMs: directory.announcedUpToMs,
      options: cacheOptions,
    });
    const pipeline = createPipeline({
      ...parts,
      policies: await activatePolicies({ golden, options, catalogues, clock }),
      permissionSets: createPermissionSets({
        ...parts,
        source: directory,
        cache,
        announcedUpToMs: directory.announcedUpToMs,
        options: cacheOptions,
      }),
      createId: createUuidV7(clock),
      options,
    });
    return {
      handlers: createDecisionService({ pipeline, batchItemsMax: 1_000 }),
      moveTo: (wallMs) => clock.advance(wallMs - clock.wallMs()),
      permissions: (name) => [...(catalogues.get(name)?.permissions.keys() ?? [])],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function optionsOf({ settings = {}, trust }: GoldenCase): PipelineOptions {
  const plain = applicationOptions(pipelineOptions(), "platform");
  const applications = Object.fromEntries(
    Object.entries(settings).map(([name, own]) => [name, { ...plain, ...own }]),
  );
  const caller = trust === undefined ? trusted : { ...untrusted, ...trust };
  return pipelineOptions({
    applications: applications as PipelineOptions["applications"],
    trust: { unix: caller, loopback: caller, network: untrusted, certificates: {} },
  });
}

async function directoryText({ directory }: GoldenCase): Promise<DirectoryText> {
  if (directory !== undefined) return { name: "directory", text: stringify(directory) };
  const name = "examples/quickstart-directory.yaml";
  return { name, text: await readFile(join(projectRoot, name), "utf8") };
}
