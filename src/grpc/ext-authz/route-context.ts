/** The context of a question: what Envoy knows of who asks. */
import { isIP } from "node:net";
import { quoted } from "../../base/quoted.ts";
import type { JsonObject } from "../../decision/json.ts";
import { invalidField } from "./malformed.ts";
import type { RbacOptions } from "./options.ts";
import type { NoteAt } from "./route-list.ts";
import {
  parseVouchedList,
  parseVouchedSource,
  type RequestFacts,
  type ValueSource,
} from "./value-source.ts";

/**
 * The address, whether a certificate has named the subject, and when it has shown MFA evidence. Throws
 * `PdpError` `invalid-argument` for an address that is none.
 */
export type ContextOf = (facts: RequestFacts, subjectId: string) => JsonObject;

const ADDRESS_SHOWN_MAX = 64;

/** Reads what the options say of the context; notes what is wrong. */
export function createContextOf(
  options: Pick<RbacOptions, "mfaVerifiedAt" | "mfaClaim" | "clientAddress">,
  note: NoteAt,
): ContextOf {
  const optional = (path: string, from: string | undefined): ValueSource | undefined =>
    from === undefined ? undefined : note(path, () => parseVouchedSource(from));
  const verifiedAt = optional("mfa_verified_at", options.mfaVerifiedAt);
  const address = optional("client_address", options.clientAddress);
  const isClaimed = note("mfa_claim", () => claimOf(options));

  return (facts, subjectId) => {
    const { sourceAddress, sourcePrincipal } = facts.request;
    const ip = address === undefined ? sourceAddress : checkAddress(address(facts));
    const shown = isClaimed?.(facts) ? verifiedAt?.(facts) : undefined;
    return {
      ...(ip !== "" && { ip }),
      ...(shown !== undefined && { mfa: { verified_at: instantOf(shown) } }),
      // By the certificate that Envoy itself has seen.
      ...(sourcePrincipal === subjectId && { authentication: "mtls" }),
    };
  };
}

/** Whether the time is one of MFA evidence: a token has one for a password alone, too. */
function claimOf({
  mfaClaim,
  mfaVerifiedAt,
}: Pick<RbacOptions, "mfaVerifiedAt" | "mfaClaim">): (facts: RequestFacts) => boolean {
  if (mfaClaim === undefined) return () => true;
  if (mfaVerifiedAt === undefined) {
    throw new Error("says with what a time counts; expected mfa_verified_at beside it");
  }
  const from = parseVouchedList(mfaClaim.from);
  const values = new Set(mfaClaim.values);
  return (facts) => from(facts).some((value) => values.has(value));
}

/** Who is nowhere is in no network. */
function checkAddress(address = ""): string {
  if (address === "" || isIP(address) !== 0) return address;
  throw invalidField("client_address", `${quoted(address, ADDRESS_SHOWN_MAX)} is no IP address`);
}

/** Seconds since the epoch, as `auth_time` of a token is, as RFC 3339. */
function instantOf(text: string): string {
  if (!/^\d{1,11}$/.test(text)) return text;
  return new Date(Number(text) * 1_000).toISOString();
}
