/**
 * The composition root of the server: the one place that knows which implementation goes where.
 * Starts what is needed in the order in which it is needed, and stops it in the reverse.
 */
import { createControlServer, refuseSecondServer } from "./admin/control-server.ts";
import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/logger.ts";
import { silentMeter } from "./base/meter.ts";
import type { Tracer } from "./base/tracer.ts";
import { createUuidV7 } from "./base/uuid-v7.ts";
import { type BundlesDeps, createBundles } from "./bundle/bundles.ts";
import type { Config } from "./config/config.ts";
import { openConfiguredDirectory } from "./configured-directory.ts";
import type { Directory } from "./directory/directory.ts";
import { loadExamples } from "./directory/load-examples.ts";
import { loadPolicy } from "./engine/load-policy.ts";
import { createDecisionService } from "./grpc/decision-service.ts";
import { createExtAuthz } from "./grpc/ext-authz/ext-authz-service.ts";
import { createExtAuthzTrial } from "./grpc/ext-authz/ext-authz-trial.ts";
import { createGrpcServer, type GrpcServer, type GrpcServerDeps } from "./grpc/grpc-server.ts";
import { createPipeline, type PipelineDeps } from "./pipeline/create-pipeline.ts";
import { createHostData } from "./pipeline/host-data.ts";
import type { Pipeline } from "./pipeline/pipeline.ts";
import { servePermissionSets } from "./serving-permission-sets.ts";
import { serveRoutes } from "./serving-routes.ts";
import { createPrepareInWorker } from "./start-prepare-worker.ts";
import { readRoutesInWorker } from "./start-routes-worker.ts";
import { startShadow } from "./start-shadow.ts";
import { createDiagnosticsServer } from "./telemetry/diagnostics-server.ts";
import { createHealth, type HealthRegistry } from "./telemetry/health.ts";
import type { ProcessLogger } from "./telemetry/logger.ts";
import type { PrometheusMeter } from "./telemetry/meter.ts";

/** What the server is made of besides its configuration. */
export interface ServerDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: ProcessLogger;
  readonly meter: PrometheusMeter;
}

/** A server that is serving. */
export interface PosternServer {
  /** Where gRPC listens, with the ports that were taken. */
  readonly addresses: readonly string[];
  /** Where diagnostics are served; `undefined` if they are turned off. */
  readonly diagnostics: { readonly host: string; readonly port: number } | undefined;
  /** Stops gracefully: no call that is in flight is lost within the drain timeout. */
  close(): Promise<void>;
}

/** Starts everything; if a part can't be started, stops what was and throws. */
export async function startServer(deps: ServerDeps): Promise<PosternServer> {
  const stops: (() => Promise<void> | void)[] = [];
  try {
    return await start(deps, stops);
  } catch (error) {
    await stopAll(stops, deps.logger);
    throw error;
  }
}

async function start(
  deps: ServerDeps,
  stops: (() => Promise<void> | void)[],
): Promise<PosternServer> {
  const { config, clock, logger, meter } = deps;
  const health = createHealth({ expected: ["directory", "bundles", "grpc"], logger, meter });
  const parts = { ...deps, health };

  // One server per state folder: a second one must not touch the first one's files to find out.
  await refuseSecondServer(config.admin);

  const tracer = await startTracer(deps, stops);

  // Probes are answered from the first moment: alive, and not ready.
  const diagnostics = await startDiagnostics(parts, stops);

  const directory = await openConfiguredDirectory(parts);
  stops.push(() => directory.close());
  await loadExamples(directory, { options: config.directory, logger });

  const bundleParts = partsOfBundles(parts, directory);
  const bundles = createBundles(bundleParts);
  stops.push(() => bundles.close());
  await bundles.start();
  const shadow = startShadow({ ...bundleParts, config, policies: bundles.policies }, stops);

  const { permissionSets, inspection, close } = await servePermissionSets({
    ...{ directory, clock, logger, meter, options: config.cache },
    applications: () => directory.catalogues.keys(),
  });
  stops.push(close);

  const routes = await serveRoutes({
    ...parts,
    ...{ options: config.extAuthz.rbac, trust: config.pipeline.trust },
    readRoutes: readRoutesInWorker,
  });
  stops.push(routes.close);

  const decides = {
    ...{ policies: bundles.policies, permissionSets, createId: createUuidV7(clock) },
    ...{ clock, options: config.pipeline },
  };
  const pipeline = createPipeline({ ...decides, shadow, meter, logger });
  const handlers = createDecisionService({ pipeline, batchItemsMax: config.grpc.batchItemsMax });

  const authorization = { clock, routes: routes.questions, options: config.extAuthz };
  const control = createControlServer({
    ...{ clock, logger, handlers, bundles, shadow, options: config.admin },
    cache: inspection,
    envoy: {
      try: createExtAuthzTrial({ ...authorization, pipeline: trialPipeline(decides, logger) }),
    },
    status: health.report,
  });
  stops.push(() => control.close());
  await control.listen();

  const extAuthz = createExtAuthz({ ...authorization, pipeline, logger, meter });
  const doors = {
    handlers: new Map([...handlers, ...extAuthz.handlers]),
    inBand: extAuthz.inBand,
    tracer,
  };
  const { addresses } = await startGrpc(parts, doors, stops);
  return { addresses, diagnostics, close: () => stopAll(stops, logger) };
}

