import { readFileSync } from "node:fs";
import {
  createRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { readJson } from "../base/read-json.ts";
import type { Trial, TrialDecision } from "../grpc/ext-authz/ext-authz-trial.ts";
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from "../grpc/gen/envoy/service/auth/v3/external_auth_pb.js";
import { CliError } from "./cli-error.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
import { createControlClient } from "./control-client.ts";
import { socketOf } from "./decision-commands.ts";
import { type ServerOptions, withServerOptions } from "./request-options.ts";
import { renderTable, writeText } from "./terminal.ts";

/** What an `Any` of typed metadata may hold in the JSON: protobuf's own types, and no filter's. */
const registry = createRegistry(
  ...[file_google_protobuf_struct, file_google_protobuf_wrappers, file_google_protobuf_empty],
  ...[file_google_protobuf_duration, file_google_protobuf_timestamp],
);

/** Adds `envoy try`. */
export function addEnvoyCommands(program: Command, context: CommandContext): void {
  const envoy = program.command("envoy").description("try the door for Envoy");
  withServerOptions(
    envoy
      .command("try")
      .description("ask the server what it answers to a check, and why; status 0 passes, 1 doesn't")
      .argument("<file>", "envoy.service.auth.v3.CheckRequest as JSON; - for standard input"),
  ).action((file: string, options: ServerOptions) => tryCheck(context, file, options));
}

async function tryCheck(
  context: CommandContext,
  file: string,
  options: ServerOptions,
): Promise<void> {
  const request = requestOf(file, await textOf(context, file));
  const client = createControlClient(socketOf(context, options));
  const message = toBinary(CheckRequestSchema, request);
  const body = await client({ method: "POST", path: "/envoy/try", message });
  const { response, ...why } = readJson(body.toString()) as Trial;
  const answer = answerOf(response);
  const shown = toJson(CheckResponseSchema, answer);
  const text = options.json
    ? JSON.stringify({ response: shown, ...why }, undefined, 2)
    : `${renderWhy(why)}\n${JSON.stringify(shown, undefined, 2)}`;
  writeText(context.io.stdout, `${text}\n`);
  // As Envoy has it: nothing but this code is an allow.
  context.finish(answer.status?.code === 0 ? exitStatus.ok : exitStatus.negative);
}

async function textOf({ io }: CommandContext, file: string): Promise<string> {
  try {
    if (file !== "-") return readFileSync(file, "utf8");
    const chunks: Uint8Array[] = [];
    for await (const chunk of io.stdin()) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    throw new CliError(`can't read ${file}: ${(error as Error).message}`, error);
  }
}

function requestOf(file: string, text: string): CheckRequest {
  try {
    return fromJson(CheckRequestSchema, readJson(text) as JsonValue, { registry });
  } catch (error) {
    const expected = "expected an envoy.service.auth.v3.CheckRequest as JSON";
    throw new CliError(`${file}: ${(error as Error).message}; ${expected}`, error);
  }
}

function answerOf(response: string): CheckResponse {
  try {
    return fromBinary(CheckResponseSchema, Buffer.from(response, "base64"));
  } catch (error) {
    throw new CliError("the server's answer is unreadable; is it another version?", error);
  }
}

/** How the answer came about, as lines for people; the answer itself is behind it. */
function renderWhy({ way = "-", route, decisions }: Omit<Trial, "response">): string {
  const rows = decisions.map(({ allowed, reason, application, revision, generation }) => [
    ...[allowed ? "allow" : "deny", reason],
    ...[`${application}@${revision || "-"}`, `generation ${generation}`],
  ]);
  const details = [["decided by", way], ...routeRows(route), ...decisions.flatMap(detailRows)];
  return renderTable(rows) + renderTable(details);
}

function routeRows(route: Trial["route"]): string[][] {
  if (route === undefined) return [];
  if (route.kind === "unmapped") return [["route", "none stands for the request"]];
  const taken = ["route", `${route.route} takes ${route.permission}`];
  if (route.kind === "anonymous") return [taken, ["subject", "no place has one"]];
  const { subject, resource, context } = route.request;
  const properties = Object.entries(resource.properties).map(
    ([name, value]) => ` ${name}=${JSON.stringify(value)}`,
  );
  return [
    taken,
    ["subject", `${subject.type} ${subject.id}`],
    ["resource", `${resource.type} ${resource.id ?? "-"}${properties.join("")}`],
    ["context", JSON.stringify(context)],
  ];
}

function detailRows({ grant, obligations, stalenessMs, error }: TrialDecision): string[][] {
  return [
    ...(grant === undefined ? [] : [["granted", `${grant.pattern}  ${grant.path.join(" → ")}`]]),
    ...obligations.map(({ type, properties }) => [
      "obligation",
      `${type} ${JSON.stringify(properties)}`,
    ]),
    ...(stalenessMs > 0 ? [["stale", `last known ${stalenessMs} ms ago`]] : []),
    ...(error === undefined ? [] : [["refused", error]]),
  ];
}
