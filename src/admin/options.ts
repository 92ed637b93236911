import { type Static, Type } from "typebox";
import { MiB } from "../base/sizes.ts";

/** Options of the control socket. */
export const adminOptionsSchema = Type.Object(
  {
    controlSocket: Type.String({
      description: "Unix socket on which the command line reaches the running server; mode 0600.",
      default: "state/control.sock",
      minLength: 1,
      maxLength: 4096,
      reason: "Beside the rest of what Postern itself writes; only its own user may connect.",
    }),
    requestBytesMax: Type.Integer({
      description: "Size of a request's body on the control socket, in bytes.",
      default: MiB,
      minimum: 1024,
      maximum: 64 * MiB,
      reason: "As large as a message of the API may be.",
    }),
    requestTimeoutMs: Type.Integer({
      description: "Time to answer a request on the control socket, in milliseconds.",
      default: 10_000,
      minimum: 100,
      maximum: 600_000,
      reason: "A person waits no longer; decisions take microseconds.",
    }),
  },
  { additionalProperties: false, description: "The control socket." },
);

/** Options of the control socket. */
export type AdminOptions = Static<typeof adminOptionsSchema>;
