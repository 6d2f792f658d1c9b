import { beforeEach } from "vitest";
import type { Datapath } from "./datapath.ts";

/** A netnsid for which bpf_skc_lookup_tcp() means the namespace it runs in (BPF_F_CURRENT_NETNS). */
export const HERE = 0xffffffff;
/** A netnsid that names no namespace: no socket is ever found there. */
export const NOWHERE = 9999;

export const MAC_ACTIVE = "02:00:00:00:01:01";
export const MAC_DRAINING = "02:00:00:00:01:02";
export const IFINDEX_ACTIVE = 71;
export const IFINDEX_DRAINING = 72;

/** Slot 0: active, slot 1: the other. `sockets` says whose sockets this process's own are. */
export function setProxies(datapath: Datapath, sockets: "active" | "draining" | "both" | "nobody"): void {
  const active = sockets === "active" || sockets === "both" ? HERE : NOWHERE;
  const draining = sockets === "draining" || sockets === "both" ? HERE : NOWHERE;
  datapath.proxy(0, { ifindex: IFINDEX_ACTIVE, netnsid: active, mac: MAC_ACTIVE });
  datapath.proxy(1, { ifindex: IFINDEX_DRAINING, netnsid: draining, mac: MAC_DRAINING });
}

/** Before every test: nothing but an active proxy that has no sockets. */
export function resetBeforeEach(datapath: () => Datapath): void {
  beforeEach(() => {
    datapath().reset();
    setProxies(datapath(), "nobody");
    datapath().settings({ active: 1 });
  });
}

/** CLOCK_MONOTONIC, as bpf_ktime_get_ns() reads it. */
export const monotonic = () => process.hrtime.bigint();
export const SECOND = 1_000_000_000n;
