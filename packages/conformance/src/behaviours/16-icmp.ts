import type { LabHost } from "../lab/lab-host.ts";
import { SLOW } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { countPackets } from "../suite/packet-counter.ts";

export default defineBehaviour({
  id: "icmp",
  number: 16,
  title: "ICMP behaves as if the agent were not there",
  given: "a member, the node and a host outside; the proxy's namespace does not forward",
  when: "each pings the other, with small and with fragmented packets, and the member traces the route",
  outcome: "all answers come; none passes the proxy's namespace; the route has as many hops as a plain pod's",
  async run(trial) {
    const { bed, family, temperature, expect } = trial;
    if (temperature === "cold") bed.lab.cool();
    const echo = family === 4 ? "icmp type { echo-request, echo-reply }" : "icmpv6 type { echo-request, echo-reply }";
    await using passing = await countPackets(bed.z.namespace, echo);
    const count = temperature === "cold" ? 1 : WARM_ROUNDS;
    for (const [from, to] of [
      [bed.m1, bed.ext],
      [bed.ext, bed.m1],
      [bed.node, bed.m1],
      [bed.m1, bed.node],
      [bed.m1, bed.m2],
    ] as const) {
      await ping(trial, from, to, count, 56);
      await ping(trial, from, to, 1, 4_000);
    }
    expect.equal("echoes in the proxy's namespace", await passing.count(), 0);
    const plain = await hops(bed.p1, bed.ext.address(family));
    expect.equal("hops of a member, as of a plain pod", await hops(bed.m1, bed.ext.address(family)), plain);
  },
});

async function ping({ family, expect }: Trial, from: LabHost, to: LabHost, count: number, size: number): Promise<void> {
  const args = [
    "-n",
    "-q",
    "-c",
    String(count),
    "-i",
    "0.002",
    "-W",
    String(SLOW),
    "-s",
    String(size),
    to.address(family),
  ];
  const { stdout } = await from.namespace.run("ping", args);
  const received = Number(/(\d+) received/.exec(stdout)?.[1]);
  expect.equal(`${from.name} → ${to.name}, ${size} bytes: answers`, received, count);
}

/** How many hops away an address is. */
async function hops(from: LabHost, address: string): Promise<number> {
  const traced = await from.namespace.runChecked("traceroute", [
    "-n",
    "-q",
    "1",
    "-w",
    String(SLOW),
    "-m",
    "6",
    address,
  ]);
  const line = traced.split("\n").findLast((candidate) => candidate.includes(` ${address} `));
  return Number(line?.trim().split(/\s+/)[0]);
}
