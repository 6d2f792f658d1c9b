import { podAddresses } from "../lab/addresses.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** Nobody's: the lab gives addresses from the lowest on. */
const UNKNOWN = podAddresses(1, 200);
const TIMEOUT_MS = 1_000;

export default defineBehaviour({
  id: "x-unknown-address",
  title: "An address that Kubernetes does not know of is no way past the proxy",
  given: "a member with a second address on its interface, which the node routes to it and no status of the pod names",
  when: "it connects out from that address, and others connect to it there",
  outcome: "what it opens is captured; what is opened to it is captured or dropped, and never arrives past the proxy",
  async run({ bed, family, temperature, expect }) {
    const { m1, p1, ext, node } = bed;
    const address = UNKNOWN[family];
    const prefix = `${address}/${family === 4 ? 32 : 128}`;
    await m1.namespace.ip(`addr add ${prefix} dev eth0${family === 6 ? " nodad" : ""}`);
    await node.namespace.ip(`route add ${prefix} dev ${node.deviceOf(m1)}`);
    try {
      for (let round = 0; round < (temperature === "cold" ? 1 : 5); round++) {
        if (temperature === "cold") bed.lab.cool();
        const since = bed.proxy.mark();
        const client = await m1.endpoint();
        const to = { host: ext.address(family), port: SERVER_PORT };
        const made = await client.ask("report", { ...to, localAddress: address });
        const seen = expect.success(`${m1.name} from ${address} → ${ext.name}`, made);
        expect.equal(`${ext.name} saw`, seen.peer, address);
        const records = await bed.proxy.awaitRecords({ source: address, destination: to.host }, since);
        expect.equal(
          "the proxy saw it on",
          records.map(({ frontend }) => frontend),
          ["outbound"],
        );
        for (const from of [ext, p1]) {
          const other = await from.endpoint();
          const place = { host: address, port: SERVER_PORT, timeoutMs: TIMEOUT_MS };
          const outcome = await other.ask("report", place);
          const isPast = outcome.ok && outcome.value.peerPort === outcome.localPort;
          expect.equal(`${from.name} → ${m1.name} at ${address}, past the proxy`, isPast, false);
        }
      }
    } finally {
      await node.namespace.ip(`route del ${prefix} dev ${node.deviceOf(m1)}`);
      await m1.namespace.ip(`addr del ${prefix} dev eth0`);
    }
  },
});
