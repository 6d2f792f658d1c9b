import { defineBehaviour } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** Below those that the kernel chooses itself (net.ipv4.ip_local_port_range): one of these may be in TIME-WAIT on the host. */
let port = 21_000;

export default defineBehaviour({
  id: "x-time-wait-unenrolled",
  title: "A connection made between two enrolments may have the ports of one from the first",
  given: "a member whose connection, out and in, has ended in TIME-WAIT at the proxy's end: the server closed first",
  when: "it leaves, connects on the same ports without the proxy, and is enrolled again",
  outcome: "those connections go on uncaptured (enrolExisting: drain); nothing that the proxy remembers takes them",
  async run({ bed, family, temperature, expect }) {
    const ways = await Promise.all(
      [
        { name: "out", from: bed.l1, to: bed.ext },
        { name: "in", from: bed.ext, to: bed.l1 },
      ].map(async ({ name, from, to }) => ({
        name,
        client: await from.endpoint(),
        dial: { host: to.address(family), port: SERVER_PORT, localPort: ++port },
      })),
    );
    const rounds = temperature === "cold" ? 1 : WARM_ROUNDS;
    try {
      bed.labelLate(true);
      await bed.agent.untilEnrolled(bed.l1);
      for (const { name, client, dial } of ways) {
        const seen = expect.success(`a connection ${name}, enrolled`, await client.ask("report", dial));
        expect.that("by the proxy", seen.peerPort !== dial.localPort, `the server saw port ${seen.peerPort}`);
      }
      bed.labelLate(false);
      await bed.agent.untilLeft(bed.l1);
      const held = [];
      for (const { name, client, dial } of ways) {
        const { handle } = expect.success(`the same ${name}, not enrolled`, await client.ask("open", dial));
        held.push({ name, client, handle });
      }
      bed.labelLate(true);
      await bed.agent.untilEnrolled(bed.l1);
      for (const { name, client, handle } of held) {
        expect.success(`that one ${name}, enrolled again`, await client.ask("exchange", { handle, rounds }));
        await client.ask("close", { handle });
      }
    } finally {
      bed.labelLate(false);
      await bed.agent.untilLeft(bed.l1);
    }
  },
});
