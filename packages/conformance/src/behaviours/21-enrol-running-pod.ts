import { soon, within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, WARM_ROUNDS } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "enrol-running-pod",
  number: 21,
  title: "A running pod is enrolled without breaking its connections",
  given: "a plain pod with open connections, out and in",
  when: "its namespace is labelled",
  outcome:
    "within a second new connections are captured, both ways; by policy (enrolExisting: drain) those from before go on uncaptured",
  async run(trial) {
    const { bed, family, temperature, expect } = trial;
    const out = { host: bed.ext.address(family), port: SERVER_PORT };
    const into = { host: bed.l1.address(family), port: SERVER_PORT };
    const pod = await bed.l1.endpoint();
    const outside = await bed.ext.endpoint();
    const rounds = temperature === "cold" ? 1 : WARM_ROUNDS;
    const held = [
      { endpoint: pod, ...expect.success("a connection out", await pod.ask("open", out)) },
      { endpoint: outside, ...expect.success("a connection in", await outside.ask("open", into)) },
    ];
    for (const { endpoint, handle } of held)
      expect.success("its round trips", await endpoint.ask("exchange", { handle, rounds }));

    bed.labelLate(true);
    try {
      const since = bed.proxy.mark();
      // Ask the network, not the agent, when capture has begun.
      await eventually(
        expect,
        "captured within a second",
        async () => {
          await pod.ask("report", { ...out, timeoutMs: within(100) });
          const records = bed.proxy.find({ frontend: "outbound", source: bed.l1.address(family) }, since);
          return { holds: records.length > 0, seen: "nothing at the proxy" };
        },
        soon(1_000),
      );
      await bed.agent.untilEnrolled(bed.l1);
      for (const { endpoint, handle } of held) {
        expect.success("the connection from before", await endpoint.ask("exchange", { handle, rounds: 5 }));
      }
      const madeOut = await contact(trial, bed.l1, out);
      await expectCaptured(trial, madeOut, { frontend: "outbound", source: bed.l1.address(family), destination: out });
      const madeIn = await contact(trial, bed.ext, into);
      await expectCaptured(trial, madeIn, { frontend: "inbound", source: bed.ext.address(family), destination: into });
      for (const { endpoint, handle } of held) {
        expect.success("the connection from before, later", await endpoint.ask("exchange", { handle, rounds: 5 }));
        await endpoint.ask("close", { handle });
      }
    } finally {
      bed.labelLate(false);
      await bed.agent.untilLeft(bed.l1);
    }
  },
});
