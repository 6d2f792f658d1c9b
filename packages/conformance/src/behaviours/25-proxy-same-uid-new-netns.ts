import { soon, within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, WARM_ROUNDS } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "proxy-same-uid-new-netns",
  number: 25,
  title: "A proxy that comes back under the same UID in another namespace is a new one",
  given: "a proxy whose sandbox is made again: same pod UID, another namespace, veth, MAC and address",
  when: "the new sandbox is Ready",
  outcome: "within a second new connections go to it",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    await contact(trial, bed.m1, to);
    const { name, uid, createdAt } = bed.z;
    await bed.proxy.stop();
    await bed.node.removePod(name);
    const proxy = await bed.addProxy({ name, uid, createdAt });
    const { pod } = proxy;
    expect.note("its address now", pod.address(family));

    bed.node.applyPod(pod);
    const client = await bed.m1.endpoint();
    await eventually(
      expect,
      "captured within a second",
      async () => {
        await client.ask("report", { ...to, timeoutMs: within(100) });
        return { holds: proxy.find({ frontend: "outbound" }).length > 0, seen: "nothing at the new one" };
      },
      soon(1_000),
    );
    await bed.agent.untilActive(pod);
    const { handle } = expect.success("a connection", await client.ask("open", to));
    expect.success("its round trips", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
    await client.ask("close", { handle });
    await bed.succeed(proxy);
  },
});
