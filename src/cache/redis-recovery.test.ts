// Whatever became of Redis or the way to it, a connection finds what serves now, by itself.
import { describe, expect, it } from "vitest";
import { startProxy } from "../../test/support/faulty-proxy.ts";
import { freePort } from "../../test/support/free-port.ts";
import { type RedisServer, startRedis } from "../../test/support/redis.ts";
import { startCluster } from "../../test/support/redis-cluster.ts";
import { connectRedis } from "../../test/support/redis-connect.ts";
import { systemTimers, type Timers } from "../base/timers.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { redisScript } from "./redis-script.ts";

const PATIENCE = { timeout: 20_000, interval: 50 };
const OK = { value: Buffer.from("OK") };
const writeScript = redisScript("return redis.call('SET', KEYS[1], ARGV[1])");
/** Of the slots of a cluster's first node. */
const FIRST_NODE_KEY = "b";

const write = (connection: RedisConnection, key: string) =>
  connection.run(writeScript, { keys: [key], args: ["v"] });

async function listen(port: number) {
  const proxy = await startProxy(port);
  const made = connectRedis({ url: `redis://127.0.0.1:${proxy.port}` });
  await made.connection.start();
  return { proxy, ...made };
}

async function clientIds({ admin }: RedisServer): Promise<readonly string[]> {
  const list = String(await admin.call("CLIENT", "LIST"));
  return [...list.matchAll(/^id=(\d+) .* name=postern /gm)].map(([, id]) => id!);
}

describe("a connection to Redis", () => {
  it("grows its epoch when it broke and came back between two calls", async () => {
    const server = await startRedis();
    const { connection } = connectRedis({ url: server.url, commandTimeoutMs: 1_000 });
    await connection.start();
    const epoch = connection.epoch();
    const before = await clientIds(server);
    await server.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    const fresh = async () => (await clientIds(server)).filter((id) => !before.includes(id)).length;
    await expect.poll(fresh, PATIENCE).toBe(2);
    await expect.poll(() => connection.isUp(), PATIENCE).toBe(true);
    expect(connection.epoch()).toBe(epoch + 1);
  });

  it("finds the new primary behind an address that leads to another server now", async () => {
    const [port, newPort] = [await freePort(), await freePort()];
    const old = await startRedis({ port });
    await startRedis({ port: newPort });
    const { proxy, connection } = await listen(port);
    proxy.target = newPort;
    // Nobody ends the connections to the old one.
    await old.admin.replicaof("127.0.0.1", newPort);
    await expect.poll(() => write(connection, "k"), PATIENCE).toEqual(OK);
    expect(connection.epoch()).toBeGreaterThan(0);
  });

  it("waits for entries where it sends commands", async () => {
    const [port, newPort] = [await freePort(), await freePort()];
    const old = await startRedis({ port });
    const current = await startRedis({ port: newPort });
    const { proxy, connection } = await listen(port);
    await connection.awaitEntry("stream", "0-0");
    proxy.target = newPort;
    await old.admin.replicaof("127.0.0.1", newPort);
    await expect.poll(() => write(connection, "k"), PATIENCE).toEqual(OK);
    await old.admin.replicaof("NO", "ONE");
    await current.admin.xadd("stream", "7-0", "x", "y");
    await expect
      .poll(() => connection.awaitEntry("stream", "0-0"), PATIENCE)
      .toEqual({ value: "7-0" });
  });

  it("waits for entries on a new connection where the old one swallows everything", async () => {
    const port = await freePort();
    const server = await startRedis({ port });
    const { proxy, connection } = await listen(port);
    await connection.awaitEntry("stream", "0-0");
    proxy.faults = { isBlackHole: true };
    // What only waits finds out by itself.
    expect(await connection.awaitEntry("stream", "0-0")).toHaveProperty("failure");
    proxy.faults = { isBlackHole: true, isNewHealthy: true };
    await server.admin.xadd("stream", "7-0", "x", "y");
    await expect
      .poll(() => connection.awaitEntry("stream", "0-0"), PATIENCE)
      .toEqual({ value: "7-0" });
  });
});

describe("a connection to a cluster", () => {
  it("uses it again when all of its nodes were gone for seconds", async () => {
    const cluster = await startCluster();
    let waits = 0;
    const timers: Timers = {
      ...systemTimers,
      after(ms, then) {
        waits += 1;
        return systemTimers.after(ms, then);
      },
    };
    const { connection } = connectRedis({ url: cluster.url }, timers);
    await connection.start();
    for (const { kill } of cluster.nodes) await kill();
    const probesBefore = waits;
    await write(connection, FIRST_NODE_KEY);
    await expect.poll(() => waits, PATIENCE).toBeGreaterThan(probesBefore + 20);
    for (const { restart } of cluster.nodes) await restart();
    await expect.poll(() => write(connection, FIRST_NODE_KEY), PATIENCE).toEqual(OK);
  });

  it("finds the replica that took over from a primary that never comes back", async () => {
    const cluster = await startCluster();
    const [first] = cluster.nodes as [RedisServer];
    const replica = await cluster.addReplica();
    const { connection } = connectRedis({ url: cluster.url });
    await connection.start();
    await expect.poll(() => write(connection, FIRST_NODE_KEY), PATIENCE).toEqual(OK);
    await first.kill();
    const role = async () => ((await replica.admin.call("ROLE")) as string[])[0];
    await expect.poll(role, PATIENCE).toBe("master");
    await expect.poll(() => write(connection, FIRST_NODE_KEY), PATIENCE).toEqual(OK);
  });
});
