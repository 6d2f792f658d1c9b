import type { ReduceConfig } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { parseManifest } from "./parse-manifest.ts";

const config: ReduceConfig = {
  proxy: { labels: { app: "ztunnel" } },
  membership: { namespaceLabel: { key: "istio.io/dataplane-mode", value: "ambient" } },
};

const pod = `apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: "2026-01-02T03:04:05Z"
  labels: { app: ztunnel, pod-template-hash: 5f7 }
  name: ztunnel-x
  namespace: istio-system
  uid: 11111111-2222-3333-4444-555555555555
spec: { nodeName: n1 }
status:
  phase: Running
  podIPs: [{ ip: 198.18.1.10 }, { ip: "2001:2:0:1:0::a" }]
`;

test("reads several documents, lists and JSON", () => {
  const list = JSON.stringify({ kind: "List", items: [{ kind: "Node", metadata: { name: "n1" } }] });
  const text = `# comment\n---\n${pod}---\n---\n${list}\n---\nkind: NamespaceList\nitems:\n- kind: Namespace\n  metadata: { name: shop }\n`;
  const { objects, ignoredKinds } = parseManifest(text, "all.yaml", config);
  expect(objects.map(({ input, line }) => [input.subject, line])).toEqual([
    ["pod/11111111-2222-3333-4444-555555555555", 3],
    ["node", 17],
    ["namespace/shop", 21],
  ]);
  expect(objects[0]?.input.data).toMatchObject({
    labels: { app: "ztunnel" },
    addresses: ["198.18.1.10", "2001:2:0:1::a"],
    createdAt: "2026-01-02T03:04:05.000Z",
  });
  expect(ignoredKinds).toEqual([]);
});

test("passes over kinds that nothing decides on", () => {
  const text = `${pod}---\nkind: Service\nmetadata: { name: s }\n---\nkind: ConfigMap\n`;
  const { objects, ignoredKinds } = parseManifest(text, "f.yaml", config);
  expect(objects).toHaveLength(1);
  expect(ignoredKinds).toEqual(["ConfigMap", "Service"]);
});

test.each([
  ["a syntax error", `${pod}spec: {\n`, "f.yaml:13: "],
  ["a field of the wrong type", pod.replace("nodeName: n1", "nodeName: 7"), "f.yaml:9: Pod ztunnel-x: "],
  ["a missing uid, at its metadata", pod.replace(/ {2}uid: .*\n/, ""), "f.yaml:4: Pod ztunnel-x: "],
  ["the fault in the second document", `${pod}---\nkind: Pod\nmetadata:\n  name: b\n`, "f.yaml:16: Pod b: "],
  ["the fault in an item of a list", "kind: List\nitems:\n- kind: Namespace\n  metadata:\n    name: 3\n", "f.yaml:5: "],
  ["a document that is no object", "hello\n", "f.yaml:1: this is not a Kubernetes object"],
  ["a list without items", "kind: List\n", "f.yaml:1: this List has no `items`"],
  ["an empty file", "", "f.yaml:1: the file holds no object"],
  ["a file of comments", "# nothing\n---\n", "f.yaml:1: the file holds no object"],
])("says where: %s", (_, text, place) => {
  const failure = (() => {
    try {
      return parseManifest(text, "f.yaml", config);
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toMatchObject({ code: "ERR_MANIFEST", message: expect.stringContaining(place) });
});

test("refuses aliases that multiply", () => {
  let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 9; i++)
    text += `a${i}: &a${i} [${Array(10)
      .fill(`*a${i - 1}`)
      .join(", ")}]\n`;
  expect(() => parseManifest(`${text}kind: Pod\n`, "f.yaml", config)).toThrow("Excessive alias count");
});
