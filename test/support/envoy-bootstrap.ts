import type { TlsFiles } from "./tls-files.ts";

/** How an Envoy is started: one listener, ext_authz before one upstream. */
export interface EnvoySetup {
  /** Where the PDP listens, as Postern says it, with an address as host. */
  readonly pdp: readonly string[];
  /** How TLS is spoken with a `tls://` one, which is called `localhost`. */
  readonly pdpTls?: UpstreamTls;
  /** How many checks a connection is for; any number unless said. */
  readonly pdpRequestsPerConnection?: number;
  /** Port of 127.0.0.1 that allowed requests go to. */
  readonly upstreamPort: number;
  /** It speaks HTTP/2, as a gRPC service does. */
  readonly isUpstreamHttp2?: boolean;
  /** Port of 127.0.0.1 to listen on; a free one if left out. */
  readonly port?: number;
  /** Time for a check; 2000 unless said, since Envoy's own 200 is short on a busy machine. */
  readonly timeoutMs?: number;
  /** How often a check that fails is made again, at another PDP where there is one; never unless said. */
  readonly retries?: number;
  /** Asks the PDPs' gRPC health so often, and leaves alone who isn't serving; never unless said. */
  readonly healthIntervalMs?: number;
  readonly failureModeAllow?: boolean;
  /** HTTP status when the check fails; Envoy's default is 403. */
  readonly statusOnError?: number;
  readonly withRequestBody?: RequestBodySetup;
  /** KiB of headers that a client may send; Envoy's own 60 unless said. */
  readonly requestHeadersKbMax?: number;
  readonly encodeRawHeaders?: boolean;
  /** The listener speaks TLS with these, asks for a certificate, and tells the PDP of it. */
  readonly includePeerCertificate?: TlsFiles;
  /** Writes into `x-forwarded-client-cert` all that Envoy can say of the client's certificate. */
  readonly forwardClientCert?: "SANITIZE_SET" | "APPEND_FORWARD";
  /** By namespace, the dynamic metadata that is set before the check and passed on with it. */
  readonly metadataContextNamespaces?: Readonly<Record<string, object>>;
  readonly clearRouteCache?: boolean;
  /** In order of precedence; one for `/` unless said. */
  readonly routes?: readonly EnvoyRoute[];
  /** A line of the access log, in Envoy's format language. */
  readonly accessLogFormat?: string;
  /** Port of 127.0.0.1 where spans of every request are posted, as OTLP over HTTP. */
  readonly collectorPort?: number;
}

/** Whom Envoy trusts, and which certificate it shows, if any: paths of PEM files. */
export type UpstreamTls = Pick<TlsFiles, "ca"> & Partial<TlsFiles>;

/** What of a request's body is sent along. */
export interface RequestBodySetup {
  readonly maxRequestBytes: number;
  readonly allowPartialMessage?: boolean;
  readonly packAsBytes?: boolean;
}

/** What holds for the requests below a path. */
export interface EnvoyRoute {
  /** Its name in the access log, too. */
  readonly prefix: string;
  readonly contextExtensions?: Readonly<Record<string, string>>;
  /** Lets requests through without a check. */
  readonly disabled?: boolean;
  /** Answers itself, where no upstream is wanted. */
  readonly status?: number;
}

/** What the process that runs Envoy has chosen. */
export interface EnvoyPlaces {
  readonly port: number;
  /** Path of the access log. */
  readonly accessLog: string;
}

const FILTERS = "envoy.extensions.filters";
const AUTHZ_FILTER = "envoy.filters.http.ext_authz";
const METADATA_FILTER = "envoy.filters.http.set_metadata";

/** The bootstrap of an Envoy, to be written as JSON. */
export function envoyBootstrap(setup: EnvoySetup, places: EnvoyPlaces): object {
  const { collectorPort } = setup;
  return {
    layered_runtime: collectorPort === undefined ? undefined : promptSpans,
    static_resources: {
      listeners: [listener(setup, places)],
      clusters: [
        cluster("pdp", setup.pdp.map(pdpAddress), { ...pdpProtocol(setup), ...careOfPdps(setup) }),
        cluster(
          "upstream",
          [hostAddress("127.0.0.1", setup.upstreamPort)],
          setup.isUpstreamHttp2 === true ? http2Protocol() : {},
        ),
        ...(collectorPort === undefined
          ? []
          : [cluster("collector", [hostAddress("127.0.0.1", collectorPort)])]),
      ],
    },
  };
}

