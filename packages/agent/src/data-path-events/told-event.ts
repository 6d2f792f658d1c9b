import type { DataPathEvent } from "@millrace/plugin-ebpf";

/** One line of `millrace events --jsonl`. Stable. Times are RFC 3339 UTC with milliseconds. */
export interface ToldEvent {
  readonly time: string;
  readonly program: string;
  readonly verdict: string;
  readonly source: End;
  readonly destination: End;
  /** Of the TCP header, by name. */
  readonly flags: readonly string[];
  /** Of the frame; 0 where it could not be followed, and for lookups. */
  readonly bytes: number;
  readonly ifindex: number;
}

interface End {
  readonly address: string;
  readonly port: number;
  /** Absent for what is no pod of this node. */
  readonly pod?: string;
}

/** From the lowest bit (RFC 9293 section 3.1). */
const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"] as const;
const NS_PER_MS = 1_000_000n;

/** `nowNs` and `now`: the same moment by CLOCK_MONOTONIC and by the wall clock, in ms since 1970. */
export function tell(
  event: DataPathEvent,
  podOf: (address: string) => string | undefined,
  nowNs = process.hrtime.bigint(),
  now = Date.now(),
): ToldEvent {
  const end = (address: string, port: number): End => {
    const pod = podOf(address);
    return { address, port, ...(pod !== undefined && { pod }) };
  };
  return {
    time: new Date(now - Number((nowNs - event.atNs) / NS_PER_MS)).toISOString(),
    program: event.program,
    verdict: event.verdict,
    source: end(event.source, event.sourcePort),
    destination: end(event.destination, event.destinationPort),
    flags: FLAGS.filter((_, bit) => event.tcpFlags & (1 << bit)),
    bytes: event.bytes,
    ifindex: event.ifindex,
  };
}

export interface Filter {
  /** `namespace/name` of either end, or of the interface of a frame that could not be followed to its addresses. */
  readonly pod?: string;
  readonly verdicts?: readonly string[];
}

/** `isOfAsked`: the programs tell of the pod alone already, which is all that is known of a frame that could not be followed. */
export function matches(event: ToldEvent, { pod, verdicts }: Filter, isOfAsked: boolean): boolean {
  const { source, destination, verdict, ifindex, bytes } = event;
  const isNameless = isOfAsked && ifindex !== 0 && bytes === 0;
  return (
    (pod === undefined || source.pod === pod || destination.pod === pod || isNameless) &&
    (verdicts === undefined || verdicts.includes(verdict))
  );
}

export function eventText({ time, program, verdict, source, destination, flags, bytes }: ToldEvent): string {
  const end = ({ address, port, pod }: End) =>
    `${address.includes(":") ? `[${address}]` : address}:${port}${pod === undefined ? "" : ` (${pod})`}`;
  const more = [flags.join(","), bytes > 0 ? `${bytes} bytes` : ""].filter((part) => part !== "").join(" ");
  return `${time}  ${program}.${verdict}  ${end(source)} → ${end(destination)}  ${more}`.trimEnd();
}
