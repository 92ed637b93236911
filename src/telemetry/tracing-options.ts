import { type Static, Type } from "typebox";

const headerSchema = Type.String({
  description: "What the header says.",
  reason: "Which header a collector takes a token in is for the operator to say.",
  minLength: 1,
  maxLength: 4_096,
  pattern: "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
  secret: true,
});

/** Options of the spans that are exported. */
export const tracingOptionsSchema = Type.Object(
  {
    endpoint: Type.String({
      description:
        "Where spans are posted, as OTLP over HTTP in protobuf: http://<host>:4318/v1/traces, or " +
        "https:// with an authority that Node knows (`NODE_EXTRA_CA_CERTS`).",
      reason: "There is no default: which collector gets them is for the operator to say.",
      minLength: 1,
      maxLength: 2_048,
    }),
    headers: Type.Record(
      Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$" }),
      headerSchema,
      {
        description: "Headers of each post, such as `authorization`.",
        default: {},
        reason: "A collector beside the process asks for none.",
        secret: true,
      },
    ),
    serviceName: Type.String({
      description: "`service.name` of the spans.",
      default: "postern",
      minLength: 1,
      maxLength: 255,
      reason: "Sidecars of several services are told apart by their own names.",
    }),
    rootRatio: Type.Number({
      description:
        "Share of the calls without a trace of their caller's that begin one, 0 to 1. What callers " +
        "trace is recorded as their sampled flag says.",
      default: 0,
      minimum: 0,
      maximum: 1,
      reason: "A decision's span is of use in the trace of the request that it was made for.",
    }),
    queueSpansMax: Type.Integer({
      description: "Spans that wait to be exported; further ones are dropped, and counted.",
      default: 2_048,
      minimum: 1,
      maximum: 100_000,
      reason: "Two seconds of 1,000 sampled calls a second, in 2 MB.",
    }),
    exportIntervalMs: Type.Integer({
      description: "Milliseconds that spans wait for others to be exported with.",
      default: 1_000,
      minimum: 10,
      maximum: 60_000,
      reason: "Traces are complete within seconds, at one post a second.",
    }),
    exportTimeoutMs: Type.Integer({
      description:
        "Milliseconds that a post may take, with what is tried again; also at the end of the process.",
      default: 3_000,
      minimum: 10,
      maximum: 60_000,
      reason: "A collector that is away holds up nothing but the spans, and the end by no more.",
    }),
  },
  {
    additionalProperties: false,
    description: "Spans of calls for a collector of OpenTelemetry's; without it, none are made.",
    reason: "Not everybody has a collector, and what isn't loaded costs nothing.",
  },
);

/** Options of the spans that are exported. */
export type TracingOptions = Static<typeof tracingOptionsSchema>;
