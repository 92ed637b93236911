/** Names of a body's members, compared as upstreams may compare them. */
import { foldCase } from "../../base/fold-case.ts";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";

/** Whose names they are: those of a form, of JSON and of what has a notation in it, or Envoy's own. */
export type NameKind = "form" | "json" | "metadata";

/** The member called `name`; "unclear" where another one, or it under another name, may be meant. */
export function memberOf(
  object: InputDocument,
  name: string,
  kind: NameKind,
): { readonly value: InputValue } | "unclear" | undefined {
  const spelt = spellingsOf(object, name, kind);
  if (spelt.length === 0) return undefined;
  return spelt.length === 1 && spelt[0] === name ? { value: object[name]! } : "unclear";
}

/** The names in `object` that somebody may read as `name`, and those that can't be compared. */
export function spellingsOf(object: object, name: string, kind: NameKind): readonly string[] {
  const readings = READINGS[kind];
  const folded = foldCase(name);
  const wanted = folded === undefined ? undefined : readings(folded)[0];
  return Object.keys(object).filter((key) => {
    const given = foldCase(key);
    return given === undefined || (wanted !== undefined && readings(given).includes(wanted));
  });
}

/** What a name may be read as; the first as a whole. */
const READINGS: { readonly [kind in NameKind]: (name: string) => readonly string[] } = {
  // To readers of protobuf's JSON, `ownerId` is `owner_id`; "!" may stand for bytes that some drop.
  json: (name) => [name.replace(/[_!]+/g, "")],
  metadata: (name) => [name],
  form: formReadings,
};

/**
 * To PHP, `a.b`, `a b` and `a[b` are `a_b`, blanks before a name nothing, and a NUL its end; qs takes
 * `[a]` for `a`; Spring `!a` and `_a` for what `a` is where there is none. `a[…]` and `a.…` are what is
 * in `a`.
 */
function formReadings(name: string): readonly string[] {
  const [text = ""] = name.replace(LEADING_SEPARATORS, "").split("\0", 1);
  const [beforeBracket = ""] = text.split("[", 1);
  const [beforeDot = ""] = text.split(".", 1);
  return [text, beforeBracket, beforeDot].map((reading) => reading.replace(SEPARATORS, ""));
}

const SEPARATORS = /[\s_.![\]]+/g;
const LEADING_SEPARATORS = /^[\s_.![\]]+/;
