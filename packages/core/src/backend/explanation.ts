import type { WorkloadUid } from "./contract.ts";

/** The first packet of a connection from or to a workload, or a datagram. */
export interface Flow {
  readonly protocol: "tcp" | "udp";
  /** `outbound`: the workload sends it. */
  readonly direction: "outbound" | "inbound";
  readonly uid: WorkloadUid;
  /** The workload's address, of the peer's family. */
  readonly address: string;
  /** The other end's address, canonical. */
  readonly peer: string;
  /** Port that it is sent to: the peer's of what is outbound, the workload's of what is inbound. */
  readonly port: number;
}

/**
 * `captured`: it goes to the node proxy. `bypassed`: it would, but something says that it passes. `dropped`: it goes nowhere. `untouched`: it
 * is none of the backend's business.
 */
export type Fate = "captured" | "bypassed" | "dropped" | "untouched";

/** One object that the packet meets. */
export interface ExplanationStep {
  /** The object as its tool shows it: `tcx link h-web ingress: app_outbound, program id 12`, `route 0.0.0.0/0 via … table 15100`. */
  readonly object: string;
  /** What it does with the packet. */
  readonly does: string;
}

/** Why a backend does with a flow what it does, read from the kernel at this moment. */
export interface Explanation {
  readonly fate: Fate;
  /** Of what is captured: which proxy, and which of its ports. */
  readonly to?: { readonly proxy: string; readonly port: number };
  /** In the order in which the packet meets them; the last one decides. */
  readonly steps: readonly ExplanationStep[];
  /** What the kernel lacks of what should be there, or others have put before it: the fate may be another one. */
  readonly problems: readonly string[];
}
