import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { oneSidecar, putOutcomes } from "../../test/support/redis-tier.ts";
import type { PermissionSet } from "../decision/permission-set.ts";

const user1 = { application: "platform", subjectId: "user-1" };

describe("createRedisCache()", () => {
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
      const value = await server.admin.getBuffer(nameOf(user1));
      await server.admin.set(nameOf(user1), alter(value!));
      expect(await cache.look(user1)).toBe(why);
      await put();
      expect(await cache.get(user1)).toMatchObject({ generation: 1 });
    });

    it("is a miss where it was moved from another subject", async () => {
      const { cache, put, server, nameOf } = await oneSidecar();
      await put(cacheableSet({ subjectId: "admin" }));
      await server.admin.copy(nameOf({ ...user1, subjectId: "admin" }), nameOf(user1));
      expect(await cache.look(user1)).toBe("tampered");
    });

    it("is a miss where it has another type", async () => {
      const { cache, put, server, nameOf, notes } = await oneSidecar();
      await server.admin.lpush(nameOf(user1), "x");
      expect(await cache.look(user1)).toBe("wrong-type");
      expect(await cache.get(user1)).toBe("absent");
      await put();
      expect(putOutcomes({ notes })).toEqual(["wrong-type"]);
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

  it("is not stored where it takes more bytes than it may", async () => {
    const { cache, put, server, nameOf, notes } = await oneSidecar({
      options: { valueBytesMax: 400 },
    });
    await put();
    await put(twentyPermissions("user-1"));
    expect(putOutcomes({ notes })).toEqual(["stored", "too-large"]);
    expect(await server.admin.strlen(nameOf(user1))).toBeLessThanOrEqual(400);
    expect(await cache.get(user1)).toEqual(cacheableSet());
  });

  it("takes at most 1.5 KB for a subject with 20 permissions", async () => {
    const { cache, server, clock, nameOf } = await oneSidecar();
    const set = twentyPermissions("0193e4b2-7c1d-7b0a-9f3e-2a4b6c8d0e1f");
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
function twentyPermissions(subjectId: string): PermissionSet {
  const set = cacheableSet({ subjectId });
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
