import { expect, test } from "vitest";
import type { Workload } from "../backend/contract.ts";
import { VerbQueue, type WorkloadChanges } from "./verb-queue.ts";

const workload = (uid: string, number: number): Workload => ({
  uid,
  namespace: "test",
  name: uid,
  addresses: [`198.18.0.${number}`],
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
const A = workload("a", 1);
const B = workload("b", 2);
const C = workload("c", 3);
const D = workload("d", 4);

/** A queue that notes its steps, refuses those with `bad`, and does none before the gate is open. */
function queueOf({ bad = "" }: { readonly bad?: string } = {}) {
  const steps: string[] = [];
  const gate = Promise.withResolvers<void>();
  const queue = new VerbQueue(async ({ applied, removed }: WorkloadChanges) => {
    const uids = applied.map(({ uid }) => uid);
    steps.push([...removed.map((uid) => `-${uid}`), ...uids.map((uid) => `+${uid}`)].join(" "));
    await gate.promise;
    if (uids.includes(bad)) throw new Error(`${bad} is bad`);
  });
  return { queue, steps, open: () => gate.resolve() };
}

const call = (signal: AbortSignal) => ({ signal, deadlineMs: 1000 });

test("what waits together is one step, removals among it; what comes meanwhile is the next", async () => {
  const { queue, steps, open } = queueOf();
  const first = [queue.apply(A), queue.remove("b")];
  await expect.poll(() => steps).toEqual(["-b +a"]);
  const second = [queue.apply(C), queue.remove("a"), queue.apply(D)];
  open();
  await Promise.all([...first, ...second]);
  expect(steps).toEqual(["-b +a", "-a +c +d"]);
});

test("no workload overtakes another verb, and no verb a workload", async () => {
  const { queue, steps, open } = queueOf();
  open();
  const observed = async () => {
    steps.push("observe");
    return 7;
  };
  const all = [queue.apply(A), queue.run(observed), queue.apply(B), queue.apply(C)];
  expect(await Promise.all(all)).toEqual([undefined, 7, undefined, undefined]);
  expect(steps).toEqual(["+a", "observe", "+b +c"]);
});

test("one that is refused fails alone, and whoever asked for it hears it", async () => {
  const { queue, steps, open } = queueOf({ bad: "b" });
  open();
  const asked = [queue.apply(A), queue.apply(B), queue.apply(C), queue.apply(B), queue.remove("d")];
  const ends = await Promise.allSettled(asked);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
  expect(ends[1]).toMatchObject({ reason: { message: "b is bad" } });
  expect(steps).toEqual(["-d +a +c +b", "-d +a", "+c +b", "+c", "+b"]);
});

test("a verb that fails keeps nobody behind it from being done", async () => {
  const { queue, steps, open } = queueOf();
  open();
  const failing = queue.run(() => Promise.reject(new Error("refused")));
  const next = queue.apply(A);
  await expect(failing).rejects.toThrow("refused");
  await next;
  expect(steps).toEqual(["+a"]);
});

test("what waits longer than its deadline is told so at once, and is not done", async () => {
  const { queue, steps, open } = queueOf();
  const late = new AbortController();
  const first = queue.apply(A, call(late.signal));
  await expect.poll(() => steps).toEqual(["+a"]);
  const removed = queue.remove("b", call(late.signal));
  const verb = queue.run(async () => steps.push("verb"), call(late.signal));
  const other = queue.apply(C);
  late.abort(new Error("too late"));
  await expect(removed).rejects.toThrow("too late");
  await expect(verb).rejects.toThrow("too late");
  await expect(queue.apply(D, call(late.signal))).rejects.toThrow("too late");
  open();
  // What had begun is done, and says so.
  await Promise.all([first, other]);
  expect(steps).toEqual(["+a", "+c"]);
});

test("one that is being done with others hears what becomes of that, whatever its own deadline", async () => {
  const { queue, steps, open } = queueOf();
  const late = new AbortController();
  const all = [queue.apply(A), queue.apply(B, call(late.signal))];
  await expect.poll(() => steps).toEqual(["+a +b"]);
  late.abort(new Error("too late"));
  open();
  expect(await Promise.all(all)).toEqual([undefined, undefined]);
});
