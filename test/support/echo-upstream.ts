import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

/** What reached the upstream; it is its answer, too, as JSON. */
export interface EchoedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  /** Name and value of each header, in the order and spelling of the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** An HTTP server that answers 200 and what it was asked. */
export interface EchoUpstream {
  readonly port: number;
  /** Every request so far. */
  readonly requests: readonly EchoedRequest[];
  close(): void;
}

/** Starts an upstream on a port of its own, and stops it when the test is over. */
export async function startUpstream(): Promise<EchoUpstream> {
  const upstream = await openUpstream();
  onTestFinished(() => upstream.close());
  return upstream;
}

/** Starts an upstream that whoever starts it closes. */
export async function openUpstream(): Promise<EchoUpstream> {
  const requests: EchoedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const { method = "", url = "", rawHeaders } = incoming;
    const headers = headerPairs(rawHeaders);
    const request = { method, url, headers, body: await text(incoming) };
    requests.push(request);
    response.setHeader("content-type", "application/json").end(JSON.stringify(request));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    requests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Node's `rawHeaders`, in which names and values take turns, as pairs. */
export function headerPairs(rawHeaders: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    pairs.push([rawHeaders[index]!, rawHeaders[index + 1]!]);
  }
  return pairs;
}
