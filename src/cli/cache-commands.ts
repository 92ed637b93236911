import { type Command, Option } from "commander";
import type { CacheView, TierEntry } from "../cache/inspect-tiers.ts";
import { CliError } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { createControlClient } from "./control-client.ts";
import { socketOf } from "./decision-commands.ts";
import { type ServerOptions, withServerOptions } from "./request-options.ts";
import { renderTable, writeText } from "./terminal.ts";

interface PurgeOptions extends ServerOptions {
  readonly subject?: string;
  readonly all?: boolean;
}

/** Adds `cache show` and `cache purge`. */
export function addCacheCommands(program: Command, context: CommandContext): void {
  const cache = program.command("cache").description("see and empty what permission sets are kept");
  withServerOptions(
    cache
      .command("show")
      .description("show what each tier has of a subject, and how old it is")
      .argument("<subject>", "id of the subject"),
  ).action((subject: string, options: ServerOptions) => show(context, subject, options));
  withServerOptions(
    cache
      .command("purge")
      .description("forget sets in the server and in Redis; they are read again when asked for")
      .addOption(new Option("--subject <id>", "those of one subject").conflicts("all"))
      .option("--all", "all of them"),
  ).action((options: PurgeOptions) => purge(context, options));
}

async function show(
  context: CommandContext,
  subject: string,
  options: ServerOptions,
): Promise<void> {
  const client = createControlClient(socketOf(context, options));
  const body = await client({ method: "GET", path: `/cache/${encodeURIComponent(subject)}` });
  const view = JSON.parse(body.toString()) as CacheView;
  const text = options.json ? `${JSON.stringify(view, undefined, 2)}\n` : render(view);
  writeText(context.io.stdout, text);
}

const HEAD = ["APPLICATION", "TIER", "STATUS", "GENERATION", "TRUE AS OF", "VALID UNTIL"];

function render(view: CacheView): string {
  const { directoryLookedAtMsAgo: lookedMs, isChannelTrusted } = view;
  const looked = lookedMs === undefined ? "never" : ago(lookedMs);
  const heard = isChannelTrusted ? "heard through Redis" : "asked of Redis for each read";
  const changes = isChannelTrusted === undefined ? "" : `; changes are ${heard}`;
  const head = `directory last looked at: ${looked}${changes}\n`;
  return head + renderTable([HEAD, ...view.entries.map(row)]);
}

function row({ application, tier, miss, ...entry }: TierEntry): string[] {
  if (miss !== undefined) return [application, tier, `- (${miss})`];
  const { status = "", generation = 0, ageMs = 0, validUntilMs } = entry;
  const until = validUntilMs === undefined ? "-" : new Date(validUntilMs).toISOString();
  const stale = entry.isStale ? ["stale: used only while the directory can't be read"] : [];
  return [application, tier, status, String(generation), ago(ageMs), until, ...stale];
}

function ago(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s ago`;
}

async function purge(context: CommandContext, options: PurgeOptions): Promise<void> {
  const { subject, all } = options;
  if (subject === undefined && all !== true) {
    throw new CliError("nothing is named to be purged; expected --subject <id> or --all");
  }
  const client = createControlClient(socketOf(context, options));
  const path = subject === undefined ? "/cache" : `/cache/${encodeURIComponent(subject)}`;
  const body = await client({ method: "DELETE", path });
  const what = subject === undefined ? "All permission sets are" : `The sets of ${subject} are`;
  writeText(context.io.stdout, options.json ? `${body.toString()}\n` : `${what} forgotten.\n`);
}
