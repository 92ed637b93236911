import type { TLSSocket } from "node:tls";
import { readJson } from "../../base/read-json.ts";

/** More names than any workload has; each is looked up at every call. */
const NAMES_MAX = 64;

/**
 * One name of the text in which Node gives subject alternative names: kind, colon, and the value,
 * which is a JSON string wherever it holds a comma, a quote or anything else that could mislead.
 */
const ENTRY = /([A-Za-z][A-Za-z0-9 ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, (?=.)|$)/suy;

/** Letters, digits, hyphens and underscores between dots: no wildcard, which names nobody. */
const DNS_NAME = /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/;
/** A scheme, and what RFC 3986 lets follow it or a little more: no space, no control character. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/;
const SPIFFE = /^spiffe:/i;

/**
 * The URI and DNS names among a certificate's subject alternative names (`X509Certificate` of Node
 * has the text), as they stand there. What doesn't have the form of its kind is left out, so that no
 * DNS name passes for a URI. `undefined` = the text is malformed, has too many names, or a SPIFFE ID
 * beside another URI (X509-SVID §2 has such a certificate refused): nobody can say whose it is.
 */
export function certificateNames(subjectAltName: string): readonly string[] | undefined {
  const names = new Set<string>();
  let uris = 0;
  let hasSpiffeId = false;
  for (let at = 0; at < subjectAltName.length; at = ENTRY.lastIndex) {
    ENTRY.lastIndex = at;
    const [, kind, text] = ENTRY.exec(subjectAltName) ?? [];
    const value = text === undefined ? undefined : decoded(text);
    if (value === undefined) return undefined;
    if (kind === "URI") {
      uris += 1;
      hasSpiffeId ||= SPIFFE.test(value);
    }
    const isName = (kind === "URI" && URI.test(value)) || (kind === "DNS" && DNS_NAME.test(value));
    if (isName) names.add(value);
  }
  const isAmbiguous = hasSpiffeId && uris > 1;
  return isAmbiguous || names.size > NAMES_MAX ? undefined : [...names];
}

function decoded(text: string): string | undefined {
  if (!text.startsWith('"')) return text;
  try {
    return readJson(text) as string;
  } catch {
    // Not a string as JSON has it.
    return undefined;
  }
}

/** The names of a connection's verified certificate; none without one. `undefined` as above. */
export function namesOfPeer(
  socket: Pick<TLSSocket, "authorized" | "getPeerX509Certificate">,
): readonly string[] | undefined {
  if (!socket.authorized) return [];
  return certificateNames(socket.getPeerX509Certificate()?.subjectAltName ?? "");
}
