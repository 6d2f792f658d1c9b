import { subjects } from "@millrace/core/internal";
import { FAMILIES } from "../lab/addresses.ts";
import { compareSnapshots, type Snapshot } from "../snapshot/snapshot.ts";
import { managedByEbpf, proxyNotes } from "../suite/managed-ebpf.ts";
import { managedByIptables } from "../suite/managed-iptables.ts";
import type { ListManaged, ManagedObject } from "../suite/managed-objects.ts";
import type { Testbed } from "../suite/testbed.ts";

const LISTS: Readonly<Record<string, ListManaged>> = {
  ebpf: async (bed, family) => [...(await managedByEbpf(bed, family)), ...proxyNotes(bed)],
  iptables: managedByIptables,
};

export const BACKENDS: readonly string[] = Object.keys(LISTS);

/** Every kind of object of both families, each once, and the sysctls that differ between the two images. */
export async function catalogue(bed: Testbed, bare: Snapshot, full: Snapshot): Promise<ManagedObject[]> {
  const list = LISTS[bed.options.backend];
  if (list === undefined) throw new RangeError(`the objects of backend ${bed.options.backend} are not listed`);
  const kinds = new Map<string, ManagedObject>();
  for (const family of FAMILIES) {
    for (const object of await list(bed, family)) if (!kinds.has(object.kind)) kinds.set(object.kind, object);
  }
  return [...kinds.values(), ...sysctls(bed, bare, full)];
}

/** What a change of an image says: whose section, which, and the line. */
const CHANGE = /^(\S+): (.+?): [+-] (.*)$/;

function changes(bare: Snapshot, full: Snapshot): { host: string; section: string; line: string }[] {
  return compareSnapshots(bare, full).map((change) => {
    const [, host = "", section = "", line = ""] = CHANGE.exec(change) ?? [];
    return { host, section, line };
  });
}

/** Those that have another value than before. The ones of a device that was made come and go with it. */
function sysctls(bed: Testbed, bare: Snapshot, full: Snapshot): ManagedObject[] {
  const differing = changes(bare, full).filter(({ section }) => section === "sysctls");
  const names = Map.groupBy(differing, ({ host, line }) => `${host} ${line.split(" = ")[0]}`);
  return [...names.values()]
    .filter((lines) => lines.length === 2)
    .map(([first, second]): ManagedObject => {
      const { host = "", line = "" } = first ?? {};
      const [name = "", one = ""] = line.split(" = ");
      const wanted = (full.get(`${host}: sysctls`) ?? []).includes(line) ? one : second?.line.split(" = ")[1];
      const before = wanted === one ? (second?.line.split(" = ")[1] ?? "") : one;
      const { namespace } = [bed.node, ...bed.node.pods].find((each) => each.name === host) ?? bed.node;
      return {
        kind: `the sysctl ${name} of ${host}`,
        subject: subjects.proxies,
        lines: new RegExp(`^${host}: sysctls: ${name.replaceAll(".", "\\.")} =`),
        guarded: true,
        meanwhile: "answers of the proxy may be dropped",
        change: async () => void (await namespace.setSysctls({ [name]: before })),
      };
    });
}

/** What is no object of the kernel's that somebody could take away, and why it is there. */
const APART: readonly { readonly lines: RegExp; readonly because: string }[] = [
  { lines: /: journal: /, because: "files of the agent: what stood there before, for uninstalling" },
  {
    lines: /: pins: millrace(\/v1(\/(proxies|workloads)(\/[^/]+){0,3})?)?\/$/,
    because: "directories, which go with what is in them",
  },
  { lines: /: sets: create millrace-/, because: "a set that rules name cannot be destroyed; its entries are a kind" },
  { lines: /: map settings: |: map proxies: /, because: "arrays: every index is always there" },
];

/** Lines that only a node with everything has and no kind accounts for: an object that nobody strikes. */
export function unaccounted(bare: Snapshot, full: Snapshot, objects: readonly ManagedObject[]): string[] {
  return changes(bare, full)
    .map(({ host, section, line }) => `${host}: ${section}: ${line}`)
    .filter((line) => ![...objects, ...APART].some(({ lines }) => lines.test(line)));
}
