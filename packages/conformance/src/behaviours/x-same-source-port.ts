import type { Haproxy } from "../programs/haproxy.ts";
import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { SERVER_PORT, type Testbed } from "../suite/testbed.ts";

/** Below those that the kernel chooses itself (net.ipv4.ip_local_port_range), so that no earlier connection has it. */
const PORT = 25_678;

export default defineBehaviour({
  id: "x-same-source-port",
  title: "Two proxies that choose the same source port to one server do not mix their connections",
  given: "a draining proxy with a connection upstream, and a new one that has only the same source port to choose",
  when: "the member opens a new connection to the same server",
  outcome:
    "the old connection goes on undisturbed; the new one is refused, not left hanging and not mixed in; once the old has ended, new ones succeed",
  temperatures: ["warm"],
  async run({ bed, family, expect }) {
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const client = await bed.m1.endpoint();
    const server = await bed.ext.endpoint();
    const z1 = await takeOver(bed);
    await bed.succeed(z1);
    await server.ask("accepted", { clear: true });
    const { handle } = expect.success("a connection by z1", await client.ask("open", to));
    expect.success("its round trips", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
    const [upstream] = await server.ask("accepted", {});
    expect.equal("z1's source port", upstream?.peerPort, PORT);

    const z2 = await takeOver(bed);
    const [second, first] = await Promise.all([
      client.ask("report", { ...to, timeoutMs: within(6_000) }),
      client.ask("exchange", { handle, rounds: WARM_ROUNDS * 5 }),
    ]);
    expect.success("the old connection meanwhile", first);
    expect.that(
      "the new one does not hang",
      second.ok || second.failure !== "TIMEOUT",
      second.ok ? "completed" : second.failure,
    );
    expect.success("the old connection afterwards", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
    expect.note("z2 recorded", z2.describe());

    await client.ask("close", { handle });
    await z2.pod.namespace.setSysctls({ "net.ipv4.ip_local_port_range": "32768 60999" });
    expect.success("a connection once the old has ended", await client.ask("report", to));
    await bed.succeed(z2);
  },
});

/** A newer proxy that is the active one. It has its one port before a backend sees it, and could give it ports of its own. */
async function takeOver(bed: Testbed): Promise<Haproxy> {
  const proxy = await bed.addProxy();
  await proxy.pod.namespace.setSysctls({ "net.ipv4.ip_local_port_range": `${PORT} ${PORT}` });
  bed.node.applyPod(proxy.pod);
  await bed.agent.untilActive(proxy.pod);
  return proxy;
}
