import type { Command } from "commander";
import type { DifferenceKind, ShadowOutcome } from "../pipeline/shadow-comparison.ts";
import type {
  RefusedCandidate,
  ShadowDifference,
  ShadowedBundle,
  ShadowReport,
} from "../pipeline/shadow-report.ts";
import { CliError } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { createControlClient } from "./control-client.ts";
import { socketOf } from "./decision-commands.ts";
import { type ServerOptions, withServerOptions } from "./request-options.ts";
import { renderTable, writeText } from "./terminal.ts";

interface ReportOptions extends ServerOptions {
  readonly application?: string;
}

type View = ShadowReport | RefusedCandidate;

/** Adds `shadow report`. */
export function addShadowCommands(program: Command, context: CommandContext): void {
  const shadow = program
    .command("shadow")
    .description("see how candidates decide beside the bundles in force");
  withServerOptions(
    shadow
      .command("report")
      .description("show what each candidate decides otherwise, and for which requests")
      .option("--application <name>", "the candidate of one application"),
  ).action((options: ReportOptions) => report(context, options));
}

async function report(context: CommandContext, options: ReportOptions): Promise<void> {
  const client = createControlClient(socketOf(context, options));
  const body = await client({ method: "GET", path: "/shadow" });
  const views = chosen(JSON.parse(body.toString()) as readonly View[], options.application);
  const text = options.json
    ? `${JSON.stringify(views, undefined, 2)}\n`
    : views.map(render).join("\n") || "There are no candidates.\n";
  writeText(context.io.stdout, text);
}

function chosen(views: readonly View[], application: string | undefined): readonly View[] {
  if (application === undefined) return views;
  const own = views.filter((view) => view.application === application);
  if (own.length > 0) return own;
  const others = views.map((view) => view.application).join(", ");
  const has = others === "" ? "there are no candidates" : `there are those of ${others}`;
  throw new CliError(`there is no candidate of the application "${application}"; ${has}`);
}

const STATES: Readonly<Record<ShadowReport["state"], string>> = {
  comparing: "compared",
  stopped: "stopped: its evaluations took too long; replace it",
  identical: "not compared: it is the bundle in force",
  "without-active": "not compared: no bundle is in force",
};

const KINDS: Readonly<Record<DifferenceKind, string>> = {
  "newly-allowed": "newly allowed",
  "newly-denied": "newly denied",
  changed: "changed",
  failed: "failed",
};

function render(view: View): string {
  if (view.state === "refused") {
    return renderTable([[view.application, "refused", view.stage, view.error]]);
  }
  const { active, application, candidate, differences, further, state } = view;
  const more = further === 0 ? [] : [["", `… and ${further} answers in further ways`]];
  const rows = differences.map(differenceRow);
  return [
    [[application, STATES[state]]],
    [
      ["", "candidate", ...bundleCells(candidate)],
      ["", "in force", ...(active === undefined ? ["-"] : bundleCells(active))],
      ["", "since", new Date(view.sinceMs).toISOString()],
      ["", "compared", String(comparedOf(view))],
    ],
    countRows(view),
    rows.length === 0 ? [] : [HEAD, ...rows],
    more,
    differences.flatMap(exampleRows),
  ]
    .map(renderTable)
    .join("");
}

const HEAD = ["", "", "COUNT", "DIFFERENCE", "IN FORCE", "CANDIDATE"];
const DIGEST_SHOWN = 12;

function bundleCells({ revision, digest }: ShadowedBundle): string[] {
  return [revision, digest.slice(0, DIGEST_SHOWN)];
}

function comparedOf({ counts: { dropped, ...compared } }: ShadowReport): number {
  return Object.values(compared).reduce((sum, count) => sum + count, 0);
}

function countRows({ counts, overruns }: ShadowReport): string[][] {
  const kinds = Object.entries(KINDS).map(([kind, text]): [string, number] => {
    return [text, counts[kind as DifferenceKind]];
  });
  const late: [string, number][] = overruns === 0 ? [] : [["took too long", overruns]];
  const all: [string, number][] = [
    ["the same", counts.same],
    ...kinds,
    ["dropped", counts.dropped],
    ...late,
  ];
  return all.map(([text, count]) => ["", text, String(count)]);
}

function differenceRow(difference: ShadowDifference, index: number): string[] {
  const { active, candidate, count, differs, kind } = difference;
  const what = differs.length === 0 ? KINDS[kind] : `${KINDS[kind]}: ${differs.join(", ")}`;
  return ["", numberOf(index), String(count), what, outcome(active), outcome(candidate)];
}

function exampleRows({ examples }: ShadowDifference, index: number): string[][] {
  return examples.map(({ decisionId, request }) => {
    const facts = Object.entries(request).map(([name, value]) => `${name}=${value}`);
    return ["", numberOf(index), decisionId, facts.join(" ")];
  });
}

function numberOf(index: number): string {
  return `#${index + 1}`;
}

function outcome({ allowed, reason }: ShadowOutcome): string {
  return `${allowed ? "allow" : "deny"} ${reason}`;
}
