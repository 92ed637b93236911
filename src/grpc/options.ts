import { type Static, Type } from "typebox";
import { TIMER_MS_MAX } from "../base/deadline.ts";
import { KiB, MiB } from "../base/sizes.ts";
import { tlsOptionsSchema } from "./tls/options.ts";

/** Where calls come in, and who may open the sockets. */
const listenProperties = {
  listen: Type.Array(Type.String({ minLength: 1, maxLength: 300 }), {
    description:
      "Addresses to listen on: `127.0.0.1:9191`, `[::1]:9191`, either after `tls://` with TLS, " +
      "`unix:/run/postern.sock`, in a folder that exists, or `unix-abstract:postern`, on Linux.",
    default: ["127.0.0.1:9191"],
    minItems: 1,
    maxItems: 16,
    reason: "A sidecar's callers are on its own host; 9191 is the port of OPA's Envoy plugin.",
  }),
  socketMode: Type.String({
    description: "Permissions of the unix sockets, in octal.",
    default: "0600",
    pattern: "^0[0-7]{3}$",
    reason: "Only processes of the same user may ask, unless a shared group is wanted (0660).",
  }),
};

/** TLS of the addresses that ask for it. */
const tlsProperties = { tls: Type.Optional(tlsOptionsSchema) };

/** What one connection, and all of them together, may take. */
const limitProperties = {
  connectionsMax: Type.Integer({
    description: "Connections open at once on each address; further ones are closed at once.",
    default: 1_024,
    minimum: 1,
    maximum: 65_536,
    reason: "Each service keeps a few; the usual limit on open files leaves room for the rest.",
  }),
  concurrentStreamsMax: Type.Integer({
    description: "Calls open at once on one connection, as HTTP/2 announces it.",
    default: 256,
    minimum: 1,
    maximum: 65_536,
    reason:
      "Bounds what header compression can pin: 20,000 streams of 2 MB on the wire take 485 MB.",
  }),
  sessionMemoryMaxBytes: Type.Integer({
    description: "Memory of one connection's HTTP/2 state; at the limit new calls are refused.",
    default: 16 * MiB,
    minimum: MiB,
    maximum: 1_024 * MiB,
    reason: "Sixteen of the largest requests; Node sets no limit where it is not told one.",
  }),
  heldBytesMax: Type.Integer({
    description:
      "Bytes of requests and answers that calls hold, over all connections, those of up to 4 KiB " +
      "not counted; further ones are refused. One connection gets half at most.",
    default: 128 * MiB,
    minimum: MiB,
    maximum: 16_384 * MiB,
    reason: "A connection full of calls of 200 KB, twice; ordinary calls count for nothing.",
  }),
  requestBytesMax: Type.Integer({
    description: "Size of a request, decompressed, in bytes.",
    default: MiB,
    minimum: KiB,
    maximum: 64 * MiB,
    reason: "1,000 questions of 1 KiB; a policy's input is limited to 256 KiB besides.",
  }),
  callsMax: Type.Integer({
    description: "Calls being answered at once, over all connections.",
    default: 1_024,
    minimum: 1,
    maximum: 1_000_000,
    reason:
      "A call waits only for the directory, and a longer queue would only wait past deadlines.",
  }),
  streamsMax: Type.Integer({
    description: "Streaming calls (health `Watch`, reflection) open at once.",
    default: 64,
    minimum: 1,
    maximum: 65_536,
    reason: "One watcher per client process and a person with grpcurl.",
  }),
  batchItemsMax: Type.Integer({
    description: "Questions in one `CheckBatch`.",
    default: 1_000,
    minimum: 1,
    maximum: 1_000,
    reason: "The API promises no more; a batch holds up other calls for a few milliseconds.",
  }),
};

/** How long connections live, in milliseconds. */
const lifetimeProperties = {
  keepaliveTimeMs: Type.Integer({
    description: "How often a connection is pinged, in milliseconds.",
    default: 60_000,
    minimum: 1_000,
    maximum: TIMER_MS_MAX,
    reason: "Finds a peer that vanished without a word within a minute and a half.",
  }),
  keepaliveTimeoutMs: Type.Integer({
    description: "Milliseconds after which an unanswered ping closes the connection.",
    default: 20_000,
    minimum: 100,
    maximum: TIMER_MS_MAX,
    reason: "gRPC's own default.",
  }),
  connectionIdleMs: Type.Integer({
    description: "Milliseconds without a call after which a connection is closed.",
    default: 600_000,
    minimum: 1_000,
    maximum: TIMER_MS_MAX,
    reason: "Longer than most pauses; clients reconnect by themselves.",
  }),
  connectionAgeMs: Type.Integer({
    description: "Milliseconds after which a connection is closed gracefully, ±10 %; 0 = never.",
    default: 0,
    minimum: 0,
    maximum: TIMER_MS_MAX,
    reason: "Only callers behind a load balancer gain from reconnecting.",
  }),
  connectionAgeGraceMs: Type.Integer({
    description: "Milliseconds that calls have to finish on a connection that is closed for age.",
    default: 10_000,
    minimum: 0,
    maximum: TIMER_MS_MAX,
    reason: "Longer than any deadline a caller of a PDP sets.",
  }),
  drainDelayMs: Type.Integer({
    description:
      "Milliseconds between health saying NOT_SERVING and the end of listening, when the server stops.",
    default: 0,
    minimum: 0,
    maximum: 600_000,
    reason:
      "None, for who stops it by hand. Callers that watch health need two of their intervals, or " +
      "their calls fail until they notice.",
  }),
  drainTimeoutMs: Type.Integer({
    description: "Milliseconds that calls have to finish when the server stops.",
    default: 10_000,
    minimum: 0,
    maximum: 600_000,
    reason: "A third of the time an orchestrator gives a process to end.",
  }),
};

/** Options of the gRPC door. */
export const grpcOptionsSchema = Type.Object(
  { ...listenProperties, ...tlsProperties, ...limitProperties, ...lifetimeProperties },
  { additionalProperties: false, description: "The gRPC door." },
);

/** Options of the gRPC door. */
export type GrpcOptions = Static<typeof grpcOptionsSchema>;
