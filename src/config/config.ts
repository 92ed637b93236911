/**
 * One configuration out of each folder's options, from a YAML file and the environment. Not for
 * the meaning of an option, which its own folder's `options.ts` states.
 */
import { type Static, Type } from "typebox";
import { adminOptionsSchema } from "../admin/options.ts";
import { bundleOptionsSchema } from "../bundle/options.ts";
import { cacheOptionsSchema } from "../cache/options.ts";
import { directoryOptionsSchema } from "../directory/options.ts";
import { engineOptionsSchema } from "../engine/options.ts";
import { extAuthzOptionsSchema } from "../grpc/ext-authz/options.ts";
import { grpcOptionsSchema } from "../grpc/options.ts";
import { pipelineOptionsSchema } from "../pipeline/options.ts";
import { telemetryOptionsSchema } from "../telemetry/options.ts";

/** The configuration: one section per folder of the source. */
export const configSchema = Type.Object(
  {
    grpc: grpcOptionsSchema,
    extAuthz: extAuthzOptionsSchema,
    pipeline: pipelineOptionsSchema,
    bundle: bundleOptionsSchema,
    engine: engineOptionsSchema,
    directory: directoryOptionsSchema,
    cache: cacheOptionsSchema,
    telemetry: telemetryOptionsSchema,
    admin: adminOptionsSchema,
  },
  { additionalProperties: false },
);

/** The effective configuration: complete and deeply frozen. */
export type Config = Static<typeof configSchema>;
