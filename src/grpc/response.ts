/**
 * Answers out: from what the pipeline decided to bytes. Not for deciding: an allow leaves here only
 * where a decision says so.
 */
import { type Decision, isAllow } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import type { MfaAnswer } from "../pipeline/pipeline.ts";
import { statusCodes } from "./status.ts";
import { writeStruct } from "./struct-writer.ts";
import { WireWriter } from "./wire-writer.ts";

// One writer serves all answers: each is written whole before the next begins.
const writer = new WireWriter();

/** Encodes a `CheckResponse`. */
export function encodeCheckResponse(decision: Decision): Uint8Array {
  writer.start();
  writeDecision(decision);
  return writer.finish();
}

/** Encodes a `CheckBatchResponse`. */
export function encodeCheckBatchResponse(results: readonly (Decision | PdpError)[]): Uint8Array {
  writer.start();
  for (const result of results) {
    const entry = writer.open(1);
    const error = result instanceof PdpError;
    const answer = writer.open(error ? 2 : 1);
    if (error) writeError(result);
    else writeDecision(result);
    writer.close(answer);
    writer.close(entry);
  }
  return writer.finish();
}

/** Encodes an `MfaRequiredResponse`. */
export function encodeMfaRequiredResponse(answer: MfaAnswer): Uint8Array {
  writer.start();
  writer.bool(1, answer.required);
  writer.bool(2, answer.satisfied);
  writer.string(3, answer.reason);
  writer.count(4, answer.maxAgeSeconds);
  writer.count(5, Math.ceil(answer.stalenessMs));
  return writer.finish();
}

function writeDecision(decision: Decision): void {
  writer.bool(1, isAllow(decision));
  writer.string(2, decision.reason);
  writer.bool(3, decision.mfaRequired);
  for (const obligation of decision.obligations) {
    const start = writer.open(4);
    writer.string(1, obligation.type);
    writeStruct(writer, 2, obligation.properties);
    writer.close(start);
  }
  if (decision.grant !== undefined) {
    const start = writer.open(5);
    writer.string(1, decision.grant.pattern);
    for (const step of decision.grant.path) writer.text(2, step);
    writer.close(start);
  }
  writer.string(6, decision.decisionId);
  writer.string(7, decision.application);
  writer.string(8, decision.revision);
  writer.count(9, decision.generation);
  writer.count(10, Math.ceil(decision.stalenessMs));
}

function writeError(error: PdpError): void {
  writer.count(1, statusCodes[error.kind]);
  writer.string(2, error.message);
  writer.string(3, error.field ?? "");
}
