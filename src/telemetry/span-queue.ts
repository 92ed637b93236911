import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "../base/logger.ts";
import type { Meter } from "../base/meter.ts";
import type { TracingOptions } from "./tracing-options.ts";

/** Spans of one post, whose encoding holds up the serving thread for about 2 ms. */
export const BATCH_SPANS_MAX = 128;

/** What the queue works with. */
export interface SpanQueueDeps {
  readonly exporter: SpanExporter;
  readonly options: Pick<TracingOptions, "queueSpansMax" | "exportIntervalMs" | "exportTimeoutMs">;
  readonly logger: Logger;
  readonly meter: Meter;
}

/**
 * Spans on their way to `exporter`, batched by OpenTelemetry's own processor. Around it is counted
 * what becomes of them, since that one drops in silence.
 */
export function createSpanQueue({
  exporter,
  options,
  logger,
  meter,
}: SpanQueueDeps): SpanProcessor {
  const spans = meter.counter({
    name: "postern_spans_total",
    help: "Spans of calls, by whether they were exported, could not be, or found no room.",
    labels: ["outcome"],
  });
  const { queueSpansMax, exportIntervalMs, exportTimeoutMs } = options;
  const noteHealth = createHealthNote(logger);
  // As many as the processor has in its own queue.
  let waiting = 0;

  const batches = new BatchSpanProcessor({
    exporter: {
      export: (batch, done) => {
        waiting -= batch.length;
        exporter.export(batch, (result) => {
          const isExported = result.code === ExportResultCode.SUCCESS;
          spans.add(batch.length, { outcome: isExported ? "exported" : "failed" });
          noteHealth(result);
          done(result);
        });
      },
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: queueSpansMax,
    maxExportBatchSize: Math.min(BATCH_SPANS_MAX, queueSpansMax),
    scheduledDelayMillis: exportIntervalMs,
    exportTimeoutMillis: exportTimeoutMs,
  });

  return {
    onStart: () => {},
    onEnd: (span: ReadableSpan) => {
      if (waiting >= queueSpansMax) {
        spans.add(1, { outcome: "dropped" });
        return;
      }
      waiting += 1;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}

/** Says once that exporting fails, and once that it doesn't any more. */
function createHealthNote(logger: Logger): (result: ExportResult) => void {
  let isFailing = false;
  return ({ code, error }) => {
    if ((code !== ExportResultCode.SUCCESS) === isFailing) return;
    isFailing = !isFailing;
    if (!isFailing) {
      logger.info({}, "Spans are exported again.");
      return;
    }
    // The text alone: the error of an answer carries its body, which is anybody's. Nor the endpoint,
    // since there are collectors whose path or query is a secret.
    const why = error?.message === undefined || error.message === "" ? error?.name : error.message;
    logger.warn({ why }, "Spans can't be exported. They are dropped; decisions go on.");
  };
}
