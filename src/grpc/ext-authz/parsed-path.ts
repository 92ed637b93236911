/** The path of a request as policies see it. */
import { canBeMalformed, parseQuery, type QueryValues, unescapePercent } from "./url-encoding.ts";

/**
 * What a request's path says. It is sound when it is made; what it says is worked out when it is asked
 * for, since few policies ask for more than one of these.
 */
export class ParsedPath {
  /** What stands before the first `?`, as it is. */
  readonly rawPath: string;
  /** What stands behind it, as it is. */
  readonly rawQuery: string;
  readonly #path: string;
  readonly #decoded: string;
  readonly #parsedQuery: QueryValues | undefined;

  /**
   * Reads `attributes.request.http.path`. What is not UTF-8 when decoded becomes U+FFFD, where the
   * plugin keeps the bytes. Throws `PdpError` `invalid-argument` at a malformed escape, also in the
   * query, and at a `;` in the query.
   */
  constructor(path: string) {
    const mark = path.indexOf("?");
    this.rawPath = mark < 0 ? path : path.slice(0, mark);
    this.#path = path;
    this.#decoded = unescapePercent(this.rawPath, "path");
    this.rawQuery = mark < 0 ? "" : path.slice(mark + 1);
    if (canBeMalformed(this.rawQuery)) this.#parsedQuery = parseQuery(this.rawQuery, "path");
  }

  /**
   * As OPA's Envoy plugin has it: decoded, then split. So an encoded slash separates, too, and any
   * number of leading slashes are dropped: `//admin` is `["admin"]`, and `/` is `[""]`.
   */
  get parsedPath(): readonly string[] {
    return this.#decoded.replace(/^\/+/, "").split("/");
  }

  get parsedQuery(): QueryValues {
    return this.#parsedQuery ?? parseQuery(this.rawQuery, "path");
  }

  /** Split, then decoded; only one leading slash is dropped: `//a%2Fb` is `["", "a/b"]`. */
  get parsedPathSegments(): readonly string[] {
    const { rawPath } = this;
    const segments = rawPath.startsWith("/") ? rawPath.slice(1) : rawPath;
    return segments.split("/").map((segment) => unescapePercent(segment, "path"));
  }

  /** An upstream may read the path as another one than the policy. */
  get isAmbiguous(): boolean {
    // Of the whole, since a request's target has no fragment, not even behind a query.
    return this.#path.includes("#") || isAmbiguous(this.rawPath, this.parsedPathSegments);
  }
}

/**
 * Upstreams differ in what they do with each of these: they decode first or last or twice, drop or
 * resolve segments, take `\` for `/`, or cut parameters (`/admin;x`) and what follows a NUL.
 */
function isAmbiguous(rawPath: string, segments: readonly string[]): boolean {
  // A path that begins otherwise is none: the `*` of OPTIONS, or the authority of CONNECT.
  if (rawPath !== "" && !rawPath.startsWith("/")) return true;
  if (rawPath.includes("//") || ENCODED_SEPARATOR.test(rawPath)) return true;
  return segments.some(isAmbiguousSegment);
}

/** `/`, `\` and `%`. */
const ENCODED_SEPARATOR = /%(?:2f|5c|25)/i;

/** Among them U+FFFD, which stands for what is not UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const AMBIGUOUS_CHARACTER = /[\u0000-\u001f\u007f;\\\ufffd]/;

function isAmbiguousSegment(segment: string): boolean {
  return segment === "." || segment === ".." || AMBIGUOUS_CHARACTER.test(segment);
}
