/** A command can't do what it was asked for: one line for the user, exit status 2. */
export class CliError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CliError";
  }
}
