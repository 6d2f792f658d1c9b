import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { Host, NamespacePlace, Trace } from "@millrace/core";
import { errorCode } from "@millrace/core/internal";
import { nftTableTraces } from "@millrace/host";
import { BpfLink, BpfProgram, probeTcx, programIds, querySkLookup, queryTcx } from "libbpf-ts";
import { links, tcFilters } from "linux-ts";
import type { EbpfConfig } from "./config.ts";
import { DNS_TABLE } from "./dns-rules.ts";
import { ourProgram } from "./our-programs.ts";
import { isBpffs, Pins } from "./pins.ts";
import { shadowPins } from "./shadow/shadow-pins.ts";

const DIRECTIONS = ["ingress", "egress"] as const;

/**
 * Everything of this backend that the kernel has, told by names alone: nothing is taken from the pins' directories, which may be lost.
 * Routing in proxies' namespaces is not among it: `@millrace/host` makes and tells that.
 */
export function traces(
  { config, host }: { readonly config: EbpfConfig; readonly host: Host },
  namespaces: readonly NamespacePlace[],
): Trace[] {
  const seen = new Set<number>();
  if (!hasBpf()) return [];
  const found = [...namespaces.flatMap((place) => inNamespace(place, seen)), ...pinned(host.bpffs, config, seen)];
  return [...found, ...loadedElsewhere(seen)];
}

/** A kernel without bpf(2) has nothing of this backend. One that refuses it may have, and that is an error. */
function hasBpf(): boolean {
  try {
    programIds();
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOSYS") return false;
    throw error;
  }
}

/** What a program of ours is attached by; `seen` gathers the ids of the programs. */
function inNamespace({ fd, name: where }: NamespacePlace, seen: Set<number>): Trace[] {
  const hasTcx = probeTcx().available;
  const trace = (kind: string, at: string, id: number | undefined): Trace[] => {
    const program = id === undefined ? undefined : ourProgram(id);
    if (id === undefined || program === undefined) return [];
    seen.add(id);
    return [{ kind, where, what: at, mark: `program ${program}` }];
  };
  const attached = links(fd).flatMap((link) =>
    DIRECTIONS.flatMap((direction) => {
      const place = { ...(fd === undefined ? {} : { netns: fd }), ifindex: link.index, direction };
      const at = `${link.name} ${direction}`;
      return unlessGone(() => [
        ...(hasTcx ? queryTcx(place).programs : []).flatMap(({ programId }) => trace("tcx link", at, programId)),
        ...tcFilters(place).flatMap(({ programId, priority, handle }) =>
          trace("clsact filter", `${at} priority ${priority} handle 0x${handle.toString(16)}`, programId),
        ),
      ]);
    }),
  );
  return [
    ...attached,
    ...(fd === undefined ? [] : lookups(fd)).flatMap((id) => trace("sk_lookup link", `id ${id}`, id)),
    ...nftTableTraces({ fd, name: where }, DNS_TABLE),
  ];
}

/** Kernels before 5.9 have none, and do not know the question. */
function lookups(netns: number): number[] {
  try {
    return querySkLookup({ netns });
  } catch (error) {
    if (errorCode(error) === "EINVAL") return [];
    throw error;
  }
}

/** An interface that went away meanwhile has nothing left on it. */
function unlessGone<T>(list: () => T[]): T[] {
  try {
    return list();
  } catch (error) {
    if (["ENODEV", "ENOENT"].includes(errorCode(error))) return [];
    throw error;
  }
}

/** Our directory, and programs and links of ours that are pinned anywhere else. */
function pinned(bpffs: string, { pins }: EbpfConfig, seen: Set<number>): Trace[] {
  if (!isBpffs(bpffs)) return [];
  const bases = [new Pins(bpffs, pins).base, shadowPins(bpffs, { pins }).base];
  const entries = readdirSync(bpffs, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry): Trace[] => {
    const path = join(entry.parentPath, entry.name);
    const what = relative(bpffs, path);
    if (entry.isDirectory()) return bases.includes(path) ? [{ kind: "pins", where: bpffs, what, mark: "name" }] : [];
    const id = entry.isFile() ? programBehind(path) : undefined;
    const program = id === undefined ? undefined : ourProgram(id);
    if (id === undefined || program === undefined) return [];
    seen.add(id);
    return bases.some((base) => path.startsWith(`${base}/`))
      ? []
      : [{ kind: "pin", where: bpffs, what, mark: `program ${program}` }];
  });
}

/** The id of the program that a pin is, or that its link runs; undefined for a map. */
function programBehind(path: string): number | undefined {
  try {
    using program = BpfProgram.openPinned(path);
    return program.info.id;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) !== "ERR_WRONG_KIND") throw error;
  }
  try {
    using link = BpfLink.openPinned(path);
    return link.info().programId;
  } catch (error) {
    if (["ENOENT", "ERR_WRONG_KIND"].includes(errorCode(error))) return undefined;
    throw error;
  }
}

/** Programs that something holds which is not seen from here: a process, or a mount or a namespace of somebody else's. */
function loadedElsewhere(seen: ReadonlySet<number>): Trace[] {
  return programIds().flatMap((id): Trace[] => {
    const program = seen.has(id) ? undefined : ourProgram(id);
    if (program === undefined) return [];
    const what = `${program} id ${id}`;
    return [{ kind: "BPF program", where: "kernel", what, mark: "name", elsewhere: true }];
  });
}
