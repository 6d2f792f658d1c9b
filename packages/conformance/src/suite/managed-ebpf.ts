import { readdirSync } from "node:fs";
import { join } from "node:path";
import { BpfLink, BpfMap } from "libbpf-ts";
import { LabError } from "../errors.ts";
import type { ListManaged, ManagedObject } from "./managed-objects.ts";
import type { Testbed } from "./testbed.ts";

const PINS = "millrace/v1";

/** The ebpf backend's objects: hooks at the member and at the proxy, map entries, and the proxy's routing. */
export const managedByEbpf: ListManaged = async (bed, family) => [
  ...memberHooks(bed),
  ...mapEntries(bed),
  ...proxyHooks(bed),
  ...proxyRouting(bed, family),
];

const pinned = (bed: Testbed, ...path: string[]): string => join(bed.node.paths.bpffs, PINS, ...path);

function memberHooks(bed: Testbed): ManagedObject[] {
  return (["ingress", "egress"] as const).map((direction) => ({
    kind: `the member's ${direction} hook`,
    guarded: false,
    meanwhile: `what goes ${direction === "ingress" ? "out of" : "into"} this member is not captured until the next comparison with the kernel`,
    remove: () => unhook(bed, bed.m1.hostInterface, direction, bed.node.namespace),
  }));
}

/** Takes our program off: detaches its tcx link, which stays pinned, or deletes the filter. */
async function unhook(
  bed: Testbed,
  device: string,
  direction: "ingress" | "egress",
  namespace: Testbed["node"]["namespace"],
): Promise<void> {
  for (const path of linksBelow(pinned(bed, "workloads", bed.m1.uid))) {
    if (!path.endsWith(`/${direction}`)) continue;
    detach(path);
    return;
  }
  await namespace.runChecked("tc", ["filter", "del", "dev", device, direction]);
}

function mapEntries(bed: Testbed): ManagedObject[] {
  const kinds = [
    { map: "members", guarded: true, meanwhile: "connections between members and with the node may fail" },
    { map: "workloads", guarded: true, meanwhile: "new connections are captured all the same" },
    { map: "addresses", guarded: true, meanwhile: "connections to the proxy's own and the node's addresses may fail" },
  ];
  return kinds.map(({ map: name, ...rest }) => ({
    kind: `all entries of the map ${name}`,
    ...rest,
    remove: async () => {
      using map = BpfMap.openPinned(pinned(bed, "maps", name));
      for (const key of [...map.keys()]) map.delete(key);
    },
  }));
}

function proxyHooks(bed: Testbed): ManagedObject[] {
  const links = linksBelow(pinned(bed, "proxies"));
  const lookup = links.find((path) => path.endsWith("/links/lookup"));
  if (lookup === undefined) throw new LabError("ERR_EXPECTATION", "the ebpf backend has no proxy with a lookup link");
  const closed = "what is redirected is dropped at the proxy";
  const hook = (kind: string, end: string, meanwhile: string, filter: () => Promise<unknown>): ManagedObject => ({
    kind,
    guarded: true,
    meanwhile,
    remove: async () => {
      const path = links.find((candidate) => candidate.endsWith(end));
      if (path === undefined) await filter();
      else detach(path);
    },
  });
  const { z, node } = bed;
  const tc = (device: string) => ["filter", "del", "dev", device, "ingress"];
  return [
    { kind: "the proxy's lookup link", guarded: true, meanwhile: closed, remove: async () => detach(lookup) },
    hook(
      "the proxy's inner hook",
      "/links/inner/ingress",
      "the lookup link finds the proxy's sockets all the same",
      () => z.namespace.runChecked("tc", tc("eth0")),
    ),
    hook("the proxy's outer hook", "/links/host/ingress", "what the proxy sends back is lost", () =>
      node.namespace.runChecked("tc", tc(z.hostInterface)),
    ),
  ];
}

function proxyRouting(bed: Testbed, family: 4 | 6): ManagedObject[] {
  const closed = "redirected packets are not local to the proxy, which drops them";
  const ip = (...args: string[]) => bed.z.namespace.runChecked("ip", [`-${family}`, ...args]);
  return [
    {
      kind: "the rule in the proxy's namespace",
      guarded: true,
      meanwhile: closed,
      remove: async () => void (await ip("rule", "del", "priority", "20000")),
    },
    {
      kind: "the route in the proxy's namespace",
      guarded: true,
      meanwhile: closed,
      remove: async () => void (await ip("route", "flush", "table", "15001")),
    },
  ];
}

function detach(path: string): void {
  using link = BpfLink.openPinned(path);
  link.detach();
}

/** Pinned links below a directory; none when it is not there. */
function linksBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(ingress|egress|lookup)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
