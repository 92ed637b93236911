/**
 * Answers to Envoy: `envoy.service.auth.v3.CheckResponse`. The one place where an allow gets onto this
 * wire, and only from a decision that says so, or from a dry run: Envoy takes an answer without a
 * status for an allow.
 */
import { type Decision, isAllow } from "../../decision/decision.ts";
import type { JsonObject } from "../../decision/json.ts";
import { GrpcCode } from "../status.ts";
import { writeStruct } from "../struct-writer.ts";
import { WireWriter } from "../wire-writer.ts";
import { DryRunPass } from "./dry-run.ts";
import type { HeaderAction, HeaderChange, HttpAnswer, QueryParameter } from "./http-answer.ts";
import { toldHeaders } from "./rbac-answer.ts";
import { plainAnswer } from "./rego-result.ts";

// One writer serves all answers: each is written whole before the next begins.
const writer = new WireWriter();

/** Fields of `CheckResponse`. */
const STATUS = 1;
const DENIED_RESPONSE = 2;
const OK_RESPONSE = 3;
const DYNAMIC_METADATA = 4;
const ERROR_RESPONSE = 5;

/** `HeaderValueOption.HeaderAppendAction` */
const APPEND_ACTIONS: Readonly<Record<HeaderAction, number>> = {
  append: 0,
  add_if_absent: 1,
  overwrite: 2,
  overwrite_if_exists: 3,
};

/** Encodes the answer to a decision; without `answer` Envoy does what it does by default. */
export function encodeAuthorization(
  decision: Decision,
  answer: HttpAnswer | undefined,
): Uint8Array {
  writer.start();
  const allows = isAllow(decision);
  writeStatus(allows ? GrpcCode.OK : GrpcCode.PERMISSION_DENIED);
  if (answer !== undefined) {
    const start = writer.open(allows ? OK_RESPONSE : DENIED_RESPONSE);
    if (allows) writeAllowed(answer);
    else writeDenied(answer);
    writer.close(start);
  }
  writeStruct(writer, DYNAMIC_METADATA, metadataOf(decision, answer));
  return writer.finish();
}

/**
 * Encodes that a request passes although it is denied. The upstream is told nothing of a decision,
 * and gets nothing either that a client says in Postern's name.
 */
export function encodeDryRunPass(pass: DryRunPass): Uint8Array {
  const denied = DryRunPass.deniedOf(pass);
  writer.start();
  writeStatus(GrpcCode.OK);
  const start = writer.open(OK_RESPONSE);
  writeAllowed({ ...plainAnswer, removedHeaders: toldHeaders });
  writer.close(start);
  const metadata = { ...metadataOf(denied, undefined), dry_run: true };
  writeStruct(writer, DYNAMIC_METADATA, metadata);
  return writer.finish();
}

/** Encodes that Postern can't answer, which Envoy counts as an error, and not as a denial. */
export function encodeNoAnswer(status: number): Uint8Array {
  writer.start();
  writeStatus(GrpcCode.UNAVAILABLE);
  const start = writer.open(ERROR_RESPONSE);
  writeHttpStatus(status);
  writer.close(start);
  return writer.finish();
}

/** `google.rpc.Status`, whose code is written also where it is 0. */
function writeStatus(code: GrpcCode): void {
  const start = writer.open(STATUS);
  if (code === GrpcCode.OK) writer.kind(1, 0);
  else writer.count(1, code);
  writer.close(start);
}

/** `OkHttpResponse` */
function writeAllowed(answer: HttpAnswer): void {
  writeRequestHeaders(answer.headers);
  for (const name of answer.removedHeaders) writer.text(5, name);
  for (const header of answer.responseHeaders) {
    const start = writer.open(6);
    writeHeader(header);
    writer.count(3, APPEND_ACTIONS[header.action]);
    writer.close(start);
  }
  for (const parameter of answer.query) writeParameter(7, parameter);
  for (const name of answer.removedQuery) writer.text(8, name);
}

/** `DeniedHttpResponse` */
function writeDenied({ status, headers, body }: HttpAnswer): void {
  writeHttpStatus(status);
  for (const header of headers) {
    const start = writer.open(2);
    writeHeader(header);
    writer.close(start);
  }
  writer.string(3, body);
}

function writeHttpStatus(status: number): void {
  const start = writer.open(1);
  writer.count(1, status);
  writer.close(start);
}

/**
 * Here Envoy goes by `append` alone. Of several values of one name it delivers all if the first
 * overwrites and the others are appended, and that the first overwrites keeps out a client's own.
 */
function writeRequestHeaders(headers: readonly HeaderChange[]): void {
  const named = new Set<string>();
  for (const header of headers) {
    const appends = header.action === "append" || named.has(header.name);
    named.add(header.name);
    const start = writer.open(2);
    writeHeader(header);
    const append = writer.open(2);
    writer.bool(1, appends);
    writer.close(append);
    writer.count(3, APPEND_ACTIONS[appends ? "append" : "overwrite"]);
    writer.close(start);
  }
}

/** What every `HeaderValueOption` has. */
function writeHeader({ name, value, keepsEmpty }: HeaderChange): void {
  const pair = writer.open(1);
  writer.string(1, name);
  writer.string(2, value);
  writer.close(pair);
  writer.bool(4, keepsEmpty);
}

/** `QueryParameter`, which Envoy writes into the URL as it is. */
function writeParameter(field: number, { name, value }: QueryParameter): void {
  const start = writer.open(field);
  writer.string(1, encodeParameter(name));
  writer.string(2, encodeParameter(value));
  writer.close(start);
}

/** Escapes what would end a parameter or the query; an escape that is there stays. */
function encodeParameter(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%25(?=[0-9A-Fa-f]{2})/g, "%");
}

/** What the policy says, and by which decision. */
function metadataOf(decision: Decision, answer: HttpAnswer | undefined): JsonObject {
  return { ...answer?.dynamicMetadata, decision_id: decision.decisionId, reason: decision.reason };
}
