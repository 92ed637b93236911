import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { onTestFinished } from "vitest";

/** What a proxy does with what comes by. */
export interface ProxyFaults {
  /** Bytes of replies that go on in one piece. */
  readonly sliceBytes?: number;
  /**
   * Nothing goes on in either direction, and nobody is told. A connection that has lost something
   * carries nothing more that way, since TCP leaves no gaps.
   */
  readonly isBlackHole?: boolean;
  /** Questions go on, and replies are lost; see `isBlackHole`. */
  readonly losesReplies?: boolean;
  /** Nothing goes on until this ends; then all of it does, as from a process that was stopped. */
  readonly holds?: boolean;
  /** Milliseconds that each piece takes; their order stays. */
  readonly delayMs?: () => number;
  /** The connection is reset once so many bytes of replies have gone on over it since. */
  readonly resetsAfterBytes?: number;
  /** Connections made from here on have no faults. */
  readonly isNewHealthy?: boolean;
}

/** A TCP proxy before a server, with faults that can be changed while it runs. */
export interface FaultyProxy {
  readonly port: number;
  faults: ProxyFaults;
  /** Where new connections go: another port of 127.0.0.1. */
  target: number;
  /** Ends all faults, and resets the connections that have lost something. */
  mend(): void;
  /** Resets all connections. */
  reset(): void;
  /** Ends the server's side of all connections; the other side is not told, and stays open. */
  halfOpen(): void;
  close(): void;
}

/** Starts a proxy on a port of its own, and stops it when the test is over. */
export async function startProxy(target: number): Promise<FaultyProxy> {
  const proxy = await openProxy(target);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Starts a proxy that whoever starts it closes. */
export async function openProxy(target: number): Promise<FaultyProxy> {
  const links = new Set<Link>();
  const server = createServer((near) => {
    const link = new Link(near, proxy);
    links.add(link);
    near.on("close", () => links.delete(link));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  let faults: ProxyFaults = {};
  const proxy: FaultyProxy = {
    port: (server.address() as { port: number }).port,
    target,
    get faults() {
      return faults;
    },
    set faults(next) {
      faults = next;
      for (const link of links) link.faultsChanged();
    },
    mend() {
      proxy.faults = {};
      for (const link of links) if (link.hasLost) link.reset();
    },
    reset() {
      for (const link of links) link.reset();
    },
    halfOpen() {
      for (const link of links) link.halfOpen();
    },
    close() {
      proxy.reset();
      server.close();
    },
  };
  return proxy;
}

/** One connection through the proxy. */
class Link {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #proxy: Pick<FaultyProxy, "faults">;
  readonly #isHealthy: boolean;
  #isHalfOpen = false;
  readonly #lost = { questions: false, replies: false };
  #replyBytes = 0;
  #changed = Promise.withResolvers<void>();

  constructor(near: Socket, proxy: Pick<FaultyProxy, "faults" | "target">) {
    this.#near = near;
    this.#far = new Socket().connect(proxy.target, "127.0.0.1");
    this.#proxy = proxy;
    this.#isHealthy = proxy.faults.isNewHealthy === true;
    this.#join(this.#near, this.#far, "questions");
    this.#join(this.#far, this.#near, "replies");
  }

  faultsChanged(): void {
    this.#replyBytes = 0;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  get hasLost(): boolean {
    return this.#isHalfOpen || this.#lost.questions || this.#lost.replies;
  }

  reset(): void {
    this.#near.resetAndDestroy();
    this.#far.resetAndDestroy();
  }

  halfOpen(): void {
    this.#isHalfOpen = true;
    this.#far.destroy();
  }

  get #faults(): ProxyFaults {
    return this.#isHealthy ? {} : this.#proxy.faults;
  }

  #join(from: Socket, to: Socket, what: "questions" | "replies"): void {
    let last = Promise.resolve();
    from.setNoDelay(true);
    from.on("data", (data: Buffer) => {
      last = last.then(() => this.#pass(data, to, what));
    });
    from.on("error", () => {});
    from.on("close", () => {
      if (!this.#isHalfOpen || what === "questions") void last.then(() => to.destroy());
    });
  }

  async #pass(data: Buffer, to: Socket, what: "questions" | "replies"): Promise<void> {
    const isReply = what === "replies";
    while (this.#faults.holds) await this.#changed.promise;
    const { sliceBytes, isBlackHole, losesReplies, delayMs } = this.#faults;
    if (isBlackHole || this.#isHalfOpen || (losesReplies && isReply)) this.#lost[what] = true;
    if (this.#lost[what]) return;
    const step = (isReply && sliceBytes) || data.length;
    for (let at = 0; at < data.length; at += step) {
      if (delayMs !== undefined) await setTimeout(delayMs());
      this.#write(data.subarray(at, at + step), to, isReply);
    }
  }

  #write(piece: Buffer, to: Socket, isReply: boolean): void {
    const { resetsAfterBytes = Number.POSITIVE_INFINITY } = this.#faults;
    const left = isReply ? resetsAfterBytes - this.#replyBytes : Number.POSITIVE_INFINITY;
    if (!to.destroyed) to.write(piece.subarray(0, Math.max(0, left)));
    if (isReply) this.#replyBytes += piece.length;
    // What was written is to arrive before the reset.
    if (piece.length >= left) setImmediate(() => this.reset());
  }
}
