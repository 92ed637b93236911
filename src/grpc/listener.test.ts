import { once } from "node:events";
import { existsSync, renameSync, statSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { fakeDecision } from "../../test/support/fake-pipeline.ts";
import { CHECK, createGrpcBench } from "../../test/support/grpc-bench.ts";
import { callHeaders, http2Call } from "../../test/support/http2-call.ts";
import { checkFields } from "../../test/support/wire.ts";
import type { Peer } from "../base/unary-handler.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { tcpPeerOf } from "./connection-peer.ts";
import type { GrpcServer } from "./grpc-server.ts";
import { listen } from "./listener.ts";
import { encodeMessage } from "./message-reader.ts";

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
      address: { kind: "tcp", host: "127.0.0.1", port: 0, isTls: false },
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
    for (const address of [
      "9191",
      "localhost",
      "127.0.0.1:65536",
      "unix:",
      "http://x:1",
      ":80",
      "tls://x",
    ]) {
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

  describe.runIf(process.platform === "linux")("with an abstract socket", () => {
    const NAME = `postern-${process.pid}`;
    const address = `unix-abstract:${NAME}`;
    const checkBy = (connection: Socket) => {
      const session = connectHttp2("http://localhost", { createConnection: () => connection });
      return http2Call(session, callHeaders(CHECK), [encodeMessage(checkFields())]).finally(() =>
        session.destroy(),
      );
    };

    it("answers, and trusts whoever connects no more than a loopback address", async () => {
      const peers: Peer[] = [];
      const check: Pipeline["check"] = (request, { peer }) => {
        peers.push(peer);
        return fakeDecision(request);
      };
      const server = await serve({ check }, { listen: [address] });
      expect(server.addresses).toEqual([address]);
      expect(await checkBy(connect({ path: `\0${NAME}` }))).toMatchObject({ status: "0" });
      expect(peers).toEqual([{ kind: "loopback", certificateNames: [] }]);
    });

    it("refuses a name that somebody has, and gives its own back", async () => {
      const server = await serve({}, { listen: [address] });
      await expect(serve({}, { listen: [address] })).rejects.toThrow(
        `Can't listen on ${address}: another process listens there`,
      );
      await server.drain(0);
      await serve({}, { listen: [address] });
    });

    it("is refused where there are none", async () => {
      const { platform } = process;
      Object.defineProperty(process, "platform", { value: "darwin" });
      onTestFinished(() => void Object.defineProperty(process, "platform", { value: platform }));
      await expect(serve({}, { listen: [address] })).rejects.toThrow(
        "only Linux has abstract sockets. Change grpc.listen (POSTERN_GRPC_LISTEN).",
      );
    });
  });

  it("refuses a name that can't be one, and one where a path should be", async () => {
    const long = "x".repeat(108);
    for (const name of ["", "a b", "é", "a\0", long]) {
      await expect(serve({}, { listen: [`unix-abstract:${name}`] })).rejects.toThrow(
        "has no name of an abstract socket; expected unix-abstract: and 1 to 107 visible ASCII",
      );
    }
    for (const address of ["unix:@postern", "unix://@postern"]) {
      await expect(serve({}, { listen: [address] })).rejects.toThrow(
        "is no path but the name of an abstract socket; expected unix-abstract:postern",
      );
    }
  });

  it("speaks no TLS without a certificate", async () => {
    await expect(serve({}, { listen: ["tls://127.0.0.1:0"] })).rejects.toThrow(
      "grpc.listen has a tls:// address, and grpc.tls is not set",
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
