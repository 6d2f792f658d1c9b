import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-proxy-process-restart",
  title: "A proxy process that is started again in its namespace takes over at once",
  given: "a proxy that is killed and started again in the same pod, as a container that restarts",
  when: "a member connects out and is connected to",
  outcome: "both are captured by the new process, without the agent having to do anything",
  async run(trial) {
    const { bed, family } = trial;
    const out = { host: bed.ext.address(family), port: SERVER_PORT };
    await contact(trial, bed.m1, out);
    await bed.proxy.program.kill();
    await bed.restartProxy();
    const made = await contact(trial, bed.m1, out);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
    const into = { host: bed.m1.address(family), port: SERVER_PORT };
    const came = await contact(trial, bed.ext, into);
    await expectCaptured(trial, came, { frontend: "inbound", source: bed.ext.address(family), destination: into });
  },
});
