/**
 * Failures of Postern itself or of a request's form. A deny is not an error: policy outcomes are
 * decisions. Doors map each kind in one table `satisfies Record<ErrorKind, …>`.
 */
export type ErrorKind =
  /** The request is malformed; `field` names the place. */
  | "invalid-argument"
  /** No such application, subject or file. */
  | "not-found"
  /** The caller is not trusted for what it asks. */
  | "permission-denied"
  /** There is too much at once; later there may be room. */
  | "resource-exhausted"
  /** The request is over a limit by its own size, however much room there is. */
  | "too-large"
  /** What the directory says of the subject can't be worked with until it is changed. */
  | "failed-precondition"
  | "deadline-exceeded"
  /** Draining, or a source that is needed can't be read. */
  | "unavailable"
  /** A defect or an unforeseen failure; the cause goes to the log, never to the caller. */
  | "internal";

/** What an error carries besides its text. */
export interface ErrorDetail {
  /** Path of the field in the caller's own notation, e.g. `items[3].resource.type`. */
  readonly field?: string;
  readonly cause?: unknown;
}

/** The one error class. `message` is safe to show to a caller; `cause` is for the log only. */
export class PdpError extends Error {
  readonly kind: ErrorKind;
  readonly field: string | undefined;

  constructor(kind: ErrorKind, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "PdpError";
    this.kind = kind;
    this.field = detail.field;
  }
}

/** The one converter: unknown errors become `internal` with a text that reveals nothing. */
export function toPdpError(error: unknown): PdpError {
  if (error instanceof PdpError) return error;
  return new PdpError("internal", "internal error", { cause: error });
}
