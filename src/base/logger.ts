/** Values a log line may carry. Errors are logged with their cause chain. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log, handed to every component. Messages are for operators: what happened, why, and
 * what holds now. Fields never carry secrets or permission lists.
 */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

/** Drops everything; for tests and for commands that report otherwise. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
