import { describe, expect, it } from "vitest";
import { parseRedisUrl } from "./redis-url.ts";

const standalone = {
  kind: "standalone",
  isTls: false,
  hosts: [{ host: "cache", port: 6379 }],
  socketPath: "",
  masterName: "",
  database: 0,
  user: undefined,
  password: undefined,
};

describe("parseRedisUrl()", () => {
  it.each([
    ["", "is no Redis URL"],
    ["http://cache", "is no Redis URL"],
    ["redis:/cache", "is no Redis URL"],
    ["redis://user:sec#ret@cache", "write each of : / ? # @ %"],
    ["redis://user:sec@ret@cache", "is no Redis URL"],
    ["redis://cache?db=1", "is no Redis URL"],
    ["redis://", "has an empty or unreadable host"],
    ["redis://cache,", "has an empty or unreadable host"],
    ["redis://cache:port", "has an empty or unreadable host"],
    ["redis://cache:0", "has port 0; expected 1 to 65535"],
    ["redis://cache:65536", "has port 65536; expected 1 to 65535"],
    ["redis://cache/one", 'has database "one"; expected 0 to 1023'],
    ["redis://cache/9999", 'has database "9999"; expected 0 to 1023'],
    ["redis://cache/1/2", "has a path"],
    ["redis://user@cache", "has a user and no password"],
    ["redis://user:@cache", "has an empty password"],
    ["redis://user:sec%ret@cache", "has a % in its password that is no escape"],
    ["redis://user:sec%00ret@cache", "has a zero byte in its password"],
    ["redis+unix://", "has no socket"],
    ["redis+unix://cache/socket", "has a host"],
    ["rediss+unix:///socket", "has TLS for a unix socket"],
    ["redis+sentinel://a,b", "has no master"],
    ["redis+sentinel://a,b/main/0/1", "has no master"],
    ["redis+cluster://a,b/1", "has a database"],
    ["redis+elsewhere://a", "is no Redis URL"],
  ])("refuses %j and shows no secret", (text, message) => {
    expect(() => parseRedisUrl(text)).toThrow(message);
    expect(() => parseRedisUrl(text)).not.toThrow(/sec|ret/);
  });

  it("reads a server with and without its parts", () => {
    expect(parseRedisUrl("redis://cache")).toEqual(standalone);
    expect(parseRedisUrl("rediss://app:p%40ss%3A@cache:7000/3")).toEqual({
      ...standalone,
      isTls: true,
      hosts: [{ host: "cache", port: 7000 }],
      database: 3,
      user: "app",
      password: "p@ss:",
    });
    expect(parseRedisUrl("redis://:pass@[::1]:7000/")).toMatchObject({
      hosts: [{ host: "::1", port: 7000 }],
      user: undefined,
      password: "pass",
    });
  });

  it("reads sockets, sentinels and clusters", () => {
    expect(parseRedisUrl("redis+unix://app:pass@/run/redis.sock")).toMatchObject({
      kind: "unix",
      socketPath: "/run/redis.sock",
      user: "app",
    });
    expect(parseRedisUrl("rediss+sentinel://a,b:7000/main/2")).toMatchObject({
      kind: "sentinel",
      isTls: true,
      hosts: [
        { host: "a", port: 26379 },
        { host: "b", port: 7000 },
      ],
      masterName: "main",
      database: 2,
    });
    expect(parseRedisUrl("redis+cluster://a,b:7000")).toMatchObject({
      kind: "cluster",
      hosts: [
        { host: "a", port: 6379 },
        { host: "b", port: 7000 },
      ],
    });
  });
});
