import type { Redis } from "ioredis";
import { createAnnouncementCodec } from "../../src/cache/announcement-codec.ts";
import { createSeal } from "../../src/cache/seal.ts";
import { setLayout } from "../../src/cache/set-codec.ts";
import type { StepOf } from "./step.ts";
import { copyRedis, putBackRedis, type World } from "./world.ts";

/** What happens to the content of Redis behind everybody's back. */
export class RedisFaults {
  readonly #world: World;
  readonly #admin: Redis;
  readonly #codec = createAnnouncementCodec(createSeal(undefined));
  #copy: ReadonlyMap<string, Buffer> = new Map();

  constructor(world: World) {
    this.#world = world;
    this.#admin = world.server.admin;
  }

  async happen(does: StepOf<"redis">["does"]): Promise<void> {
    await this.#faults[does]();
  }

  async forge(what: StepOf<"forge">["what"]): Promise<void> {
    await this.#forgeries[what]();
  }

  /** The newest generation that is published, for all to believe. */
  async published(): Promise<number> {
    const [head] = await this.#named(/:head$/);
    if (head === undefined) return 0;
    const fields = ["incarnation", "generation", "all", "purge", "seal"];
    return this.#codec.readHead(await this.#admin.hmgetBuffer(head, ...fields))?.generation ?? 0;
  }

  readonly #faults: Record<StepOf<"redis">["does"], () => Promise<unknown>> = {
    flush: async () => {
      await this.#admin.flushall();
      await this.#world.redisClock.tell();
    },
    restart: async () => {
      await this.#world.server.restart();
      await this.#world.redisClock.tell();
    },
    trim: async () => {
      const [stream] = await this.#named(/:stream$/);
      if (stream !== undefined) await this.#admin.xtrim(stream, "MAXLEN", 0);
    },
    copy: async () => {
      this.#copy = await copyRedis(this.#admin);
    },
    putBack: () => putBackRedis(this.#admin, this.#copy),
    evict: async () => {
      const floors = await this.#named(/:f:/);
      if (floors.length > 0) await this.#admin.del(floors);
    },
  };

  readonly #forgeries: Record<StepOf<"forge">["what"], () => Promise<unknown>> = {
    head: async () => {
      const [head] = await this.#named(/:head$/);
      if (head !== undefined) await this.#admin.hset(head, "generation", 2 ** 40);
    },
    entry: async () => {
      const [head] = await this.#named(/:head$/);
      if (head === undefined) return;
      const after = Number(await this.#admin.hget(head, "generation"));
      await this.#addEntry(head, after, after + 1);
    },
    entryAhead: async () => {
      const [head] = await this.#named(/:head$/);
      if (head !== undefined) await this.#addEntry(head, 0, 2 ** 40);
    },
    set: async () => {
      const [name] = await this.#named(/:s:/);
      if (name !== undefined) await this.#admin.setrange(name, 40, "~");
    },
    // As new as can be, each with what it had.
    freshSets: async () => {
      const generation = `${await this.published()}`.padStart(setLayout.digits, "0");
      const nowMs = `${Math.floor(this.#world.redisClock.nowMs())}`.padStart(setLayout.digits, "0");
      for (const name of await this.#named(/:s:/)) {
        await this.#admin.setrange(name, setLayout.generationAt, generation + nowMs);
      }
    },
    moveSet: async () => {
      const [from, to] = await this.#named(/:s:/);
      if (to !== undefined) await this.#admin.copy(from!, to, "REPLACE");
    },
    floor: async () => {
      const [name] = await this.#named(/:f:/);
      if (name !== undefined) await this.#admin.set(name, "high");
    },
  };

  async #addEntry(head: string, after: number, generation: number): Promise<void> {
    const stream = head.replace(/head$/, "stream");
    const fields = ["prev", after, "subjects", "", "seal", "0123456789abcdef"];
    // Refused where the stream has a higher one.
    await this.#admin.xadd(stream, `${generation}-0`, ...fields).catch(() => {});
  }

  async #named(pattern: RegExp): Promise<string[]> {
    return (await this.#admin.keys("postern:*")).filter((name) => pattern.test(name)).sort();
  }
}
