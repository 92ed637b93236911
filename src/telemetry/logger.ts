/**
 * Implements what `base/` declares: the log over pino, metrics over prom-client, health and the
 * port that shows them. Not for decision logs, which are records and not diagnostics.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import { boundLogFields, cutText } from "./log-fields.ts";
import { createLogSink } from "./log-sink.ts";
import type { TelemetryOptions } from "./options.ts";
import { printable } from "./printable.ts";

/** What a process logger needs. */
export interface ProcessLoggerDeps {
  readonly options: Pick<TelemetryOptions, "logLevel" | "logFormat" | "logBufferMaxBytes">;
  readonly clock: Clock;
  /** Where lines go: `process.stdout` or `process.stderr`, which make pipes non-blocking. */
  readonly output: {
    readonly fd: number;
    readonly isTTY?: boolean;
    readonly hasColors?: () => boolean;
  };
  /** Hears of lines that were dropped because nobody read the output. */
  readonly onDrop: () => void;
}

/** A logger that owns its output. */
export interface ProcessLogger extends Logger {
  /** Writes out what waits; to be called before the process ends. */
  flush(): void;
}

/** The log of the process: JSON lines, or lines for people on a terminal. */
export function createProcessLogger(deps: ProcessLoggerDeps): ProcessLogger {
  const { options, output } = deps;
  const readable =
    options.logFormat === "readable" || (options.logFormat === "auto" && output.isTTY === true);
  const sink = createLogSink({
    fd: output.fd,
    bufferMaxBytes: options.logBufferMaxBytes,
    onDrop: deps.onDrop,
  });
  const stream = readable ? readableLines(sink, output.hasColors?.() === true) : sink;
  const logger = createLogger({
    level: options.logLevel,
    clock: deps.clock,
    stream,
    forTerminal: readable,
  });
  return Object.assign(logger, { flush: sink.flush });
}

/** What a logger needs. */
export interface LoggerDeps {
  readonly level: TelemetryOptions["logLevel"];
  readonly clock: Clock;
  readonly stream: DestinationStream;
  /** Escapes what a terminal would interpret; JSON does that by itself elsewhere. */
  readonly forTerminal: boolean;
}

/** A logger that writes JSON lines to `stream`. */
export function createLogger(deps: LoggerDeps): Logger {
  const root = pino(
    {
      level: deps.level,
      base: null,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date(deps.clock.wallMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    deps.stream,
  );
  return wrap(root, deps.forTerminal ? escapeTexts : (value) => value);
}

type FieldFilter = (fields: Record<string, unknown>) => Record<string, unknown>;

// pino's own children call methods of the fields they are given, which may be anybody's names.
function wrap(target: PinoLogger, filter: FieldFilter, inherited: LogFields = {}): Logger {
  const prepare = (fields: LogFields): Record<string, unknown> =>
    Object.assign(Object.create(null), inherited, filter(boundLogFields(fields)));
  const line =
    (level: "debug" | "info" | "warn" | "error") =>
    (fields: LogFields, message: string): void => {
      if (!target.isLevelEnabled(level)) return;
      target[level](prepare(fields), printable(cutText(message)));
    };
  return {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: (fields) => wrap(target, filter, prepare(fields)),
  };
}

function escapeTexts(fields: Record<string, unknown>): Record<string, unknown> {
  const escaped: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(fields)) escaped[printable(name)] = escapeValue(value);
  return escaped;
}

function escapeValue(value: unknown): unknown {
  // Stacks keep their lines; each line is escaped.
  if (typeof value === "string") return value.split("\n").map(printable).join("\n");
  if (Array.isArray(value)) return value.map(escapeValue);
  if (typeof value !== "object" || value === null) return value;
  return escapeTexts(value as Record<string, unknown>);
}

// In process and synchronous: a transport in a worker thread could lose the last lines.
function readableLines(sink: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({
    colorize,
    messageKey: "message",
    errorLikeObjectKeys: ["error", "cause"],
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
  });
  return { write: (line) => sink.write(format(line)) };
}
