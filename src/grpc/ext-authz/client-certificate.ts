/**
 * A field of the client's certificate as `x-forwarded-client-cert` has it: `uri`, `dns`, `subject` or
 * `hash` of the last element, which is the one that the nearest proxy has verified; those before it
 * are what it was told. `undefined` where the header is malformed, or lacks the field, or has it twice.
 *
 * Envoy quotes subjects alone: a URI or DNS name with a comma or a semicolon in it, or a client's own
 * header with an open quotation, would be read as another element or field. So the header has to be
 * such that it can be read in one way: see `FIELD`.
 */
export function clientCertificateField(header: string, field: string): string | undefined {
  const elements = elementsOf(header);
  const values = elements?.at(-1)?.filter(({ name }) => name === field) ?? [];
  const [found] = values;
  return values.length === 1 && found?.value !== "" ? found?.value : undefined;
}

interface CertificateField {
  readonly name: string;
  readonly value: string;
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
    const [, name = "", quoted, plain = "", end] = match;
    const value = quoted?.replace(/\\(.)/gs, "$1") ?? plain.trim();
    elements.at(-1)!.push({ name: name.toLowerCase(), value });
    if (end === ",") elements.push([]);
    if (end === "") break;
  }
  return elements;
}
