import { optionName } from "./option-name.ts";

/** What could not be listened on, and why. */
export interface ListenAttempt {
  /** Address or path, as an operator knows it. */
  readonly where: string;
  /** Path of the option that says so, for example `grpc.listen`. */
  readonly option: string;
  readonly error: NodeJS.ErrnoException;
}

/** The system's refusal to listen, as a sentence that says what an operator can do about it. */
export function listenFailure({ where, option, error }: ListenAttempt): Error {
  const isTaken = error.code === "EADDRINUSE";
  const why = isTaken ? "another process listens there, perhaps another Postern" : error.message;
  const remedy = isTaken ? "Stop it, or change" : "Change";
  return new Error(`Can't listen on ${where}: ${why}. ${remedy} ${optionName(option)}.`, {
    cause: error,
  });
}
