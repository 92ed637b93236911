import { noDeadline } from "../../src/base/deadline.ts";
import { type Logger, silentLogger } from "../../src/base/logger.ts";
import { type Meter, silentMeter } from "../../src/base/meter.ts";
import type { Peer } from "../../src/base/unary-handler.ts";
import type { ActivePolicy } from "../../src/bundle/active-policy.ts";
import { everythingRead } from "../../src/bundle/parts-read.ts";
import type { PermissionSets, SetQuery } from "../../src/cache/permission-sets.ts";
import type { Catalogue } from "../../src/decision/catalogue.ts";
import type { Decision } from "../../src/decision/decision.ts";
import { emptyObject, type JsonObject, type JsonValue } from "../../src/decision/json.ts";
import type { PermissionSet } from "../../src/decision/permission-set.ts";
import type { AccessRequest } from "../../src/decision/request.ts";
import type { Evaluation, EvaluationResult } from "../../src/engine/policy.ts";
import { createPipeline } from "../../src/pipeline/create-pipeline.ts";
import type { PipelineOptions, TrustOptions } from "../../src/pipeline/options.ts";
import type { CallContext, Pipeline } from "../../src/pipeline/pipeline.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { permissionSet } from "./permission-set.ts";

/** Trust in everything but subject properties, as the quick start gives it to loopback. */
export const trusted: TrustOptions = {
  identity: true,
  mfa: true,
  ip: true,
  authentication: true,
  resource: true,
  subjectProperties: [],
};

/** Trust in nothing. */
export const untrusted: TrustOptions = {
  identity: false,
  mfa: false,
  ip: false,
  authentication: false,
  resource: false,
  subjectProperties: [],
};

/** Options of a pipeline that trusts loopback, but for what is given. */
export function pipelineOptions(given: Partial<PipelineOptions> = {}): PipelineOptions {
  return {
    defaultApplication: "platform",
    applications: {},
    shadow: { sampleRatio: 1, timeRatio: 0.5, queueMax: 100 },
    trust: { unix: untrusted, loopback: trusted, network: untrusted, certificates: {} },
    ...given,
  };
}

/** A call from loopback without a deadline, but for what is given of the peer. */
export function callFrom(peer: Partial<Peer> = {}): CallContext {
  return { peer: { kind: "loopback", certificateNames: [], ...peer }, deadline: noDeadline };
}

/** May `user-123` do `agent:execute` in `platform`? But for what is given. */
export function accessRequest(given: Partial<AccessRequest> = {}): AccessRequest {
  return {
    application: "platform",
    subject: { type: "user", id: "user-123", properties: emptyObject },
    action: { name: "execute", properties: emptyObject },
    resource: { type: "agent", id: undefined, properties: emptyObject },
    context: emptyObject,
    requestId: "",
    consistency: { minimumGeneration: 0, bypassCache: false },
    ...given,
  };
}

/** A catalogue of these permissions, numbered in order. */
export function catalogueOf(permissions: readonly string[]): Catalogue {
  const entries = permissions.map((permission, index) => {
    const [resource, action] = permission.split(":") as [string, string];
    return [permission, { id: index + 1, resource, action, description: "" }] as const;
  });
  const types = new Set(entries.map(([, { resource }]) => resource));
  return {
    name: "test",
    permissions: new Map(entries),
    resourceTypes: new Map(
      [...types].map((name) => {
        const own = entries.filter(([, { resource }]) => resource === name);
        const actions = own.map(([, { action }]) => action);
        return [name, { name, description: "", classified: name === "dataset", actions }];
      }),
    ),
  };
}

/** What a scripted policy sees: the input with its user, and which entrypoint was asked. */
export interface SeenInput {
  readonly entrypoint: number;
  readonly input: JsonObject;
  readonly user: JsonObject;
  readonly evaluation: Evaluation;
}

/** What it returns: a value, or a whole result where it fails; `undefined` is Rego's undefined. */
export type Script = (seen: SeenInput) => JsonValue | undefined | EvaluationResult;

/** Everything a test of the pipeline can set. */
export interface Scene {
  readonly script?: Script;
  readonly set?: PermissionSet;
  readonly sets?: PermissionSets;
  readonly catalogue?: Catalogue | undefined;
  readonly active?: Partial<ActivePolicy>;
  /** Of the policy; `platform/decision` alone unless given. */
  readonly entrypoints?: Readonly<Record<string, number>>;
  readonly options?: Partial<PipelineOptions>;
  readonly clock?: ManualClock;
  readonly meter?: Meter;
  readonly logger?: Logger;
}

/** A pipeline around a scripted policy and one permission set. */
export interface StagedPipeline extends Pipeline {
  /** `check` where the set is at hand, so that the answer is too. */
  decide(request?: Partial<AccessRequest>, peer?: Partial<Peer>): Decision;
  readonly seen: readonly SeenInput[];
  readonly queries: readonly SetQuery[];
  readonly clock: ManualClock;
}

/** Sets the scene: an allow from the script grants, everything else is as given. */
export function stagePipeline(scene: Scene = {}): StagedPipeline {
  const clock = scene.clock ?? manualClock();
  const seen: SeenInput[] = [];
  const queries: SetQuery[] = [];
  const set = scene.set ?? permissionSet();
  const active: ActivePolicy = {
    application: "platform",
    revision: "r1",
    digest: "d1",
    policy: {
      entrypoints: new Map(Object.entries(scene.entrypoints ?? { "platform/decision": 0 })),
      evaluate: (evaluation) => {
        const input = evaluation.input as JsonObject;
        const user = JSON.parse(evaluation.kept?.text() ?? "{}");
        const look = { entrypoint: evaluation.entrypoint, input, user, evaluation };
        seen.push(look);
        return resultOf((scene.script ?? (() => ({ allow: true })))(look));
      },
      memoryBytes: () => 0,
    },
    entrypoints: { kind: "document", document: 0 },
    catalogue:
      "catalogue" in scene ? scene.catalogue : catalogueOf(["agent:execute", "agent:read"]),
    // The user as JSON, which a test can read; `variant.test.ts` has the sets.
    wantsArrays: true,
    reads: everythingRead,
    ...scene.active,
  };
  let ids = 0;
  const pipeline = createPipeline({
    policies: { get: (name) => (name === active.application ? active : undefined) },
    permissionSets: {
      get: (query) => {
        queries.push(query);
        return scene.sets === undefined ? set : scene.sets.get(query);
      },
    },
    clock,
    createId: () => `decision-${++ids}`,
    meter: scene.meter ?? silentMeter,
    logger: scene.logger ?? silentLogger,
    options: pipelineOptions(scene.options),
  });
  const decide = (request?: Partial<AccessRequest>, peer?: Partial<Peer>): Decision => {
    const decision = pipeline.check(accessRequest(request), callFrom(peer));
    if (decision instanceof Promise) throw new Error("the set was not at hand");
    return decision;
  };
  return { ...pipeline, decide, seen, queries, clock };
}

function resultOf(value: ReturnType<Script>): EvaluationResult {
  if (value === undefined) return { kind: "undefined" };
  const isResult = typeof value === "object" && value !== null && "kind" in value;
  return isResult ? (value as EvaluationResult) : { kind: "value", value: value as JsonValue };
}
