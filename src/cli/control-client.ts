import { statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { MiB } from "../base/sizes.ts";
import { CliError } from "./cli-error.ts";

const ANSWER_BYTES_MAX = 64 * MiB;
const TIMEOUT_MS = 30_000;

/** One request to the control socket of a running server. */
export interface ControlRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** An encoded message of the API. */
  readonly message?: Uint8Array;
}

/** Talks to a running server; throws `CliError` with what the user can do about it. */
export type ControlClient = (request: ControlRequest) => Promise<Buffer>;

/** A client of the control socket at `socketPath`. */
export function createControlClient(socketPath: string): ControlClient {
  return async (sent) => {
    const { status, body } = await exchange(socketPath, sent);
    if (status !== 200) throw new CliError(refusal(status, body));
    return body;
  };
}

function exchange(
  socketPath: string,
  { method, path, message }: ControlRequest,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = message === undefined ? {} : { "content-type": "application/proto" };
    const options = { socketPath, method, path, headers, agent: false, timeout: TIMEOUT_MS };
    const outgoing = request(options, (response) => {
      collect(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, body }),
        (error: Error) => reject(unreachable(socketPath, error)),
      );
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    outgoing.on("error", (error) => reject(unreachable(socketPath, error)));
    outgoing.end(message);
  });
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer has over ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): CliError {
  switch (error.code) {
    case "ECONNREFUSED":
    case "ENOTSOCK":
    case "ENOENT":
    case "ENOTDIR":
      if (isOtherThanSocket(socketPath)) {
        return new CliError(
          `${socketPath} is not a socket; name the server's with --socket`,
          error,
        );
      }
      return new CliError(
        `no server is running at ${socketPath}; start one with "npm start" or ` +
          '"postern serve --config <file>", or name its socket with --socket',
        error,
      );
    case "EACCES":
    case "EPERM":
      return new CliError(`${socketPath} belongs to another user; run this as that user`, error);
    default:
      return new CliError(`no answer from the server at ${socketPath}: ${error.message}`, error);
  }
}

/** Connecting to a file is refused as connecting to the socket of a process that is gone. */
function isOtherThanSocket(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isSocket();
}

/** The server's own text (`{code, message, field}`), or the status if it gave none. */
function refusal(status: number, body: Buffer): string {
  try {
    const { code, message } = JSON.parse(body.toString()) as Record<string, unknown>;
    if (typeof code === "string" && typeof message === "string") return `${message} (${code})`;
  } catch {
    // Not JSON: the status is all there is to say.
  }
  return `the server answered with status ${status}`;
}
