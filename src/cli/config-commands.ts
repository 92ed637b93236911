import type { Command } from "commander";
import { ConfigError } from "../config/config-error.ts";
import { printConfig } from "../config/print-config.ts";
import { configReference } from "../config/reference.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
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
  const { stdout } = context.io;
  try {
    context.load(file);
    writeText(stdout, `${file ?? "environment"}: ok\n`);
  } catch (error) {
    if (!(error instanceof ConfigError) || error.isUnreadable) throw error;
    writeText(stdout, `${error.message}\n`);
    context.finish(exitStatus.negative);
  }
}
