import { expect, test } from "vitest";
import { parse } from "yaml";
import { configuration } from "../testing/scenario.ts";
import { reduceNamespace, reduceNode, reducePod } from "./reduce.ts";

const POD = `
apiVersion: v1
kind: Pod
metadata:
  name: web-7d9
  namespace: shop
  uid: 6f1c
  creationTimestamp: 2024-05-01T10:00:00+02:00
  labels: { app: web, version: v1 }
  annotations:
    ambient.istio.io/redirection: disabled
    kubectl.kubernetes.io/last-applied-configuration: "{}"
spec:
  nodeName: n1
  containers: [{ name: web, image: example/web }]
status:
  phase: Running
  podIP: 198.18.1.11
  podIPs: [{ ip: 198.18.1.11 }, { ip: "2001:2:0:1::B" }]
  conditions:
    - { type: Ready, status: "True" }
`;

test("a pod as kubectl prints it is reduced to what decisions use", () => {
  expect(reducePod(parse(POD), configuration)).toEqual({
    type: "pod.observed",
    subject: "pod/6f1c",
    data: {
      uid: "6f1c",
      namespace: "shop",
      name: "web-7d9",
      nodeName: "n1",
      labels: { app: "web" },
      annotations: { "ambient.istio.io/redirection": "disabled" },
      hostNetwork: false,
      phase: "Running",
      ready: true,
      terminating: false,
      addresses: ["198.18.1.11", "2001:2:0:1::b"],
      createdAt: "2024-05-01T08:00:00.000Z",
    },
  });
});

test("a pod that was only just created has no node, no address and is not ready", () => {
  const { data } = reducePod({ metadata: { name: "a", namespace: "b", uid: "c" } }, configuration);
  expect(data).toMatchObject({ nodeName: "", addresses: [], ready: false, phase: "Pending", terminating: false });
  expect(data.createdAt).toBe("1970-01-01T00:00:00.000Z");
});

test.each([
  ["readiness", { status: { conditions: [{ type: "Ready", status: "False" }] } }, { ready: false }],
  ["deletion", { metadata: { deletionTimestamp: "2024-05-01T10:00:00Z" } }, { terminating: true }],
  ["the host's network", { spec: { hostNetwork: true } }, { hostNetwork: true }],
  [
    "an old API server's single address",
    { status: { podIP: "198.18.1.9", podIPs: undefined } },
    { addresses: ["198.18.1.9"] },
  ],
  ["an address not yet assigned", { status: { podIP: "", podIPs: [] } }, { addresses: [] }],
])("%s", (_, changes, expected) => {
  const raw = parse(POD) as Record<string, object>;
  const changed = { ...raw };
  for (const [part, value] of Object.entries(changes)) changed[part] = { ...raw[part], ...value };
  expect(reducePod(changed, configuration).data).toMatchObject(expected);
});

test("a namespace keeps the label that makes members", () => {
  const raw = { metadata: { name: "shop", labels: { "istio.io/dataplane-mode": "ambient", team: "x" } } };
  expect(reduceNamespace(raw, configuration).data).toEqual({
    name: "shop",
    labels: { "istio.io/dataplane-mode": "ambient" },
  });
  expect(reduceNamespace({ metadata: { name: "shop", labels: null } }, configuration).data.labels).toEqual({});
});

test("a node's external address and host name are not addresses of its interfaces", () => {
  const addresses = [
    { type: "InternalIP", address: "198.19.0.1" },
    { type: "InternalIP", address: "2001:2:0:ff::1" },
    { type: "ExternalIP", address: "198.18.9.9" },
    { type: "Hostname", address: "n1" },
  ];
  expect(reduceNode({ metadata: { name: "n1" }, status: { addresses } }).data).toEqual({
    name: "n1",
    addresses: ["198.19.0.1", "2001:2:0:ff::1"],
  });
});

test.each([
  [null, /Pod \(no name\)/],
  [{ metadata: { name: "web", namespace: "shop" } }, /Pod web: .*uid/s],
  [{ kind: "Deployment", metadata: { name: "web", namespace: "shop", uid: "x" } }, /Pod web: .*kind/s],
])("what is no pod is refused by name: %j", (raw, reason) => {
  expect(() => reducePod(raw, configuration)).toThrow(reason);
});
