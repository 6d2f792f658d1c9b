import { type Datapath, difference } from "./datapath.ts";
import type { ProgramName, Verdict } from "./layout.ts";

/** What tc does with a frame (linux/pkt_cls.h); TC_ACT_REDIRECT is what bpf_redirect() and bpf_redirect_peer() return. */
const ACTIONS: Readonly<Record<number, Action>> = { [-1]: "next", 2: "drop", 7: "redirect" };
export type Action = "next" | "drop" | "redirect";

export interface Ran {
  readonly verdict: Verdict;
  readonly action: Action;
  readonly frame: Uint8Array;
}

export interface Device {
  /** The device the hook is on, which must exist. lo by default. */
  readonly ifindex?: number;
  /** Where the frame came into the namespace. */
  readonly ingressIfindex?: number;
}

/** Runs one program on one frame, and checks that it counted exactly one verdict, of its own. */
export function testRun(datapath: Datapath, program: ProgramName, data: Uint8Array, device: Device = {}): Ran {
  const before = datapath.verdicts();
  const object = [datapath.node, ...datapath.proxies].find(({ programs }) => programs.has(program));
  if (!object) throw new Error(`there is no program ${program}`);
  const { retval, data: frame } = object.program(program).testRun({ data, context: context(device) });
  const added = Object.entries(difference(before, datapath.verdicts()));
  const [name, count] = added[0] ?? ["nothing", 0];
  if (added.length !== 1 || count !== 1 || !name.startsWith(`${program}.`)) {
    throw new Error(`${program} counted ${JSON.stringify(Object.fromEntries(added))}, expected one verdict`);
  }
  const action = ACTIONS[retval];
  if (!action) throw new Error(`${program} returned ${retval}`);
  return { verdict: name.slice(program.length + 1) as Verdict, action, frame };
}

/** The head of struct __sk_buff (linux/bpf.h); what is not set has to be zero. */
function context({ ifindex = 1, ingressIfindex = 0 }: Device): Uint8Array {
  const bytes = new Uint8Array(192);
  const view = new DataView(bytes.buffer);
  view.setUint32(36, ingressIfindex, true);
  view.setUint32(40, ifindex, true);
  return bytes;
}
