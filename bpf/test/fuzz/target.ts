import type { BpfProgram } from "libbpf-ts";
import { Datapath, type Objects, SHIPPED } from "../support/datapath.ts";
import { MAC_INBOUND, MAC_OUTBOUND, mac } from "../support/frames.ts";
import {
  addressKey,
  le32,
  le64,
  PROGRAMS,
  type ProgramName,
  readLe64,
  VERDICTS,
  type Verdict,
} from "../support/layout.ts";
import type { Judgement } from "./oracle.ts";
import { type Answer, answerTo, isReset, isSyn } from "./reset-oracle.ts";
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
  /** What it becomes as a whole, if it is answered. */
  readonly answer?: Answer;
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

const isIpv4 = (frame: Uint8Array): boolean => frame[12] === 0x08 && frame[13] === 0;
const REDIRECTED = [MAC_OUTBOUND, MAC_INBOUND].map(mac);
const NEVER = 2n ** 63n;

/**
 * A program that is fuzzed, in maps of its own: an active proxy that has no connections, and members. To ztunnel_tproxy it is dead, and
 * ztunnel_lookup has noticed. Nothing but a frame's shape decides.
 */
export class Target implements Disposable {
  readonly program: BpfProgram;
  readonly #datapath: Datapath;
  readonly #name: TargetName;

  constructor(name: TargetName, objects: Objects = SHIPPED) {
    this.#name = name;
    this.#datapath = new Datapath(name === "ztunnel_tproxy" ? 1 : 0, objects);
    this.#datapath.proxy(0, { ifindex: 1, netnsid: 9999, mac: PROXY_MAC });
    this.#datapath.settings({ active: 1 });
    for (const address of DESTINATIONS) this.#datapath.member(address, { ifindex: 1, mac: MEMBER_MAC });
    const [proxy] = this.#datapath.proxies;
    for (const family of [0, 1]) proxy?.map("unanswered").update(le32(family), le64(NEVER));
    this.program = (proxy ?? this.#datapath.node).program(name);
  }

  get name(): TargetName {
    return this.#name;
  }

  /** Makes the frame one that comes to this program: a redirected one, from near or far. */
  adapt(frame: Uint8Array): void {
    if (this.#name !== "ztunnel_tproxy") return;
    frame.set(REDIRECTED[frame.length % 2] ?? [], 6);
    frame[isIpv4(frame) ? 22 : 21] = 1 + (frame.length % 64);
  }

  expects(frame: Uint8Array, judgement: Judgement): Expected {
    if (this.#name === "ztunnel_tproxy") return fromDeadProxy(frame, judgement);
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

export type TargetName = Exclude<ProgramName, "ztunnel_lookup">;
export const TARGETS: readonly TargetName[] = ["app_outbound", "app_inbound", "ztunnel_host_in", "ztunnel_tproxy"];

/** What nobody listens for is answered, but for fragments and RSTs. */
function fromDeadProxy(frame: Uint8Array, judgement: Judgement): Expected {
  const { row } = judgement;
  if (rowOf(row).fate !== "captured" || row.endsWith("-later")) return PASSED;
  const isAnswered = !row.endsWith("-first") && !isReset(frame, judgement);
  if (isAnswered) {
    const verdict = isSyn(frame, judgement) ? "dropped_no_listener" : "refused_orphan";
    return { ...expected(verdict, "redirect"), answer: answerTo(frame, judgement) };
  }
  return isSyn(frame, judgement) ? expected("dropped_no_listener", "drop") : PASSED;
}

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
