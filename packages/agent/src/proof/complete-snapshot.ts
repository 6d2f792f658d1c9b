import type { SysctlNote } from "@millrace/host";
import type { KernelSnapshot, NamespaceSnapshot } from "./node-snapshot.ts";

/**
 * Adds to a snapshot what the journal knows of interfaces and namespaces that are younger: of every proxy that came later, as all do in time. Once everything is put
 * back the journal knows nothing any more, so it is to be asked before. Whether such an interface had a qdisc the journal does not say.
 */
export function completeSnapshot(
  before: KernelSnapshot,
  now: KernelSnapshot,
  notes: readonly SysctlNote[],
): KernelSnapshot {
  const untouched = before.namespaces.filter(({ inode }) => !notes.some(({ netnsInode }) => netnsInode === inode));
  const touched = now.namespaces.flatMap((namespace) => {
    const own = notes.filter(({ netnsInode }) => netnsInode === namespace.inode);
    const earlier = before.namespaces.find(({ inode }) => inode === namespace.inode);
    if (own.length === 0) return [];
    return [completed(earlier ?? { ...namespace, links: [], sysctls: {} }, namespace, own)];
  });
  const gone = before.namespaces.filter(
    ({ inode }) => !untouched.some((each) => each.inode === inode) && !touched.some((each) => each.inode === inode),
  );
  return { ...before, namespaces: [...untouched, ...touched, ...gone] };
}

function completed(
  before: NamespaceSnapshot,
  { links }: NamespaceSnapshot,
  notes: readonly SysctlNote[],
): NamespaceSnapshot {
  const isNoted = (name: string) => notes.some(({ path }) => path.includes(`/conf/${name}/`));
  const young = links.filter(
    ({ index, name }) => isNoted(name) && !before.links.some((link) => link.index === index && link.name === name),
  );
  const isYoung = (path: string) => young.some(({ name }) => path.includes(`/conf/${name}/`));
  const learnt = notes.filter(({ path }) => isYoung(path) || before.sysctls[path] === undefined);
  return {
    ...before,
    // One of that name may have been there, and gone.
    links: [
      ...before.links.filter(({ name }) => !young.some((link) => link.name === name)),
      ...young.map(({ index, name }) => ({ index, name, clsact: "unknown" as const })),
    ],
    sysctls: { ...before.sysctls, ...Object.fromEntries(learnt.map(({ path, before: value }) => [path, value])) },
  };
}
