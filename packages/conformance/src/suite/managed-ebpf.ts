import { existsSync, readdirSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { subjects } from "@millrace/core/internal";
import { BpfLink, BpfMap } from "libbpf-ts";
import { LabError } from "../errors.ts";
import type { Namespace } from "../lab/namespace.ts";
import { ForeignProgram } from "./foreign-program.ts";
import { memberEntries, nodeEntries, proxyEntries } from "./managed-ebpf-maps.ts";
import type { ListManaged, ManagedObject } from "./managed-objects.ts";
import type { Testbed } from "./testbed.ts";

const PINS = "millrace/v1";

/** The ebpf backend's objects: hooks at the member and at the proxy, map entries, pins, and what is in the proxy's namespace. */
export const managedByEbpf: ListManaged = async (bed, family) => [
  ...memberHooks(bed),
  ...memberPins(bed),
  ...memberEntries(bed, mapsOf(bed), family),
  ...nodeEntries(bed, mapsOf(bed), family),
  ...proxyEntries(bed, mapsOf(bed), family),
  ...sharedPins(bed),
  ...proxyHooks(bed),
  ...proxyPins(bed),
  ...proxyRouting(bed, family),
  ...(await dnsRules(bed)),
];

const pinned = (bed: Testbed, ...path: string[]): string => join(bed.node.paths.bpffs, PINS, ...path);

/** Opens a shared map, for one use. */
const mapsOf =
  (bed: Testbed) =>
  (name: string): BpfMap =>
    BpfMap.openPinned(pinned(bed, "maps", name));

function memberHooks(bed: Testbed): ManagedObject[] {
  const { hostInterface, uid } = bed.m1;
  return (["ingress", "egress"] as const).map((direction) => {
    const pin = linksBelow(pinned(bed, "workloads", uid)).find((path) => path.endsWith(`/${direction}`));
    return {
      kind: `the member's ${direction} hook`,
      subject: subjects.workload(uid),
      lines: new RegExp(`: ((bpf|tc filters): \\S+ ${direction} |qdiscs: qdisc clsact )`),
      guarded: false,
      meanwhile: `what goes ${direction === "ingress" ? "out of" : "into"} this member is not captured until the next comparison with the kernel`,
      ...hookStrikes(bed.node.namespace, hostInterface, direction, pin),
    };
  });
}

/** Takes our program off, or puts another in its place: by its tcx link, which stays pinned, or as the filter. */
function hookStrikes(
  namespace: Namespace,
  device: string,
  direction: "ingress" | "egress",
  pin: string | undefined,
): Pick<ManagedObject, "remove" | "change"> {
  return {
    remove: async () => {
      if (pin !== undefined) detach(pin);
      else await namespace.runChecked("tc", ["filter", "del", "dev", device, direction]);
    },
    change: async () => {
      using foreign = new ForeignProgram("foreign_unspec");
      if (pin !== undefined) foreign.replaceTcx(pin);
      else foreign.replaceClsact(namespace, device, direction);
    },
  };
}

function memberPins(bed: Testbed): ManagedObject[] {
  const { uid } = bed.m1;
  const directory = pinned(bed, "workloads", uid);
  const guarded = { subject: subjects.workload(uid), guarded: false, meanwhile: "this member is not captured" };
  const link = linksBelow(directory).find((path) => path.endsWith("/ingress"));
  const remove = async (path: string) => rmSync(path, { recursive: true });
  return [
    ...(link === undefined
      ? []
      : [
          {
            ...guarded,
            kind: "the pin of a member's link",
            lines: /: pins: \S+\/workloads\/[^/]+\/\d+\/(ingress|egress)$/,
            remove: () => remove(link),
          },
        ]),
    {
      ...guarded,
      kind: "the member's directory of pins",
      lines: /: pins: \S+\/workloads\//,
      remove: () => remove(directory),
    },
  ];
}

const SHARED = { subject: subjects.proxies, guarded: true } as const;

function sharedPins(bed: Testbed): ManagedObject[] {
  return (["maps", "programs"] as const).map((what) => ({
    ...SHARED,
    kind: `the pins of the shared ${what}`,
    lines: new RegExp(`: pins: ${PINS}/${what}/`),
    meanwhile: "the programs go on with them; who starts next would make others",
    remove: async () => {
      for (const name of readdirSync(pinned(bed, what))) unlinkSync(pinned(bed, what, name));
    },
  }));
}

function proxyHooks(bed: Testbed): ManagedObject[] {
  const links = linksBelow(pinned(bed, "proxies"));
  const pin = (end: string) => links.find((path) => path.endsWith(end));
  const lookup = pin("/links/lookup");
  if (lookup === undefined) throw new LabError("ERR_EXPECTATION", "the ebpf backend has no proxy with a lookup link");
  const { z, node } = bed;
  return [
    {
      ...SHARED,
      kind: "the proxy's lookup link",
      lines: /: pins: \S+\/links\/lookup$/,
      meanwhile: "what is redirected is dropped at the proxy",
      remove: async () => detach(lookup),
    },
    {
      ...SHARED,
      kind: "the proxy's inner hook",
      lines: /: (bpf|tc filters|qdiscs): .*\beth0\b/,
      meanwhile: "the lookup link finds the proxy's sockets all the same",
      ...hookStrikes(z.namespace, "eth0", "ingress", pin("/links/inner/ingress")),
    },
    {
      ...SHARED,
      kind: "the proxy's outer hook",
      lines: new RegExp(`: (bpf|tc filters|qdiscs): .*\\b${z.hostInterface}\\b`),
      meanwhile: "what the proxy sends back is lost",
      ...hookStrikes(node.namespace, z.hostInterface, "ingress", pin("/links/host/ingress")),
    },
  ];
}

function proxyPins(bed: Testbed): ManagedObject[] {
  return inSlot(bed)
    .filter(({ isNote }) => !isNote)
    .map(({ name, path, lines }) => ({
      ...SHARED,
      kind: `the proxy's pin ${name}`,
      lines,
      meanwhile: "the programs go on; who starts next finds less of the proxy",
      remove: async () => unlinkSync(path),
    }));
}

/** Notes that say whom a proxy's slot is for and what was written there: symbolic links. */
export function proxyNotes(bed: Testbed): ManagedObject[] {
  return inSlot(bed)
    .filter(({ isNote }) => isNote)
    .map(({ name, path, lines }) => ({
      ...SHARED,
      kind: `the proxy's note ${name}`,
      lines,
      meanwhile: "the programs go on; who starts next finds less of the proxy",
      remove: async () => unlinkSync(path),
      change: async () => {
        unlinkSync(path);
        symlinkSync("changed", path);
      },
    }));
}

interface Entry {
  /** Below the slot's directory. */
  readonly name: string;
  readonly path: string;
  readonly isNote: boolean;
  readonly lines: RegExp;
}

/** What the directory of the proxy's slot holds. */
function inSlot(bed: Testbed): Entry[] {
  const slots = pinned(bed, "proxies");
  const [slot] = readdirSync(slots);
  if (slot === undefined) throw new LabError("ERR_EXPECTATION", "the ebpf backend has no proxy");
  return readdirSync(join(slots, slot), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(join(slots, slot), path);
      const lines = new RegExp(`: (pins|notes): ${PINS}/proxies/(${slot}/([a-z]+/)*)?(${name}\\b.*)?$`);
      return { name, path, isNote: entry.isSymbolicLink(), lines };
    });
}

