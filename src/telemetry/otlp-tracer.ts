import {
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { millisToHrTime } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { TraceContext } from "../base/trace-context.ts";
import type { EndedCall, Tracer } from "../base/tracer.ts";
import { untilDeadline } from "../base/until-deadline.ts";
import { BATCH_SPANS_MAX, createSpanQueue } from "./span-queue.ts";
import type { TracingOptions } from "./tracing-options.ts";

/** What the tracer works with. */
export interface OtlpTracerDeps {
  readonly options: TracingOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

/** A tracer that exports what it is told. */
export interface OtlpTracer extends Tracer {
  /** Exports what waits, for as long as one post may take. */
  close(): Promise<void>;
}

/** Longest text of a span; reasons that a policy gives have no other limit here. */
const TEXT_CHARS_MAX = 256;

/** Failures that are Postern's own by OpenTelemetry's rules for gRPC servers; the rest is the caller's. */
const SERVER_FAULTS: ReadonlySet<string> = new Set([
  "deadline-exceeded",
  "unavailable",
  "internal",
]);

/**
 * Makes a span of each call whose trace is recorded, and posts them as OTLP. A collector that is
 * away costs spans, and neither delays nor fails a call.
 */
export function createOtlpTracer(deps: OtlpTracerDeps): OtlpTracer {
  const { options, clock, logger, meter } = deps;
  const roots = new TraceIdRatioBasedSampler(options.rootRatio);
  const isRecorded = createRecordedTest(options.rootRatio, roots);
  const queue = createSpanQueue({ exporter: createExporter(options), options, logger, meter });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": options.serviceName }),
    sampler: new ParentBasedSampler({ root: roots }),
    spanProcessors: [queue],
    spanLimits: { attributeValueLengthLimit: TEXT_CHARS_MAX },
  });
  const tracer = provider.getTracer("postern");

  function record(call: EndedCall): void {
    if (!isRecorded(call.context)) return;
    const endMs = clock.wallMs();
    const startTime = millisToHrTime(endMs - call.tookMs);
    const parent = call.context === undefined ? ROOT_CONTEXT : remoteContext(call.context);
    const span = tracer.startSpan(call.method, { kind: SpanKind.SERVER, startTime }, parent);
    if (!span.isRecording()) return;
    span.setAttributes(attributesOf(call));
    if (call.failure !== undefined && SERVER_FAULTS.has(call.failure)) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: call.failure });
    }
    span.end(millisToHrTime(endMs));
  }

  return {
    ended(call) {
      try {
        record(call);
      } catch (error) {
        // Whatever the library thinks of a call, its caller gets the answer.
        logger.debug({ error }, "A span could not be made.");
      }
    },
    async close() {
      const late = () => new Error(`the collector did not answer in ${options.exportTimeoutMs} ms`);
      const deadline = deadlineIn(clock, options.exportTimeoutMs);
      try {
        await untilDeadline(provider.shutdown(), deadline, { clock, late });
      } catch (error) {
        const why = (error as Error).message;
        logger.warn({ why }, "The last spans could not be exported.");
      }
    },
  };
}

function createExporter(options: TracingOptions): OTLPTraceExporter {
  return new OTLPTraceExporter({
    url: options.endpoint,
    headers: { ...options.headers },
    timeoutMillis: options.exportTimeoutMs,
    // At the end all batches go at once.
    concurrencyLimit: Math.ceil(options.queueSpansMax / BATCH_SPANS_MAX) + 1,
    httpAgentOptions: { keepAlive: true },
  });
}

/**
 * Makes the test whether a call may have a span, since to begin one that isn't recorded takes 2 to
 * 4 µs. Where a caller leaves it open the ratio says, as of roots, which are the sampler's to draw.
 */
function createRecordedTest(rootRatio: number, roots: Sampler) {
  return (context: TraceContext | undefined): boolean => {
    if (context === undefined) return rootRatio > 0;
    if (context.isSampled !== undefined) return context.isSampled;
    const { traceId } = context;
    const { decision } = roots.shouldSample(ROOT_CONTEXT, traceId, "", SpanKind.SERVER, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}

/** The span of a caller whose trace is recorded, as a parent. */
function remoteContext({ traceId, spanId, state }: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...{ traceId, spanId, isRemote: true },
    traceFlags: TraceFlags.SAMPLED,
    ...(state === "" ? {} : { traceState: createTraceState(state) }),
  });
}

function attributesOf({ method, status, decision, batch, failure }: EndedCall): Attributes {
  return {
    "rpc.system.name": "grpc",
    "rpc.method": method,
    "rpc.response.status_code": status,
    ...(failure !== undefined && { "error.type": failure }),
    ...(failure === undefined &&
      decision !== undefined && {
        "postern.application": decision.application,
        "postern.allowed": decision.allowed,
        "postern.reason": decision.reason,
        "postern.decision_id": decision.decisionId,
      }),
    ...(batch !== undefined && {
      "postern.batch.allowed": batch.allowed,
      "postern.batch.denied": batch.denied,
      "postern.batch.failed": batch.failed,
    }),
  };
}
