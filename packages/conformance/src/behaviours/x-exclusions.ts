import type { LabHost } from "../lab/lab-host.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";
import { OTHER_PORT, SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-exclusions",
  title: "Ports and networks that a pod excludes are not captured; all others are",
  given:
    "a member with annotations that exclude a port and a network, outbound and inbound; then with one that cannot be read",
  when: "connections go to and come from what is excluded, and to and from what is not",
  outcome:
    "the excluded ones are untouched and complete, the others are captured; what cannot be read excludes nothing and is shown; without the annotations all is captured",
  async run(trial) {
    const { bed, family, expect } = trial;
    const { m1, m2, p1, s1, ext, node } = bed;
    bed.node.applyPod(m1, {
      annotations: {
        "millrace.dev/exclude-outbound-ports": String(OTHER_PORT),
        "millrace.dev/exclude-outbound-cidrs": `${s1.address(4)}/32,2001:2:0:2::/64`,
        "millrace.dev/exclude-inbound-ports": `${OTHER_PORT},9999`,
        "millrace.dev/exclude-inbound-cidrs": `${p1.address(4)},${p1.address(6)}`,
      },
    });
    try {
      await untilExcluded(trial, true);
      await passes(trial, m1, ext, OTHER_PORT);
      await passes(trial, m1, s1, SERVER_PORT);
      // The node's answers then have the mark of what they answer (Documentation/networking/ip-sysctl).
      await node.namespace.setSysctls({ "net.ipv4.tcp_fwmark_accept": 1 });
      await passes(trial, m1, node, OTHER_PORT);
      await passes(trial, ext, m1, OTHER_PORT);
      await passes(trial, p1, m1, SERVER_PORT);
      await captured(trial, "outbound", m1, ext, SERVER_PORT);
      await captured(trial, "inbound", ext, m1, SERVER_PORT);
      // Excluded at the client's end only: the server's is a member of its own.
      await captured(trial, "inbound", m1, m2, OTHER_PORT);

      bed.node.applyPod(m1, { annotations: { "millrace.dev/exclude-outbound-ports": "http" } });
      await untilExcluded(trial, false);
      const status = await bed.agent.until("notice of the bad annotation", ({ workloads }) =>
        workloads.some(({ uid, problems }) => uid === m1.uid && problems.some((problem) => problem.includes("http"))),
      );
      expect.note("shown", status.workloads.find(({ uid }) => uid === m1.uid)?.problems);
    } finally {
      await node.namespace.setSysctls({ "net.ipv4.tcp_fwmark_accept": 0 });
      bed.node.applyPod(m1);
      await bed.agent.until("end of the bad annotation", ({ workloads }) =>
        workloads.some(({ uid, problems }) => uid === m1.uid && problems.length === 0),
      );
    }
    await captured(trial, "outbound", m1, ext, OTHER_PORT);
    expect.note("without annotations", `IPv${family} captured again`);
  },
});

async function passes(trial: Trial, from: LabHost, to: LabHost, port: number): Promise<void> {
  const made = await contact(trial, from, { host: to.address(trial.family), port });
  trial.expect.equal(`${to.name} saw`, made.seen.peer, from.address(trial.family));
  await expectUntouched(trial, made);
}

async function captured(
  trial: Trial,
  frontend: "outbound" | "inbound",
  from: LabHost,
  to: LabHost,
  port: number,
): Promise<void> {
  const destination = { host: to.address(trial.family), port };
  const made = await contact(trial, from, destination);
  await expectCaptured(trial, made, { frontend, source: from.address(trial.family), destination });
}

/** Asks the network, not the agent. */
async function untilExcluded({ bed, family, expect }: Trial, excluded: boolean): Promise<void> {
  const client = await bed.m1.endpoint();
  await eventually(expect, `port ${OTHER_PORT} ${excluded ? "excluded" : "captured"}`, async () => {
    const since = bed.proxy.mark();
    const outcome = await client.ask("report", { host: bed.ext.address(family), port: OTHER_PORT });
    const wanted = { destinationPort: OTHER_PORT };
    const records = await bed.proxy.awaitRecords(wanted, since, 1, excluded ? 50 : undefined);
    return { holds: outcome.ok && (records.length === 0) === excluded, seen: records };
  });
}
