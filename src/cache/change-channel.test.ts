import { describe, expect, it } from "vitest";
import { sharedTier } from "../../test/support/redis-tier.ts";
import { type ChangeHead, createAnnouncementCodec } from "./announcement-codec.ts";
import { ChangeChannel } from "./change-channel.ts";

const FLOOR_MS = 120_000;

/** Two processes' channels in one Redis, whose head has seen one change. */
async function oneChange() {
  const { server, clock, ...tier } = await sharedTier();
  const { connection, keys, seal, announcements } = await tier.sidecar();
  const codec = createAnnouncementCodec(seal);
  const { time } = announcements;
  const channel = new ChangeChannel({ connection, keys, codec, time, clock, floorMs: FLOOR_MS });
  const read = async () => {
    const answer = await channel.read(undefined);
    if (answer.failure !== undefined) throw new Error(answer.failure);
    return answer.value;
  };
  const began = (await read()).head as ChangeHead;
  const head = await channel.publish(began, { generation: 1, subjects: ["user-1"] });
  const ids = async () => (await server.admin.xrange(keys.stream, "-", "+")).map(([id]) => id);
  return { server, keys, channel, read, began, head: head as ChangeHead, ids };
}

describe("ChangeChannel", () => {
  it("publishes the change that follows the head", async () => {
    const { began, head, read } = await oneChange();
    expect(head).toEqual({ ...began, generation: 1 });
    expect(await read()).toEqual({
      ...{
        head,
        found: { incarnation: Buffer.from(began.incarnation), generation: Buffer.from("1") },
      },
      entries: [{ change: { generation: 1, subjects: ["user-1"] }, after: 0 }],
    });
  });

  it.each<[string, (head: ChangeHead, began: ChangeHead) => ChangeHead]>([
    ["an earlier generation", (_, began) => began],
    ["a later generation", (head) => ({ ...head, generation: 2 })],
    ["another incarnation", (head) => ({ ...head, incarnation: "fedcba9876543210" })],
  ])("publishes nothing on top of %s than the head has", async (_, of) => {
    const { channel, head, began, read, ids } = await oneChange();
    const change = { generation: 3, subjects: ["user-3"] };
    expect(await channel.publish(of(head, began), change)).toBe("moved");
    expect((await read()).head).toEqual(head);
    expect(await ids()).toEqual(["1-0"]);
  });

  it("keeps the newest change of everything in the head", async () => {
    const { channel, head, read } = await oneChange();
    const all = await channel.publish(head, { generation: 2, subjects: "all" });
    expect(all).toEqual({ ...head, generation: 2, all: 2 });
    await channel.publish(all as ChangeHead, { generation: 3, subjects: ["user-3"] });
    expect((await read()).head).toEqual({ ...head, generation: 3, all: 2 });
  });

  it("raises a subject's floor, and never lowers it", async () => {
    const { channel, server, keys, head } = await oneChange();
    const name = keys.floor(head.incarnation, "user-1");
    expect(await server.admin.get(name)).toBe("1");
    await channel.publish(head, { generation: 7, subjects: ["user-1"] });
    expect(await server.admin.get(name)).toBe("7");
    await server.admin.pexpire(name, 1_000);
    expect(await channel.publish(head, { generation: 2, subjects: ["user-1"] })).toBe("moved");
    expect(await server.admin.get(name)).toBe("7");
    expect(await server.admin.pttl(name)).toBeGreaterThan(1_000);
    await server.admin.set(name, "no number");
    await channel.publish(head, { generation: 3, subjects: ["user-1"] });
    expect(await server.admin.get(name)).toBe("3");
  });

  it("begins anew in place of what was found, without what was published", async () => {
    const { channel, head, read, ids } = await oneChange();
    expect(await channel.renew(head, { generation: 1, isPurge: true })).toBe("renewed");
    const renewed = await read();
    expect(renewed).toMatchObject({ head: { generation: 1, all: 1, isPurge: true }, entries: [] });
    expect(renewed.head).not.toMatchObject({ incarnation: head.incarnation });
    expect(await ids()).toEqual([]);
  });

  it.each<[string, Partial<ChangeHead>]>([
    ["another has begun", { incarnation: "fedcba9876543210" }],
    ["something was published", { generation: 0 }],
  ])("does not begin anew where %s since", async (_, seen) => {
    const { channel, head, read, ids } = await oneChange();
    const begin = { generation: 9, isPurge: true };
    expect(await channel.renew({ ...head, ...seen }, begin)).toBe("moved");
    expect(await channel.renew({ incarnation: "", generation: "" }, begin)).toBe("moved");
    expect((await read()).head).toEqual(head);
    expect(await ids()).toEqual(["1-0"]);
  });
});
