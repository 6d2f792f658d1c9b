import { hostPort } from "../lab/addresses.ts";
import { within } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, WARM_ROUNDS } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** Long enough for a SYN and its first retransmission (1 s, RFC 6298 section 2). */
const PATIENCE_MS = 1_500;

export default defineBehaviour({
  id: "fail-closed",
  number: 20,
  title: "Without a proxy, members' TCP stops; everything else goes on",
  given:
    "first the proxy's process is killed while its pod still counts as Ready, then the pod is not Ready either; its namespace would even forward",
  when: "a member connects out, and is connected to",
  outcome:
    "each is refused or dropped and not a byte comes through; ARP, ping, probes and plain pods work; with the proxy back, capture is back",
  async run(trial) {
    const { bed, family, temperature, expect } = trial;
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const client = await bed.m1.endpoint();
    const held = expect.success("a connection from before", await client.ask("open", to));
    if (temperature === "warm") {
      const { handle } = held;
      expect.success("its round trips", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
    }
    await bed.proxy.program.kill();
    await bed.z.namespace.setSysctls({ "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 });
    try {
      const broken = await client.ask("exchange", { handle: held.handle, rounds: 1, timeoutMs: PATIENCE_MS });
      expect.that("the connection from before is broken", !broken.ok, broken.ok ? "alive" : broken.failure);
      await closed(trial, "process dead");
      bed.node.applyPod(bed.z, { ready: false });
      await bed.agent.untilActive(undefined);
      await closed(trial, "pod not Ready");
    } finally {
      await bed.z.namespace.setSysctls({ "net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 0 });
      await client.ask("close", { handle: held.handle, reset: true });
      await bed.restartProxy();
      bed.node.applyPod(bed.z);
      await bed.agent.untilActive(bed.z);
    }
    const made = await contact(trial, bed.m1, to);
    expect.equal("with the proxy back, the server saw", made.seen.peer, bed.m1.address(family));
  },
});

async function closed({ bed, family, temperature, expect }: Trial, when: string): Promise<void> {
  if (temperature === "cold") bed.lab.cool();
  const server = await bed.ext.endpoint();
  const member = await bed.m1.endpoint();
  await Promise.all([server, member].map((endpoint) => endpoint.ask("accepted", { clear: true })));
  const target = (host: string) => ({ host, port: SERVER_PORT, timeoutMs: PATIENCE_MS });
  const [out, into] = await Promise.all([
    member.ask("report", target(bed.ext.address(family))),
    server.ask("report", target(bed.m1.address(family))),
  ]);
  expect.failure(`${when}: member → outside`, out);
  expect.failure(`${when}: outside → member`, into);
  expect.equal(`${when}: connections outside`, await server.ask("accepted", { port: SERVER_PORT }), []);
  expect.equal(`${when}: connections at the member`, await member.ask("accepted", { port: SERVER_PORT }), []);

  const url = `http://${hostPort(bed.m1.address(family), SERVER_PORT)}/healthz`;
  const probe = await bed.node.namespace.run("curl", [
    "-sS",
    "-o",
    "/dev/null",
    "--max-time",
    String(within(1_000) / 1_000),
    url,
  ]);
  expect.equal(`${when}: probe's exit status`, probe.status, 0);
  const ping = await bed.m1.namespace.run("ping", ["-n", "-q", "-c", "1", "-W", "1", bed.ext.address(family)]);
  expect.equal(`${when}: ping's exit status`, ping.status, 0);
  const plain = await bed.p1.endpoint();
  const reached = await plain.ask("report", { host: bed.ext.address(family), port: SERVER_PORT });
  expect.success(`${when}: plain → outside`, reached);
}
