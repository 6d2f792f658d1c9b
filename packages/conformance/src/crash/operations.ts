import type { CrashBed } from "./bed.ts";

/** Something that the agent, or `millrace`, does at a node, and that it may be killed in. */
export interface Operation {
  readonly name: string;
  /** `running`: an agent that runs is asked for it. `starting`: an agent does it when it starts. `command`: `millrace` does it when no agent runs. */
  readonly kind: "running" | "starting" | "command";
  /** Asks for it: what is wanted from now on. */
  ask(bed: CrashBed): void;
}

/** Two operations that take back each other, so that points of the one are the way back from points of the other. */
export interface Pair {
  readonly there: Operation;
  /** Without one the first leaves everything as it was. */
  readonly back?: Operation;
}

const running = (name: string, ask: (bed: CrashBed) => void): Operation => ({ name, kind: "running", ask });

const late = (wanted: boolean) => (bed: CrashBed) => {
  bed.wanted.late = wanted;
  bed.publishLate();
};

const proxy = (name: string) => (bed: CrashBed) => {
  bed.wanted.active = bed.lab.pod(name);
  bed.publishProxies();
};

const exclusions = (annotations: Readonly<Record<string, string>>) => (bed: CrashBed) =>
  bed.node.applyPod(bed.lab.pod("m2"), { annotations });

export const PAIRS: readonly Pair[] = [
  { there: running("enrol", late(true)), back: running("unenrol", late(false)) },
  { there: running("change-proxy", proxy("z2")), back: running("change-proxy-back", proxy("z1")) },
  {
    there: running(
      "exclude",
      exclusions({
        "millrace.dev/exclude-outbound-ports": "9001,9002",
        "millrace.dev/exclude-inbound-ports": "9003",
        "millrace.dev/exclude-outbound-cidrs": "198.19.77.0/24,2001:2:0:77::/64",
      }),
    ),
    back: running("include", exclusions({})),
  },
  { there: { name: "adopt", kind: "starting", ask: () => undefined } },
  {
    there: { name: "uninstall", kind: "command", ask: () => undefined },
    back: { name: "install", kind: "starting", ask: () => undefined },
  },
];
