import type { UnaryCall } from "../../base/unary-handler.ts";
import type { Decision } from "../../decision/decision.ts";
import type { TextMap } from "./check-request.ts";
import type { HttpAnswer } from "./http-answer.ts";

/** A call of Envoy's. */
export interface Asked {
  /** The request, of which everybody reads what he looks at. */
  readonly bytes: Uint8Array;
  /** As the route has them. */
  readonly extensions: TextMap;
  readonly call: UnaryCall;
  /** The way that is at work; of `both` it is first that, and `rego` once the policy is asked. */
  way: string;
}

/** A decision, and what is to happen beside it; `undefined` = what Envoy does by default. */
export interface Outcome {
  readonly decision: Decision;
  readonly answer: HttpAnswer | undefined;
}

/** Decides, in one of the ways that there are. */
export type Decide = (asked: Asked) => Outcome | Promise<Outcome>;
