import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";

/** What came back for a call: the headers, the trailers and how the stream was reset. */
export interface Http2Answer {
  readonly headers: IncomingHttpHeaders;
  /** `grpc-status`, wherever it stood. */
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly rstCode: number;
  readonly body: Buffer;
}

/** Headers of a gRPC call to `path`. */
export function callHeaders(path: string, more: Readonly<Record<string, string>> = {}) {
  const own = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
  return { ...own, te: "trailers", ...more };
}

/** Makes a call frame by frame on a session: what a gRPC client would never send. */
export function http2Call(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  chunks: readonly Uint8Array[],
): Promise<Http2Answer> {
  const stream = session.request(headers);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  const body: Buffer[] = [];
  let first: IncomingHttpHeaders = {};
  let last: IncomingHttpHeaders = {};
  stream.on("response", (got) => {
    first = got;
  });
  stream.on("trailers", (got) => {
    last = got;
  });
  stream.on("data", (chunk: Buffer) => body.push(chunk));
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("close", () => {
      const text = (name: string) => (last[name] ?? first[name])?.toString();
      resolve({
        headers: first,
        status: text("grpc-status"),
        message: text("grpc-message"),
        rstCode: stream.rstCode ?? 0,
        body: Buffer.concat(body),
      });
    });
  });
}

/** Connects without TLS; fails no test by the errors of a session that the server ends. */
export function http2Session(address: string): ClientHttp2Session {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  return session;
}
