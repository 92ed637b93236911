/** The process: arguments and signals in, exit status out. Everything else is in the commands. */
import { systemClock } from "./base/clock.ts";
import { silentHealth } from "./base/health.ts";
import { silentLogger } from "./base/logger.ts";
import { runCli } from "./cli/cli.ts";
import type { Config } from "./config/config.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import type { Directory } from "./directory/directory.ts";
import { openDirectory } from "./directory/open-directory.ts";
import { applicationOptions } from "./pipeline/options.ts";
import { startServer } from "./server.ts";
import { createProcessLogger } from "./telemetry/logger.ts";
import { createMeter } from "./telemetry/meter.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 2;

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  serve,
  openDirectory: openForCommand,
});

/** Serves until SIGTERM or SIGINT, then drains. A second signal ends the process at once. */
async function serve({ config }: LoadedConfig): Promise<number> {
  const meter = createMeter();
  const dropped = meter.counter({
    name: "postern_log_lines_dropped_total",
    help: "Log lines dropped because nobody read the output.",
  });
  const logger = createProcessLogger({
    options: config.telemetry,
    clock: systemClock,
    output: process.stdout,
    onDrop: () => dropped.add(1),
  });
  const stopRequested = new Promise<NodeJS.Signals>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  // What nobody foresaw leaves the process in a state that nobody knows: it ends, loudly, and its
  // supervisor starts a fresh one. While it is away callers get no answer, which is no allow.
  process.on("uncaughtExceptionMonitor", (error) => {
    logger.error({ error }, "Unforeseen failure. The process ends.");
    logger.flush();
  });
  try {
    const server = await startServer({ config, clock: systemClock, logger, meter });
    logger.info(
      {
        grpc: server.addresses,
        diagnostics: server.diagnostics,
        control: config.admin.controlSocket,
      },
      "Postern is ready.",
    );
    const signal = await stopRequested;
    logger.info({ signal }, "Stopping: calls in flight are finished, new ones are refused.");
    await server.close();
    logger.info({}, "Stopped.");
    return EXIT_OK;
  } catch (error) {
    logger.error({ error }, "Postern can't serve.");
    return EXIT_FAILED;
  } finally {
    logger.flush();
  }
}

/** For commands, which say themselves what went wrong. */
function openForCommand(config: Config): Promise<Directory> {
  return openDirectory({
    options: config.directory,
    clock: systemClock,
    logger: silentLogger,
    health: silentHealth,
    unknownSubjects: (application) =>
      applicationOptions(config.pipeline, application).unknownSubjects,
  });
}
