/**
 * Reads what a policy returned. The one place that knows the shapes; whatever is not one of them
 * is unreadable, which is never an allow.
 */
import type { Obligation } from "../decision/decision.ts";
import { emptyObject, isJsonObject, type JsonValue, ownMember } from "../decision/json.ts";

const ID_LENGTH_MAX = 128;
const OBLIGATIONS_MAX = 32;
const OBLIGATION_TYPE = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;

/** What a result says. */
export interface Reading {
  /** The policy's `allow` is exactly `true`. */
  readonly allows: boolean;
  /** A deny fired; it overrides `allows`. */
  readonly denies: boolean;
  /** The first id of the denies that fired; `undefined` if they have none. */
  readonly denyId: string | undefined;
  readonly asksForMfa: boolean;
  /** The first reason that the policy gives, on either side. */
  readonly reason: string | undefined;
  readonly obligations: readonly Obligation[];
}

/** The entrypoints of a policy that answers by separate rules; `undefined` = no value. */
export interface RuleResults {
  readonly allow: JsonValue | undefined;
  readonly deny: JsonValue | undefined;
  readonly mfaRequired: JsonValue | undefined;
}

/** A signal that fired or not, with the ids it fired for. */
interface Signal {
  readonly fires: boolean;
  readonly id: string | undefined;
}

const silent: Signal = { fires: false, id: undefined };

/** Reads a decision document; `undefined` if it is unreadable. */
export function readDocument(result: JsonValue | undefined): Reading | undefined {
  if (!isJsonObject(result)) {
    return readRules({ allow: result, deny: undefined, mfaRequired: undefined });
  }
  const allows = readAllows([ownMember(result, "allow"), ownMember(result, "allowed")]);
  const deny = readSignals([ownMember(result, "deny"), ownMember(result, "denies")]);
  const mfa = readSignals([ownMember(result, "mfa_required")]);
  const reason = readReason([ownMember(result, "reason"), ownMember(result, "reasons")]);
  const obligations = readObligations(ownMember(result, "obligations"));
  if (!(allows && deny && mfa && reason && obligations)) return undefined;
  return {
    allows: allows.all,
    denies: deny.fires,
    denyId: deny.id,
    asksForMfa: mfa.fires,
    reason: reason.id,
    obligations,
  };
}

/** Reads the results of separate rules; `undefined` if one of them is unreadable. */
export function readRules(results: RuleResults): Reading | undefined {
  const allows = readAllows([results.allow]);
  const deny = readSignals([results.deny]);
  const mfa = readSignals([results.mfaRequired]);
  if (!(allows && deny && mfa)) return undefined;
  return {
    allows: allows.all,
    denies: deny.fires,
    denyId: deny.id,
    asksForMfa: mfa.fires,
    reason: undefined,
    obligations: [],
  };
}

/** True if at least one is defined and all that are defined are exactly `true`. */
function readAllows(values: readonly (JsonValue | undefined)[]): { all: boolean } | undefined {
  const defined = values.filter((value) => value !== undefined);
  if (!defined.every((value) => typeof value === "boolean")) return undefined;
  return { all: defined.length > 0 && defined.every((value) => value === true) };
}

function readSignals(values: readonly (JsonValue | undefined)[]): Signal | undefined {
  let all = silent;
  for (const value of values) {
    const signal = readSignal(value);
    if (signal === undefined) return undefined;
    if (signal.fires) all = { fires: true, id: all.id ?? signal.id };
  }
  return all;
}

function readSignal(value: JsonValue | undefined): Signal | undefined {
  if (value === undefined || value === false) return silent;
  if (value === true) return { fires: true, id: undefined };
  if (Array.isArray(value)) return { fires: value.length > 0, id: firstId(value) };
  if (!isJsonObject(value)) return undefined;
  const names = Object.keys(value);
  return { fires: names.length > 0, id: firstId(names) };
}

/** Unlike a signal, a reason may also be a plain string, and `null` where there is none. */
function readReason(values: readonly (JsonValue | undefined)[]): Signal | undefined {
  return readSignals(
    values.map((value) => {
      if (typeof value === "string") return [value];
      return value === null ? undefined : value;
    }),
  );
}

function firstId(values: readonly JsonValue[]): string | undefined {
  for (const value of values) {
    const id = typeof value === "string" ? sanitizeId(value) : "";
    if (id !== "") return id;
  }
  return undefined;
}

/** An id as it may stand in an answer and a log line: well-formed, on one line, bounded. */
function sanitizeId(id: string): string {
  return (
    id
      .slice(0, ID_LENGTH_MAX)
      .toWellFormed()
      // \p{C} holds control and format characters, which could forge or hide parts of a line.
      .replace(/[\p{C}\p{Z}]+/gu, " ")
      .trim()
  );
}

/** An obligation that can't be passed on must not be dropped: the allow depends on it. */
function readObligations(value: JsonValue | undefined): readonly Obligation[] | undefined {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > OBLIGATIONS_MAX) return undefined;
  const obligations: Obligation[] = [];
  for (const item of value as readonly JsonValue[]) {
    const obligation = readObligation(item);
    if (obligation === undefined) return undefined;
    obligations.push(obligation);
  }
  return obligations;
}

function readObligation(item: JsonValue): Obligation | undefined {
  if (typeof item === "string") return obligation(item, emptyObject);
  return isJsonObject(item)
    ? obligation(ownMember(item, "type"), ownMember(item, "properties"))
    : undefined;
}

function obligation(type?: JsonValue, properties: JsonValue = emptyObject): Obligation | undefined {
  const readable =
    typeof type === "string" && OBLIGATION_TYPE.test(type) && isJsonObject(properties);
  return readable ? { type, properties } : undefined;
}
