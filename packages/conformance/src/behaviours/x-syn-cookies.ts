import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-syn-cookies",
  title: "Capture works while the proxy answers with SYN cookies",
  given: "a proxy whose kernel sends a cookie for every SYN (net.ipv4.tcp_syncookies=2)",
  when: "a member connects out and is connected to",
  outcome: "both are captured and complete",
  async run(trial) {
    const { bed, family } = trial;
    const before = await bed.z.namespace.sysctl("net.ipv4.tcp_syncookies");
    await bed.z.namespace.setSysctls({ "net.ipv4.tcp_syncookies": 2 });
    try {
      const out = { host: bed.ext.address(family), port: SERVER_PORT };
      const made = await contact(trial, bed.m1, out);
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
      const into = { host: bed.m1.address(family), port: SERVER_PORT };
      const came = await contact(trial, bed.ext, into);
      await expectCaptured(trial, came, { frontend: "inbound", source: bed.ext.address(family), destination: into });
    } finally {
      await bed.z.namespace.setSysctls({ "net.ipv4.tcp_syncookies": before });
    }
  },
});
