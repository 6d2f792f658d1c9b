import { writtenSysctls } from "@millrace/host";
import type { KernelSnapshot, NamespaceSnapshot } from "./node-snapshot.ts";

/** What a comparison says, one phrase each. */
export interface Comparison {
  /** As Millrace does it, to something that was otherwise when the snapshot was taken. */
  readonly left: readonly string[];
  /** As Millrace does it, to something that is younger than the snapshot: others may have done it. */
  readonly unclaimed: readonly string[];
  /** What changed otherwise. */
  readonly others: readonly string[];
}

/**
 * Finds what carries no mark of ours, by how it was before: values of sysctls, and qdiscs that hold nothing any more. Everything else that
 * we make has a mark and is recognised; where it differs it is somebody else's doing. `before` undefined: there is no snapshot of this boot.
 */
export function compareKernel(before: KernelSnapshot | undefined, now: KernelSnapshot): Comparison {
  const parts = now.namespaces.map((namespace) => {
    const earlier = before?.namespaces.find(({ inode }) => inode === namespace.inode);
    return compareNamespace(earlier, namespace, before?.late !== false);
  });
  const gone = (before?.namespaces ?? []).filter(({ inode }) => !now.namespaces.some((each) => each.inode === inode));
  return {
    left: parts.flatMap(({ left }) => left),
    unclaimed: parts.flatMap(({ unclaimed }) => unclaimed),
    others: [
      ...parts.flatMap(({ others }) => others),
      ...gone.map(({ inode }) => `network namespace ${inode} is gone`),
      ...(before ? changes("pin", before.pins, now.pins) : []),
    ],
  };
}

function compareNamespace(before: NamespaceSnapshot | undefined, now: NamespaceSnapshot, late: boolean): Comparison {
  const where = now.isNode ? "node" : `network namespace ${now.inode}`;
  const wasThere = new Set(
    now.links
      .filter(({ index, name }) => before?.links.some((link) => link.index === index && link.name === name))
      .map(({ name }) => name),
  );
  const sysctls = changedSysctls(before, now, wasThere, late);
  const qdiscs = emptyQdiscs(now).map(({ index, name }) => {
    const known = before?.links.find((link) => link.index === index && link.name === name);
    const text = `clsact qdisc of ${name} without a filter (${where})`;
    // A late snapshot cannot tell: the qdisc may have been ours then.
    return {
      isOurs: known?.clsact === "none" && !late,
      isTheirs: known !== undefined && ["empty", "used"].includes(known.clsact) && !late,
      text,
    };
  });
  return {
    left: [
      ...sysctls.filter(({ isOurs }) => isOurs).map(({ text }) => `${text} (${where})`),
      ...qdiscs.filter(({ isOurs }) => isOurs).map(({ text }) => `${text}: it had none`),
    ],
    unclaimed: [
      ...sysctls.filter(({ isOurs }) => !isOurs).map(({ text }) => `${text} (${where})`),
      ...qdiscs.filter(({ isOurs, isTheirs }) => !isOurs && !isTheirs).map(({ text }) => text),
    ],
    others: before === undefined ? [`${where} is new`] : otherChanges(before, now).map((text) => `${text} (${where})`),
  };
}

/** Qdiscs that nobody uses. Where a filter is, whoever it belongs to needs the qdisc. */
const emptyQdiscs = ({ links }: NamespaceSnapshot) => links.filter(({ clsact }) => clsact === "empty");

/** Sysctls that have a value as we write it, and had another one; where nothing is known, another one than new interfaces and namespaces get. */
function changedSysctls(
  before: NamespaceSnapshot | undefined,
  now: NamespaceSnapshot,
  wasThere: ReadonlySet<string>,
  late: boolean,
) {
  const place = now.isNode ? "node" : "pod";
  const ofInterface = (name: string) =>
    writtenSysctls(place, [name]).map((sysctl) => ({ ...sysctl, isThere: wasThere.has(name), like: name }));
  const shared = writtenSysctls(place, ["all", "default"]).map((sysctl) => ({ ...sysctl, isThere: true, like: "" }));
  const ofLinks = now.links.flatMap(({ name }) => ofInterface(name)).filter(({ path }) => path.includes("/conf/"));
  return [...shared, ...ofLinks].flatMap(({ path, isOurs, usual, isThere, like }) => {
    const value = now.sysctls[path];
    const noted = isThere ? before?.sysctls[path] : undefined;
    // What a late snapshot has as we write it may have been ours then.
    const isKnown = noted !== undefined && !(late && noted === value);
    const earlier = isKnown
      ? noted
      : (usual ?? (like === "" ? undefined : now.sysctls[path.replace(`/${like}/`, "/default/")]));
    if (value === undefined || earlier === undefined || earlier === value || !isOurs(value, earlier)) return [];
    const was = isKnown ? `it was ${earlier}` : `new ones have ${earlier}`;
    return [{ isOurs: isKnown, text: `sysctl ${path} is ${value}, ${was}`.replaceAll("\t", " to ") }];
  });
}

function otherChanges(before: NamespaceSnapshot, now: NamespaceSnapshot): string[] {
  const kinds = Object.keys(before.objects) as (keyof NamespaceSnapshot["objects"])[];
  return kinds.flatMap((kind) => changes(kind.replace(/s$/, ""), before.objects[kind], now.objects[kind]));
}

function changes(kind: string, before: readonly string[], now: readonly string[]): string[] {
  const [earlier, later] = [new Set(before), new Set(now)];
  return [
    ...now.filter((line) => !earlier.has(line)).map((line) => `${kind} ${line} is new`),
    ...before.filter((line) => !later.has(line)).map((line) => `${kind} ${line} is gone`),
  ];
}
