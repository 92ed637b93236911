/**
 * A field of the client's certificate as `x-forwarded-client-cert` has it: `uri`, `dns`, `subject` or
 * `hash` of the last element, which is the one that the nearest proxy has verified; those before it
 * are what it was told. `undefined` where the header is malformed, or lacks the field, or has it twice.
 */
export function clientCertificateField(header: string, field: string): string | undefined {
  const elements = splitOutsideQuotes(header, ",");
  const pairs = splitOutsideQuotes(elements?.at(-1) ?? "", ";");
  if (elements === undefined || pairs === undefined) return undefined;
  const values = pairs.flatMap((pair) => {
    const equals = pair.indexOf("=");
    const isIt = pair.slice(0, equals).trim().toLowerCase() === field;
    return isIt ? [unquote(pair.slice(equals + 1).trim())] : [];
  });
  const [value] = values;
  return values.length === 1 && value !== "" ? value : undefined;
}

/** `undefined` where a quotation does not end. */
function splitOutsideQuotes(text: string, separator: string): string[] | undefined {
  const parts: string[] = [];
  let isQuoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\\" && isQuoted) at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === separator && !isQuoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return isQuoted ? undefined : parts;
}

function unquote(text: string): string {
  const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  return isQuoted ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
}
