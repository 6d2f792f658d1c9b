import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { GREETING } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-server-speaks-first",
  title: "Protocols in which the server speaks first work",
  given: "a server that greets before it is asked, as SMTP and MySQL do",
  when: "a member connects to it and waits, and a host outside to a member that greets",
  outcome: "the greeting arrives within a second",
  async run({ bed, family, temperature, expect }) {
    if (temperature === "cold") bed.lab.cool();
    const times = temperature === "cold" ? 1 : 20;
    for (const [from, to] of [
      [bed.m1, bed.ext],
      [bed.m1, bed.m2],
      [bed.ext, bed.m1],
    ] as const) {
      const dial = { host: to.address(family), port: 8025, bytes: GREETING.length, timeoutMs: within(1_000) };
      for (let time = 0; time < times; time++) {
        const heard = await (await from.endpoint()).ask("listenTo", dial);
        expect.equal(`${from.name} heard ${to.name}`, expect.success("greeting", heard), GREETING);
      }
    }
  },
});
