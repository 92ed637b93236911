import type { PdpError } from "../../decision/error.ts";
import { malformed } from "./malformed.ts";

/**
 * A field of the client's certificate as `x-forwarded-client-cert` has it: `uri`, `dns`, `subject` or
 * `hash` of the last element, which is the one that the nearest proxy has verified; those before it
 * are what it was told. `undefined` where there is no header, or the certificate has no such name.
 *
 * Envoy quotes subjects alone: a URI or DNS name with a comma or a semicolon in it, or a client's own
 * header with an open quotation, would be read as another element or field. So it throws `PdpError`
 * `invalid-argument` for a header that can't be read in one way, for a last element that is none of
 * Envoy's, for a field that it has twice, and for one that is of another certificate than an element
 * that names `principal`, the peer: no certificate can have its own hash in a name. Only a header in
 * which Envoy does not write the principal can have a last element that nobody has verified.
 */
export function clientCertificateField(
  header: string,
  field: string,
  principal: string,
): string | undefined {
  if (header === "") return undefined;
  const elements = elementsOf(header);
  const last = elements?.pop();
  if (last === undefined || elements === undefined || !isOfEnvoy(last)) {
    throw refused("has a last element that Envoy does not write so");
  }
  const hash = valuesOf(last, "hash")[0];
  const ofPeer = elements.filter((element) =>
    [...valuesOf(element, "uri"), ...valuesOf(element, "dns")].includes(principal),
  );
  if (ofPeer.some((element) => valuesOf(element, "hash")[0] !== hash)) {
    throw refused("has the peer's name in another element than the last");
  }
  const values = valuesOf(last, field);
  if (values.length > 1) throw refused(`has more than one ${field}`);
  return values[0] || undefined;
}

interface CertificateField {
  readonly name: string;
  readonly value: string;
  /** As it stands in the header, without what follows. */
  readonly written: string;
}

function refused(why: string): PdpError {
  const expected =
    "expected By, Hash, Cert, Chain, Subject, URI and DNS of one certificate, in this order";
  return malformed("headers", `"x-forwarded-client-cert" ${why}; ${expected}`);
}

/**
 * A field, a value in quotes or without any, and what follows it. No two parts of it that repeat can
 * take the same blanks: a client could make a longer text take seconds otherwise.
 */
const FIELD = /\s*([A-Za-z]+)\s*=(?:\s*"((?:[^"\\]|\\.)*)"\s*|([^",;]*))([,;]|$)/y;

/** `undefined` where the header can be read in no way, or in more than one. */
function elementsOf(header: string): CertificateField[][] | undefined {
  const elements: CertificateField[][] = [[]];
  for (let at = 0; at < header.length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at;
    const match = FIELD.exec(header);
    if (match === null) return undefined;
    const [whole, name = "", quoted, plain = "", end = ""] = match;
    const value = quoted?.replace(/\\(.)/gs, "$1") ?? plain.trim();
    const written = whole.slice(0, whole.length - end.length);
    elements.at(-1)!.push({ name, value, written });
    if (end === "") return elements;
    if (end === ",") elements.push([]);
  }
  return undefined;
}

/** In the order in which Envoy writes them; a certificate can have more than one name. */
const ENVOY_FIELDS = [
  { form: /^By=[^\s"]*$/, isMany: true },
  { form: /^Hash=[0-9a-f]{64}$/, isMany: false },
  { form: /^Cert="[^"]*"$/, isMany: false },
  { form: /^Chain="[^"]*"$/, isMany: false },
  { form: /^Subject=".*"$/, isMany: false },
  { form: /^URI=[^\s"]*$/, isMany: true },
  { form: /^DNS=[^\s"]*$/, isMany: true },
];
const HASH = 1;

function isOfEnvoy(element: readonly CertificateField[]): boolean {
  const places = element.map(({ written }) =>
    ENVOY_FIELDS.findIndex(({ form }) => form.test(written)),
  );
  const isInOrder = places.every((place, index) => {
    const before = index === 0 ? -1 : places[index - 1]!;
    return place > before || (place === before && ENVOY_FIELDS[place]?.isMany === true);
  });
  // There is one of every certificate.
  return isInOrder && places.includes(HASH);
}

function valuesOf(element: readonly CertificateField[], field: string): readonly string[] {
  return element.flatMap(({ name, value }) => (name.toLowerCase() === field ? value : []));
}
