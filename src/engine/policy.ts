/**
 * Runs one policy: what the rest of Postern knows of the WebAssembly host. Not for choosing
 * entrypoints or reading decisions out of results, which the pipeline does.
 */
import type { IndeterminateReason } from "../decision/decision.ts";
import type { JsonValue } from "../decision/json.ts";
import type { NumberText } from "../decision/number-text.ts";

/**
 * A part of the input that many evaluations share. It is parsed once and stays on the wasm heap
 * for as long as there is room, known by the identity of this object.
 */
export interface KeptDocument {
  /** Rego text: JSON, and sets as `{"a","b"}` or `set()`. Called when the heap lacks the document. */
  readonly text: () => string;
}

/** A value of an input: JSON, and numbers of any size and precision. */
export type InputValue =
  | JsonValue
  | bigint
  | NumberText
  | readonly InputValue[]
  | { readonly [name: string]: InputValue };

/** An input as an object, of which own enumerable members count. Not changed, not kept. */
export type InputDocument = { readonly [name: string]: InputValue };

/** One evaluation. */
export interface Evaluation {
  /** Number of the entrypoint, from `Policy.entrypoints`. */
  readonly entrypoint: number;
  /**
   * An object, which is written straight into wasm memory (2 µs for 700 bytes, where text takes
   * 20); or JSON text. An object where `kept` is given.
   */
  readonly input: InputDocument | string;
  /** Becomes `input.user`, whatever `input` says of it. */
  readonly kept: KeptDocument | undefined;
  /** What `time.now_ns` says throughout the evaluation. */
  readonly nowNs: bigint;
}

/** What came out. Sets are arrays in `value`, in Rego's order. */
export type EvaluationResult =
  | { readonly kind: "undefined" }
  | { readonly kind: "value"; readonly value: JsonValue }
  | { readonly kind: "failed"; readonly why: IndeterminateReason; readonly message: string };

/** An activated policy. Synchronous, one evaluation at a time, never throws for what a policy does. */
export interface Policy {
  /** Entrypoint path (`platform/decision`) → number. */
  readonly entrypoints: ReadonlyMap<string, number>;
  evaluate(evaluation: Evaluation): EvaluationResult;
  /** Bytes of wasm memory in use, for metrics. */
  memoryBytes(): number;
}
