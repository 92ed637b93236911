import {
  type DescMessage,
  fromBinary,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type CheckRequest,
  CheckRequestSchema,
  CheckResponseSchema,
  GetPermissionSetRequestSchema,
  GetPermissionSetResponseSchema,
  MfaRequiredRequestSchema,
  MfaRequiredResponseSchema,
} from "../grpc/gen/postern/v1/decision_pb.js";
import { CliError } from "./cli-error.ts";
import { type CommandContext, exitStatus } from "./command-context.ts";
import { createControlClient } from "./control-client.ts";
import { mfaWord, renderDecision, renderMfa, renderPermissionSet } from "./decision-text.ts";
import {
  type CheckOptions,
  checkRequest,
  type ServerOptions,
  type SubjectOptions,
  withCheckOptions,
  withSubjectOptions,
} from "./request-options.ts";
import { writeText } from "./terminal.ts";

/** Adds `check`, `mfa` and `permissions`. */
export function addDecisionCommands(program: Command, context: CommandContext): void {
  withCheckOptions(
    program
      .command("check")
      .description("ask whether a subject may do something; status 0 allow, 1 deny")
      .argument("<subject>", "id of the subject")
      .argument("<permission>", "resource:action"),
  ).action((subject: string, permission: string, options: CheckOptions) =>
    check(context, checkRequest({ subject, permission }, options, context.io.clock), options),
  );

  withCheckOptions(
    program
      .command("mfa")
      .description("ask whether MFA is required; status 0 not required or satisfied, 1 required")
      .argument("<subject>", "id of the subject")
      .argument("<permission>", "resource:action"),
  ).action((subject: string, permission: string, options: CheckOptions) =>
    mfa(context, checkRequest({ subject, permission }, options, context.io.clock), options),
  );

  withSubjectOptions(
    program
      .command("permissions")
      .description("show what a subject can do, by which path, and under which conditions")
      .argument("<subject>", "id of the subject"),
  ).action((subject: string, options: SubjectOptions) => permissions(context, subject, options));
}

async function check(
  context: CommandContext,
  request: CheckRequest,
  options: ServerOptions,
): Promise<void> {
  const answer = await call(context, options, {
    method: "Check",
    request: toBinary(CheckRequestSchema, request),
    answer: CheckResponseSchema,
  });
  print(context, options, {
    json: () => toJson(CheckResponseSchema, answer),
    text: () => renderDecision(answer, request.subject?.type ?? ""),
  });
  context.finish(answer.allowed === true ? exitStatus.ok : exitStatus.negative);
}

async function mfa(
  context: CommandContext,
  request: CheckRequest,
  options: ServerOptions,
): Promise<void> {
  const answer = await call(context, options, {
    method: "MfaRequired",
    request: toBinary(MfaRequiredRequestSchema, {
      $typeName: "postern.v1.MfaRequiredRequest",
      check: request,
    }),
    answer: MfaRequiredResponseSchema,
  });
  print(context, options, {
    json: () => toJson(MfaRequiredResponseSchema, answer),
    text: () => renderMfa(answer),
  });
  context.finish(mfaWord(answer) === "required" ? exitStatus.negative : exitStatus.ok);
}

async function permissions(
  context: CommandContext,
  subject: string,
  options: SubjectOptions,
): Promise<void> {
  const answer = await call(context, options, {
    method: "GetPermissionSet",
    request: toBinary(GetPermissionSetRequestSchema, {
      $typeName: "postern.v1.GetPermissionSetRequest",
      application: options.application ?? "",
      subject: {
        $typeName: "postern.v1.Subject",
        id: subject,
        type: options.subjectType ?? "",
      },
    }),
    answer: GetPermissionSetResponseSchema,
  });
  print(context, options, {
    json: () => toJson(GetPermissionSetResponseSchema, answer),
    text: () => renderPermissionSet(subject, answer),
  });
}

interface Call<Answer extends DescMessage> {
  readonly method: string;
  readonly request: Uint8Array;
  readonly answer: Answer;
}

async function call<Answer extends DescMessage>(
  context: CommandContext,
  options: ServerOptions,
  { method, request, answer }: Call<Answer>,
): Promise<MessageShape<Answer>> {
  const client = createControlClient(socketOf(context, options));
  const path = `/postern.v1.DecisionService/${method}`;
  const body = await client({ method: "POST", path, message: request });
  try {
    return fromBinary(answer, body);
  } catch (error) {
    throw new CliError("the server's answer is unreadable; is it another version?", error);
  }
}

/** Where the server's control socket is: as said, or as its configuration says. */
export function socketOf(context: CommandContext, { socket, config }: ServerOptions): string {
  return socket ?? context.load(config).config.admin.controlSocket;
}

function print(
  { io }: CommandContext,
  { json }: ServerOptions,
  forms: { readonly json: () => string; readonly text: () => string },
): void {
  writeText(io.stdout, json === true ? forms.json() : forms.text());
}

function toJson<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): string {
  const text = toJsonString(schema, message, {
    useProtoFieldName: true,
    alwaysEmitImplicit: true,
    prettySpaces: 2,
  });
  return `${text}\n`;
}
