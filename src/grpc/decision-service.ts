import type { BatchNote } from "../base/call-notes.ts";
import type { UnaryHandler, UnaryHandlers } from "../base/unary-handler.ts";
import type { Decision } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import type { AccessRequest } from "../decision/request.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { encodePermissionSetResponse } from "./permission-set-response.ts";
import {
  readCheckBatchRequest,
  readCheckRequest,
  readMfaRequiredRequest,
  readPermissionSetRequest,
} from "./request.ts";
import {
  encodeCheckBatchResponse,
  encodeCheckResponse,
  encodeMfaRequiredResponse,
} from "./response.ts";

/** The service's full name, under which health reports on it. */
export const DECISION_SERVICE = "postern.v1.DecisionService";

/** What the service answers with. */
export interface DecisionServiceDeps {
  readonly pipeline: Pipeline;
  /** Most items of a `CheckBatch`. */
  readonly batchItemsMax: number;
}

/** `postern.v1.DecisionService` for any transport: bytes in, bytes out. */
export function createDecisionService(deps: DecisionServiceDeps): UnaryHandlers {
  const { pipeline, batchItemsMax } = deps;

  const check: UnaryHandler = (bytes, call) =>
    encoded(pipeline.check(readCheckRequest(bytes), call), (decision) => {
      call.notes?.decided(decision);
      return encodeCheckResponse(decision);
    });

  const mfaRequired: UnaryHandler = (bytes, call) =>
    encoded(pipeline.mfaRequired(readMfaRequiredRequest(bytes), call), encodeMfaRequiredResponse);

  const checkBatch: UnaryHandler = async (bytes, call) => {
    const items = readCheckBatchRequest(bytes, batchItemsMax);
    const requests = items.filter((item): item is AccessRequest => !(item instanceof PdpError));
    const answers = requests.length === 0 ? [] : await pipeline.checkBatch(requests, call);
    const results = inOrder(items, answers);
    call.notes?.decidedBatch(countResults(results));
    return encodeCheckBatchResponse(results);
  };

  const getPermissionSet: UnaryHandler = async (bytes, call) =>
    encodePermissionSetResponse(
      await pipeline.permissionSet(readPermissionSetRequest(bytes), call),
    );

  return new Map([
    [`/${DECISION_SERVICE}/Check`, check],
    [`/${DECISION_SERVICE}/CheckBatch`, checkBatch],
    [`/${DECISION_SERVICE}/MfaRequired`, mfaRequired],
    [`/${DECISION_SERVICE}/GetPermissionSet`, getPermissionSet],
  ]);
}

/** Encodes an answer at once where it is there at once: a promise costs a turn of the event loop. */
function encoded<Answer>(
  answer: Answer | Promise<Answer>,
  encode: (answer: Answer) => Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  return answer instanceof Promise ? answer.then(encode) : encode(answer);
}

function countResults(results: readonly (Decision | PdpError)[]): BatchNote {
  let allowed = 0;
  let failed = 0;
  for (const result of results) {
    if (result instanceof PdpError) failed += 1;
    else if (result.allowed) allowed += 1;
  }
  return { allowed, denied: results.length - allowed - failed, failed };
}

/** Puts the answers between the items that could not be read. */
function inOrder(
  items: readonly (AccessRequest | PdpError)[],
  answers: readonly (Decision | PdpError)[],
): (Decision | PdpError)[] {
  let next = 0;
  const results = items.map((item) => (item instanceof PdpError ? item : answers[next++]));
  if (next !== answers.length || results.includes(undefined)) {
    throw new PdpError("internal", "internal error", {
      cause: new Error(`${answers.length} answers to ${next} requests`),
    });
  }
  return results as (Decision | PdpError)[];
}
