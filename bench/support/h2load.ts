import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { LOAD_CORE } from "./processes.ts";

/** One run of load. */
export interface Load {
  readonly url: string;
  readonly bodyPath: string;
  readonly headers: readonly string[];
  readonly requests: number;
  /** HTTP/1.1 instead of HTTP/2; connections then carry one request at a time. */
  readonly http1?: boolean;
}

/** What the run came to. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly meanMicroseconds: number;
}

const CONNECTIONS = 8;
const STREAMS = 16;

/** Runs h2load on the load's core, 8 connections × 16 streams; throws if any request failed. */
export function h2load(load: Load): LoadResult {
  const connections = load.http1 ? CONNECTIONS * STREAMS : CONNECTIONS;
  const args = [
    ...["-c", LOAD_CORE, "h2load", "-t", "1", "-n", String(load.requests), "-d", load.bodyPath],
    ...["-c", String(connections), "-m", String(load.http1 ? 1 : STREAMS)],
    ...(load.http1 ? ["--h1"] : []),
    ...load.headers.flatMap((header) => ["-H", header]),
    load.url,
  ];
  const { stdout, stderr, status } = spawnSync("taskset", args, { encoding: "utf8" });
  const rate = /finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(stdout)?.[1];
  const succeeded = /(\d+) succeeded/.exec(stdout)?.[1];
  const mean = /time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)/.exec(stdout);
  if (status !== 0 || rate === undefined || mean === null || Number(succeeded) !== load.requests) {
    throw new Error(`h2load on ${load.url} failed:\n${stdout}\n${stderr}`);
  }
  const scale = { us: 1, ms: 1_000, s: 1_000_000 }[mean[2] as "us" | "ms" | "s"];
  return { requestsPerSecond: Number(rate), meanMicroseconds: Number(mean[1]) * scale };
}

/** Calls at a steady rate over one connection, on any core, until it is stopped. */
export function startH2load(
  load: Omit<Load, "requests">,
  callsPerSecond: number,
): { stop(): Promise<void> } {
  const args = [
    ...["-c", "1", "-m", "100", "-t", "1", "-D", "3600", `--rps=${callsPerSecond}`],
    ...["-d", load.bodyPath, ...load.headers.flatMap((header) => ["-H", header]), load.url],
  ];
  const child = spawn("h2load", args, { stdio: "ignore" });
  return {
    async stop() {
      if (child.exitCode !== null) throw new Error(`h2load on ${load.url} ended by itself`);
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** The headers of a gRPC call. */
export const grpcHeaders = ["content-type: application/grpc", "te: trailers"];

/** A gRPC message with its five-byte prefix. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
