import { type Static, Type } from "typebox";
import { tracingOptionsSchema } from "./tracing-options.ts";

/** Options of logs, metrics, the diagnostics port and spans. */
export const telemetryOptionsSchema = Type.Object(
  {
    logLevel: Type.Union(
      [Type.Literal("debug"), Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")],
      {
        description: "The least severe lines that are logged.",
        default: "info",
        reason: "Shows every change of state and nothing per request.",
      },
    ),
    logFormat: Type.Union([Type.Literal("auto"), Type.Literal("json"), Type.Literal("readable")], {
      description: "JSON lines, lines for people, or `auto`: for people on a terminal only.",
      default: "auto",
      reason: "Whoever reads the log finds it in the form they can use.",
    }),
    logBufferMaxBytes: Type.Integer({
      description:
        "Most bytes of log lines that wait for a slow reader; further lines are dropped.",
      default: 4_194_304,
      minimum: 65_536,
      maximum: 1_073_741_824,
      reason: "Minutes of normal logging, while a blocked reader can't exhaust the memory.",
    }),
    diagnosticsEnabled: Type.Boolean({
      description: "Whether `/metrics`, `/livez` and `/readyz` are served.",
      default: true,
      reason: "An orchestrator and a monitoring system need them.",
    }),
    diagnosticsHost: Type.String({
      description: "Address the diagnostics port listens on.",
      default: "127.0.0.1",
      minLength: 1,
      maxLength: 255,
      reason: "The port is not authenticated, so it is not reachable from elsewhere unasked.",
    }),
    diagnosticsPort: Type.Integer({
      description: "TCP port of `/metrics`, `/livez` and `/readyz`; 0 picks a free one.",
      default: 8282,
      minimum: 0,
      maximum: 65_535,
      reason: "Where opa-envoy-plugin has its diagnostics, so that probes can stay.",
    }),
    tracing: Type.Optional(tracingOptionsSchema),
  },
  { additionalProperties: false, description: "Logs, metrics, the diagnostics port and spans." },
);

/** Options of logs, metrics, the diagnostics port and spans. */
export type TelemetryOptions = Static<typeof telemetryOptionsSchema>;
