import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Configuration, loadConfiguration } from "@millrace/core/internal";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { only } from "../testing/objects.test.kit.ts";
import { NAMESPACE, PROFILES } from "./places.ts";
import { type Rendering, render } from "./render.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-deploy-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** The configuration as an agent has it: the file of the ConfigMap, and the environment of the DaemonSet. */
function configuration(rendering: Rendering): Configuration {
  const objects = render(rendering);
  const { data } = z
    .looseObject({ data: z.record(z.string(), z.string()) })
    .parse(only(objects, "ConfigMap", "millrace-agent"));
  const file = join(directory, "config.yaml");
  writeFileSync(file, data["config.yaml"] ?? "");
  return loadConfiguration({ file, environment: { MILLRACE_NODE_NAME: "node-1" } });
}

test.each([undefined, ...PROFILES])("the agent takes what profile %s gives it", (profile) => {
  const loaded = configuration({ profile });
  expect(loaded).toMatchObject({
    node: { name: "node-1" },
    kubernetes: { enabled: true, daemonSet: `${NAMESPACE}/millrace-agent` },
    manifests: { enabled: false },
    http: { enabled: true, port: 15090 },
    install: { enabled: true, agentNamespace: NAMESPACE, agentPodNamePrefix: "millrace-agent-" },
  });
  expect(loaded.http.address).toBeUndefined(); // the kubelet asks at an address of the node
  expect(loaded.kubernetes.startupTaint).toBeUndefined();
  // CRI-O ends pods by the plugin.
  expect(loaded.install.keepPlugin).toBe(profile === "openshift");
  expect(loaded.membership.excludeNamespaces).toContain(NAMESPACE);
});

test("the startup taint is the agent's to take off where the chart says so", () => {
  const values = { "startupTaint.enabled": true, "startupTaint.key": "mesh.example/wait" };
  expect(configuration({ values }).kubernetes.startupTaint).toBe("mesh.example/wait");
});

test("the mode has two names", () => {
  expect(configuration({}).redirectMode).toBe("auto");
  expect(configuration({ values: { redirectMode: "ebpf" } }).redirectMode).toBe("ebpf");
  expect(configuration({ values: { "cni.ambient.redirectMode": "iptables" } }).redirectMode).toBe("iptables");
  const both = { redirectMode: "iptables", "cni.ambient.redirectMode": "iptables" };
  expect(configuration({ values: both }).redirectMode).toBe("iptables");
});

test("a further plugin may be the backend", () => {
  const values = { redirectMode: "mine", "config.plugins": ["/plugins/mine.js"] };
  expect(configuration({ values })).toMatchObject({ redirectMode: "mine", plugins: ["/plugins/mine.js"] });
});

test("further settings are handed on, beside those that the chart makes", () => {
  const values = {
    "config.failurePolicy": "open",
    "config.backends": { ebpf: { attach: "clsact" } },
    "config.membership": { namespaceLabel: { value: "mesh" } },
    "config.kubernetes": { watch: { silenceSeconds: 45 } },
    "cni.excludeNamespaces": ["b", "a"],
    "cni.ownConfig": true,
    "cni.ambient.configDir": "/etc/other/",
  };
  expect(configuration({ values, namespace: "mesh-system" })).toMatchObject({
    failurePolicy: "open",
    backends: { ebpf: { attach: "clsact" } },
    membership: { namespaceLabel: { value: "mesh" }, excludeNamespaces: ["a", "b", "mesh-system"] },
    kubernetes: { enabled: true, watch: { silenceSeconds: 45 } },
    install: { ownConfig: true, agentNamespace: "mesh-system" },
    paths: { ambientConfig: "/etc/other/config.json" },
  });
});

test("the chart's HAProxy becomes the node proxy, found by the labels that its pods have", () => {
  const rendering = { values: { "nodeProxy.enabled": true } };
  const { proxy } = configuration(rendering);
  expect(proxy.namespace).toBe(NAMESPACE);
  const template = z
    .looseObject({
      spec: z.looseObject({
        template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) }),
      }),
    })
    .parse(only(render(rendering), "DaemonSet", "millrace-node-proxy")).spec.template;
  expect(template.metadata.labels).toMatchObject(proxy.labels);
  const agent = only(render(rendering), "DaemonSet", "millrace-agent");
  expect(agent.metadata.labels).not.toMatchObject(proxy.labels);
});

test("the directories of CNI are those of the platform", () => {
  expect(Object.fromEntries(PROFILES.map((profile) => [profile, directories({ profile })]))).toEqual({
    aks: ["/opt/cni/bin", "/etc/cni/net.d", false],
    eks: ["/opt/cni/bin", "/etc/cni/net.d", false],
    gke: ["/home/kubernetes/bin", "/etc/cni/net.d", false],
    k3s: ["/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/etc/cni/net.d", false],
    kind: ["/opt/cni/bin", "/etc/cni/net.d", false],
    microk8s: ["/var/snap/microk8s/current/opt/cni/bin", "/var/snap/microk8s/current/args/cni-network", false],
    minikube: ["/opt/cni/bin", "/etc/cni/net.d", false],
    openshift: ["/var/lib/cni/bin", "/etc/kubernetes/cni/net.d", true],
  });
});

function directories(rendering: Rendering): unknown[] {
  const { install } = configuration(rendering);
  return [install.cniBinDir, install.cniConfDir, install.ownConfig];
}
