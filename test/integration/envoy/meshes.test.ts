// The examples for Istio and Envoy Gateway. Neither can run here: their manifests are held against
// their own types and schemas, and a real Envoy runs with what they make of them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { fileText } from "../../support/image-root.ts";
import { gatewaySchemas, istioComplaints, type Manifest } from "../../support/manifest-types.ts";
import { createWorkspace, type Workspace } from "../../support/workspace.ts";
import { describeExample } from "./example.contract.ts";

const manifestsOf = (name: string): Manifest[] =>
  parseAllDocuments(fileText(`examples/envoy/${name}/manifests.yaml`)).map((one) => one.toJS());

/** The first filter of Envoy's ingress whose name begins so, and what is around it. */
function envoyOf(name: string, filter: string) {
  const { listeners, clusters } = parse(
    fileText(`examples/envoy/${name}/envoy.yaml`),
  ).static_resources;
  const manager = listeners[0].filter_chains[0].filters[0].typed_config;
  const found = manager.http_filters.find((one: Manifest) => one["name"].startsWith(filter));
  const [route] = manager.route_config.virtual_hosts[0].routes;
  return { manager, filter: found, authz: found.typed_config, route, cluster: clusters[1] };
}
const AUTHZ = "envoy.filters.http.ext_authz";

describeExample("istio");
describeExample("gateway");

describe("the configuration in a ConfigMap", () => {
  let workspace: Workspace;

  beforeAll(() => {
    workspace = createWorkspace();
    for (const name of ["istio", "gateway"]) {
      const { data } = manifestsOf(name).find(({ kind }) => kind === "ConfigMap")!;
      for (const [file, text] of Object.entries(data)) {
        writeFileSync(join(workspace.folder, `${name}-${file}`), text as string);
      }
    }
  });
  afterAll(() => workspace.remove());

  it.each(["istio", "gateway"])("is right: %s", async (name) => {
    const check = ["config", "check", "--config", `${name}-config.yaml`];
    expect(await workspace.postern(...check)).toMatchObject({ status: 0, stderr: "" });
  });

  it("has subjects that the directory takes: istio", async () => {
    const apply = ["directory", "apply", "--config", "istio-config.yaml", "istio-directory.yaml"];
    expect(await workspace.postern(...apply)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("+ subject spiffe://cluster.local/ns/shop/sa/cart"),
    });
  });
});

describe("examples/envoy/istio", () => {
  const manifests = manifestsOf("istio");
  const { meshConfig } = parse(fileText("examples/envoy/istio/values.yaml"));
  const [provider] = meshConfig.extensionProviders;
  const [configMap, entry, , policy] = manifests;

  it("has manifests that Istio's own types know all of", () => {
    const own = manifests
      .filter(({ apiVersion }) => apiVersion.includes("istio.io/"))
      .map(({ apiVersion, kind, spec }) => ({ apiVersion, kind, spec }));
    const all = [{ kind: "MeshConfig", spec: meshConfig }, ...own];
    expect(all).toHaveLength(4);
    expect(istioComplaints(all)).toEqual(["", "", "", ""]);
  });

  it("has a provider that the policy names, at the entry of the pod's own Postern", () => {
    expect(policy!["spec"].provider).toEqual({ name: provider.name });
    const { service, port } = provider.envoyExtAuthzGrpc;
    expect(service).toBe(`shop/${entry!["spec"].hosts[0]}`);
    expect(entry!["spec"].ports[0].number).toBe(port);
    expect(entry!["spec"].endpoints).toEqual([{ address: "127.0.0.1" }]);
  });

  it("puts a configuration into the pod of deploy/kubernetes.yaml that decides as the one here", () => {
    const [replaced, deployment] = parseAllDocuments(fileText("deploy/kubernetes.yaml")).map(
      (one) => one.toJS(),
    );
    expect(configMap!.metadata.name).toBe(replaced.metadata.name);
    expect(Object.keys(configMap!["data"])).toEqual(Object.keys(replaced.data));
    const { labels } = deployment.spec.template.metadata;
    expect(policy!["spec"].selector.matchLabels).toEqual(labels);
    const [inPod, here] = [
      configMap!["data"]["config.yaml"],
      fileText("examples/envoy/istio/postern.yaml"),
    ].map((text) => parse(text));
    expect(inPod.ext_authz).toEqual(here.ext_authz);
    expect(inPod.pipeline).toEqual(here.pipeline);
  });

  it("keeps the kubelet's probes of Postern out of the mesh", () => {
    const { annotations } = parse(fileText("examples/envoy/istio/deployment.yaml")).spec.template
      .metadata;
    const probed = parseAllDocuments(fileText("deploy/kubernetes.yaml"))[1]!
      .toJS()
      .spec.template.spec.initContainers.flatMap(({ ports = [] }: { ports?: object[] }) => ports)
      .map(({ containerPort }: { containerPort: number }) => String(containerPort));
    expect(annotations["traffic.sidecar.istio.io/excludeInboundPorts"]).toBe(probed.join());
  });

  it("tells Envoy what Istio would", () => {
    const { authz, cluster } = envoyOf("istio", AUTHZ);
    const { timeout, failOpen, includeRequestBodyInCheck: body, port } = provider.envoyExtAuthzGrpc;
    expect(authz.grpc_service.timeout).toBe(timeout);
    expect(authz.failure_mode_allow).toBe(failOpen);
    expect(provider.envoyExtAuthzGrpc.statusOnError).toBe("503");
    expect(authz.status_on_error).toEqual({ code: "ServiceUnavailable" });
    expect(authz.with_request_body).toEqual({
      max_request_bytes: body.maxRequestBytes,
      allow_partial_message: body.allowPartialMessage,
      pack_as_bytes: body.packAsBytes,
    });
    expect(cluster.name).toBe(`outbound|${port}||${entry!["spec"].hosts[0]}`);
    expect(authz.grpc_service.envoy_grpc.cluster_name).toBe(cluster.name);
  });
});

