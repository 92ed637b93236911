import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { headerPairs } from "./echo-upstream.ts";
import type { TlsFiles } from "./tls-files.ts";

/** A request over HTTP/1.1; `GET /` unless said. */
export interface HttpQuestion {
  readonly path?: string;
  readonly method?: string;
  /** With `host` among them if it is a list, which is sent as it is. */
  readonly headers?: Readonly<Record<string, string | string[]>> | [name: string, value: string][];
  readonly body?: string | Uint8Array;
  /** Over TLS, with this certificate as the client's own. */
  readonly tls?: TlsFiles;
  /** After so long the call fails; 10,000 unless said. */
  readonly timeoutMs?: number;
}

/** What came back, with the headers as they came. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Asks a port of 127.0.0.1, over a connection of its own. */
export function httpCall(port: number, question: HttpQuestion = {}): Promise<HttpAnswer> {
  const { path = "/", method = "GET", headers = {}, body, tls, timeoutMs = 10_000 } = question;
  const signal = AbortSignal.timeout(timeoutMs);
  const sent = Array.isArray(headers) ? headers.flat() : headers;
  const plain = { host: "127.0.0.1", port, path, method, headers: sent, signal, agent: false };
  const call =
    tls === undefined ? httpRequest(plain) : httpsRequest({ ...plain, ...clientTls(tls) });
  return new Promise((resolve, reject) => {
    call.on("error", reject);
    call.on("response", (response) => {
      const { statusCode: status = 0, rawHeaders } = response;
      text(response).then(
        (received) => resolve({ status, headers: headerPairs(rawHeaders), body: received }),
        reject,
      );
    });
    call.end(body);
  });
}

function clientTls({ ca, certificate, key }: TlsFiles): object {
  const [trusted, cert, own] = [ca, certificate, key].map((file) => readFileSync(file));
  return { servername: "localhost", ca: trusted, cert, key: own };
}

/** The values of a header, a line each. */
export function valuesOf(from: Pick<HttpAnswer, "headers"> | undefined, name: string): string[] {
  const found = from?.headers.filter(([given]) => given.toLowerCase() === name) ?? [];
  return found.map(([, value]) => value);
}
