import type { Command } from "commander";
import type { Directory } from "../directory/directory.ts";
import { renderPlan } from "../directory/plan.ts";
import { readDirectoryText } from "../directory/read-directory-text.ts";
import { renderDirectoryFile } from "../directory/show.ts";
import type { CommandContext } from "./command-context.ts";
import { writeText } from "./terminal.ts";

interface DirectoryCommandOptions {
  readonly config?: string;
  readonly dryRun?: boolean;
}

/** Adds `directory apply` and `directory show`; both work with and without a running server. */
export function addDirectoryCommands(program: Command, context: CommandContext): void {
  const directory = program.command("directory").description("change and show who has what");
  directory
    .command("apply")
    .description("make the directory agree with a file, in one transaction, and print the plan")
    .argument("<file>", "directory file, YAML")
    .option("--dry-run", "print the plan and change nothing")
    .option("--config <file>", "configuration that names the database")
    .action((file: string, options: DirectoryCommandOptions) => apply(context, file, options));
  directory
    .command("show")
    .description("print the directory as a file that apply takes")
    .option("--config <file>", "configuration that names the database")
    .action((options: DirectoryCommandOptions) => show(context, options));
}

async function apply(
  context: CommandContext,
  file: string,
  options: DirectoryCommandOptions,
): Promise<void> {
  const { config } = context.load(options.config);
  const text = await readDirectoryText(file, config.directory.fileBytesMax);
  await withDirectory(context, options, async (directory) => {
    const plan = await directory.apply(text, { dryRun: options.dryRun === true });
    writeText(context.io.stdout, renderPlan(plan));
  });
}

function show(context: CommandContext, options: DirectoryCommandOptions): Promise<void> {
  return withDirectory(context, options, async (directory) => {
    writeText(context.io.stdout, renderDirectoryFile(await directory.show()));
  });
}

async function withDirectory(
  { io, load }: CommandContext,
  { config }: DirectoryCommandOptions,
  use: (directory: Directory) => Promise<void>,
): Promise<void> {
  const directory = await io.openDirectory(load(config).config);
  try {
    await use(directory);
  } finally {
    await directory.close();
  }
}
