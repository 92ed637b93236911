import { type Static, Type } from "typebox";
import { TIMER_MS_MAX } from "../../base/deadline.ts";

const PATH_MAX = 4_096;

/** TLS on the addresses that begin with `tls://`. */
export const tlsOptionsSchema = Type.Object(
  {
    certificateFile: Type.String({
      description: "Server's certificate and the intermediate ones after it, PEM.",
      minLength: 1,
      maxLength: PATH_MAX,
      reason: "There is no default: who Postern is, is for the operator to say.",
    }),
    keyFile: Type.String({
      description: "Private key of the certificate, PEM, without a passphrase.",
      minLength: 1,
      maxLength: PATH_MAX,
      reason: "As for the certificate; both may be one file.",
    }),
    clientCaFile: Type.Optional(
      Type.String({
        description:
          "Certificates of the authorities that callers' are checked against, PEM. With it, a caller " +
          "has to show one.",
        minLength: 1,
        maxLength: PATH_MAX,
        reason: "Without it, callers are known by where they connect from alone.",
      }),
    ),
    versionMin: Type.Union([Type.Literal("TLSv1.2"), Type.Literal("TLSv1.3")], {
      description: "Oldest version of TLS that is spoken.",
      default: "TLSv1.2",
      reason: "What every gRPC client speaks; HTTP/2 asks for no newer one.",
    }),
    reloadIntervalMs: Type.Integer({
      description: "How often the files are read for changes, in milliseconds.",
      default: 5_000,
      minimum: 50,
      maximum: 3_600_000,
      reason: "Certificates are replaced hours before they expire; three small files cost nothing.",
    }),
    handshakeTimeoutMs: Type.Integer({
      description: "Milliseconds after which a handshake that is not done ends its connection.",
      default: 5_000,
      minimum: 100,
      maximum: TIMER_MS_MAX,
      reason: "Ten times what a busy machine needs.",
    }),
    handshakesMax: Type.Integer({
      description:
        "Handshakes in progress at once on each address; a further one ends the connection that has " +
        "waited longest.",
      default: 256,
      minimum: 1,
      maximum: 65_536,
      reason: "A restart of all callers; who only connects and waits gives way to who goes on.",
    }),
  },
  {
    additionalProperties: false,
    description: "TLS of the addresses that begin with `tls://`.",
    reason: "A sidecar's callers are on its own host, where there is nobody to hide from.",
  },
);

/** TLS on the addresses that begin with `tls://`. */
export type TlsOptions = Static<typeof tlsOptionsSchema>;