describe("examples/envoy/gateway", () => {
  const manifests = manifestsOf("gateway");
  const one = (kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind)!;
  const { extAuth } = one("SecurityPolicy")["spec"];
  let complaints: (manifest: Manifest) => unknown[];

  beforeAll(() => {
    complaints = gatewaySchemas();
  });

  it.each(
    manifests
      .filter(({ kind }) => kind !== "ConfigMap")
      .map((manifest) => [manifest.kind, manifest]),
  )("has a manifest that the schemas know all of: %s", (_, manifest) => {
    expect(complaints(manifest as Manifest)).toEqual([]);
  });

  it("is checked by schemas that know mistakes", () => {
    const policy = one("SecurityPolicy");
    const failed = { ...extAuth, failOpen: "no" };
    expect(complaints({ ...policy, spec: { ...policy["spec"], extAuth: failed } })).not.toEqual([]);
    const unknown = { ...extAuth, failClosed: true };
    expect(complaints({ ...policy, spec: { ...policy["spec"], extAuth: unknown } })).not.toEqual(
      [],
    );
  });

  it("has names that agree from one manifest to the other", () => {
    const { kubernetes } = one("EnvoyProxy")["spec"].provider;
    const { container, pod, initContainers } = kubernetes.envoyDeployment;
    const volumes = pod.volumes.map(({ name }: Manifest) => name);
    const [postern] = initContainers;
    expect(postern.volumeMounts.map(({ name }: Manifest) => name)).toEqual(volumes);
    expect(postern.volumeMounts).toContainEqual(container.volumeMounts[0]);
    const config = parse(one("ConfigMap")["data"]["config.yaml"]);
    const [{ unix }] = one("Backend")["spec"].endpoints;
    expect(config.grpc.listen).toEqual([`unix:${unix.path}`]);
    expect(unix.path.startsWith(`${container.volumeMounts[0].mountPath}/`)).toBe(true);
    expect(extAuth.grpc.backendRefs[0].name).toBe(one("Backend").metadata.name);
    expect(one("GatewayClass")["spec"].parametersRef.name).toBe(one("EnvoyProxy").metadata.name);
    expect(one("SecurityPolicy")["spec"].targetRefs[0].name).toBe(one("Gateway").metadata.name);
  });

  it("tells Envoy what Envoy Gateway would", () => {
    const { manager, filter, authz, route, cluster } = envoyOf("gateway", AUTHZ);
    expect(filter.disabled).toBe(true);
    expect(extAuth.timeout).toBe("500ms");
    expect(authz.grpc_service.timeout).toBe("0.5s");
    expect(extAuth.failOpen).toBe(false);
    expect(authz.failure_mode_allow).toBe(undefined);
    expect(extAuth.statusOnError).toBe(503);
    expect(authz.status_on_error).toEqual({ code: "ServiceUnavailable" });
    const { maxRequestBytes } = extAuth.bodyToExtAuth;
    expect(authz.with_request_body).toEqual({ max_request_bytes: maxRequestBytes });
    const { check_settings: settings } = route.typed_per_filter_config[filter.name];
    const extensions = extAuth.contextExtensions.map(({ name, value }: Manifest) => [name, value]);
    expect(settings.context_extensions).toEqual(Object.fromEntries(extensions));
    const { grpc } = extAuth.grpc.backendSettings.healthCheck.active;
    expect(cluster.health_checks[0].grpc_health_check.service_name).toBe(grpc.service);
    expect(one("ClientTrafficPolicy")["spec"].path.escapedSlashesAction).toBe("RejectRequest");
    expect(manager.path_with_escaped_slashes_action).toBe("REJECT_REQUEST");
  });
});