function proxyRouting(bed: Testbed, family: 4 | 6): ManagedObject[] {
  const meanwhile = "redirected packets are not local to the proxy, which drops them";
  const ip = async (...args: string[]) => void (await bed.z.namespace.runChecked("ip", [`-${family}`, ...args]));
  const lines = new RegExp(`: routes and rules v${family}: `);
  return [
    {
      ...SHARED,
      kind: `the IPv${family} rule in the proxy's namespace`,
      lines,
      meanwhile,
      remove: () => ip("rule", "del", "priority", "20000"),
      change: async () => {
        await ip("rule", "add", "priority", "20000", "iif", "eth0", "lookup", "15999", "protocol", "77");
        await ip("rule", "del", "priority", "20000", "lookup", "15001");
      },
    },
    {
      ...SHARED,
      kind: `the IPv${family} route in the proxy's namespace`,
      lines,
      meanwhile,
      remove: () => ip("route", "flush", "table", "15001"),
      change: async () => {
        await ip("route", "flush", "table", "15001");
        await ip("route", "add", "unreachable", "default", "table", "15001", "protocol", "77");
      },
    },
  ];
}

/** Only once a member's DNS is captured. */
async function dnsRules({ z }: Testbed): Promise<ManagedObject[]> {
  const table = "inet millrace_dns";
  if (!(await z.namespace.runChecked("nft", ["list", "tables"])).includes(table)) return [];
  return [
    {
      ...SHARED,
      kind: "the DNS rules in the proxy's namespace",
      lines: /: nftables: /,
      meanwhile: "questions to nameservers are dropped at the proxy",
      remove: async () => void (await z.namespace.nft(`delete table ${table}\n`)),
      change: async () => void (await z.namespace.nft(`flush chain ${table} questions\n`)),
    },
  ];
}

function detach(path: string): void {
  using link = BpfLink.openPinned(path);
  link.detach();
}

/** Pinned links below a directory; none when it is not there. */
function linksBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(ingress|egress|lookup)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
