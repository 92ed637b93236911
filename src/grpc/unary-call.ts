import type { ServerHttp2Stream } from "node:http2";
import type { Deadline } from "../base/deadline.ts";
import type { Peer } from "../base/unary-handler.ts";
import { toPdpError } from "../decision/error.ts";
import { answerFailure, answerOk } from "./answer.ts";
import type { Decompress } from "./decompress.ts";
import { type Message, MessageReader } from "./message-reader.ts";
import { GrpcCode, type GrpcFailure, grpcFailure } from "./status.ts";

/** What a unary call is made of. */
export interface UnaryCallParts {
  readonly stream: ServerHttp2Stream;
  readonly peer: Peer;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly decompress: Decompress | undefined;
  readonly requestBytesMax: number;
  /** Takes the call once its request is there. */
  readonly serve: (call: UnaryCall, request: Uint8Array) => void;
}

/**
 * A unary call on an HTTP/2 stream. It is its own deadline: one that was cancelled has passed,
 * since nobody waits for its answer.
 */
export class UnaryCall implements Deadline {
  readonly peer: Peer;
  readonly #parts: UnaryCallParts;
  readonly #reader: MessageReader;
  #message: Message | undefined;
  #isAnswered = false;

  constructor(parts: UnaryCallParts) {
    this.#parts = parts;
    this.peer = parts.peer;
    this.#reader = new MessageReader(parts.requestBytesMax);
    parts.stream.on("data", (chunk: Buffer) => this.#take(chunk));
    parts.stream.on("end", () => this.#serve());
  }

  get atMonotonicMs(): number {
    return this.isCancelled ? Number.NEGATIVE_INFINITY : this.#parts.deadlineMs;
  }

  /** The caller, or its connection, has gone. */
  get isCancelled(): boolean {
    const { stream } = this.#parts;
    return stream.destroyed || stream.closed;
  }

  /** Whether a status has been sent, or nobody is there to get one. */
  get isAnswered(): boolean {
    return this.#isAnswered || this.isCancelled;
  }

  succeed(answer: Uint8Array): void {
    if (this.isAnswered) return;
    this.#isAnswered = true;
    answerOk(this.#parts.stream, answer);
  }

  fail(failure: GrpcFailure): void {
    if (this.isAnswered) return;
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
      this.fail(grpcFailure(toPdpError(error)));
    }
  }

  #serve(): void {
    if (this.isAnswered) return;
    const { serve, decompress, requestBytesMax } = this.#parts;
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
        (error) => this.fail(grpcFailure(toPdpError(error))),
      );
    }
  }
}
