import { resolve } from "node:path";
import { parseDatabaseUrl } from "../base/database-url.ts";
import { checkHttpUrl } from "../base/http-url.ts";
import { parseListenAddress } from "../base/listen-address.ts";
import { parseRedisUrl } from "../base/redis-url.ts";
import type { Config } from "./config.ts";

/** An option that can't hold, by itself or together with another; noted at one of them. */
export interface Contradiction {
  readonly path: string;
  readonly message: string;
}

/** Finds options of the right form that can't hold: not together, or for a reason of their own. */
export function findContradictions(config: Config): readonly Contradiction[] {
  return [
    ...inBundle(config),
    ...inCandidates(config),
    ...inDirectory(config),
    ...inCache(config),
    ...inPipeline(config),
    ...inExtAuthz(config),
    ...inListenAddresses(config),
    ...inTls(config),
    ...betweenListeners(config),
    ...inHeldBytes(config),
    ...inTelemetry(config),
  ];
}

function* inBundle({ bundle }: Config): Iterable<Contradiction> {
  const limits = ["compressedBytesMax", "entryBytesMax"] as const;
  const keys = { compressedBytesMax: "compressed_bytes_max", entryBytesMax: "entry_bytes_max" };
  for (const limit of limits) {
    if (bundle[limit] > bundle.inflatedBytesMax) {
      yield {
        path: `bundle.${keys[limit]}`,
        message: `${bundle[limit]} is above bundle.inflated_bytes_max, ${bundle.inflatedBytesMax}`,
      };
    }
  }
}

/** A file would be both in force and a candidate, or be taken for a last good copy. */
function* inCandidates({ bundle }: Config): Iterable<Contradiction> {
  const { candidatesFolder, folder, lastGoodFolder } = bundle;
  if (candidatesFolder === undefined) return;
  const others = { "bundle.folder": folder, "bundle.last_good_folder": lastGoodFolder };
  for (const [name, other] of Object.entries(others)) {
    if (resolve(candidatesFolder) === resolve(other)) {
      yield { path: "bundle.candidates_folder", message: `${candidatesFolder} is ${name} already` };
    }
  }
}

function* inDirectory({ directory }: Config): Iterable<Contradiction> {
  try {
    parseDatabaseUrl(directory.database);
  } catch (error) {
    yield { path: "directory.database", message: (error as Error).message };
  }
  if (directory.startWithout && directory.examples.length > 0) {
    const message = "are loaded at start, which needs the database; leave out one of them";
    yield { path: "directory.examples", message: `with directory.start_without: ${message}` };
  }
}

function* inCache({ cache: { redis } }: Config): Iterable<Contradiction> {
  try {
    if (redis !== undefined) parseRedisUrl(redis.url);
  } catch (error) {
    yield { path: "cache.redis.url", message: (error as Error).message };
  }
}

function* inPipeline({ pipeline }: Config): Iterable<Contradiction> {
  for (const [name, { zone, businessHours }] of Object.entries(pipeline.applications)) {
    const path = `pipeline.applications.${name}`;
    if (!isZone(zone)) {
      const expected = 'expected an IANA time zone such as "Europe/Berlin"';
      yield { path: `${path}.zone`, message: `${JSON.stringify(zone)} is not known; ${expected}` };
    }
    if (businessHours !== undefined && businessHours.from >= businessHours.to) {
      const { from, to } = businessHours;
      const message = `"${to}" is not later than business_hours.from, "${from}"`;
      yield { path: `${path}.business_hours.to`, message };
    }
  }
}

function* inExtAuthz({ extAuthz: { rbac } }: Config): Iterable<Contradiction> {
  if (rbac.routesFile === undefined) return;
  const given = [
    ["subject", rbac.subject.length > 0],
    ["mfa_verified_at", rbac.mfaVerifiedAt !== undefined],
    ["mfa_claim", rbac.mfaClaim !== undefined],
    ["client_address", rbac.clientAddress !== undefined],
    ["routes", rbac.routes.length > 0],
  ] as const;
  for (const [key, isGiven] of given) {
    const message = "stands in the file of ext_authz.rbac.routes_file; leave out one of them";
    if (isGiven) yield { path: `ext_authz.rbac.${key}`, message };
  }
}

function* inListenAddresses({ grpc }: Config): Iterable<Contradiction> {
  for (const [index, address] of grpc.listen.entries()) {
    try {
      parseListenAddress(address);
    } catch (error) {
      yield { path: `grpc.listen[${index}]`, message: (error as Error).message };
    }
  }
}

/** Whoever asks for TLS gets it, or hears that something is missing. */
function* inTls({ grpc }: Config): Iterable<Contradiction> {
  const index = grpc.listen.findIndex((address) => address.startsWith("tls://"));
  if (index >= 0 && grpc.tls === undefined) {
    const message = "needs grpc.tls.certificate_file and grpc.tls.key_file";
    yield { path: `grpc.listen[${index}]`, message: `${grpc.listen[index]} ${message}` };
  }
  if (index < 0 && grpc.tls !== undefined) {
    const message = "is set, and no address of grpc.listen begins with tls://";
    yield { path: "grpc.tls", message };
  }
}

function* betweenListeners({ grpc, telemetry, admin }: Config): Iterable<Contradiction> {
  const path = "grpc.listen";
  const { diagnosticsEnabled, diagnosticsHost: host, diagnosticsPort: port } = telemetry;
  const diagnostics = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const taken = grpc.listen.map((address) => address.replace(/^tls:\/\//, ""));
  if (diagnosticsEnabled && port !== 0 && taken.includes(diagnostics)) {
    yield { path, message: `${diagnostics} is the diagnostics port already` };
  }
  if (grpc.listen.includes(`unix:${admin.controlSocket}`)) {
    yield { path, message: `${admin.controlSocket} is admin.control_socket already` };
  }
}

/** A request that can never be taken would look like an overload. */
function* inHeldBytes({
  grpc: { heldBytesMax, requestBytesMax },
}: Config): Iterable<Contradiction> {
  if (heldBytesMax > 2 * requestBytesMax) return;
  const message = `${heldBytesMax} is not above twice grpc.request_bytes_max, ${requestBytesMax}`;
  yield { path: "grpc.held_bytes_max", message };
}

function* inTelemetry({ telemetry: { tracing } }: Config): Iterable<Contradiction> {
  try {
    if (tracing !== undefined) checkHttpUrl(tracing.endpoint);
  } catch (error) {
    yield { path: "telemetry.tracing.endpoint", message: (error as Error).message };
  }
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    // A RangeError is how Intl says no.
    return false;
  }
}
