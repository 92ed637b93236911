import type { Peer } from "../base/unary-handler.ts";
import { PdpError } from "../decision/error.ts";
import type { PipelineOptions, TrustOptions } from "./options.ts";

/** Tells what a caller's statements count for. */
export type TrustOf = (peer: Peer) => TrustOptions;

/** The sum over the caller's kind and every name of its certificate. */
export function createTrustOf(options: PipelineOptions["trust"]): TrustOf {
  return (peer) => {
    if (peer.kind === "control") return operator;
    const byKind = options[peer.kind];
    if (peer.certificateNames.length === 0) return byKind;
    return peer.certificateNames
      .filter((name) => Object.hasOwn(options.certificates, name))
      .map((name) => options.certificates[name]!)
      .reduce(sum, byKind);
  };
}

/** Everything, except that nobody is trusted for attributes which the operator hasn't named. */
const operator: TrustOptions = Object.freeze({
  identity: true,
  mfa: true,
  ip: true,
  authentication: true,
  resource: true,
  subjectProperties: [],
});

/** Whether the caller is the subject itself, by a name of its verified certificate. */
export function isSelf(peer: Peer, subjectId: string): boolean {
  return peer.certificateNames.includes(subjectId);
}

/** Refuses a question about somebody else by a caller who may only ask about itself. */
export function requireIdentity(trust: TrustOptions, self: boolean): void {
  if (self || trust.identity) return;
  throw new PdpError(
    "permission-denied",
    "subject.id: this caller may ask only about the subject its certificate names",
    { field: "subject.id" },
  );
}

function sum(one: TrustOptions, other: TrustOptions): TrustOptions {
  return {
    identity: one.identity || other.identity,
    mfa: one.mfa || other.mfa,
    ip: one.ip || other.ip,
    authentication: one.authentication || other.authentication,
    resource: one.resource || other.resource,
    subjectProperties: [...new Set([...one.subjectProperties, ...other.subjectProperties])],
  };
}
