import { Namespace } from "../lab/namespace.ts";
import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { countPackets } from "../suite/packet-counter.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const BULK = 1_000_000;

export default defineBehaviour({
  id: "x-icmp-errors",
  title: "ICMP errors about what the proxy sends reach the proxy",
  given:
    "a router with a smaller MTU in the middle of the proxy's upstream leg, and of the client's leg; a router that refuses a port",
  when: "a member uploads over it; a host behind it downloads from a member; a member connects to what is refused",
  outcome:
    "the router's errors arrive in the proxy's namespace, though they quote the member's or the client's address; both transfers complete; the refused connection ends at once",
  temperatures: ["cold"],
  async run({ bed, lab, family, expect }) {
    const far = { host: bed.far.address(family), port: SERVER_PORT };
    const member = { host: bed.m1.address(family), port: SERVER_PORT };
    const tooBig =
      family === 4 ? "icmp type destination-unreachable icmp code frag-needed" : "icmpv6 type packet-too-big";
    {
      await bed.forgetPaths();
      await using errors = await countPackets(bed.z.namespace, tooBig);
      const client = await bed.m1.endpoint();
      const up = await client.ask("upload", { ...far, bytes: BULK, timeoutMs: within(6_000) });
      expect.equal("bytes that arrived", expect.success("upload of the member", up).bytes, BULK);
      const count = await errors.count();
      expect.that("errors about the upstream leg in the proxy's namespace", count > 0, count);
    }
    {
      await bed.forgetPaths();
      await using errors = await countPackets(bed.z.namespace, tooBig);
      const outside = await bed.far.endpoint();
      const down = await outside.ask("download", { ...member, bytes: BULK, timeoutMs: within(6_000) });
      expect.success("download from the member", down);
      const count = await errors.count();
      expect.that("errors about the client's leg in the proxy's namespace", count > 0, count);
    }
    const router = new Namespace(`${lab.prefix}-r-far`);
    const reject = family === 4 ? "icmp type host-prohibited" : "icmpv6 type admin-prohibited";
    await router.nft(
      `table inet refuse {\n  chain c {\n    type filter hook forward priority 0\n    tcp dport 4 reject with ${reject}\n  }\n}\n`,
    );
    try {
      const client = await bed.m1.endpoint();
      const outcome = await client.ask("report", { ...far, port: 4, timeoutMs: within(4_000) });
      expect.failure("a connection that a router refuses", outcome);
      // Its own tries to connect would go on for much longer: only the error tells the proxy. A socket that is in use when the error
      // comes drops it (net/ipv4/tcp_ipv4.c, tcp_v4_err(), LINUX_MIB_LOCKDROPPEDICMPS); the next SYN, a second later, brings another.
      expect.that(
        "it ends at once",
        !outcome.ok && outcome.failure !== "TIMEOUT" && outcome.ms < within(2_500),
        outcome.ms,
      );
    } finally {
      await router.nft("delete table inet refuse\n");
    }
  },
});
