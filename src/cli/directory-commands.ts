import type { Command } from "commander";
import { parseDatabaseUrl } from "../base/database-url.ts";
import type { Directory } from "../directory/directory.ts";
import type { MovedDirectory } from "../directory/move-directory.ts";
import { renderPlan } from "../directory/plan.ts";
import { readDirectoryText } from "../directory/read-directory-text.ts";
import { renderDirectoryFile } from "../directory/show.ts";
import { CliError } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { writeText } from "./terminal.ts";

interface MoveCommandOptions {
  readonly from: string;
  readonly to?: string;
  readonly json?: boolean;
  readonly config?: string;
}

interface DirectoryCommandOptions {
  readonly config?: string;
  readonly dryRun?: boolean;
}

/**
 * Adds `directory apply` and `directory show`, which work with and without a running server, and
 * `directory move`.
 */
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
  directory
    .command("move")
    .description("copy the directory into another, empty database, and check the copy")
    .requiredOption("--from <url>", "database to read: sqlite:<file> or postgres://…")
    .option("--to <url>", "empty database to write (default: the one that is configured)")
    .option("--json", "print what was moved as JSON")
    .option("--config <file>", "configuration with the limits, and the database to write")
    .action((options: MoveCommandOptions) => move(context, options));
}

/** Rows of a table after which its progress is shown. */
const PROGRESS_ROWS = 100_000;

async function move({ io, load }: CommandContext, options: MoveCommandOptions): Promise<void> {
  const { config } = load(options.config);
  refuseUrl("--from", options.from);
  if (options.to !== undefined) refuseUrl("--to", options.to);
  // Loaded here: other commands have no use for it.
  const { moveDirectory } = await import("../directory/move-directory.ts");
  const moved = await moveDirectory({
    from: options.from,
    to: options.to ?? config.directory.database,
    options: config.directory,
    onProgress(table, rows) {
      if (rows % PROGRESS_ROWS === 0) writeText(io.stderr, `${table}: ${rows} rows …\n`);
    },
  });
  writeText(io.stdout, options.json ? `${JSON.stringify(moved)}\n` : renderMoved(moved));
}

/** By hand, since the parser of arguments would show the value, and with it a password. */
function refuseUrl(option: string, url: string): void {
  try {
    parseDatabaseUrl(url);
  } catch (error) {
    throw new CliError(`${option}: the URL ${(error as Error).message}`);
  }
}

function renderMoved({ from, to, tables, generation }: MovedDirectory): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const lines = tables.map(
    ({ table, rows, digest }) =>
      `${table.padEnd(26)}${String(rows).padStart(9)} rows  sha256 ${digest.slice(0, 16)}…`,
  );
  const last = [
    `Moved ${rows} rows from ${from} to ${to}, and read them back the same. Generation ${generation}.`,
    "What serves goes on with the old one until directory.database names the new one.",
  ];
  return `${[...lines, ...last].join("\n")}\n`;
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
