import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startProxy } from "../../test/support/faulty-proxy.ts";
import { freePort } from "../../test/support/free-port.ts";
import { type RedisSetup, startRedis } from "../../test/support/redis.ts";
import { connectRedis as connect } from "../../test/support/redis-connect.ts";
import { makeTlsFiles } from "../../test/support/tls-files.ts";
import type { RedisOptions } from "./options.ts";
import { redisScript } from "./redis-script.ts";

const echo = redisScript("return ARGV[1]");
const write = redisScript("return redis.call('SET', KEYS[1], ARGV[1])");

async function connected(setup: RedisSetup = {}, says: Partial<RedisOptions> = {}) {
  const server = await startRedis(setup);
  const made = connect({ url: server.url, ...says });
  await made.connection.start();
  expect(made.connection.isUp()).toBe(true);
  return { server, ...made };
}

const ping = [["PING"]] as const;

describe("createRedisConnection()", () => {
  describe("at start", () => {
    it("refuses what is no Redis URL, and names the option", () => {
      expect(() => connect({ url: "http://u:secret@cache" })).toThrow(
        /^cache\.redis\.url \(POSTERN_CACHE_REDIS_URL\) is no Redis URL/,
      );
      expect(() => connect({ url: "http://u:secret@cache" })).not.toThrow(/secret/);
    });

    it("refuses a file of authorities that is not there", () => {
      expect(() => connect({ url: "rediss://cache", tlsCaFile: "/nowhere.pem" })).toThrow(
        /cache\.redis\.tls_ca_file .* can't be read: ENOENT/,
      );
    });

    it("starts without a server, and says why", async () => {
      const { connection, lines } = connect({ url: `redis://127.0.0.1:${await freePort()}` });
      await connection.start();
      expect(connection.isUp()).toBe(false);
      expect(await connection.send(ping)).toEqual({ failure: "breaker-open" });
      const line = lines.find((text) => text.includes("Redis can't be used yet"));
      expect(line).toContain("connect ECONNREFUSED 127.0.0.1");
    });

    it.each([
      ["a wrong password", "redis+unix://app:wrong-secret@", "refuses the user or the password"],
      ["a user it does not know", "redis+unix://nobody:wrong-secret@", "refuses the user"],
      ["no password", "redis+unix://", "asks for a user and a password"],
      ["a user without rights", "redis+unix://reader:reader-secret@", "may not do what is needed"],
    ])("refuses %s, and shows none", async (_, login, why) => {
      const server = await startRedis();
      await server.admin.call("ACL", "SETUSER", "app", "on", ">app-secret", "~*", "+@all");
      await server.admin.call(
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">reader-secret",
        "~*",
        "+@read",
        "+ping",
        "+@scripting",
      );
      await server.admin.call("ACL", "SETUSER", "default", "resetpass", "off");
      const { connection, lines } = connect({
        url: server.url.replace("redis+unix://", login),
      });
      const start = connection.start();
      await expect(start).rejects.toThrow(why);
      await expect(start).rejects.toThrow(/cache\.redis\.url \(POSTERN_CACHE_REDIS_URL\)/);
      await expect(start).rejects.not.toThrow(/secret/);
      expect(lines.join()).not.toContain("secret");
    });

    it("serves a user that has the rights and no others", async () => {
      const server = await startRedis();
      const rules = "~postern:* +@read +@write +@scripting +@connection +time".split(" ");
      await server.admin.call("ACL", "SETUSER", "app", "on", ">app-secret", ...rules);
      const { connection } = connect({
        url: server.url.replace("redis+unix://", "redis+unix://app:app-secret@"),
      });
      await connection.start();
      expect(await connection.run(echo, { keys: [], args: ["hi"] })).toEqual({
        value: Buffer.from("hi"),
      });
    });

    it("speaks TLS to whom its authorities vouch for, and to nobody else", async () => {
      const folder = mkdtempSync(join(tmpdir(), "postern-tls-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const tls = makeTlsFiles(folder);
      const port = await freePort();
      const server = await startRedis({ port, tls });
      const good = connect({ url: server.url, tlsCaFile: tls.ca });
      await good.connection.start();
      expect(good.connection.isUp()).toBe(true);

      const strange = connect({ url: server.url });
      await expect(strange.connection.start()).rejects.toThrow("TLS failed");
      const url = `rediss://127.0.0.1:${port}`;
      const misnamed = connect({ url, tlsCaFile: tls.ca });
      await expect(misnamed.connection.start()).rejects.toThrow(/TLS failed: .*127\.0\.0\.1/);
    });

    it("refuses a database that is not there", async () => {
      const port = await freePort();
      await startRedis({ port });
      const { connection } = connect({ url: `redis://127.0.0.1:${port}/99` });
      await expect(connection.start()).rejects.toThrow("it has no such database");
    });
  });

  it("answers with bytes, in order", async () => {
    const { connection } = await connected();
    const answer = await connection.send([
      ["SET", "k", Buffer.from([0, 255])],
      ["GETRANGE", "k", 0, 100],
      ["GETRANGE", "none", 0, 100],
    ]);
    expect(answer).toEqual({
      value: [Buffer.from("OK"), Buffer.from([0, 255]), Buffer.alloc(0)],
    });
  });

  it("asks a server that is silent once, then answers at once, and finds it again", async () => {
    const { server, connection, notes, lines } = await connected();
    server.signal("SIGSTOP");
    const together = await Promise.all([connection.send(ping), connection.send(ping)]);
    expect(together).toEqual([{ failure: "timeout" }, { failure: "timeout" }]);
    const epoch = connection.epoch();
    expect(await connection.send(ping)).toEqual({ failure: "breaker-open" });
    expect(notes).toContain("postern_redis_failures_total breaker-open 1");
    expect(lines.at(-1)).toContain("Redis does not answer");
    server.signal("SIGCONT");
    await vi.waitFor(() => expect(connection.isUp()).toBe(true), 5_000);
    // What was sent in the meantime was answered late, and matches nobody's question.
    expect(await connection.run(echo, { keys: [], args: ["mine"] })).toEqual({
      value: Buffer.from("mine"),
    });
    expect(epoch).toBe(1);
    expect(notes.filter((line) => line.startsWith("postern_redis_up"))).toEqual([
      "postern_redis_up 0",
      "postern_redis_up 1",
      "postern_redis_up 0",
      "postern_redis_up 1",
    ]);
  });

  it.each([
    ["CLIENT PAUSE", ["CLIENT", "PAUSE", "300"]],
    ["DEBUG SLEEP", ["DEBUG", "SLEEP", "0.3"]],
  ])("does without a server in %s", async (_, command) => {
    const { server, connection } = await connected();
    const sleeping = server.admin.call(...(command as [string, ...string[]]));
    if (command[0] === "CLIENT") await sleeping;
    else await vi.waitFor(async () => expect((await connection.send(ping)).failure).toBeTruthy());
    await connection.send(ping);
    expect(await connection.send(ping)).toEqual({ failure: "breaker-open" });
    await sleeping;
    await vi.waitFor(() => expect(connection.isUp()).toBe(true), 5_000);
  });

  it("does not take its own long turn for a silence of Redis", async () => {
    const { connection, notes } = await connected({}, { commandTimeoutMs: 20 });
    const answer = connection.send(ping);
    const endMs = performance.now() + 300;
    while (performance.now() < endMs);
    expect(await answer).toEqual({ value: [Buffer.from("PONG")] });
    expect(notes).not.toContain("postern_redis_failures_total timeout 1");
  });

  it("finds a server that was killed and started again", async () => {
    const { server, connection } = await connected({}, { commandTimeoutMs: 1_000 });
    const before = connection.epoch();
    await server.kill();
    const answers = [await connection.send(ping), await connection.send(ping)];
    expect(answers.at(-1)).toEqual({ failure: "breaker-open" });
    await server.restart();
    await vi.waitFor(() => expect(connection.isUp()).toBe(true), 5_000);
    expect(connection.epoch()).toBe(before + 1);
  });

  it("connects anew where the connection swallows everything", async () => {
    const port = await freePort();
    await startRedis({ port });
    const proxy = await startProxy(port);
    const { connection } = connect({ url: `redis://127.0.0.1:${proxy.port}` });
    await connection.start();
    proxy.faults = { isBlackHole: true };
    expect(await connection.send(ping)).toEqual({ failure: "timeout" });
    // Only new connections get through.
    await new Promise((resolve) => setImmediate(resolve));
    proxy.faults = { isBlackHole: true, isNewHealthy: true };
    await vi.waitFor(() => expect(connection.isUp()).toBe(true), 10_000);
  });

  it("knows each way to fail by name, and goes on asking", async () => {
    const { server, connection } = await connected({
      args: ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"],
    });
    await server.admin.lpush("list", "x");
    expect(await connection.send([["GETRANGE", "list", 0, 1]])).toEqual({ failure: "wrong-type" });
    expect(
      await connection.run(redisScript("return redis.call('GET', 'list')"), { keys: [], args: [] }),
    ).toEqual({ failure: "wrong-type" });
    expect(await connection.send([["NONSENSE"]])).toEqual({ failure: "other-error" });

    await server.admin.set("big", Buffer.alloc(2 ** 21)).catch(() => {});
    await server.admin.config("SET", "maxmemory", "1");
    expect(await connection.run(write, { keys: ["k"], args: ["v"] })).toEqual({
      failure: "out-of-memory",
    });
    await server.admin.config("SET", "maxmemory", "0");

    await server.admin.config("SET", "replica-serve-stale-data", "no");
    await server.admin.replicaof("127.0.0.1", await freePort());
    expect(await connection.send([["GETRANGE", "k", 0, 1]])).toEqual({ failure: "loading" });
    expect(connection.isUp()).toBe(true);
    await server.admin.config("SET", "replica-serve-stale-data", "yes");
    expect(await connection.run(write, { keys: ["k"], args: ["v"] })).toEqual({
      failure: "readonly",
    });
  });

  it("says that a server still loads", async () => {
    // It is silent for a moment before it loads, which must not open the breaker for the rest.
    const { server, connection } = await connected({}, { commandTimeoutMs: 1_000 });
    await server.admin.call("DEBUG", "POPULATE", "3000", "key", "100");
    await server.admin.config("SET", "loading-process-events-interval-bytes", "1024");
    await server.admin.config("SET", "key-load-delay", "300");
    const loading = server.admin.call("DEBUG", "RELOAD");
    await vi.waitFor(async () => {
      expect(await connection.send([["GET", "k"]])).toEqual({ failure: "loading" });
    }, 5_000);
    await loading;
  });

  it("sends a script's source where the server has lost it", async () => {
    const { server, connection } = await connected();
    for (const text of ["one", "two"]) {
      await server.admin.script("FLUSH");
      expect(await connection.run(echo, { keys: [], args: [text] })).toEqual({
        value: Buffer.from(text),
      });
    }
  });

  it("hears of an entry of a stream, and of none", async () => {
    const { server, connection } = await connected();
    const heard = connection.awaitEntry("stream", "0-0");
    await server.admin.xadd("stream", "7-0", "x", "y");
    expect(await heard).toEqual({ value: "7-0" });
    expect(await connection.awaitEntry("stream", "7-0")).toEqual({ value: undefined });
  });

  it("matches every answer to its question, however it is cut", async () => {
    const port = await freePort();
    await startRedis({ port });
    const proxy = await startProxy(port);
    const { connection } = connect({
      url: `redis://127.0.0.1:${proxy.port}`,
      commandTimeoutMs: 1_000,
    });
    await connection.start();
    proxy.faults = { sliceBytes: 1 };
    const texts = Array.from({ length: 200 }, (_, index) => `answer ${index} ${"é".repeat(index)}`);
    const answers = await Promise.all(
      texts.map((text) => connection.run(echo, { keys: [], args: [text] })),
    );
    expect(answers.map((answer) => String("value" in answer && answer.value))).toEqual(texts);
  });

  it("leaves nothing behind once it is closed", async () => {
    const { server, connection } = await connected();
    const waiting = connection.awaitEntry("stream", "0-0");
    connection.close();
    expect(await waiting).toEqual({ failure: "closed" });
    expect(await connection.send(ping)).toEqual({ failure: "breaker-open" });
    await vi.waitFor(async () => {
      expect(
        String(await server.admin.client("LIST"))
          .split("\n")
          .filter(Boolean),
      ).toHaveLength(1);
    });
  });
});
