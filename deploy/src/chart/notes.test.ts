import { expect, test } from "vitest";
import { helm } from "./helm.ts";
import { CHART, NAMESPACE } from "./places.ts";

/** What Helm prints after an installation; the client's dry run asks no cluster. */
function notes(...set: readonly string[]): string {
  const values = set.flatMap((value) => ["--set", value]);
  const output = helm("install", "millrace", CHART, "--namespace", NAMESPACE, "--dry-run=client", ...values);
  return output.slice(output.indexOf("NOTES:"));
}

test("they say where members' connections go, and what happens until there is a node proxy", () => {
  expect(notes()).toContain("with app=ztunnel in namespace istio-system.\nUntil there is one, new ones are dropped");
  expect(notes("config.failurePolicy=open", "config.proxy.labels.app=mine")).toMatch(/app=mine .*\n.*pass unproxied/);
  expect(notes("nodeProxy.enabled=true")).toContain("HAProxy is the node proxy (millrace-node-proxy)");
});

test("they name the label that this cluster makes members by", () => {
  expect(notes()).toContain("kubectl label namespace NAME istio.io/dataplane-mode=ambient");
  expect(notes("config.membership.namespaceLabel.value=mesh")).toContain("istio.io/dataplane-mode=mesh");
});

test("they warn where nothing narrows the agents' account", () => {
  expect(notes()).not.toContain("WARNING");
  expect(notes("admissionPolicy.enabled=false")).toContain("WARNING: admissionPolicy.enabled is false");
});
