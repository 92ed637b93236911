/** Where to listen. */
export type ListenAddress =
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      /** Whoever connects has to speak TLS. */
      readonly isTls: boolean;
    }
  | { readonly kind: "unix"; readonly path: string }
  /** A unix socket with a name instead of a file: Linux alone has them. */
  | { readonly kind: "abstract"; readonly name: string };

const PORT_MAX = 65_535;
const TCP = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/;
const TLS = "tls://";
const UNIX = "unix:";
const ABSTRACT = "unix-abstract:";
/** `sun_path` of Linux holds 108 bytes; the first says that the rest is a name (unix(7)). */
const ABSTRACT_NAME = /^[!-~]{1,107}$/;

/**
 * Reads `host:port`, `[v6]:port`, both also after `tls://`, `unix:/path` or `unix-abstract:name`;
 * throws an `Error` that says what is wrong.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith(UNIX)) return { kind: "unix", path: socketPath(text) };
  if (text.startsWith(ABSTRACT)) return { kind: "abstract", name: abstractName(text) };
  const isTls = text.startsWith(TLS);
  const match = TCP.exec(isTls ? text.slice(TLS.length) : text);
  const port = Number(match?.[3]);
  if (match === null || port > PORT_MAX) {
    throw new Error(
      `${JSON.stringify(text)} is not an address to listen on; expected host:port, ` +
        "[IPv6 address]:port, tls://host:port, unix:/path or unix-abstract:name",
    );
  }
  return { kind: "tcp", host: match[1] ?? match[2]!, port, isTls };
}

function socketPath(text: string): string {
  const path = text.slice(UNIX.length);
  if (path === "" || path.includes("\0")) {
    throw new Error(`${JSON.stringify(text)} has no socket path; expected unix:/path`);
  }
  // OPA's and Envoy's way to write an abstract socket, which would become a file here.
  const [, name] = /^(?:\/\/)?@(.*)$/s.exec(path) ?? [];
  if (name !== undefined) {
    throw new Error(
      `${JSON.stringify(text)} is no path but the name of an abstract socket; expected ` +
        `unix-abstract:${name || "name"}`,
    );
  }
  return path;
}

function abstractName(text: string): string {
  const name = text.slice(ABSTRACT.length);
  if (!ABSTRACT_NAME.test(name)) {
    throw new Error(
      `${JSON.stringify(text)} has no name of an abstract socket; expected unix-abstract: and 1 to ` +
        "107 visible ASCII characters",
    );
  }
  return name;
}
