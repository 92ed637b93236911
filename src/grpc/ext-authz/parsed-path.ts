/** The path of a request as policies see it. */
import { foldCase } from "../../base/fold-case.ts";
import { canBeMalformed, parseQuery, type QueryValues, unescapePercent } from "./url-encoding.ts";

/**
 * What a request's path says, worked out when it is asked for, since few policies ask for more than one
 * of these.
 */
export class ParsedPath {
  /** What stands before the first `?`, as it is. */
  readonly rawPath: string;
  /** What stands behind it, as it is. */
  readonly rawQuery: string;
  readonly #path: string;
  readonly #decoded: string;

  /**
   * Reads `attributes.request.http.path`. What is not UTF-8 when decoded becomes U+FFFD, where the
   * plugin keeps the bytes. Throws `PdpError` `invalid-argument` at a malformed escape before the query.
   */
  constructor(path: string) {
    const mark = path.indexOf("?");
    this.rawPath = mark < 0 ? path : path.slice(0, mark);
    this.#path = path;
    this.#decoded = unescapePercent(this.rawPath, "path");
    this.rawQuery = mark < 0 ? "" : path.slice(mark + 1);
  }

  /**
   * Throws `PdpError` `invalid-argument` for a query that can't be read: a malformed escape, a `;`, too
   * many parameters.
   */
  checkQuery(): void {
    if (canBeMalformed(this.rawQuery)) parseQuery(this.rawQuery, "path");
  }

  /**
   * As OPA's Envoy plugin has it: decoded, then split. So an encoded slash separates, too, and any
   * number of leading slashes are dropped: `//admin` is `["admin"]`, and `/` is `[""]`.
   */
  get parsedPath(): readonly string[] {
    return this.#decoded.replace(/^\/+/, "").split("/");
  }

  /** Throws as `checkQuery`. */
  get parsedQuery(): QueryValues {
    return parseQuery(this.rawQuery, "path");
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
  // A path that begins otherwise is none: the `*` of OPTIONS, the authority of CONNECT, nothing.
  if (!rawPath.startsWith("/")) return true;
  if (rawPath.includes("//") || ODD_ESCAPE.test(rawPath)) return true;
  return segments.some(isAmbiguousSegment);
}

/** Of `/`, `\`, `%`, `?` and `#`, and of letters and digits, which nobody has to escape. */
const ODD_ESCAPE = /%(?:2f|5c|25|3f|23|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/i;

/** Among them U+FFFD, which stands for what is not UTF-8, and characters that nobody sees. */
const AMBIGUOUS_CHARACTER = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp};\\\ufffd]/u;

function isAmbiguousSegment(segment: string): boolean {
  const folded = foldCase(segment);
  if (folded === undefined || /^\.{1,2}$|[/\\;]/.test(folded)) return true;
  return segment !== segment.trim() || AMBIGUOUS_CHARACTER.test(segment);
}
