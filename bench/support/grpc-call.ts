import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";

const FRAME_PREFIX_BYTES = 5;

/** Why a call failed: its status and message, or what became of the connection. */
export interface GrpcFailure {
  readonly failure: string;
}

/** Calls a method with a framed message; gives the answer's message, or why there is none. */
export function grpcCall(
  session: ClientHttp2Session,
  path: string,
  frame: Buffer,
): Promise<Buffer | GrpcFailure> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let last: IncomingHttpHeaders = {};
    let error: unknown;
    // Answers without a body carry the status in their only headers.
    stream.on("response", (headers) => {
      last = headers;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("trailers", (trailers) => {
      last = trailers;
    });
    stream.on("error", (reason) => {
      error = reason;
    });
    stream.on("close", () => {
      if (last["grpc-status"] === "0") resolve(Buffer.concat(chunks).subarray(FRAME_PREFIX_BYTES));
      else resolve({ failure: String(error ?? `${last["grpc-status"]} ${last["grpc-message"]}`) });
    });
    stream.end(frame);
  });
}
