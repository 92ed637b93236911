import type { ServerHttp2Stream } from "node:http2";

/** A call, as far as its peer can hold it up. */
export interface OpenCall {
  /**
   * While the peer has to move: a number that stays the same as long as it doesn't.
   * `undefined` while the next step is ours.
   */
  readonly peerProgress: number | undefined;
  /** Ends it, since its peer does not move. */
  giveUp(): void;
  /** Its stream has closed. */
  release(): void;
}

/**
 * Longer than any deadline that a caller of a PDP sets, and a call in the middle of which nothing
 * moves for so long is of use to nobody.
 */
const STALL_MS = 10_000;

/**
 * The calls of all connections. Those whose peer did not move from one look to the next are given
 * up, after `STALL_MS` at least and twice that at most; a timer for each call would cost every call
 * what only a hostile one needs.
 */
export class OpenCalls {
  readonly #calls = new Map<ServerHttp2Stream, OpenCall>();
  #waited = new Map<OpenCall, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs = STALL_MS) {
    this.#timer = setInterval(() => this.#look(), stallMs).unref();
  }

  add(stream: ServerHttp2Stream, call: OpenCall): void {
    this.#calls.set(stream, call);
  }

  closed(stream: ServerHttp2Stream): void {
    this.#calls.get(stream)?.release();
    this.#calls.delete(stream);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const waited = this.#waited;
    this.#waited = new Map();
    for (const call of this.#calls.values()) {
      const progress = call.peerProgress;
      if (progress === undefined) continue;
      if (waited.get(call) === progress) call.giveUp();
      this.#waited.set(call, progress);
    }
  }
}
