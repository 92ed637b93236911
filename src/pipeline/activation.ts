import { type Address, type Network, networkContains, parseNetwork } from "../base/ip-network.ts";
import type { JsonObject } from "../decision/json.ts";
import type { ConditionClass } from "../decision/permission-set.ts";

/** What a request shows of the world, as far as its caller is trusted to say. */
export interface Circumstances {
  readonly nowMs: number;
  readonly resourceId: string | undefined;
  readonly properties: JsonObject;
  readonly address: Address | undefined;
  /** The subject is known to be at the other end of a mutually authenticated connection. */
  readonly mtls: boolean;
}

/** Conditions that do not hold, as a sum; 0 = active. */
export const unmet = { none: 0, expiry: 1, ip: 2, scope: 4, authentication: 8, mfa: 16 } as const;

/** A condition class with its texts parsed. */
export interface CompiledClass {
  readonly source: ConditionClass;
  /** Whether it can be inactive at all. */
  readonly conditional: boolean;
  readonly expiresAtMs: number;
  readonly scope: readonly ScopeRule[];
  readonly whitelists: readonly (readonly Network[])[];
  readonly mtls: boolean;
  readonly mfa: boolean;
}

interface ScopeRule {
  readonly property: string;
  readonly exact: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** Parses the conditions of a class. A whitelist entry that is no network holds no address. */
export function compileClass(source: ConditionClass): CompiledClass {
  const { expiresAtMs, scope, ipWhitelists, authentication, mfa } = source.conditions;
  return {
    source,
    conditional:
      expiresAtMs !== undefined ||
      scope !== undefined ||
      ipWhitelists.length > 0 ||
      authentication !== undefined ||
      mfa === "required",
    expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
    scope: Object.entries(scope ?? {}).map(([property, values]) => compileScope(property, values)),
    whitelists: ipWhitelists.map((texts) =>
      texts.map(parseNetwork).filter((network) => network !== undefined),
    ),
    mtls: authentication !== undefined,
    mfa: mfa === "required",
  };
}

/** Which conditions of the class do not hold, as a sum of `unmet`. */
export function unmetConditions(
  compiled: CompiledClass,
  circumstances: Circumstances,
  mfaFresh: boolean,
): number {
  const { address, mtls, nowMs } = circumstances;
  let sum: number = unmet.none;
  if (!(nowMs < compiled.expiresAtMs)) sum |= unmet.expiry;
  if (!compiled.whitelists.every((list) => isWithin(list, address))) sum |= unmet.ip;
  if (!compiled.scope.every((rule) => isInScope(rule, circumstances))) sum |= unmet.scope;
  if (compiled.mtls && !mtls) sum |= unmet.authentication;
  if (compiled.mfa && !mfaFresh) sum |= unmet.mfa;
  return sum;
}

function isWithin(whitelist: readonly Network[], address: Address | undefined): boolean {
  return address !== undefined && whitelist.some((network) => networkContains(network, address));
}

function compileScope(property: string, values: readonly string[]): ScopeRule {
  const isPrefix = (value: string) => value.endsWith("*");
  return {
    property,
    exact: new Set(values.filter((value) => !isPrefix(value))),
    prefixes: values.filter(isPrefix).map((value) => value.slice(0, -1)),
  };
}

function isInScope(rule: ScopeRule, circumstances: Circumstances): boolean {
  const value = scopeValue(rule.property, circumstances);
  return (
    value !== undefined &&
    (rule.exact.has(value) || rule.prefixes.some((prefix) => value.startsWith(prefix)))
  );
}

/** `id` is the id that is asked about, never a property of that name; lists and objects match nothing. */
function scopeValue(name: string, circumstances: Circumstances): string | undefined {
  const { properties, resourceId } = circumstances;
  if (name === "id") return resourceId;
  const value = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
