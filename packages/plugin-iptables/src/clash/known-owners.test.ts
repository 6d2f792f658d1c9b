import { expect, test } from "vitest";
import { ownerByName, ownerByPort, ownerByRouting } from "./known-owners.ts";

test.each<[Parameters<typeof ownerByRouting>[0], RegExp | undefined]>([
  [{ priority: 100, mark: 0x200 }, /^Istio ambient of 1\.18/],
  [{ priority: 9, mark: 0xf00, table: 2004 }, /^Cilium$/],
  [{ priority: 1024, mark: 0x80, table: 254 }, /^AWS VPC CNI$/],
  [{ priority: 1536, table: 2 }, /^AWS VPC CNI or Calico$/],
  [{ priority: 30, mark: 0x1745ec, table: 7 }, /^OVN-Kubernetes/],
  [{ priority: 99, mark: 0x100000 }, /^Calico$/],
  [{ priority: 5230, table: 52 }, /^Tailscale$/],
  [{ priority: 30000, mark: 1, table: 9999 }, undefined],
])("%o", (rule, owner) => {
  const found = ownerByRouting(rule);
  if (owner === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(owner);
});

test("names and ports tell owners, and nothing is guessed", () => {
  expect(ownerByName("chains", "KUBE-SERVICES")).toBe("kube-proxy or the kubelet");
  expect(ownerByName("links", "genev_sys_6081")).toBe("OVN-Kubernetes (Open vSwitch) or Antrea (Open vSwitch)");
  expect(ownerByName("sets", "istio-inpod-probes-v4")).toBe("Istio (istio-cni)");
  expect(ownerByName("chains", "MY-CHAIN")).toBeUndefined();
  expect(ownerByPort(6081)).toMatch(/^OVN-Kubernetes .* or Antrea/);
  expect(ownerByPort(12345)).toBeUndefined();
});
