import { constants, type ServerHttp2Stream } from "node:http2";
import { PdpError } from "../decision/error.ts";
import { answerFailure, openAnswer, stopReading, trailersOf } from "./answer.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { Decompress } from "./decompress.ts";
import { encodeMessage, MessageReader } from "./message-reader.ts";
import type { OpenCall } from "./open-calls.ts";
import { GrpcCode, type GrpcFailure } from "./status.ts";

/** What a streaming call is made of. */
export interface StreamingCallParts {
  readonly stream: ServerHttp2Stream;
  readonly decompress: Decompress | undefined;
  readonly requestBytesMax: number;
  /** What the connection may hold of requests and answers. */
  readonly budget: ByteBudget;
}

/** A call whose answer is a stream, on an HTTP/2 stream. */
export class StreamingCall implements OpenCall {
  readonly #parts: StreamingCallParts;
  readonly #reader: MessageReader;
  /** Messages that came, and those that went. */
  #moved = 0;
  #isReading = false;
  #status: GrpcFailure | undefined;

  constructor(parts: StreamingCallParts) {
    this.#parts = parts;
    this.#reader = new MessageReader(parts.requestBytesMax, parts.budget);
  }

  /** A question is waited for, or something has to be taken. */
  get peerProgress(): number | undefined {
    const isPeersTurn = this.#isReading || this.#parts.stream.writableLength > 0;
    return isPeersTurn || this.#status !== undefined ? this.#moved : undefined;
  }

  giveUp(): void {
    const { stream } = this.#parts;
    if (this.#status === undefined && stream.writableLength === 0) {
      this.fail({ code: GrpcCode.DEADLINE_EXCEEDED, message: "no message comes" });
    } else stream.close(constants.NGHTTP2_CANCEL);
  }

  release(): void {
    this.#reader.release();
  }

  /** Resolves, when all is over, to the status that was sent; CANCELLED if there was none. */
  async ended(): Promise<GrpcCode> {
    const { stream } = this.#parts;
    if (!stream.closed) await next(stream, "close");
    return this.#status?.code ?? GrpcCode.CANCELLED;
  }

  /** The caller's messages in order, until it sends no more. Throws `PdpError`. */
  async *messages(): AsyncGenerator<Uint8Array, void> {
    const { stream, decompress, requestBytesMax } = this.#parts;
    const reader = this.#reader;
    this.#isReading = true;
    // A stream that is destroyed sends no status, and its client would wait for ever.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      this.#isReading = false;
      reader.push(chunk);
      for (let got = reader.next(); got !== undefined; got = reader.next()) {
        this.#moved += 1;
        if (!got.isCompressed) yield got.bytes;
        else if (decompress !== undefined) yield await decompress(got.bytes, requestBytesMax);
        else throw new PdpError("internal", "a message is compressed without grpc-encoding");
      }
      this.#isReading = true;
    }
    this.#isReading = false;
    if (reader.isInside) throw new PdpError("internal", "the last message is not whole");
  }

  /** The only message of a caller that sends one; the rest is not read. */
  async message(): Promise<Uint8Array> {
    const messages = this.messages();
    const { value: message } = await messages.next();
    await messages.return();
    this.#isReading = false;
    this.#parts.stream.resume();
    if (message === undefined) throw new PdpError("invalid-argument", "message: is missing");
    return message;
  }

  /** Resolves when the caller has room for more, so that answers never pile up. */
  async write(message: Uint8Array): Promise<void> {
    const { stream } = this.#parts;
    if (this.#status !== undefined || stream.destroyed || stream.closed) return;
    this.#moved += 1;
    if (!stream.headersSent) openAnswer(stream);
    if (!stream.write(encodeMessage(message))) await next(stream, "drain", "close");
  }

  /** Ends the call with OK. */
  end(): void {
    this.fail({ code: GrpcCode.OK, message: "" });
  }

  /** Ends the call with a status, behind what was written. */
  fail(failure: GrpcFailure): void {
    const { stream } = this.#parts;
    if (this.#status !== undefined || stream.destroyed || stream.closed) return;
    this.#status = failure;
    if (!stream.headersSent) {
      answerFailure(stream, failure);
      return;
    }
    stream.on("wantTrailers", () => {
      stream.sendTrailers(trailersOf(failure));
      stopReading(stream);
    });
    stream.end();
  }
}

/** Resolves when the first of these events comes. */
function next(stream: ServerHttp2Stream, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of events) stream.off(event, settle);
      resolve();
    };
    for (const event of events) stream.on(event, settle);
  });
}
