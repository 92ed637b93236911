import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Conditions } from "../decision/permission-set.ts";
import type { PermissionSetAnswer } from "../pipeline/pipeline.ts";
import {
  type ConditionsSchema,
  GetPermissionSetResponseSchema,
  type GrantedPatternSchema,
} from "./gen/postern/v1/decision_pb.js";

// Structs are plain JSON here. protobuf-es only ever enumerates the own names of an object it
// encodes, so that a null prototype and a member called `__proto__` come through.
type JsonInit = MessageInitShape<typeof GrantedPatternSchema>["limits"];

/** Encodes a `GetPermissionSetResponse`. Made for reading, not for speed. */
export function encodePermissionSetResponse(answer: PermissionSetAnswer): Uint8Array {
  const { set } = answer;
  const patterns = set.classes.flatMap(({ conditions, grants }) =>
    grants.flatMap((grant) =>
      grant.patterns.map((pattern) => ({
        pattern,
        path: [...grant.path],
        source: grant.source,
        ...present("conditions", conditionsMessage(conditions)),
        ...present("limits", struct(grant.limits)),
      })),
    ),
  );
  const roles = set.classes.flatMap(({ grants }) => grants.map((grant) => grant.role));
  const message = create(GetPermissionSetResponseSchema, {
    application: set.application,
    status: set.status,
    roles: [...new Set(roles.filter((role) => role !== undefined))].sort(),
    groups: [...set.groups],
    patterns,
    effectivePermissions: [...answer.effective],
    ...present("attributes", struct(set.attributes)),
    generation: BigInt(set.generation),
    stalenessMs: BigInt(Math.ceil(answer.stalenessMs)),
    ...present("validUntil", instant(set.validUntilMs)),
  });
  return toBinary(GetPermissionSetResponseSchema, message);
}

/** `undefined` where nothing must hold. */
function conditionsMessage(
  conditions: Conditions,
): MessageInitShape<typeof ConditionsSchema> | undefined {
  const { expiresAtMs, scope, ipWhitelists, authentication, mfa } = conditions;
  const isFree =
    expiresAtMs === undefined &&
    scope === undefined &&
    ipWhitelists.length === 0 &&
    authentication === undefined &&
    mfa === "none";
  if (isFree) return undefined;
  return {
    ...present("expiresAt", instant(expiresAtMs)),
    scope: Object.entries(scope ?? {}).map(([property, values]) => ({
      property,
      values: [...values],
    })),
    ipWhitelists: ipWhitelists.map((networks) => ({ networks: [...networks] })),
    authentication: authentication ?? "",
    mfa: mfa === "none" ? "" : mfa,
  };
}

function struct(object: object): JsonInit | undefined {
  return Object.keys(object).length === 0 ? undefined : (object as JsonInit);
}

function instant(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : timestampFromMs(ms);
}

/** A member that exists only if it has a value, as optional properties want it. */
function present<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value });
}
