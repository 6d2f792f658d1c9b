import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { ForeignProgram } from "../suite/foreign-program.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** What another agent might have put there, at the very places the legacy backends used. */
const FOREIGN_NFT = `table inet foreign {
  chain mangle {
    type filter hook prerouting priority -150
    iifname "h-m1" meta mark set meta mark | 0x200
  }
  chain input {
    type filter hook input priority -1
    tcp dport 4 drop
  }
}
`;

export default defineBehaviour({
  id: "coexistence",
  number: 29,
  title: "What others put on the node stays as it is",
  given:
    "clsact filters at priority 1 handle 1 on a pod's veth, ip rules at priorities 100 to 103 and 20000, routes in table 100, nftables chains that set marks, a set, all of somebody else",
  when: "the agent starts, enrols the pod, carries traffic, and is uninstalled",
  outcome: "traffic is captured; afterwards the node's whole state is as before, the foreign objects included",
  bed: "bare",
  async run(trial) {
    const { bed, family, expect } = trial;
    const { namespace } = bed.node;
    using foreign = new ForeignProgram("foreign_unspec");
    for (const pod of [bed.m1, bed.z1]) {
      for (const direction of ["ingress", "egress"] as const)
        foreign.attachClsact(namespace, pod.hostInterface, direction);
    }
    await namespace.ip(
      ...[100, 101, 102, 103, 20000].map((priority) => `rule add priority ${priority} fwmark 0x8200/0x8200 lookup 100`),
      "route add local 198.18.77.0/24 dev lo table 100",
    );
    await namespace.nft(FOREIGN_NFT);
    await namespace.runChecked("ipset", ["create", "ztunnel-pods-ips", "hash:ip"]);
    const before = await snapshot(bed.node);

    await bed.start();
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, to);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
    const status = await bed.agent.status();
    expect.note("reported", status.workloads.find(({ uid }) => uid === bed.m1.uid)?.foreign ?? []);

    await bed.agent.stop();
    const uninstalled = await bed.agent.millrace("uninstall");
    expect.equal("exit status of uninstall", uninstalled.status, 0);
    expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    const seen = foreign.seen;
    await bed.m1.namespace.run("ping", ["-n", "-q", "-c", "1", "-W", "1", bed.ext.address(family)]);
    expect.that("the foreign filters still run", foreign.seen > seen, foreign.seen - seen);
  },
});
