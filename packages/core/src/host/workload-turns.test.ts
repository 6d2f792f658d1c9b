import { expect, test } from "vitest";
import type { Workload } from "../backend/contract.ts";
import { type Wish, WorkloadTurns } from "./workload-turns.ts";

const workload = (uid: string, number: number): Workload => ({
  uid,
  namespace: "test",
  name: uid,
  addresses: [`198.18.0.${number}`, `2001:2::${number}`],
  interface: {
    netns: "/run/netns/test",
    netnsInode: 1,
    name: "eth0",
    mac: "02:00:00:00:00:01",
    hostName: `h${number}`,
    hostIndex: number,
  },
  enrolExisting: "drain",
  dnsCapture: false,
  exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
});

const apply = (it: Workload): Wish => ({ kind: "apply", uid: it.uid, workload: it });
const remove = (uid: string): Wish => ({ kind: "remove", uid });
const taken = (turns: WorkloadTurns) => turns.take().map(({ wish: { kind, uid } }) => `${kind} ${uid}`);

test("those that wait together are taken together, in order", () => {
  const turns = new WorkloadTurns();
  turns.add(apply(workload("m1", 1)));
  turns.add(remove("m2"));
  turns.add(apply(workload("m3", 3)));
  turns.add(remove("m4"));
  expect(taken(turns)).toEqual(["apply m1", "remove m2", "apply m3", "remove m4"]);
  expect(taken(turns)).toEqual([]);
});

test("none overtakes another verb", () => {
  const turns = new WorkloadTurns();
  turns.add(apply(workload("m1", 1)));
  turns.close();
  turns.add(remove("m1"));
  turns.add(apply(workload("m3", 3)));
  expect(taken(turns)).toEqual(["apply m1"]);
  expect(taken(turns)).toEqual(["remove m1", "apply m3"]);
});

test.each([
  ["interface", { ...workload("m2", 2), interface: workload("m1", 1).interface }],
  ["address", { ...workload("m2", 2), addresses: ["2001:2::1"] }],
])("two that want one %s are not taken together, and nobody behind them is taken before", (_, second) => {
  const turns = new WorkloadTurns();
  turns.add(apply(workload("m1", 1)));
  turns.add(apply(second));
  turns.add(remove("m3"));
  expect(taken(turns)).toEqual(["apply m1"]);
  expect(taken(turns)).toEqual(["apply m2", "remove m3"]);
});

test("of one workload the last wish is taken, with all callers; it is in nobody's way any more", () => {
  const turns = new WorkloadTurns();
  const first = turns.add(apply(workload("m1", 1)));
  const other = turns.add(remove("m3"));
  const last = turns.add(remove("m1"));
  const heir = turns.add(apply({ ...workload("m2", 2), addresses: workload("m1", 1).addresses }));
  const all = turns.take();
  expect(all.map(({ wish: { kind, uid } }) => `${kind} ${uid}`)).toEqual(["remove m3", "remove m1", "apply m2"]);
  expect(all.map(({ callers }) => callers)).toEqual([[other], [first, last], [heir]]);
});

test("a wish that is dropped is not taken, and dropping one that was taken does nothing", () => {
  const turns = new WorkloadTurns();
  const first = turns.add(apply(workload("m1", 1)));
  turns.add(remove("m2"));
  expect(turns.drop(first)).toBe(true);
  expect(taken(turns)).toEqual(["remove m2"]);
  expect(turns.drop(first)).toBe(false);
  expect(taken(turns)).toEqual([]);
});
