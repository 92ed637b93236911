import { isIPv6 } from "node:net";
import { type Term, termObject } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { asString } from "./operands.ts";
import { escapePercent, unescapePercent } from "./percent.ts";

/** URIs and their references, taken apart as Go's net/url does. */
export const uriBuiltins: BuiltinFamily = {
  "uri.parse": ([text]) => describe(parseUri(asString(text))),
  "uri.is_valid": ([text]) => typeof text === "string" && text !== "" && isUri(text),
};

interface Uri {
  readonly scheme: string;
  /** Host and port. */
  readonly host: string;
  readonly path: string;
  /** Empty where `path` escaped as usual gives it. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly fragment: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\u0000-\u001f\u007f]/;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
const USERINFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;
const PORT = /^(?::[0-9]*)?$/;
/** What stands unescaped in a path, as Go writes it. */
const PATH_ESCAPED = /[^A-Za-z0-9$&+,\-./:;=@_~]/gu;
/** ASCII that a host can't have. */
const NOT_IN_HOST = /[^A-Za-z0-9!"$&'()*+,\-.:;<=>[\]_~%\u0080-\u{10ffff}]/u;
/** In a host only bytes beyond ASCII are escaped, and `%` before a zone. */
const HOST_ESCAPE = /%(?!25)[0-7]/;

function isUri(text: string): boolean {
  try {
    parseUri(text);
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}

function describe(uri: Uri): Term {
  const { hostname, port } = splitPort(uri.host);
  const members: [string, string][] = [
    ["scheme", uri.scheme],
    ["hostname", hostname],
    ["port", port],
    ["path", uri.path],
    ["raw_path", uri.rawPath === "" ? uri.path : uri.rawPath],
    ["raw_query", uri.rawQuery],
    ["fragment", uri.fragment],
  ];
  return termObject(members.filter(([, value]) => value !== ""));
}

function parseUri(text: string): Uri {
  const hash = text.indexOf("#");
  const reference = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? "" : unescapePercent(text.slice(hash + 1));
  if (CONTROL.test(reference)) throw new BuiltinError("control character");
  const nothing = { scheme: "", host: "", path: "", rawPath: "", rawQuery: "", fragment };
  if (reference === "*") return { ...nothing, path: "*" };
  if (reference.startsWith(":")) throw new BuiltinError("scheme missing");
  const scheme = SCHEME.exec(reference)?.[1] ?? "";
  const afterScheme = scheme === "" ? reference : reference.slice(scheme.length + 1);
  const question = afterScheme.indexOf("?");
  const rawQuery = question < 0 ? "" : afterScheme.slice(question + 1);
  const rest = question < 0 ? afterScheme : afterScheme.slice(0, question);
  const known = { ...nothing, scheme: scheme.toLowerCase(), rawQuery };
  // What follows a scheme without a slash is opaque.
  if (scheme !== "" && !rest.startsWith("/")) return known;
  if (!rest.startsWith("/") && rest.split("/", 1)[0]!.includes(":")) {
    throw new BuiltinError("a colon in the first segment");
  }
  const hasAuthority = rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"));
  if (!hasAuthority) return { ...known, ...pathOf(rest) };
  const slash = rest.indexOf("/", 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  const host = hostOf(authority, known.scheme);
  return { ...known, host, ...pathOf(slash < 0 ? "" : rest.slice(slash)) };
}

function pathOf(rawPath: string): { path: string; rawPath: string } {
  const path = unescapePercent(rawPath);
  return { path, rawPath: path.replace(PATH_ESCAPED, escapePercent) === rawPath ? "" : rawPath };
}

function hostOf(authority: string, scheme: string): string {
  const at = authority.lastIndexOf("@");
  const host = parseHost(authority.slice(at + 1), scheme);
  if (at >= 0) {
    const userinfo = authority.slice(0, at);
    if (!USERINFO.test(userinfo)) throw new BuiltinError("invalid user information");
    unescapePercent(userinfo);
  }
  return host;
}

function parseHost(host: string, scheme: string): string {
  const bracket = host.lastIndexOf("[");
  if (bracket > 0) throw new BuiltinError("misplaced bracket");
  if (bracket === 0) return parseBracketedHost(host);
  const first = host.indexOf(":");
  if (first >= 0) {
    // Lists of hosts with ports, as some databases have them, are let through.
    const isWeb = scheme === "http" || scheme === "https";
    const portAt = isWeb ? first : host.lastIndexOf(":");
    if (!PORT.test(host.slice(portAt))) throw new BuiltinError("invalid port");
  }
  return unescapeHost(host);
}

function parseBracketedHost(host: string): string {
  const close = host.lastIndexOf("]");
  const port = host.slice(close + 1);
  if (close < 0 || !PORT.test(port)) throw new BuiltinError("invalid host in brackets");
  const inside = host.slice(1, close);
  const percent = inside.indexOf("%25");
  const address = unescapeHost(percent < 0 ? inside : inside.slice(0, percent));
  if (!isIPv6(address) || address.includes("%")) throw new BuiltinError("no IPv6 address");
  return `[${address}${percent < 0 ? "" : zoneOf(inside.slice(percent))}]${port}`;
}

/** A zone, with its `%`, may escape what a host may have anyway, and spaces. */
function zoneOf(escaped: string): string {
  const isAllowed = (sign: string): boolean => {
    const byte = Number.parseInt(sign.slice(1), 16);
    return sign === "%25" || byte === 0x20 || isHostByte(byte);
  };
  const escapes = escaped.match(/%[0-9a-fA-F]{2}/g) ?? [];
  if (escaped === "%25" || NOT_IN_HOST.test(escaped) || !escapes.every(isAllowed)) {
    throw new BuiltinError("invalid zone");
  }
  return unescapePercent(escaped);
}

function isHostByte(byte: number): boolean {
  return byte < 0x80 && byte !== 0x25 && !NOT_IN_HOST.test(String.fromCharCode(byte));
}

function unescapeHost(host: string): string {
  if (NOT_IN_HOST.test(host) || HOST_ESCAPE.test(host)) throw new BuiltinError("invalid host");
  return unescapePercent(host);
}

function splitPort(host: string): { hostname: string; port: string } {
  const colon = host.lastIndexOf(":");
  const hasPort = colon >= 0 && PORT.test(host.slice(colon));
  const name = hasPort ? host.slice(0, colon) : host;
  const isBracketed = name.startsWith("[") && name.endsWith("]");
  return {
    hostname: isBracketed ? name.slice(1, -1) : name,
    port: hasPort ? host.slice(colon + 1) : "",
  };
}
