import { STATUS_VERSION, type Status } from "../status/status-document.ts";

/** The status of an agent that has all it needs and no workloads yet, with changes laid over it; `undefined` takes a field out. */
export function someStatus(changes: { [Key in keyof Status]?: Status[Key] | undefined } = {}): Status {
  const time = "2026-01-02T03:00:00.000Z";
  const whole: Status = {
    statusVersion: STATUS_VERSION,
    time,
    agent: {
      version: "0.1.0",
      node: "n1",
      pid: 1,
      startedAt: time,
      redirectMode: "auto",
      backend: "ebpf",
      failurePolicy: "closed",
    },
    plugins: [],
    earlier: [],
    observation: { time, problems: [], nodeAddresses: [] },
    eventLog: { path: "/nowhere/events.db", lastSeq: 7, state: "healthy", lostEvents: 0 },
    problems: [],
    workloads: [],
    proxies: [],
    watches: [{ name: "kubernetes-namespaces", state: "synced" }],
    counters: {},
    maps: {},
  };
  const entries = Object.entries({ ...whole, ...changes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Status;
}
