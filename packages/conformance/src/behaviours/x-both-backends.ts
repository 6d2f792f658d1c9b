import { Agent } from "../agent/agent.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { NAMESPACES, RESYNC_SECONDS, SERVER_PORT } from "../suite/testbed.ts";

/** Value of the label that makes members of the second agent. */
const SECOND = "second";
const OTHER: Readonly<Record<string, string>> = { ebpf: "iptables", iptables: "ebpf" };

export default defineBehaviour({
  id: "x-both-backends",
  title: "Both backends may be on one node at once, each with members of its own",
  given:
    "members of the backend under test, and a second agent with the other backend, which has a member of its own and the same proxy",
  when: "members of both connect out, are connected to, and connect to each other; then the second one's member leaves the mesh",
  outcome:
    "each connection is captured once, by its member's backend; the first one's members stay captured, the one that left is untouched",
  bed: "own",
  temperatures: ["warm"],
  backends: { only: Object.keys(OTHER), because: "it is about the two that come with Millrace" },
  async run(trial) {
    const { bed, backend } = trial;
    const { m1, l1, ext, p1, node } = bed;
    const flavour = bed.options.services === "iptables-legacy" ? "legacy" : "nft";
    const redirectMode = OTHER[backend] ?? "";
    const second = await Agent.start(node, {
      name: SECOND,
      redirectMode,
      backends: redirectMode === "iptables" ? { iptables: { flavour } } : {},
      ...(bed.options.agentCommand === undefined ? {} : { command: bed.options.agentCommand }),
      settings: {
        resync: { intervalSeconds: RESYNC_SECONDS },
        membership: { namespaceLabel: { value: SECOND } },
      },
    });
    try {
      node.applyNamespace(NAMESPACES.late, { "istio.io/dataplane-mode": SECOND });
      await second.untilActive(bed.z);
      await second.untilEnrolled(l1);
      for (const member of [m1, l1]) {
        await captured(trial, "outbound", member, ext);
        await captured(trial, "inbound", ext, member);
      }
      await captured(trial, "outbound", m1, l1);
      await captured(trial, "outbound", l1, m1);
      await expectUntouched(trial, await contact(trial, p1, at(trial, ext)));
      await bed.ready();
    } finally {
      bed.labelLate(false);
      await second.untilLeft(l1);
      // Uninstalling would take away what every backend has on this node: the fixture is nobody else's.
      await second.stop();
    }
    await bed.ready();
    await captured(trial, "outbound", m1, ext);
    await expectUntouched(trial, await contact(trial, l1, at(trial, ext)));
  },
});

const at = ({ family }: Trial, host: LabHost) => ({ host: host.address(family), port: SERVER_PORT });

async function captured(trial: Trial, frontend: "outbound" | "inbound", from: LabHost, to: LabHost): Promise<void> {
  const destination = at(trial, to);
  const made = await contact(trial, from, destination);
  trial.expect.equal(`${to.name} saw`, made.seen.peer, from.address(trial.family));
  await expectCaptured(trial, made, { frontend, source: from.address(trial.family), destination });
}
