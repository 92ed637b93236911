/**
 * The command line: `postern …`. Reads arguments, asks the server over its control socket or the
 * directory itself, and prints. Not for deciding anything.
 */
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { BundleBuildError } from "../bundle/build-bundle.ts";
import { ConfigError } from "../config/config-error.ts";
import { PdpError } from "../decision/error.ts";
import { addBundleCommands } from "./bundle-commands.ts";
import { addCacheCommands } from "./cache-commands.ts";
import { CliError } from "./cli-error.ts";
import { type CliIo, type CommandContext, commandContext, exitStatus } from "./command-context.ts";
import { addConfigCommands } from "./config-commands.ts";
import { addDecisionCommands } from "./decision-commands.ts";
import { addDirectoryCommands } from "./directory-commands.ts";
import { addEnvoyCommands } from "./envoy-commands.ts";
import { addRoutesCommands } from "./routes-commands.ts";
import { addShadowCommands } from "./shadow-commands.ts";
import { writeText } from "./terminal.ts";

/** Runs `postern` with the arguments after its name; gives the exit status, never throws. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const context = commandContext(io);
  try {
    await createProgram(context).parseAsync(argv, { from: "user" });
    return context.status();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitStatus.failed;
    writeText(io.stderr, `${describeFailure(error)}\n`);
    return exitStatus.failed;
  }
}

function createProgram(context: CommandContext): Command {
  const { io } = context;
  const program = new Command("postern")
    .description("A policy decision point: Rego bundles in, gRPC answers out.")
    .version(packageJson.version, "--version", "print the version")
    .helpOption("-h, --help", "show help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => writeText(io.stdout, text),
      writeErr: (text) => writeText(io.stderr, text),
      outputError: (text) => writeText(io.stderr, `${oneLine(text)}\n`),
    });
  program
    .command("serve")
    .description("run the server until SIGTERM or SIGINT")
    .option("--config <file>", "configuration file (default: none, the environment alone)")
    .action(async ({ config }: { config?: string }) => {
      context.finish(await io.serve(context.load(config)));
    });
  addDecisionCommands(program, context);
  addBundleCommands(program, context);
  addDirectoryCommands(program, context);
  addEnvoyCommands(program, context);
  addRoutesCommands(program, context);
  addCacheCommands(program, context);
  addShadowCommands(program, context);
  addConfigCommands(program, context);
  return program;
}

/** `error: unknown option '--x'\n(Did you mean --y?)` in one line. */
function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, "postern: ")
    .replace(/\s*\n\s*/g, " ");
}

/** Texts made for users are shown as they are; of anything else the place is shown, too. */
function describeFailure(error: unknown): string {
  if (error instanceof CliError) return `postern: ${error.message}`;
  const isForUsers =
    error instanceof ConfigError || error instanceof PdpError || error instanceof BundleBuildError;
  if (isForUsers) return error.message;
  return `postern: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
