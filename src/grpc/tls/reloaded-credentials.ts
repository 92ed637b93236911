import type { Clock } from "../../base/clock.ts";
import type { Health } from "../../base/health.ts";
import type { Logger } from "../../base/logger.ts";
import type { Meter } from "../../base/meter.ts";
import type { Timers } from "../../base/timers.ts";
import {
  type Credentials,
  type CredentialTexts,
  checkCredentials,
  readCredentials,
} from "./credentials.ts";
import type { TlsOptions } from "./options.ts";

/** Credentials that follow their files. */
export interface ReloadedCredentials {
  /** What new connections get. */
  current(): Credentials;
  /** Calls `listener` whenever there are others; again with the same ones if it throws, or another does. */
  onChange(listener: (credentials: Credentials) => void): void;
  /** The files are read no more. */
  close(): void;
}

/** What reloading needs. */
export interface ReloadDeps {
  readonly options: TlsOptions;
  readonly clock: Pick<Clock, "wallMs">;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly health: Health;
}

const COMPONENT = "tls";

/**
 * Reads the credentials, and from then on again and again. Files are compared by what is in them,
 * so that it doesn't matter how they are replaced: written over, renamed, or behind a link that is
 * swapped. What can't be used changes nothing. Rejects if there is nothing to start with.
 */
export async function reloadCredentials(deps: ReloadDeps): Promise<ReloadedCredentials> {
  const { options } = deps;
  const listeners: ((credentials: Credentials) => void)[] = [];
  const report = createReport(deps);
  const first = await readCredentials(options);
  let credentials = checkCredentials(first, options);
  let known = first;
  report.fine(credentials);

  async function look(): Promise<void> {
    try {
      const texts = await readCredentials(options);
      if (!isSame(texts, known)) {
        const changed = checkCredentials(texts, options);
        // Where one of them fails, the next look finds the files changed as before, and tries again.
        for (const listener of listeners) listener(changed);
        credentials = changed;
        known = texts;
        report.taken(credentials);
      }
      report.fine(credentials);
    } catch (error) {
      report.refused(error as Error);
    }
  }

  let isClosed = false;
  let cancel = (): void => {};
  function lookLater(): void {
    if (isClosed) return;
    cancel = deps.timers.after(options.reloadIntervalMs, () => void look().finally(lookLater));
  }
  lookLater();
  return {
    current: () => credentials,
    onChange: (listener) => void listeners.push(listener),
    close: () => {
      isClosed = true;
      cancel();
    },
  };
}

function isSame(one: CredentialTexts, other: CredentialTexts): boolean {
  return one.every((text, index) => text === other[index]);
}

/** Tells operators how the credentials are. */
function createReport({ options, clock, logger, meter, health }: ReloadDeps) {
  const reloads = meter.counter({
    name: "postern_grpc_tls_reloads_total",
    help: "Changes of the TLS files, by whether they were taken.",
    labels: ["result"],
  });
  const expiry = meter.gauge({
    name: "postern_grpc_tls_certificate_expiry_seconds",
    help: "When the server's certificate expires, in seconds since the Unix epoch.",
  });
  let suspect: string | undefined;
  let said: string | undefined;

  return {
    taken({ expiresAtMs }: Credentials): void {
      reloads.add(1, { result: "taken" });
      const { certificateFile } = options;
      const fields = { certificateFile, expiresAt: new Date(expiresAtMs).toISOString() };
      logger.info(fields, "TLS files have changed. New connections get what they hold.");
    },
    fine({ expiresAtMs }: Credentials): void {
      suspect = undefined;
      said = undefined;
      expiry.set(expiresAtMs / 1_000);
      const isExpired = expiresAtMs <= clock.wallMs();
      const when = new Date(expiresAtMs).toISOString();
      const detail = `the certificate expired at ${when}; callers refuse it`;
      if (isExpired) health.set(COMPONENT, "degraded", detail);
      else health.set(COMPONENT, "ok");
    },
    /** Files that are being replaced don't fit for a moment: said if the next look finds the same. */
    refused({ message }: Error): void {
      const isMomentary = suspect !== message;
      suspect = message;
      if (isMomentary || said === message) return;
      said = message;
      reloads.add(1, { result: "refused" });
      const holds = "The certificate of before stays in force.";
      logger.error({}, `TLS files can't be used: ${message}. ${holds}`);
      health.set(COMPONENT, "degraded", `${message}; the certificate of before is in force`);
    },
  };
}
