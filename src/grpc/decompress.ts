import { gunzip, type InputType, inflate, type ZlibOptions } from "node:zlib";
import { PdpError } from "../decision/error.ts";
import { tooLarge } from "./message-reader.ts";

/** Decompresses a message of at most `bytesMax` bytes; rejects with `PdpError`. */
export type Decompress = (bytes: Uint8Array, bytesMax: number) => Promise<Buffer>;

/** By the names that `grpc-encoding` has for them. */
export const decompressors: ReadonlyMap<string, Decompress> = new Map([
  ["gzip", decompressor(gunzip)],
  ["deflate", decompressor(inflate)],
]);

type Inflate = (
  bytes: InputType,
  options: ZlibOptions,
  done: (error: Error | null, result: Buffer) => void,
) => void;

function decompressor(run: Inflate): Decompress {
  return (bytes, bytesMax) =>
    new Promise((resolve, reject) => {
      run(bytes, { maxOutputLength: bytesMax }, (error, result) => {
        if (error === null) resolve(result);
        else reject(explain(error, bytesMax));
      });
    });
}

function explain(error: Error & { code?: string }, bytesMax: number): PdpError {
  if (error.code === "ERR_BUFFER_TOO_LARGE") return tooLarge(bytesMax);
  return new PdpError("internal", "a message can't be decompressed", { cause: error });
}
