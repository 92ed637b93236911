import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { type Sidecar, type SidecarSetup, sharedTier } from "../../test/support/redis-tier.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { describeSetCache } from "./cache.contract.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { decodeSet, encodeSet, type StoredSet } from "./set-codec.ts";

const user1 = { application: "platform", subjectId: "user-1" };

describeSetCache("createRedisCache()", async ({ clock, ttlMs, negativeTtlMs }) => {
  const tier = await sharedTier({ clock });
  const { cache } = await tier.sidecar({ options: { ttlMs, negativeTtlMs } });
  return {
    cache: {
      get: cache.get.bind(cache),
      put: cache.put.bind(cache),
      invalidate: (change) => cache.invalidate(tier.source.commit(change)),
    },
    advance: tier.advance,
    dropsSilently: true,
    raisesGenerations: true,
  };
});

async function oneSidecar(says: SidecarSetup = {}) {
  const tier = await sharedTier();
  const sidecar = await tier.sidecar(says);
  const nameOf = (key = user1): string =>
    sidecar.keys.set(sidecar.announcements.known()!.incarnation, key);
  const put = (set: PermissionSet = cacheableSet()) =>
    sidecar.cache.put(set, tier.clock.monotonicMs());
  return { ...tier, ...sidecar, nameOf, put };
}

/** Whose looks are held up once Redis has answered, until the gate is opened. */
async function heldAnswers() {
  const gate = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const through = (connection: RedisConnection): RedisConnection => ({
    ...connection,
    async send(commands) {
      const answer = await connection.send(commands);
      ask();
      await gate.promise;
      return answer;
    },
  });
  return { ...(await oneSidecar({ through })), asked, gate };
}

const outcomes = ({ notes }: Pick<Sidecar, "notes">): string[] =>
  notes.flatMap((note) => /^postern_redis_puts_total (.*) 1$/.exec(note)?.[1] ?? []);

