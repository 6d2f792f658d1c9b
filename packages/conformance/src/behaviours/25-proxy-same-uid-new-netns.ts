import { setTimeout as sleep } from "node:timers/promises";
import { proxyPod } from "../lab/lab.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, WARM_ROUNDS } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "proxy-same-uid-new-netns",
  number: 25,
  title: "A proxy that comes back under the same UID in another namespace is a new one",
  given: "a proxy whose sandbox is made again: same pod UID, another namespace, veth, MAC and address",
  when: "the new sandbox is Ready",
  outcome: "within a second new connections go to it",
  bed: "own",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    await contact(trial, bed.m1, to);
    const { uid, createdAt } = bed.z1;
    await bed.proxy.stop();
    await bed.node.removePod("z1");
    const pod = await bed.node.addPod(proxyPod({ name: "z1", uid, createdAt }));
    const proxy = await Haproxy.start(pod, { directory: bed.node.paths.root });
    expect.note("its address now", pod.address(family));

    const published = performance.now();
    bed.node.applyPod(pod);
    const client = await bed.m1.endpoint();
    while (proxy.find({ frontend: "outbound" }).length === 0) {
      expect.that(
        "captured within a second",
        performance.now() - published < 1_000,
        `${Math.round(performance.now() - published)} ms`,
      );
      await client.ask("report", { ...to, timeoutMs: 100 });
      await sleep(10);
    }
    await bed.agent.untilActive(pod);
    const { handle } = expect.success("a connection", await client.ask("open", to));
    expect.success("its round trips", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
    await client.ask("close", { handle });
  },
});
