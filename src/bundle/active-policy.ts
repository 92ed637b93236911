import type { Catalogue } from "../decision/catalogue.ts";
import type { Policy } from "../engine/policy.ts";
import type { PartsRead } from "./parts-read.ts";

/** Which entrypoints answer, and how (`docs/semantics.md`, “Which entrypoint”). */
export type DecisionEntrypoints =
  /** One entrypoint gives a bool, the seed's package document, or a total `decision` object. */
  | { readonly kind: "document"; readonly document: number }
  /** `<package>/allow` with its siblings, where the bundle has them. */
  | {
      readonly kind: "rules";
      readonly allow: number;
      readonly deny: number | undefined;
      readonly mfaRequired: number | undefined;
    };

/** A bundle in force: everything an answer depends on, swapped by one assignment. Immutable. */
export interface ActivePolicy {
  readonly application: string;
  readonly revision: string;
  /** SHA-256 of the bundle file, hex. */
  readonly digest: string;
  readonly policy: Policy;
  readonly entrypoints: DecisionEntrypoints;
  /** `undefined` = every well-formed permission goes to the policy. */
  readonly catalogue: Catalogue | undefined;
  /** The policy wants `roles`, `permissions`, `groups` as sorted arrays instead of sets. */
  readonly wantsArrays: boolean;
  /** What of the input has to be there. */
  readonly reads: PartsRead;
}

/** The policies in force. Reading is synchronous and never blocks on an activation. */
export interface ActivePolicies {
  /** `undefined` if the application has no policy in force. */
  get(application: string): ActivePolicy | undefined;
}
