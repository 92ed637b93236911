import type { Command } from "commander";
import { buildBundle } from "../bundle/build-bundle.ts";
import type { BundleStatus } from "../bundle/bundle-status.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
import { createControlClient } from "./control-client.ts";
import { socketOf } from "./decision-commands.ts";
import { type ServerOptions, withServerOptions } from "./request-options.ts";
import { renderTable, writeText } from "./terminal.ts";

const REVISION_SHOWN = 20;
const DIGEST_SHOWN = 12;

interface BuildOptions {
  readonly output: string;
  readonly entrypoint?: string;
  readonly revision?: string;
  readonly v0Compatible?: boolean;
}

/** Adds `bundle build`, `bundle list` and `bundle remove`. */
export function addBundleCommands(program: Command, context: CommandContext): void {
  const bundle = program.command("bundle").description("build bundles and see what serves");
  bundle
    .command("build")
    .description("compile a folder of Rego with opa; written into the watched folder, it serves")
    .argument("<folder>", "folder with Rego modules, data files, perhaps a .manifest")
    .requiredOption("-o, --output <file>", "bundle file, for example bundles/billing.tar.gz")
    .option("-e, --entrypoint <path>", "what decides, for example billing/decision")
    .option("-r, --revision <revision>", "revision of the bundle (default: from the sources)")
    .option("--v0-compatible", "the Rego is in OPA's v0 language")
    .action((folder: string, options: BuildOptions) => build(context, folder, options));
  withServerOptions(
    bundle
      .command("list")
      .description("show every bundle and how it stands; status 1 if one was refused"),
  ).action((options: ServerOptions) => list(context, options));
  withServerOptions(
    bundle
      .command("remove")
      .description("end serving an application, its last good copy included")
      .argument("<application>", "name of the application"),
  ).action((application: string, options: ServerOptions) => remove(context, application, options));
}

async function build(
  { io }: CommandContext,
  folder: string,
  { output, entrypoint, revision, v0Compatible }: BuildOptions,
): Promise<void> {
  const built = await buildBundle({
    source: folder,
    output,
    entrypoint,
    revision,
    isV0: v0Compatible,
  });
  const row = [
    built.output,
    built.entrypoint,
    `revision ${built.revision}`,
    `${built.bytes} bytes`,
  ];
  writeText(io.stdout, renderTable([row]));
}

async function list(context: CommandContext, options: ServerOptions): Promise<void> {
  const client = createControlClient(socketOf(context, options));
  const body = await client({ method: "GET", path: "/bundles" });
  const statuses = JSON.parse(body.toString()) as readonly BundleStatus[];
  const text = options.json
    ? `${JSON.stringify(statuses, undefined, 2)}\n`
    : renderStatuses(statuses);
  writeText(context.io.stdout, text);
  const isClean = statuses.every((status) => status.error === undefined);
  context.finish(isClean ? exitStatus.ok : exitStatus.negative);
}

const HEAD = ["APPLICATION", "STATE", "REVISION", "DIGEST", "ACTIVE SINCE", "LAST ATTEMPT"];

/** A table, each error on a line of its own below its row: they are long, and columns are not. */
function renderStatuses(statuses: readonly BundleStatus[]): string {
  const [head = "", ...rows] = renderTable([HEAD, ...statuses.map(row)]).split(/(?<=\n)/);
  return head + rows.map((line, index) => line + errorLine(statuses[index]!)).join("");
}

function row(status: BundleStatus): string[] {
  return [
    status.application,
    status.source === "last-good" ? `${status.state}, last good copy` : status.state,
    status.revision?.slice(0, REVISION_SHOWN) ?? "-",
    status.digest?.slice(0, DIGEST_SHOWN) ?? "-",
    instant(status.activatedAtMs),
    instant(status.lastAttemptAtMs),
  ];
}

function errorLine({ stage, error }: BundleStatus): string {
  return error === undefined ? "" : renderTable([["", `refused at ${stage}: ${error}`]]);
}

function instant(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

async function remove(
  context: CommandContext,
  application: string,
  options: ServerOptions,
): Promise<void> {
  const client = createControlClient(socketOf(context, options));
  const path = `/bundles/${encodeURIComponent(application)}`;
  const body = await client({ method: "DELETE", path });
  const text = options.json ? `${body.toString()}\n` : `${application} is no longer served.\n`;
  writeText(context.io.stdout, text);
}
