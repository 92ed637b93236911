import { constants, type ServerHttp2Stream } from "node:http2";
import type { Deadline } from "../base/deadline.ts";
import type { TraceHeaders } from "../base/trace-context.ts";
import type { Peer } from "../base/unary-handler.ts";
import { answerFailure, answerOk, stopReading } from "./answer.ts";
import { type ByteBudget, FREE_BYTES } from "./byte-budget.ts";
import type { Decompress } from "./decompress.ts";
import { type Message, MessageReader } from "./message-reader.ts";
import type { OpenCall } from "./open-calls.ts";
import { GrpcCode, type GrpcFailure } from "./status.ts";

/** What a unary call is made of. */
export interface UnaryCallParts {
  readonly stream: ServerHttp2Stream;
  readonly peer: Peer;
  /** Those that may name a trace. */
  readonly headers: TraceHeaders;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly decompress: Decompress | undefined;
  readonly requestBytesMax: number;
  /** What the connection may hold of requests and answers. */
  readonly budget: ByteBudget;
  /** Takes the call once its request is there. */
  readonly serve: (call: UnaryCall, request: Uint8Array) => void;
  /** Ends the call if its request can't be read. */
  readonly refuse: (call: UnaryCall, error: unknown) => void;
}

/**
 * A unary call on an HTTP/2 stream. It is its own deadline: one that was cancelled has passed,
 * since nobody waits for its answer.
 */
export class UnaryCall implements Deadline, OpenCall {
  readonly peer: Peer;
  readonly #parts: UnaryCallParts;
  readonly #reader: MessageReader;
  #message: Message | undefined;
  #isWhole = false;
  #isAnswered = false;
  #answerBytes = 0;

  constructor(parts: UnaryCallParts) {
    this.#parts = parts;
    this.peer = parts.peer;
    this.#reader = new MessageReader(parts.requestBytesMax, parts.budget);
    parts.stream.on("data", (chunk: Buffer) => this.#take(chunk));
    parts.stream.on("end", () => this.#serve());
  }

  get atMonotonicMs(): number {
    return this.isCancelled ? Number.NEGATIVE_INFINITY : this.#parts.deadlineMs;
  }

  /** The call's metadata, where it may name a trace. */
  get headers(): TraceHeaders {
    return this.#parts.headers;
  }

  /** The caller, or its connection, has gone. */
  get isCancelled(): boolean {
    const { stream } = this.#parts;
    return stream.destroyed || stream.closed;
  }

  /** Whether a status has been sent, or nobody is there to get one. */
  get #isOver(): boolean {
    return this.#isAnswered || this.isCancelled;
  }

  /** The rest of the request has to come, or the answer to be taken. */
  get peerProgress(): number | undefined {
    if (this.#isAnswered) return 1;
    return this.#isWhole ? undefined : 0;
  }

  giveUp(): void {
    if (this.#isAnswered) this.#parts.stream.close(constants.NGHTTP2_CANCEL);
    else this.fail({ code: GrpcCode.DEADLINE_EXCEEDED, message: "the request does not end" });
  }

  release(): void {
    this.#reader.release();
    if (this.#answerBytes > 0) this.#parts.budget.give(this.#answerBytes);
  }

  /** `isOwed`: a failure in its place would say something else, so that it is sent whatever is held. */
  succeed(answer: Uint8Array, isOwed = false): void {
    if (this.#isOver) return;
    if (answer.length > FREE_BYTES && !isOwed) {
      if (!this.#parts.budget.take(answer.length)) {
        const message = "too much of answers that nobody reads is waiting";
        this.fail({ code: GrpcCode.RESOURCE_EXHAUSTED, message });
        return;
      }
      this.#answerBytes = answer.length;
    }
    this.#isAnswered = true;
    answerOk(this.#parts.stream, answer);
    if (!this.#isWhole) stopReading(this.#parts.stream);
  }

  fail(failure: GrpcFailure): void {
    if (this.#isOver) return;
    this.#isAnswered = true;
    answerFailure(this.#parts.stream, failure);
  }

  #take(chunk: Buffer): void {
    if (this.#isAnswered) return;
    try {
      this.#reader.push(chunk);
      for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
        if (this.#message !== undefined) {
          this.fail({ code: GrpcCode.UNIMPLEMENTED, message: "more than one request message" });
          return;
        }
        this.#message = next;
      }
    } catch (error) {
      this.#parts.refuse(this, error);
    }
  }

  #serve(): void {
    this.#isWhole = true;
    if (this.#isOver) return;
    const { serve, refuse, decompress, requestBytesMax } = this.#parts;
    const message = this.#message;
    if (message === undefined || this.#reader.isInside) {
      const text = message === undefined ? "no whole request message" : "more than one message";
      this.fail({ code: GrpcCode.UNIMPLEMENTED, message: text });
    } else if (!message.isCompressed) {
      serve(this, message.bytes);
    } else if (decompress === undefined) {
      const text = "a message is compressed, and grpc-encoding does not say how";
      this.fail({ code: GrpcCode.INTERNAL, message: text });
    } else {
      decompress(message.bytes, requestBytesMax).then(
        (bytes) => serve(this, bytes),
        (error) => refuse(this, error),
      );
    }
  }
}
