import type { Workload } from "@millrace/core";
import { expect, test } from "vitest";
import { ApplyTurns } from "./apply-turns.ts";

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

const uids = (turns: ApplyTurns) => turns.take().map(({ workload: { uid } }) => uid);

test("those that wait together are taken together, in order", () => {
  const turns = new ApplyTurns();
  for (const number of [1, 2, 3]) turns.add(workload(`m${number}`, number));
  expect(uids(turns)).toEqual(["m1", "m2", "m3"]);
  expect(uids(turns)).toEqual([]);
});

test("none overtakes another verb", () => {
  const turns = new ApplyTurns();
  turns.add(workload("m1", 1));
  turns.close();
  turns.add(workload("m2", 2));
  turns.add(workload("m3", 3));
  expect(uids(turns)).toEqual(["m1"]);
  expect(uids(turns)).toEqual(["m2", "m3"]);
});

test.each([
  ["pod", workload("m1", 2)],
  ["interface", { ...workload("m2", 2), interface: workload("m1", 1).interface }],
  ["address", { ...workload("m2", 2), addresses: ["2001:2::1"] }],
])("two of one %s are not taken together, and nobody behind them is taken before", (_, second) => {
  const turns = new ApplyTurns();
  turns.add(workload("m1", 1));
  turns.add(second);
  turns.add(workload("m3", 3));
  expect(uids(turns)).toEqual(["m1"]);
  expect(uids(turns)).toEqual([second.uid, "m3"]);
});

test("a turn that is dropped is not taken, and dropping one that was taken does nothing", () => {
  const turns = new ApplyTurns();
  const first = turns.add(workload("m1", 1));
  turns.add(workload("m2", 2));
  turns.drop(first);
  expect(uids(turns)).toEqual(["m2"]);
  turns.drop(first);
  expect(uids(turns)).toEqual([]);
});
