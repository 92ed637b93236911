import type { CallNotes } from "./call-notes.ts";
import type { Deadline } from "./deadline.ts";

/** Who is at the other end of a connection, as the transport established it. */
export interface Peer {
  /**
   * How the connection came in; trust is configured per kind. `control` is the operator's own
   * socket, which only the server's user can open: whoever is there may ask and state anything.
   * `loopback` is any process of the machine, by an abstract socket too.
   */
  readonly kind: "control" | "unix" | "loopback" | "network";
  /** URI and DNS subject alternative names of a verified client certificate; empty without one. */
  readonly certificateNames: readonly string[];
}

/** What a transport tells a handler about a call. */
export interface UnaryCall {
  readonly peer: Peer;
  readonly deadline: Deadline;
  /** Left out where nobody reads them. */
  readonly notes?: CallNotes | undefined;
}

/**
 * Answers one request with one response, both as encoded protobuf messages, so that handlers know
 * no transport. Answers without a promise where nothing has to be awaited. Throws `PdpError`.
 */
export type UnaryHandler = (
  request: Uint8Array,
  call: UnaryCall,
) => Uint8Array | Promise<Uint8Array>;

/**
 * Answers a call that its handler does not get, or does not answer in time: a request too large, a
 * deadline that has passed, a call too many. For services whose callers must not see a failed call.
 */
export type AnswerInBand = (error: unknown) => Uint8Array;

/** Handlers by full method name, for example `/postern.v1.DecisionService/Check`. */
export type UnaryHandlers = ReadonlyMap<string, UnaryHandler>;