function listener(setup: EnvoySetup, { port, accessLog }: EnvoyPlaces): object {
  const { routes = [{ prefix: "/" }], accessLogFormat, includePeerCertificate: tls } = setup;
  const manager = typed(`${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`, {
    stat_prefix: "test",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: routes.map(route) }] },
    http_filters: httpFilters(setup),
    max_request_headers_kb: setup.requestHeadersKbMax,
    ...(setup.forwardClientCert && {
      forward_client_cert_details: setup.forwardClientCert,
      set_current_client_cert_details: {
        subject: true,
        uri: true,
        dns: true,
        cert: true,
        chain: true,
      },
    }),
    tracing: setup.collectorPort === undefined ? undefined : tracing(setup.collectorPort),
    access_log: accessLogFormat === undefined ? [] : [fileLog(accessLog, accessLogFormat)],
  });
  const chain = { filters: [{ name: "http", typed_config: manager }] };
  return {
    name: "downstream",
    address: hostAddress("127.0.0.1", port),
    // Another that listens on the port is an error, not a companion.
    enable_reuse_port: false,
    filter_chains: [tls === undefined ? chain : { ...chain, transport_socket: tlsSocket(tls) }],
  };
}

/** Envoy's default is to wait for 512 spans. */
const promptSpans = {
  layers: [{ name: "test", static_layer: { "tracing.opentelemetry.min_flush_spans": 1 } }],
};

/** Every request is traced, unless its client says otherwise. */
function tracing(collectorPort: number): object {
  const uri = `http://127.0.0.1:${collectorPort}/v1/traces`;
  const config = typed("envoy.config.trace.v3.OpenTelemetryConfig", {
    service_name: "envoy",
    http_service: { http_uri: { uri, cluster: "collector", timeout: "2s" } },
  });
  return { provider: { name: "envoy.tracers.opentelemetry", typed_config: config } };
}

function httpFilters(setup: EnvoySetup): readonly object[] {
  const metadata = Object.entries(setup.metadataContextNamespaces ?? {});
  const setMetadata = typed(`${FILTERS}.http.set_metadata.v3.Config`, {
    metadata: metadata.map(([namespace, value]) => ({ metadata_namespace: namespace, value })),
  });
  return [
    ...(metadata.length === 0 ? [] : [{ name: METADATA_FILTER, typed_config: setMetadata }]),
    { name: AUTHZ_FILTER, typed_config: authzFilter(setup) },
    { name: "envoy.filters.http.router", typed_config: typed(`${FILTERS}.http.router.v3.Router`) },
  ];
}

/** A setting that is left out stays out, so that Envoy's own default holds. */
function authzFilter(setup: EnvoySetup): object {
  const { timeoutMs = 2_000, statusOnError, withRequestBody } = setup;
  return typed(`${FILTERS}.http.ext_authz.v3.ExtAuthz`, {
    transport_api_version: "V3",
    grpc_service: {
      envoy_grpc: { cluster_name: "pdp" },
      timeout: `${timeoutMs / 1000}s`,
      retry_policy: retryPolicy(setup.retries, timeoutMs),
    },
    failure_mode_allow: setup.failureModeAllow,
    status_on_error: statusOnError === undefined ? undefined : { code: statusOnError },
    with_request_body:
      withRequestBody === undefined
        ? undefined
        : {
            max_request_bytes: withRequestBody.maxRequestBytes,
            allow_partial_message: withRequestBody.allowPartialMessage,
            pack_as_bytes: withRequestBody.packAsBytes,
          },
    encode_raw_headers: setup.encodeRawHeaders,
    include_peer_certificate: setup.includePeerCertificate === undefined ? undefined : true,
    metadata_context_namespaces: Object.keys(setup.metadataContextNamespaces ?? {}),
    clear_route_cache: setup.clearRouteCache,
  });
}

