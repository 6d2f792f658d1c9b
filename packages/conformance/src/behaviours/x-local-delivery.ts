import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** How long what a policy drops must not arrive: a SYN and its first retransmission (1 s, RFC 6298 section 2). */
const PATIENCE_MS = 1_200;

export default defineBehaviour({
  id: "x-local-delivery",
  title: "The host's network policy sees what a proxy sends to a member of its node, if it is to",
  given:
    "an nftables table on the node that drops, by addresses, what one member sends to another: as a NetworkPolicy engine does",
  when: "the first connects to the second, with `localDelivery: routed` and with `direct`",
  outcome:
    "routed: the policy sees true source and destination and has its way; without it the connection completes. direct: as documented for the backend",
  temperatures: ["warm"],
  async run(trial) {
    const { bed, family, expect } = trial;
    try {
      await bed.reconfigure({ localDelivery: "routed" });
      await completes(trial);
      await using policy = await Policy.create(trial);
      const client = await bed.m1.endpoint();
      const to = { host: bed.m2.address(family), port: SERVER_PORT };
      const dropped = await client.ask("report", { ...to, timeoutMs: PATIENCE_MS });
      expect.failure("routed: what the policy drops", dropped);
      const routed = await policy.dropped();
      expect.that("routed: packets the policy saw", routed > 0, routed);

      await bed.reconfigure({ localDelivery: "direct" });
      // Until then the proxy may have tried again for the one that was dropped.
      const seen = await policy.dropped();
      if (trial.difference("direct-delivery") === "past policy") {
        await completes(trial);
        expect.equal("direct: packets the policy saw", (await policy.dropped()) - seen, 0);
      } else {
        const still = await client.ask("report", { ...to, timeoutMs: PATIENCE_MS });
        expect.failure("direct: what the policy drops", still);
      }
    } finally {
      await bed.reconfigure({});
    }
    await completes(trial);
  },
});

async function completes(trial: Trial): Promise<void> {
  const { bed, family, expect } = trial;
  const destination = { host: bed.m2.address(family), port: SERVER_PORT };
  const made = await contact(trial, bed.m1, destination);
  expect.equal("the server saw", made.seen.peer, bed.m1.address(family));
  await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination });
}

/** Drops what m1 sends to m2, on its way out to m2's veth. */
class Policy implements AsyncDisposable {
  readonly #trial: Trial;

  private constructor(trial: Trial) {
    this.#trial = trial;
  }

  static async create(trial: Trial): Promise<Policy> {
    const { bed, family } = trial;
    const ip = family === 4 ? "ip" : "ip6";
    const match = `${ip} saddr ${bed.m1.address(family)} ${ip} daddr ${bed.m2.address(family)} tcp dport ${SERVER_PORT}`;
    await bed.node.namespace.nft(`table inet netpol {
  counter dropped { }
  chain forward {
    type filter hook forward priority 0
    oifname "${bed.node.deviceOf(bed.m2)}" ${match} counter name dropped drop
  }
}
`);
    return new Policy(trial);
  }

  async dropped(): Promise<number> {
    const { namespace } = this.#trial.bed.node;
    const listed = await namespace.runChecked("nft", ["list", "counter", "inet", "netpol", "dropped"]);
    return Number(/packets (\d+)/.exec(listed)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trial.bed.node.namespace.nft("delete table inet netpol\n");
  }
}
