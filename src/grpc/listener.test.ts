import { once } from "node:events";
import { existsSync, renameSync, statSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { fakeDecision } from "../../test/support/fake-pipeline.ts";
import { CHECK, createGrpcBench } from "../../test/support/grpc-bench.ts";
import { checkFields } from "../../test/support/wire.ts";
import type { Peer } from "../base/unary-handler.ts";
import { type GrpcServer, tcpPeerOf } from "./grpc-server.ts";
import { listen } from "./listener.ts";

const { clientOf, folder, serve, close } = createGrpcBench();
afterEach(close);

describe("listen()", () => {
  const peerSeen = async (address: string): Promise<[Peer, GrpcServer]> => {
    let peer: Peer | undefined;
    const server = await serve(
      {
        check: (request, call) => {
          peer = call.peer;
          return fakeDecision(request);
        },
      },
      { listen: [address] },
    );
    await clientOf(server).raw(CHECK, checkFields());
    return [peer!, server];
  };

  it("tells unix, loopback and the rest apart", async () => {
    expect((await peerSeen("127.0.0.1:0"))[0].kind).toBe("loopback");
    expect((await peerSeen("[::1]:0"))[0].kind).toBe("loopback");
    expect((await peerSeen(`unix:${join(folder(), "s")}`))[0].kind).toBe("unix");
    const kinds = ["10.0.0.127", "::ffff:127.0.0.1", "::1", "fe80::1", undefined].map(
      (remoteAddress) => tcpPeerOf({ remoteAddress }).kind,
    );
    expect(kinds).toEqual(["network", "loopback", "loopback", "network", "network"]);
  });

  it("goes on when a connection can't be taken", async () => {
    const failures: Error[] = [];
    const taken = Promise.withResolvers<Socket>();
    const listener = await listen({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      socketMode: 0o600,
      connectionsMax: 1,
      onConnection: taken.resolve,
      onRefused: () => {},
      onFailed: (error) => failures.push(error),
    });
    const client = connect(Number(listener.address.split(":")[1]), "127.0.0.1");
    const socket = await taken.promise;
    const failure = new Error("accept EMFILE");
    // Node's own way of telling that it could not accept a connection.
    (socket as Socket & { readonly server: Server }).server.emit("error", failure);
    expect(failures).toEqual([failure]);
    client.destroy();
    socket.destroy();
    listener.close();
  });

  it("gives a unix socket its mode, and removes it in the end", async () => {
    const path = join(folder(), "postern.sock");
    const server = await serve({}, { listen: [`unix:${path}`], socketMode: "0660" });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    await server.drain(0);
    expect(existsSync(path)).toBe(false);
  });

  it("replaces a stale socket, and neither a live one nor a file", async () => {
    const path = join(folder(), "postern.sock");
    const stale = createServer().listen(path);
    await new Promise((resolve) => stale.on("listening", resolve));
    const address = `unix:${path}`;
    await expect(serve({}, { listen: [address] })).rejects.toThrow(/Another server is listening/);
    // Moved away and back, the path outlives its listener as after a crash.
    renameSync(path, `${path}.kept`);
    await new Promise((resolve) => stale.close(resolve));
    renameSync(`${path}.kept`, path);
    await clientOf(await serve({}, { listen: [address] })).raw(CHECK, checkFields());

    const file = join(folder(), "file");
    writeFileSync(file, "x");
    await expect(serve({}, { listen: [`unix:${file}`] })).rejects.toThrow(/is not a socket/);
  });

  it("refuses what is no address, a path that is too long, and a port that is taken", async () => {
    for (const address of ["9191", "localhost", "127.0.0.1:65536", "unix:", "http://x:1", ":80"]) {
      await expect(serve({}, { listen: [address] })).rejects.toThrow(/is not an address|no socket/);
    }
    const long = `unix:/tmp/${"a".repeat(120)}`;
    await expect(serve({}, { listen: [long] })).rejects.toThrow(/107 are possible/);
    const [taken] = (await serve()).addresses;
    await expect(serve({}, { listen: ["127.0.0.1:0", taken!] })).rejects.toThrow(
      /another process listens there.* change grpc\.listen \(POSTERN_GRPC_LISTEN\)\.$/,
    );
  });

  it("makes no folder for a unix socket", async () => {
    const path = join(folder(), "missing", "postern.sock");
    await expect(serve({}, { listen: [`unix:${path}`] })).rejects.toThrow(
      `The folder of the socket ${path} is missing. Make it, or choose another path in ` +
        "grpc.listen (POSTERN_GRPC_LISTEN).",
    );
  });

  it("tells each connection how many calls it may have open", async () => {
    const server = await serve({}, { concurrentStreamsMax: 7 });
    const session = connectHttp2(`http://${server.addresses[0]}`);
    const [settings] = await once(session, "remoteSettings");
    expect(settings).toMatchObject({ maxConcurrentStreams: 7 });
    session.destroy();
  });
});
