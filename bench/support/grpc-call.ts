import type { ClientHttp2Session } from "node:http2";

const FRAME_PREFIX_BYTES = 5;

/** Calls a method with a framed message; gives the answer's message, `undefined` = it failed. */
export function grpcCall(
  session: ClientHttp2Session,
  path: string,
  frame: Buffer,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status: unknown;
    // Answers without a body carry the status in their only headers.
    stream.on("response", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    stream.on("error", () => resolve(undefined));
    stream.on("close", () => {
      const answer = Buffer.concat(chunks).subarray(FRAME_PREFIX_BYTES);
      resolve(status === "0" ? answer : undefined);
    });
    stream.end(frame);
  });
}