describe("createRedisCache()", () => {
  it("gives a set to another sidecar", async () => {
    const { put, sidecar } = await oneSidecar();
    await put(cacheableSet({ patterns: ["agent:*"] }));
    const other = await sidecar();
    expect(await other.cache.get(user1)).toEqual(cacheableSet({ patterns: ["agent:*"] }));
  });

  describe("a value that is not what was stored there", () => {
    it.each([
      ["truncated in its seal", (value: Buffer) => value.subarray(0, -1), "tampered"],
      ["truncated in its header", (value: Buffer) => value.subarray(0, 20), "truncated"],
      [
        "of somebody else's",
        () => Buffer.from("a value of somebody else's, who likes it"),
        "foreign",
      ],
      ["of a newer schema", (value: Buffer) => replaced(value, 2, "2"), "newer-schema"],
      ["with another generation", (value: Buffer) => replaced(value, 4, "9"), "tampered"],
      ["of 64 MB", () => Buffer.alloc(64 * 2 ** 20, "P"), "too-large"],
    ])("is a miss where it is %s", async (_, alter, why) => {
      const { cache, put, server, nameOf } = await oneSidecar();
      await put();
      const value = await server.admin.getBuffer(nameOf());
      await server.admin.set(nameOf(), alter(value!));
      expect(await cache.look(user1)).toBe(why);
      await put();
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
    });

    it("is a miss where it was moved from another subject", async () => {
      const { cache, put, server, nameOf } = await oneSidecar();
      await put(cacheableSet({ subjectId: "admin" }));
      await server.admin.copy(nameOf({ ...user1, subjectId: "admin" }), nameOf());
      expect(await cache.look(user1)).toBe("tampered");
    });

    it("is a miss where it has another type", async () => {
      const { cache, put, server, nameOf, notes } = await oneSidecar();
      await server.admin.lpush(nameOf(), "x");
      expect(await cache.look(user1)).toBe("wrong-type");
      expect(await cache.get(user1)).toBe("absent");
      await put();
      expect(outcomes({ notes })).toEqual(["wrong-type"]);
    });

    it("is a miss where its floor is unreadable", async () => {
      const { cache, put, server, keys, announcements } = await oneSidecar();
      await put();
      await server.admin.set(keys.floor(announcements.known()!.incarnation, "user-1"), "high");
      expect(await cache.look(user1)).toBe("outdated");
    });

    it("is not even looked for by who has another key, or another directory", async () => {
      const { cache, put, sidecar } = await oneSidecar();
      await put();
      const secret = await sidecar({ sealKey: "another key of theirs" });
      const elsewhere = await sidecar({ directoryId: "another" });
      expect(await secret.cache.look(user1)).toBe("absent");
      expect(await elsewhere.cache.look(user1)).toBe("absent");
      await secret.announcements.catchUp();
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
    });
  });

  describe("a set that may have missed a change", () => {
    it("is refused while the stored one is newer", async () => {
      const { cache, put, notes } = await oneSidecar();
      await put(cacheableSet({ generation: 5 }));
      await put(cacheableSet({ generation: 4 }));
      expect(outcomes({ notes })).toEqual(["stored", "older"]);
      expect(await cache.get(user1)).toMatchObject({ generation: 5 });
    });

    it("is refused below its subject's floor by who has not heard of the change", async () => {
      const { source, sidecar, cache, clock } = await oneSidecar();
      const deaf = await sidecar();
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      expect(deaf.announcements.known()?.generation).toBe(0);
      await deaf.cache.put(cacheableSet({ generation: 0 }), clock.monotonicMs());
      expect(outcomes(deaf)).toEqual(["outdated"]);
    });

    it("is not served below its subject's floor by who has not heard of the change", async () => {
      const { source, sidecar, cache, put } = await oneSidecar();
      const deaf = await sidecar();
      await put(cacheableSet({ generation: 0 }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      expect(await deaf.cache.look(user1)).toBe("outdated");
    });

    it("is not served where Redis has lost the floor", async () => {
      const { source, server, cache, put, keys, announcements } = await oneSidecar();
      await put(cacheableSet({ generation: 0 }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await server.admin.del(keys.floor(announcements.known()!.incarnation, "user-1"));
      expect(await cache.look(user1)).toBe("outdated");
    });

    it("is not stored where the change is heard of while it is read", async () => {
      const { source, cache, clock, notes } = await oneSidecar();
      const readAtMs = clock.monotonicMs();
      const read = cacheableSet({ generation: 0 });
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await cache.put(read, readAtMs);
      expect(outcomes({ notes })).toEqual(["outdated"]);
      expect(await cache.get(user1)).toBe("absent");
    });

    it("is not stored where the change is known and Redis has lost the floor", async () => {
      const { source, server, cache, put, keys, announcements, notes } = await oneSidecar();
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await server.admin.del(keys.floor(announcements.known()!.incarnation, "user-1"));
      await put(cacheableSet({ generation: 0 }));
      expect(outcomes({ notes })).toEqual(["outdated"]);
    });

    it("is not served by who hears of the change before the answer", async () => {
      const { source, cache, put, asked, gate } = await heldAnswers();
      await put(cacheableSet({ generation: 0 }));
      const looking = cache.look(user1);
      await asked;
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      gate.resolve();
      expect(await looking).toBe("outdated");
    });

    it("is not served by who hears of a purge before the answer", async () => {
      const { cache, put, asked, gate, announcements } = await heldAnswers();
      await put();
      const looking = cache.look(user1);
      await asked;
      await announcements.renew();
      gate.resolve();
      expect(await looking).toBe("untrusted");
    });
  });

  it("gives a set as of the newest change that leaves it as it is", async () => {
    const { source, cache, put } = await oneSidecar();
    await put(cacheableSet({ generation: 0 }));
    await cache.invalidate(source.commit({ subjects: ["user-2"] }));
    await cache.invalidate(source.commit({ subjects: ["user-3"] }));
    const hit = await cache.look(user1);
    expect(hit).toMatchObject({ set: { generation: 2 } });
  });

  describe("time", () => {
    it("does not give a set a new life that was read before its process was stopped", async () => {
      const { cache, clock, advance, notes } = await oneSidecar();
      const readAtMs = clock.monotonicMs();
      await advance(29_999);
      expect(await cache.get(user1)).toBe("absent");
      await cache.put(cacheableSet(), readAtMs);
      await advance(1);
      expect(await cache.look(user1)).toBe("absent");
      await cache.put(cacheableSet(), readAtMs);
      expect(outcomes({ notes })).toEqual(["stored", "late"]);
    });

    it("says how old a set is", async () => {
      const { cache, put, advance } = await oneSidecar();
      await put();
      await advance(1_234);
      expect(await cache.look(user1)).toMatchObject({ ageMs: 1_234 });
    });

    it("does not serve a set past its time where Redis keeps it", async () => {
      const { cache, put, server, nameOf, advance } = await oneSidecar();
      await put();
      const value = await server.admin.getBuffer(nameOf());
      await advance(30_000);
      await cache.get(user1);
      await server.admin.set(nameOf(), value!);
      expect(await cache.look(user1)).toBe("aged");
    });

    it("does not serve a set past its end by the wall clock, which was set forward", async () => {
      const { cache, put, clock } = await oneSidecar();
      await put(cacheableSet({ validUntilMs: clock.wallMs() + 10_000 }));
      clock.stepWall(9_999);
      expect(await cache.look(user1)).toMatchObject({ set: { generation: 1 } });
      clock.stepWall(1);
      expect(await cache.look(user1)).toBe("expired");
    });

    it("serves sets no longer than it is told itself, whatever others are told", async () => {
      const { sidecar, put, advance } = await oneSidecar();
      const brief = await sidecar({ options: { ttlMs: 1_000 } });
      await put();
      await advance(1_000);
      expect(await brief.cache.look(user1)).toBe("aged");
    });

    it("does not store a set for longer where the server's clock was set back since", async () => {
      const { put, stepServer, notes } = await oneSidecar();
      await stepServer(-60_000);
      await put();
      expect(outcomes({ notes })).toEqual(["clock-skew"]);
    });

    it("does not serve a set that was known in the future, but for a cluster's clocks", async () => {
      const { cache, put, server, nameOf, seal } = await oneSidecar();
      await put();
      const place = { name: nameOf(), key: user1, seal, bytesMax: 10_000 };
      const { set, knownAtRedisMs } = decodeSet(
        (await server.admin.getBuffer(nameOf()))!,
        place,
      ) as StoredSet;
      const lookAhead = async (ms: number) => {
        const ahead = encodeSet({ set, knownAtRedisMs: knownAtRedisMs + ms }, place)!;
        await server.admin.set(nameOf(), ahead);
        return cache.look(user1);
      };
      expect(await lookAhead(1_000)).toMatchObject({ set });
      expect(await lookAhead(1_001)).toBe("clock-skew");
    });

    it("begins anew where the server's clock was set back", async () => {
      const { cache, put, stepServer, advance, announcements } = await oneSidecar();
      await put();
      const before = announcements.known()?.incarnation;
      await stepServer(-60_000);
      await advance(3_000);
      expect(await cache.get(user1)).toBe("absent");
      expect(announcements.known()?.incarnation).not.toBe(before);
    });

    it("shortens lives by up to a fifth", async () => {
      const { cache, put, advance } = await oneSidecar({ random: () => 0.5 });
      await put();
      await advance(26_999);
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
      await advance(1);
      expect(await cache.get(user1)).toBe("absent");
    });
  });

  describe("where Redis fails", () => {
    it("misses with its reason, and stores nothing", async () => {
      const { cache, put, server, notes } = await oneSidecar();
      await server.kill();
      expect(await cache.get(user1)).toBe("absent");
      await cache.get(user1);
      expect(notes.filter((note) => note.includes("redis_misses"))).toEqual([
        expect.stringMatching(/^postern_redis_misses_total (closed|timeout|breaker-open) 1$/),
        "postern_redis_misses_total breaker-open 1",
      ]);
      const set = cacheableSet();
      expect(await put(set)).toBe(set);
      expect(outcomes({ notes })).toEqual(["untrusted"]);
    });

    it("says so where its memory is used up", async () => {
      const { cache, put, server, notes } = await oneSidecar();
      await server.admin.config("SET", "maxmemory", "1");
      await put();
      expect(outcomes({ notes })).toEqual(["out-of-memory"]);
      expect(await cache.get(user1)).toBe("absent");
    });

    it("asks for changes before it reads where nobody has told of any lately", async () => {
      const { source, cache, put, sidecar, advance } = await oneSidecar();
      const deaf = await sidecar();
      await put(cacheableSet({ generation: 0 }));
      await put(cacheableSet({ generation: 0, subjectId: "user-2" }));
      await cache.invalidate(source.commit({ subjects: ["user-1"] }));
      await advance(3_000);
      expect(deaf.announcements.known()).toBeUndefined();
      expect(await deaf.cache.look({ ...user1, subjectId: "user-2" })).toMatchObject({
        set: { generation: 1 },
      });
      expect(deaf.heard).toEqual([{ generation: 1, subjects: ["user-1"] }]);
    });
  });

  it("forgets a subject's sets on demand, and everything", async () => {
    const { cache, put, announcements } = await oneSidecar();
    await put();
    await put(cacheableSet({ application: "gateway" }));
    expect(await cache.forget("user-1", ["platform"])).toBe(true);
    expect(await cache.get(user1)).toBe("absent");
    expect(await cache.get({ ...user1, application: "gateway" })).toMatchObject({ generation: 1 });
    expect(await announcements.renew()).toBe(true);
    expect(await cache.get({ ...user1, application: "gateway" })).toBe("absent");
  });

  it("takes at most 1.5 KB for a subject with 20 permissions", async () => {
    const { cache, server, clock, nameOf } = await oneSidecar();
    const set = twentyPermissions();
    await cache.put(set, clock.monotonicMs());
    expect(await cache.get({ ...user1, subjectId: set.subject.id })).toEqual(set);
    const bytes = await server.admin.memory(
      "USAGE",
      nameOf({ ...user1, subjectId: set.subject.id }),
    );
    expect(bytes).toBeLessThanOrEqual(1_536);
  });
});

function replaced(value: Buffer, at: number, text: string): Buffer {
  return Buffer.concat([
    value.subarray(0, at),
    Buffer.from(text),
    value.subarray(at + text.length),
  ]);
}

/** Four roles of five permissions, two of them through groups, one with conditions. */
function twentyPermissions(): PermissionSet {
  const set = cacheableSet({ subjectId: "0193e4b2-7c1d-7b0a-9f3e-2a4b6c8d0e1f" });
  const resources = ["agent", "model", "dataset", "pipeline"];
  const grants = resources.map((resource, index) => ({
    source: index < 2 ? ("group" as const) : ("manual" as const),
    path: [...(index < 2 ? [`group:llm-platform/${resource}-team`] : []), `role:${resource}-owner`],
    role: `${resource}-owner`,
    patterns: ["read", "create", "update", "delete", "execute"].map(
      (does) => `${resource}:${does}`,
    ),
    limits: { maxConcurrentJobs: 10 * index },
  }));
  const [always] = set.classes;
  return {
    ...set,
    attributes: { clearance: "secret", department: "research", email: "someone@example.com" },
    groups: ["llm-platform/agent-team", "llm-platform/model-team"],
    classes: [
      { conditions: always!.conditions, grants: grants.slice(0, 3) },
      {
        conditions: {
          ...always!.conditions,
          mfa: "required",
          ipWhitelists: [["10.0.0.0/8", "192.168.0.0/16"]],
          scope: { project: ["apollo", "zeus-*"] },
        },
        grants: grants.slice(3),
      },
    ],
  };
}
