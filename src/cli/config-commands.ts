import type { Command } from "commander";
import { ConfigError } from "../config/config-error.ts";
import { printConfig } from "../config/print-config.ts";
import { configReference } from "../config/reference.ts";
import type { ExtAuthzOptions } from "../grpc/ext-authz/options.ts";
import { readProtoset } from "../grpc/ext-authz/protoset.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
import { configuredRoutes } from "./routes-commands.ts";
import { writeText } from "./terminal.ts";

const FILE_HELP = "configuration file (default: none, the environment alone)";

interface ConfigFileOptions {
  readonly config?: string;
}

/** Adds `config check`, `config print` and `config reference`. */
export function addConfigCommands(program: Command, context: CommandContext): void {
  const config = program.command("config").description("check and show the configuration");
  config
    .command("check")
    .description("name everything that is wrong with a configuration; status 1 if anything is")
    .option("--config <file>", FILE_HELP)
    .action((options: ConfigFileOptions) => check(context, options.config));
  config
    .command("print")
    .description("print what is in force, and where each value comes from; secrets redacted")
    .option("--config <file>", FILE_HELP)
    .action((options: ConfigFileOptions) =>
      writeText(context.io.stdout, printConfig(context.load(options.config))),
    );
  config
    .command("reference")
    .description("print the reference of all options as Markdown")
    .action(() => writeText(context.io.stdout, configReference()));
}

function check(context: CommandContext, file: string | undefined): void {
  const problem = problemOf(context, file);
  writeText(context.io.stdout, `${problem ?? `${file ?? "environment"}: ok`}\n`);
  if (problem !== undefined) context.finish(exitStatus.negative);
}

/** What is wrong with the options by themselves, and then with what Envoy's door makes of them. */
function problemOf(context: CommandContext, file: string | undefined): string | undefined {
  try {
    const loaded = context.load(file);
    configuredRoutes(loaded, file);
    return protosetProblem(loaded.config.extAuthz);
  } catch (error) {
    if (!(error instanceof ConfigError) || error.isUnreadable) throw error;
    return error.message;
  }
}

function protosetProblem(options: ExtAuthzOptions): string | undefined {
  try {
    readProtoset(options.protoDescriptor);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
