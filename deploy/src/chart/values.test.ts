import { join } from "node:path";
import { expect, test } from "vitest";
import { yamlFile } from "../testing/objects.test.kit.ts";
import { type HelmError, helm } from "./helm.ts";
import { CHART, PROFILES, profileFile } from "./places.ts";
import { renderText } from "./render.ts";
import { valuesSchema } from "./values.ts";

test("values.yaml has every value of the schema, and no other", () => {
  expect(() => valuesSchema.parse(yamlFile(join(CHART, "values.yaml")))).not.toThrow();
});

test("there is a profile for every platform of the documentation", () => {
  expect(PROFILES).toEqual(["aks", "eks", "gke", "k3s", "kind", "microk8s", "minikube", "openshift"]);
});

test.each([undefined, ...PROFILES])("helm lint finds nothing in profile %s", (profile) => {
  const values = profile === undefined ? [] : ["--values", profileFile(profile)];
  expect(helm("lint", CHART, "--strict", ...values)).toContain("1 chart(s) linted, 0 chart(s) failed");
});

/** Values that are refused, and a piece of what is said. */
const refused: readonly (readonly [Record<string, unknown>, RegExp])[] = [
  [{ redirectMode: "eBPF" }, /redirectMode.*'auto', 'ebpf', 'iptables'/s],
  [{ redirectMode: "ebfp" }, /redirectMode/],
  [{ redirectMode: null }, /missing property 'redirectMode'/],
  [{ "cni.ambient.redirectMode": "sidecar" }, /redirectMode.*'auto', 'ebpf', 'iptables'/s],
  [
    { redirectMode: "ebpf", "cni.ambient.redirectMode": "iptables" },
    /redirectMode is "ebpf" and cni.ambient.redirectMode is "iptables", but they are two names of one setting/,
  ],
  [{ redirectmode: "ebpf" }, /additional properties 'redirectmode' not allowed/],
  [{ "cni.cniBindir": "/opt/cni/bin" }, /additional properties 'cniBindir' not allowed/],
  [{ "cni.cniBinDir": "opt/cni/bin" }, /cniBinDir/],
  [{ "cni.cniBinDir": "/opt/../etc:x" }, /cniBinDir/],
  [{ "cni.cniBinDir": "/opt/../etc" }, /cniBinDir/],
  [{ "cni.cniConfDir": "/etc/.." }, /cniConfDir/],
  [{ "cni.ambient.enabled": false }, /ambient\/enabled/],
  [{ "config.failurePolicy": "shut" }, /failurePolicy.*'closed', 'open'/s],
  [{ "config.membership.namespaceLabel.kye": "x" }, /additional properties 'kye' not allowed/],
  [{ "config.paths.bpffs": "/bpf" }, /additional properties 'paths' not allowed/],
  [{ "config.redirectMode": "ebpf" }, /additional properties 'redirectMode' not allowed/],
  [{ "config.eventLog.path": "/x" }, /additional properties 'path' not allowed/],
  [{ "config.kubernetes.enabled": false }, /additional properties 'enabled' not allowed/],
  [{ "config.membership.excludeNamespaces": ["x"] }, /additional properties 'excludeNamespaces' not allowed/],
  [{ "config.plugins": [], redirectMode: "mine" }, /redirectMode/],
  [{ "nodeProxy.enabled": true, "config.dnsCapture": true }, /15053 of the node proxy, where HAProxy does not answer/],
  [{ "nodeProxy.enabled": true, "config.proxy.namespace": "x" }, /config.proxy names another one/],
  [{ "image.digest": "sha256:1234" }, /digest/],
  [{ "image.repository": "registry.example:5000/millrace:0.1.0" }, /repository/],
  [{ "image.repository": "millrace@sha256:1234" }, /repository/],
  [{ "nodeProxy.image.tag": "" }, /tag/],
  [
    { maxOldSpaceMiB: 512 },
    /maxOldSpaceMiB is 512, and resources.limits.memory \(512Mi\) has no room for more than that/,
  ],
  [{ "resources.limits.memory": "128Mi" }, /maxOldSpaceMiB is 256/],
  [{ "resources.limits.memory": "1Gi", maxOldSpaceMiB: 2000 }, /maxOldSpaceMiB is 2000/],
  [{ httpPort: 70_000 }, /httpPort/],
  [{ "config.http.port": 8080 }, /additional properties 'http' not allowed/],
  [{ maxUnavailable: 0 }, /maxUnavailable/],
];

test.each(refused)("%j is refused", (values, message) => {
  expect(() => renderText({ values })).toThrow(
    expect.objectContaining({
      code: "ERR_HELM_REFUSED" satisfies HelmError["code"],
      message: expect.stringMatching(message),
    }),
  );
});

/** Values that are taken as they are. */
const taken: readonly Record<string, unknown>[] = [
  { "cni.cniBinDir": "/var/lib/.data/a..b/cni-1.0_x/" },
  { "image.repository": "registry.example:5000/mesh/millrace" },
  { "resources.limits": {} },
  { "resources.limits.memory": "1Gi", maxOldSpaceMiB: 700 },
];

test.each(taken)("%j is taken", (values) => {
  expect(() => renderText({ values })).not.toThrow();
});

test("a Kubernetes whose tokens name no node is refused", () => {
  expect(() => renderText({ kubeVersion: "1.29.9" })).toThrow(/1\.29\.9/);
});