/** Decides what is tried out as all else, but nobody counts it, and candidates don't hear of it. */
function trialPipeline(
  decides: Omit<PipelineDeps, "meter" | "logger" | "shadow">,
  logger: Logger,
): Pipeline {
  const told = { meter: silentMeter, logger: logger.child({ trial: true }) };
  return createPipeline({ ...decides, ...told });
}

/** The last thing that starts: from here on there are callers. */
async function startGrpc(
  { config, health, clock, logger, meter }: Parts,
  doors: Pick<GrpcServerDeps, "handlers" | "inBand" | "tracer">,
  stops: (() => Promise<void> | void)[],
): Promise<GrpcServer> {
  const grpc = await createGrpcServer({
    ...{ clock, logger, meter, health, options: config.grpc },
    ...doors,
  });
  health.onStatus((status) => grpc.setServing(status === "ready"));
  stops.push(async () => {
    health.set("grpc", "draining", "the process is stopping");
    await grpc.drain(config.grpc.drainTimeoutMs);
  });
  health.set("grpc", "ok");
  return grpc;
}

/** Loads what makes spans only where they are asked for. */
async function startTracer(
  { config, clock, logger, meter }: ServerDeps,
  stops: (() => Promise<void> | void)[],
): Promise<Tracer | undefined> {
  const options = config.telemetry.tracing;
  if (options === undefined) return undefined;
  const { createOtlpTracer } = await import("./telemetry/otlp-tracer.ts");
  const tracer = createOtlpTracer({ options, clock, logger, meter });
  stops.push(() => tracer.close());
  return tracer;
}

interface Parts extends ServerDeps {
  readonly health: HealthRegistry;
}

async function startDiagnostics(
  { config, health, meter, logger }: Parts,
  stops: (() => Promise<void> | void)[],
): Promise<PosternServer["diagnostics"]> {
  if (!config.telemetry.diagnosticsEnabled) return undefined;
  const options = config.telemetry;
  const server = createDiagnosticsServer({ options, health, meter, logger });
  const address = await server.listen();
  stops.push(() => server.close());
  return address;
}

function partsOfBundles(parts: Parts, directory: Directory): BundlesDeps {
  const { config, clock, logger, meter, health } = parts;
  const { keptBytesMax, loadChunkBytes, evaluationStepsMax } = config.engine;
  const yieldToLoop = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    options: config.bundle,
    clock,
    logger,
    meter,
    health,
    prepare: createPrepareInWorker(config.bundle.prepareTimeoutMs),
    load: (prepared) =>
      loadPolicy(prepared, {
        ...{ keptBytesMax, chunkBytes: loadChunkBytes },
        ...{ stepsMax: evaluationStepsMax, yieldToLoop },
      }),
    catalogueFor: (application, manifestName) =>
      directory.catalogues.get(manifestName ?? application),
    hostData: createHostData(config.pipeline),
  };
}

/** The last thing started is the first that stops. */
async function stopAll(stops: (() => Promise<void> | void)[], logger: Logger): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    try {
      await stop();
    } catch (error) {
      // What is left running would keep the process from ending.
      logger.error({ error }, "A part of the server failed to stop. The others are stopped.");
    }
  }
}
