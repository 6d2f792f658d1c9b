import type { BpfProgram } from "libbpf-ts";
import { Datapath, type Objects, SHIPPED } from "../support/datapath.ts";
import { MAC_INBOUND, MAC_OUTBOUND, mac } from "../support/frames.ts";
import { addressKey, le32, PROGRAMS, type ProgramName, readLe64, VERDICTS, type Verdict } from "../support/layout.ts";
import type { Judgement } from "./oracle.ts";
import { rowOf } from "./rows.ts";
import { DESTINATIONS } from "./shapes.ts";

export type Action = "next" | "drop" | "redirect";
const RETURNED: Readonly<Record<Action, number>> = { next: -1, drop: 2, redirect: 7 };

const PROXY_MAC = "02:00:00:00:01:01";
const MEMBER_MAC = "02:00:00:00:02:02";
const UDP = 17;
const DNS = 53;

/** What has to become of a frame in one program. */
export interface Expected {
  readonly verdict: Verdict;
  readonly returned: number;
  /** The first bytes of the frame afterwards; the rest stays as it was. */
  readonly head: Uint8Array;
}

const expected = (verdict: Verdict, action: Action, ...head: string[]): Expected => ({
  verdict,
  returned: RETURNED[action],
  head: Buffer.concat(head.map(mac)),
});
const PASSED = expected("passed", "next");
const DROPPED = expected("dropped_unparsable", "drop");
const DELIVERED = expected("delivered", "redirect", MEMBER_MAC);
const CAPTURED = {
  app_outbound: expected("captured", "redirect", PROXY_MAC, MAC_OUTBOUND),
  app_inbound: expected("captured", "redirect", PROXY_MAC, MAC_INBOUND),
};

/** A program that is fuzzed, in maps of its own: an active proxy that has no connections, and members. Nothing but a frame's shape decides. */
export class Target implements Disposable {
  readonly program: BpfProgram;
  readonly #datapath: Datapath;
  readonly #name: TargetName;

  constructor(name: TargetName, objects: Objects = SHIPPED) {
    this.#name = name;
    this.#datapath = new Datapath(0, objects);
    this.#datapath.proxy(0, { ifindex: 1, netnsid: 9999, mac: PROXY_MAC });
    this.#datapath.settings({ active: 1 });
    for (const address of DESTINATIONS) this.#datapath.member(address, { ifindex: 1, mac: MEMBER_MAC });
    this.program = this.#datapath.node.program(name);
  }

  get name(): TargetName {
    return this.#name;
  }

  expects(frame: Uint8Array, judgement: Judgement): Expected {
    if (this.#name === "ztunnel_host_in") return isDelivered(frame, judgement) ? DELIVERED : PASSED;
    const { fate } = rowOf(judgement.row);
    if (fate === "passed") return PASSED;
    return fate === "captured" ? CAPTURED[this.#name] : DROPPED;
  }

  /** Verdicts of this program so far. */
  counted(): Map<Verdict, number> {
    const first = PROGRAMS.indexOf(this.#name) * VERDICTS.length;
    const counts = VERDICTS.map((verdict, index) => {
      const perCpu = this.#datapath.map("counters").lookupPerCpu(le32(first + index));
      return [verdict, perCpu.reduce((sum, bytes) => sum + readLe64(bytes), 0)] as const;
    });
    return new Map(counts);
  }

  [Symbol.dispose](): void {
    this.#datapath[Symbol.dispose]();
  }
}

export type TargetName = Extract<ProgramName, "app_outbound" | "app_inbound" | "ztunnel_host_in">;
export const TARGETS: readonly TargetName[] = ["app_outbound", "app_inbound", "ztunnel_host_in"];

const MEMBERS = new Set(DESTINATIONS.map((address) => Buffer.from(addressKey(address)).toString("hex")));
const MAPPED = "00000000000000000000ffff";

/** What a proxy sends to a member: TCP, answers to its DNS questions, and later fragments of both. All else the node routes. */
function isDelivered(frame: Uint8Array, { row, protocol, offset, end }: Judgement): boolean {
  const isTcp = rowOf(row).fate === "captured";
  const isLater = row === "ipv4-later-other" || row === "ipv6-later-other";
  const fromPort53 = offset + 8 <= end && ((frame[offset] ?? 0) << 8) + (frame[offset + 1] ?? 0) === DNS;
  if (!isTcp && !(protocol === UDP && (isLater || fromPort53))) return false;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  return MEMBERS.has(row.startsWith("ipv4") ? MAPPED + bytes.toString("hex", 30, 34) : bytes.toString("hex", 38, 54));
}
