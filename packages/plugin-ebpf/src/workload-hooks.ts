import type { Direction, Hook } from "./attachment.ts";
import type { ProgramName, ShadowProgramName } from "./layout.ts";
import type { Pins, WorkloadPin } from "./pins.ts";

/** The programs of a member's host veth, by where they are. */
export type MemberPrograms = Readonly<Record<Direction, ProgramName | ShadowProgramName>>;

export const REDIRECTING: MemberPrograms = { egress: "app_inbound", ingress: "app_outbound" };
export const COUNTING: MemberPrograms = { egress: "shadow_inbound", ingress: "shadow_outbound" };

/** Whose programs they are: a redirection's, or a shadow's. */
export interface HookOwner {
  readonly programs: MemberPrograms;
  /** Pins of the other of the two. */
  readonly other: Pins;
}

/** In the order in which they are attached. */
const ORDER = ["egress", "ingress"] as const;

/** Hooks of an enrolled interface. */
export function workloadHooks(
  { programs, other }: HookOwner,
  { uid, ifindex, directory }: WorkloadPin,
  ifName: string,
): Hook[] {
  return ORDER.map((direction) => ({
    netns: undefined,
    ifindex,
    ifName,
    direction,
    program: programs[direction],
    directory,
    other: other.workload(uid, ifindex),
  }));
}
