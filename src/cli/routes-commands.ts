import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/config-error.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import type { Catalogue } from "../decision/catalogue.ts";
import { loadCatalogues } from "../directory/load-catalogues.ts";
import { examineRoutes } from "../grpc/ext-authz/examine-routes.ts";
import { type Route, type RouteList, readRoutes } from "../grpc/ext-authz/route-list.ts";
import {
  placeOf,
  type RoutesFile,
  type RoutesPlace,
  readRoutesFile,
  refuseBadRoutes,
} from "../read-routes-file.ts";
import { CliError } from "./cli-error.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
import { writeText } from "./terminal.ts";
import { renderTried, type TriedRoute, tryRoute } from "./try-route.ts";

const FINDINGS_SHOWN_MAX = 100;
const CONFIG_HELP = "configuration of the server (default: none, the environment alone)";

interface RoutesCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
}

interface TryOptions extends RoutesCommandOptions {
  readonly file?: string;
}

/** Adds `routes check` and `routes try`, which need no running server. */
export function addRoutesCommands(program: Command, context: CommandContext): void {
  const routes = program.command("routes").description("check and try a table of routes");
  routes
    .command("check")
    .description("name everything that is wrong or odd about a table; status 1 if anything is")
    .argument("[file]", "file of routes (default: the configuration's table)")
    .option("--config <file>", CONFIG_HELP)
    .option("--json", "print JSON")
    .action((file: string | undefined, options: RoutesCommandOptions) =>
      check(context, file, options),
    );
  routes
    .command("try")
    .description("say which route a request takes, and what it asks for; status 1 if none")
    .argument("<method>", "method, for example GET")
    .argument("<path>", "path as the client sends it, for example /agents/a1")
    .option("--file <file>", "file of routes (default: the configuration's table)")
    .option("--config <file>", CONFIG_HELP)
    .option("--json", "print JSON")
    .action((method: string, path: string, options: TryOptions) =>
      tryOne(context, { method, path }, options),
    );
}

/** The table that a configuration has or names. Throws `ConfigError` with all that is wrong. */
export function configuredRoutes(
  { config, origins }: LoadedConfig,
  configFile: string | undefined,
): RoutesFile {
  const { rbac } = config.extAuthz;
  if (rbac.routesFile !== undefined) return readRoutesFile(rbac.routesFile);
  const fileName = configFile ?? "defaults";
  const place: RoutesPlace = { fileName, origins, prefix: "ext_authz.rbac." };
  refuseBadRoutes(rbac, place);
  return { options: rbac, place };
}

/** Something wrong or odd, and where. */
interface ShownFinding {
  /** `invalid` = the table can't be served; `head` may be as is meant. */
  readonly kind: string;
  readonly at: string;
  readonly path: string;
  readonly message: string;
}

async function check(
  context: CommandContext,
  file: string | undefined,
  options: RoutesCommandOptions,
): Promise<void> {
  const loaded = context.load(options.config);
  const { application } = loaded.config.extAuthz.rbac;
  const name = file ?? loaded.config.extAuthz.rbac.routesFile ?? options.config ?? "defaults";
  let count = 0;
  let findings: readonly ShownFinding[];
  try {
    const found =
      file === undefined ? configuredRoutes(loaded, options.config) : readRoutesFile(file);
    count = found.options.routes.length;
    findings = examine(found, await catalogueOf(loaded.config, application));
  } catch (error) {
    if (!(error instanceof ConfigError) || error.isUnreadable) throw error;
    findings = error.problems.map((problem) => ({ kind: "invalid", ...problem }));
  }
  const json = { file: name, application, routes: count, findings };
  const text = options.json
    ? `${JSON.stringify(json, undefined, 2)}\n`
    : renderFindings(name, count, findings);
  writeText(context.io.stdout, text);
  const isClean = findings.every(isNote);
  context.finish(isClean ? exitStatus.ok : exitStatus.negative);
}

function isNote({ kind }: ShownFinding): boolean {
  return kind === "head";
}

function examine({ options, place }: RoutesFile, catalogue: Catalogue): readonly ShownFinding[] {
  const { routes, table } = servedRoutes(options.routes);
  const subjects = options.subject.length;
  return examineRoutes({ routes, table, subjects, catalogue }).map(({ kind, path, message }) => {
    return { kind, at: placeOf(path, place), path: place.prefix + path, message };
  });
}

/** What has been checked already. */
function servedRoutes(
  options: RoutesFile["options"]["routes"],
): { readonly routes: readonly Route[] } & NonNullable<RouteList["found"]> {
  const { routes, found } = readRoutes(options, []);
  if (found === undefined) throw new TypeError("routes that were refused");
  return { routes, ...found };
}

async function catalogueOf({ directory }: Config, application: string): Promise<Catalogue> {
  const { cataloguesFolder, fileBytesMax } = directory;
  const catalogues = await loadCatalogues(cataloguesFolder, fileBytesMax);
  const definition = catalogues.get(application);
  if (definition === undefined) {
    throw new CliError(
      `${cataloguesFolder} has no catalogue of ${application} (ext_authz.rbac.application); ` +
        `there are ${[...catalogues.keys()].join(", ")}`,
    );
  }
  return definition.catalogue;
}

function renderFindings(name: string, count: number, findings: readonly ShownFinding[]): string {
  const lines = findings.slice(0, FINDINGS_SHOWN_MAX).map((finding) => {
    const { at, path, message } = finding;
    const where = path === "" ? at : `${at}: ${path}`;
    return `${isNote(finding) ? "note: " : ""}${where}: ${message}`;
  });
  const left = findings.length - lines.length;
  if (left > 0) lines.push(`and ${left} more`);
  if (findings.every(isNote)) lines.push(`${name}: ok, ${count} routes`);
  return `${lines.join("\n")}\n`;
}

function tryOne(
  context: CommandContext,
  request: { readonly method: string; readonly path: string },
  options: TryOptions,
): void {
  const loaded = context.load(options.config);
  const { application } = loaded.config.extAuthz.rbac;
  const found =
    options.file === undefined
      ? configuredRoutes(loaded, options.config)
      : readRoutesFile(options.file);
  const { table, find } = servedRoutes(found.options.routes);
  const tried: TriedRoute = tryRoute(request, { ...found, table, find, application });
  const text = options.json ? `${JSON.stringify(tried, undefined, 2)}\n` : renderTried(tried);
  writeText(context.io.stdout, text);
  context.finish(tried.route === null ? exitStatus.negative : exitStatus.ok);
}
