/** Where to listen. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const PORT_MAX = 65_535;
const TCP = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/;
const UNIX = "unix:";

/** Reads `host:port`, `[v6]:port` or `unix:/path`; throws an `Error` that says what is wrong. */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith(UNIX)) return { kind: "unix", path: socketPath(text) };
  const match = TCP.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > PORT_MAX) {
    throw new Error(
      `${JSON.stringify(text)} is not an address to listen on; expected host:port, ` +
        "[IPv6 address]:port or unix:/path",
    );
  }
  return { kind: "tcp", host: match[1] ?? match[2]!, port };
}

function socketPath(text: string): string {
  const path = text.slice(UNIX.length);
  if (path === "" || path.includes("\0")) {
    throw new Error(`${JSON.stringify(text)} has no socket path; expected unix:/path`);
  }
  return path;
}
