import { create, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Clock } from "../base/clock.ts";
import { parseAddress } from "../base/ip-network.ts";
import { readJson } from "../base/read-json.ts";
import { parseRfc3339 } from "../base/rfc3339.ts";
import { type CheckRequest, CheckRequestSchema } from "../grpc/gen/postern/v1/decision_pb.js";
import { CliError } from "./cli-error.ts";

/** Options of the commands that ask a running server. */
export interface ServerOptions {
  readonly socket?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** Options that say who is asked about. */
export interface SubjectOptions extends ServerOptions {
  readonly application?: string;
  readonly subjectType?: string;
}

/** Options that say what is asked. */
export interface CheckOptions extends SubjectOptions {
  readonly resourceId?: string;
  readonly property?: JsonObject;
  readonly context?: JsonObject;
  readonly ip?: string;
  readonly mfaVerifiedAt?: string;
}

/** Adds the options of `ServerOptions`. */
export function withServerOptions(command: Command): Command {
  return command
    .option("--socket <path>", "control socket of the server (default: the configuration's)")
    .option("--config <file>", "configuration of the server")
    .option("--json", "print JSON with the field names of the API");
}

/** Adds the options of `SubjectOptions`. */
export function withSubjectOptions(command: Command): Command {
  return withServerOptions(command)
    .option("-a, --application <name>", "application (default: the server's)")
    .addOption(
      new Option("--subject-type <type>", "type of the subject (default: user)").choices([
        "user",
        "service",
      ]),
    );
}

/** Adds the options of `CheckOptions`. */
export function withCheckOptions(command: Command): Command {
  return withSubjectOptions(command)
    .option("--resource-id <id>", "id of the resource")
    .option("--property <name=value>", "property of the resource; repeatable", collectMember)
    .option("--context <name=value>", "member of the context; repeatable", collectMember)
    .option("--ip <address>", "context.ip", ipAddress)
    .option("--mfa-verified-at <time>", 'context.mfa.verified_at, RFC 3339 or "now"', mfaTime);
}

/** The request that `subject`, `permission` and the options describe. */
export function checkRequest(
  asked: { readonly subject: string; readonly permission: string },
  options: CheckOptions,
  clock: Clock,
): CheckRequest {
  const [type = "", action = "", ...rest] = asked.permission.split(":");
  if (type === "" || action === "" || rest.length > 0) {
    throw new CliError(`${quote(asked.permission)} is not valid; expected <resource>:<action>`);
  }
  const { resourceId, property } = options;
  return create(CheckRequestSchema, {
    application: options.application ?? "",
    subject: { id: asked.subject, type: options.subjectType ?? "" },
    action: { name: action },
    resource: {
      type,
      ...(resourceId === undefined ? {} : { id: resourceId }),
      ...(property === undefined ? {} : { properties: property }),
    },
    context: contextOf(options, clock),
  });
}

function contextOf({ context, ip, mfaVerifiedAt }: CheckOptions, clock: Clock): JsonObject {
  const members: [string, JsonValue][] = Object.entries(context ?? {});
  const add = (name: string, option: string, value: JsonValue): void => {
    if (members.some(([other]) => other === name)) {
      throw new CliError(`${option} and --context ${name}=… say the same; give one of them`);
    }
    members.push([name, value]);
  };
  if (ip !== undefined) add("ip", "--ip", ip);
  if (mfaVerifiedAt !== undefined) {
    const isNow = mfaVerifiedAt === "now";
    const verifiedAt = isNow ? new Date(clock.wallMs()).toISOString() : mfaVerifiedAt;
    add("mfa", "--mfa-verified-at", { verified_at: verifiedAt });
  }
  return Object.fromEntries(members);
}

// To the server an address or a time that it can't read is one that is not there. Who types one at
// a terminal has made a mistake.
function ipAddress(text: string): string {
  if (parseAddress(text) !== undefined) return text;
  throw new InvalidArgumentError("expected an IPv4 or IPv6 address, for example 10.1.2.3");
}

function mfaTime(text: string): string {
  if (text === "now" || parseRfc3339(text) !== undefined) return text;
  throw new InvalidArgumentError('expected "now" or RFC 3339, for example 2026-01-05T10:00:00Z');
}

/** `name=value`, the value as JSON where it is JSON, else as text. */
function collectMember(text: string, before: JsonObject | undefined): JsonObject {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("expected <name>=<value>");
  const name = text.slice(0, equals);
  const given = Object.entries(before ?? {});
  if (given.some(([other]) => other === name)) {
    throw new InvalidArgumentError(`${quote(name)} is given twice`);
  }
  return Object.fromEntries([...given, [name, jsonOrText(text.slice(equals + 1))]]);
}

function jsonOrText(text: string): JsonValue {
  try {
    return readJson(text) as JsonValue;
  } catch {
    // Most values are plain words, which need no quotes this way.
    return text;
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}