/** How the cluster of PDPs is watched. */
function careOfPdps({ healthIntervalMs }: EnvoySetup): object {
  // Envoy's default is three at once, over all requests.
  const circuit_breakers = { thresholds: [{ max_retries: 1_024 }] };
  if (healthIntervalMs === undefined) return { circuit_breakers };
  const interval = `${healthIntervalMs / 1000}s`;
  const check = {
    ...{ interval, timeout: "1s", no_traffic_interval: interval },
    ...{ healthy_threshold: 1, unhealthy_threshold: 1 },
    grpc_health_check: { service_name: "envoy.service.auth.v3.Authorization" },
  };
  return { circuit_breakers, health_checks: [check] };
}

/** Envoy takes the longest interval between tries for the time that each of them may take, too. */
function retryPolicy(retries: number | undefined, timeoutMs: number): object | undefined {
  if (retries === undefined) return undefined;
  return {
    retry_on: "connect-failure,refused-stream,reset,unavailable",
    num_retries: retries,
    retry_back_off: { base_interval: "0.01s", max_interval: `${timeoutMs / 1000}s` },
  };
}

function route({ prefix, contextExtensions, disabled, status }: EnvoyRoute): object {
  const perRoute = `${FILTERS}.http.ext_authz.v3.ExtAuthzPerRoute`;
  let config: object | undefined;
  if (disabled === true) config = typed(perRoute, { disabled });
  else if (contextExtensions !== undefined) {
    config = typed(perRoute, { check_settings: { context_extensions: contextExtensions } });
  }
  return {
    name: prefix,
    match: { prefix },
    ...(status === undefined
      ? { route: { cluster: "upstream" } }
      : { direct_response: { status } }),
    typed_per_filter_config: config === undefined ? {} : { [AUTHZ_FILTER]: config },
  };
}

function fileLog(path: string, format: string): object {
  return {
    name: "envoy.access_loggers.file",
    typed_config: typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", {
      path,
      log_format: { text_format_source: { inline_string: `${format}\n` } },
    }),
  };
}

function tlsSocket({ ca, certificate, key }: TlsFiles): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { filename: certificate }, private_key: { filename: key } },
        ],
        validation_context: { trusted_ca: { filename: ca } },
      },
    }),
  };
}

/** HTTP/2, with TLS or without. */
function pdpProtocol({ pdpTls, pdpRequestsPerConnection }: EnvoySetup): object {
  return {
    ...http2Protocol(pdpRequestsPerConnection),
    ...(pdpTls && { transport_socket: upstreamTlsSocket(pdpTls) }),
  };
}

/** With so many requests on each connection at most; any number unless given. */
function http2Protocol(requestsPerConnection?: number): object {
  const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const protocol = typed(name, {
    explicit_http_config: { http2_protocol_options: {} },
    common_http_protocol_options: { max_requests_per_connection: requestsPerConnection },
  });
  return { typed_extension_protocol_options: { [name]: protocol } };
}

function upstreamTlsSocket({ ca, certificate, key }: UpstreamTls): object {
  const own = { certificate_chain: { filename: certificate }, private_key: { filename: key } };
  const localhost = { san_type: "DNS", matcher: { exact: "localhost" } };
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
      sni: "localhost",
      common_tls_context: {
        tls_certificates: certificate === undefined ? [] : [own],
        validation_context: {
          trusted_ca: { filename: ca },
          match_typed_subject_alt_names: [localhost],
        },
      },
    }),
  };
}

function cluster(name: string, addresses: readonly object[], options: object = {}): object {
  const endpoints = addresses.map((address) => ({ endpoint: { address } }));
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
    ...options,
  };
}

function pdpAddress(target: string): object {
  if (target.startsWith("unix:")) return { pipe: { path: target.slice("unix:".length) } };
  const [, name] = /^unix-abstract:(.*)$/.exec(target) ?? [];
  if (name !== undefined) return { pipe: { path: `@${name}` } };
  const authority = target.replace(/^tls:\/\//, "");
  const colon = authority.lastIndexOf(":");
  return hostAddress(authority.slice(0, colon), Number(authority.slice(colon + 1)));
}

function hostAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}

function typed(type: string, fields: object = {}): object {
  return { "@type": `type.googleapis.com/${type}`, ...fields };
}
