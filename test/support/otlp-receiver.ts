import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** A span as it was received. */
export interface ReceivedSpan {
  /** Hexadecimal, as are the other ids; empty without one. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 2 is a server's. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of the status: 0 unset, 2 error. */
  readonly statusCode: number;
  /** Of the resource it came with. */
  readonly serviceName: unknown;
}

/** A collector that takes OTLP over HTTP. */
export interface OtlpReceiver {
  /** Where spans are posted. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Of each post. */
  readonly headers: readonly IncomingHttpHeaders[];
  /** Answers from now on; until then it takes everything. */
  answer: (response: ServerResponse) => void;
  close(): void;
}

/** Starts a receiver that whoever starts it closes. */
export async function openOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      headers.push(request.headers);
      const isTraces = request.method === "POST" && request.url === "/v1/traces";
      if (!isTraces) response.writeHead(404).end();
      else {
        spans.push(...readSpans(Buffer.concat(chunks)));
        receiver.answer(response);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${port}/v1/traces`,
    spans,
    headers,
    answer: (response) => response.writeHead(200).end(),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}

/** `ExportTraceServiceRequest`, by the field numbers of opentelemetry-proto 1. */
function readSpans(bytes: Uint8Array): ReceivedSpan[] {
  return fieldsOf(bytes)
    .bytes(1)
    .flatMap((resourceSpans) => {
      const fields = fieldsOf(resourceSpans);
      const resource = fieldsOf(fields.bytes(1)[0] ?? new Uint8Array());
      const serviceName = attributesOf(resource.bytes(1))["service.name"];
      const scopes = fields.bytes(2).map(fieldsOf);
      return scopes.flatMap((scope) => scope.bytes(2).map((span) => readSpan(span, serviceName)));
    });
}

function readSpan(bytes: Uint8Array, serviceName: unknown): ReceivedSpan {
  const fields = fieldsOf(bytes);
  const id = (field: number) => Buffer.from(fields.bytes(field)[0] ?? []).toString("hex");
  const text = (field: number) => Buffer.from(fields.bytes(field)[0] ?? []).toString("utf8");
  const status = fieldsOf(fields.bytes(15)[0] ?? new Uint8Array());
  return {
    ...{ traceId: id(1), spanId: id(2), traceState: text(3), parentSpanId: id(4), name: text(5) },
    kind: Number(fields.number(6)),
    startNs: fields.number(7),
    endNs: fields.number(8),
    attributes: attributesOf(fields.bytes(9)),
    statusCode: Number(status.number(3)),
    serviceName,
  };
}

/** `KeyValue`s, whose values are texts, truths or whole numbers. */
function attributesOf(pairs: readonly Uint8Array[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const fields = fieldsOf(pair);
      const value = fieldsOf(fields.bytes(2)[0]!);
      const key = Buffer.from(fields.bytes(1)[0]!).toString("utf8");
      const [text] = value.bytes(1);
      if (text !== undefined) return [key, Buffer.from(text).toString("utf8")];
      return [key, value.has(2) ? value.number(2) === 1n : Number(value.number(3))];
    }),
  );
}

/** A message's fields by number: those with bytes, and the last of those with a number. */
function fieldsOf(message: Uint8Array) {
  const lists = new Map<number, Uint8Array[]>();
  const numbers = new Map<number, bigint>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === 2) lists.set(field, [...(lists.get(field) ?? []), reader.bytes()]);
    else if (type === 1) numbers.set(field, BigInt(reader.fixed64()));
    else if (type === 0) numbers.set(field, BigInt(reader.uint64()));
    else reader.skip(type, field);
  }
  return {
    bytes: (field: number): readonly Uint8Array[] => lists.get(field) ?? [],
    number: (field: number): bigint => numbers.get(field) ?? 0n,
    has: (field: number): boolean => numbers.has(field),
  };
}
