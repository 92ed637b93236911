import { KiB } from "../base/sizes.ts";
import type { ActivePolicy } from "../bundle/active-policy.ts";
import type { AllowBasis } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import type { JsonValue } from "../decision/json.ts";
import {
  type ConditionClass,
  type PermissionSet,
  reservedAttributes,
} from "../decision/permission-set.ts";
import type { KeptDocument } from "../engine/policy.ts";
import {
  type Circumstances,
  type CompiledClass,
  compileClass,
  unmet,
  unmetConditions,
} from "./activation.ts";
import { addCovered } from "./coverage.ts";

const VARIANTS_MAX = 16;
const CLAIMS_LENGTH_MAX = 8 * KiB;

/**
 * A permission set as one combination of its conditions makes it. Its document is parsed by the
 * engine once and known there by identity, so the same combination must give the same object.
 */
export interface Variant {
  readonly active: readonly ConditionClass[];
  /** Of the active classes, sorted. */
  readonly roles: readonly string[];
  readonly mfaVerified: boolean;
  readonly kept: KeptDocument;
  /** By permission: what grants it here; `undefined` = nothing does. Filled by `grant.ts`. */
  readonly bases: Map<string, AllowBasis | undefined>;
}

/** A permission set made ready for one policy, with the variants met so far. */
export interface CompiledSet {
  readonly set: PermissionSet;
  readonly classes: readonly CompiledClass[];
  readonly conditional: readonly CompiledClass[];
  readonly hasWhitelists: boolean;
  readonly catalogue: ActivePolicy["catalogue"];
  readonly wantsArrays: boolean;
  /** By the activity of each conditional class, the MFA state, and claims; the oldest goes first. */
  readonly variants: Map<string, Variant>;
}

/** Subject properties that the caller is trusted for: JSON text `,"name":value…`, or empty. */
export type ClaimsText = string;

/** What chooses a variant. */
export interface VariantQuery {
  readonly circumstances: Circumstances;
  readonly mfaFresh: boolean;
  readonly claims: ClaimsText;
}

/** Makes the function that compiles a set, and remembers the result as long as the set lives. */
export function createSetCompiler(): (set: PermissionSet, active: ActivePolicy) => CompiledSet {
  const known = new WeakMap<PermissionSet, CompiledSet>();
  return (set, active) => {
    const before = known.get(set);
    // A policy reload can change the catalogue, and with it what the patterns come to.
    if (before !== undefined && isFor(active, before)) return before;
    const classes = set.classes.map(compileClass);
    const compiled: CompiledSet = {
      set,
      classes,
      conditional: classes.filter((one) => one.conditional),
      hasWhitelists: classes.some((one) => one.whitelists.length > 0),
      catalogue: active.catalogue,
      wantsArrays: active.wantsArrays,
      variants: new Map(),
    };
    known.set(set, compiled);
    return compiled;
  };
}

function isFor({ catalogue, wantsArrays }: ActivePolicy, compiled: CompiledSet): boolean {
  return compiled.catalogue === catalogue && compiled.wantsArrays === wantsArrays;
}

/** The variant of the set that holds in these circumstances. */
export function variantOf(compiled: CompiledSet, query: VariantQuery): Variant {
  const { circumstances, claims, mfaFresh } = query;
  let key = mfaFresh ? "1" : "0";
  for (const one of compiled.conditional) {
    key += unmetConditions(one, circumstances, mfaFresh) === unmet.none ? "1" : "0";
  }
  // The part before has one length per set, so claims can't be taken for activity.
  if (claims !== "") key += claims;
  return compiled.variants.get(key) ?? addVariant(compiled, query, key);
}

function addVariant(compiled: CompiledSet, query: VariantQuery, key: string): Variant {
  const { circumstances, claims, mfaFresh } = query;
  const active = compiled.classes
    .filter((one) => unmetConditions(one, circumstances, mfaFresh) === unmet.none)
    .map((one) => one.source);
  const variant: Variant = {
    active,
    roles: rolesOf(active),
    mfaVerified: mfaFresh,
    kept: { text: () => userText({ compiled, active, mfaFresh, claims }) },
    bases: new Map(),
  };
  if (compiled.variants.size >= VARIANTS_MAX) {
    compiled.variants.delete(compiled.variants.keys().next().value!);
  }
  compiled.variants.set(key, variant);
  return variant;
}

function rolesOf(active: readonly ConditionClass[]): readonly string[] {
  const roles = active.flatMap(({ grants }) => grants.map(({ role }) => role));
  return [...new Set(roles.filter((role) => role !== undefined))].sort();
}

/** Rego text of `input.user`: JSON, with sets where the policy does not ask for arrays. */
function userText(parts: {
  compiled: CompiledSet;
  active: readonly ConditionClass[];
  mfaFresh: boolean;
  claims: ClaimsText;
}): string {
  const { active, claims, compiled, mfaFresh } = parts;
  const { attributes, groups, subject } = compiled.set;
  const grants = active.flatMap((one) => one.grants);
  const permissions = new Set(grants.flatMap((grant) => grant.patterns));
  if (compiled.catalogue) addCovered(permissions, [...permissions], compiled.catalogue);
  const collection = compiled.wantsArrays ? arrayText : setText;
  let text = `{"id":${JSON.stringify(subject.id)},"type":${JSON.stringify(subject.type)}`;
  text += `,"roles":${collection(rolesOf(active))},"permissions":${collection(permissions)}`;
  text += `,"groups":${collection(groups)},"mfaVerified":${mfaFresh}`;
  for (const [name, value] of Object.entries(attributes)) text += memberText(name, value);
  return `${text}${claims}}`;
}

/**
 * The trusted ones among the properties a caller states of the subject. What the directory says
 * of the subject stands: a caller can add attributes, not change them. Bounded, because the text
 * is remembered with the variant.
 */
export function claimsText(
  names: readonly string[],
  properties: Readonly<Record<string, JsonValue>>,
  set: PermissionSet,
): ClaimsText {
  let text = "";
  for (const name of names) {
    const stated = Object.hasOwn(properties, name) && properties[name] !== null;
    if (stated && !reservedAttributes.has(name) && !Object.hasOwn(set.attributes, name)) {
      text += memberText(name, properties[name]!);
    }
  }
  if (text.length <= CLAIMS_LENGTH_MAX) return text;
  throw new PdpError(
    "invalid-argument",
    `subject.properties: the trusted ones are longer than ${CLAIMS_LENGTH_MAX} characters of JSON`,
    { field: "subject.properties" },
  );
}

function memberText(name: string, value: JsonValue): string {
  return `,${JSON.stringify(name)}:${JSON.stringify(value)}`;
}

function setText(values: Iterable<string>): string {
  const members = [...new Set(values)].map((value) => JSON.stringify(value));
  return members.length === 0 ? "set()" : `{${members.join(",")}}`;
}

function arrayText(values: Iterable<string>): string {
  return JSON.stringify([...new Set(values)].sort());
}
