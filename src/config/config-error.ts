/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** `file:line:column`, or the environment variable. */
  readonly at: string;
  /** Path of the option as written in YAML, e.g. `grpc.port`; empty for the file as a whole. */
  readonly path: string;
  /** What is given, what is expected, and what may have been meant. */
  readonly message: string;
}

/** The configuration can't be used; says everything that is wrong with it at once. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];
  /** There was nothing to check: the file could not be read. */
  readonly isUnreadable: boolean;

  constructor(problems: readonly ConfigProblem[], unreadable?: { readonly cause: unknown }) {
    super(problems.map(formatProblem).join("\n"), unreadable);
    this.name = "ConfigError";
    this.problems = problems;
    this.isUnreadable = unreadable !== undefined;
  }
}

function formatProblem({ at, path, message }: ConfigProblem): string {
  return path === "" ? `${at}: ${message}` : `${at}: ${path}: ${message}`;
}
