import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../../test/support/free-port.ts";
import { makeAuthority } from "../../../test/support/tls-files.ts";
import { checkCredentials, readCredentials } from "./credentials.ts";
import type { TlsOptions } from "./options.ts";
import { createTlsDoor, type TlsDoor } from "./tls-door.ts";

let folder: string;
let door: TlsDoor;
let failures: string[];
let listener: Server;
let sockets: Socket[];

/** A door with room for two handshakes, and a listener on all addresses of this machine. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-handshakes-"));
  const own = makeAuthority(folder).issue("own");
  const options: TlsOptions = {
    ...{ certificateFile: own.certificate, keyFile: own.key, versionMin: "TLSv1.2" },
    ...{ reloadIntervalMs: 60_000, handshakeTimeoutMs: 60_000, handshakesMax: 2 },
  };
  const current = checkCredentials(await readCredentials(options), options);
  failures = [];
  door = createTlsDoor({
    ...{ options, take: () => {} },
    credentials: { current: () => current, onChange: () => {}, close: () => {} },
    failures: { add: (reason) => void failures.push(reason) },
  });
  sockets = [];
  listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "0.0.0.0", resolve));
});

afterEach(() => {
  door.close();
  listener.close();
  for (const socket of sockets) socket.destroy();
  rmSync(folder, { recursive: true });
});

/** The server's end of a connection to an address of this machine, on which nothing is said. */
async function accepted(host = "127.0.0.1", localPort = 0): Promise<Socket> {
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host, localAddress: "127.0.0.1", localPort });
  sockets.push(client);
  const [socket] = (await once(listener, "connection")) as [Socket];
  sockets.push(socket);
  return socket;
}

describe("handshakes", () => {
  it("are told apart by both ends: from one port a peer may come to several addresses", async () => {
    const port = await freePort();
    const [one, other] = [await accepted("127.0.0.1", port), await accepted("127.0.0.2", port)];
    expect(one.remotePort).toBe(other.remotePort);
    door.take(one);
    door.take(other);
    expect([one.destroyed, other.destroyed]).toEqual([false, false]);
    door.take(await accepted());
    expect([one.destroyed, other.destroyed, failures]).toEqual([true, false, ["crowded"]]);
  });

  it("end where another connection has the same ends, since they have gone then", async () => {
    const ends = { value: 1 };
    const before = Object.defineProperty(await accepted(), "remotePort", ends);
    const after = Object.defineProperty(await accepted(), "remotePort", ends);
    door.take(before);
    const closed = once(before, "close");
    door.take(after);
    expect([before.destroyed, after.destroyed]).toEqual([true, false]);
    await closed;
    // What has gone takes no place, and takes none away with it.
    door.take(await accepted());
    expect([after.destroyed, failures.includes("crowded")]).toEqual([false, false]);
    door.take(await accepted());
    expect([after.destroyed, failures.includes("crowded")]).toEqual([true, true]);
  });
});
