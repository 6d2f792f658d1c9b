import { DNS_PROXY_PORT, DnsServer, WHO } from "../programs/dns-server.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { eventually } from "../suite/eventually.ts";

/** The address of NodeLocal DNSCache on every node. */
const NODE_LOCAL = { 4: "198.18.99.54", 6: "2001:2:0:63::54" } as const;
const DNS_PORT = 53;
const PATIENCE_MS = 400;

export default defineBehaviour({
  id: "x-dns-notrack",
  title: "DNS goes to the proxy also where the node's own nameserver is exempt from conntrack",
  given:
    "a nameserver at an address of the node, with the rules that NodeLocal DNSCache makes for its own: NOTRACK in the table raw, ACCEPT in filter",
  when: "a member with DNS capture asks it, by UDP and TCP",
  outcome: "the proxy answers, from the address that was asked; no question reaches the node's nameserver",
  async run({ bed, family, expect }) {
    const { node, m1, z } = bed;
    const address = NODE_LOCAL[family];
    const server = { host: address, port: DNS_PORT };
    const flavour = bed.options.backendConfig.flavour === "legacy" ? "legacy" : "nft";
    const program = `${family === 4 ? "iptables" : "ip6tables"}-${flavour}`;
    const exempt = async (how: "-A" | "-D"): Promise<void> => {
      for (const rule of exemptions(address)) {
        await node.namespace.runChecked(program, ["-w", "10", ...rule.replace("CHAIN", how).split(" ")]);
      }
    };
    const prefix = `${address}/${family === 4 ? 32 : 128}`;
    await node.namespace.ip(`addr add ${prefix} dev lo${family === 6 ? " nodad" : ""}`);
    await using stack = new AsyncDisposableStack();
    const own = stack.use(await DnsServer.start(node, DNS_PORT, "node", node.paths.root));
    stack.use(await DnsServer.start(z, DNS_PROXY_PORT, "proxy", node.paths.root));
    const client = await m1.endpoint();
    const heard = async (): Promise<string | undefined> => {
      const [answer] = await client.ask("askDns", { servers: [server], name: WHO, timeoutMs: PATIENCE_MS });
      return answer?.text;
    };
    await exempt("-A");
    try {
      expect.equal("without capture, heard", await heard(), "node");
      node.applyPod(m1, { annotations: { "millrace.dev/dns-capture": "true" } });
      await eventually(expect, "capture is on", async () => {
        const text = await heard();
        return { holds: text === "proxy", seen: text };
      });
      const before = own.questions.length;
      expect.equal("with capture, heard by UDP", await heard(), "proxy");
      const byTcp = await client.ask("askDnsByTcp", { ...server, name: WHO, timeoutMs: 2_000 });
      expect.equal("with capture, heard by TCP", expect.success("by TCP", byTcp), "proxy");
      expect.equal("questions to the node's nameserver", own.questions.length - before, 0);
    } finally {
      node.applyPod(m1);
      await eventually(expect, "capture is off", async () => {
        const text = await heard();
        return { holds: text === "node", seen: text };
      });
      await exempt("-D");
      await node.namespace.ip(`addr del ${prefix} dev lo`);
    }
  },
});

/** kubernetes/dns, cmd/node-cache/app/cache_app.go, initIptables(). */
function exemptions(address: string): string[] {
  return ["udp", "tcp"].flatMap((protocol) => [
    `-t raw CHAIN PREROUTING -p ${protocol} -d ${address} --dport ${DNS_PORT} -j NOTRACK`,
    `-t filter CHAIN INPUT -p ${protocol} -d ${address} --dport ${DNS_PORT} -j ACCEPT`,
    `-t raw CHAIN OUTPUT -p ${protocol} -s ${address} --sport ${DNS_PORT} -j NOTRACK`,
    `-t filter CHAIN OUTPUT -p ${protocol} -s ${address} --sport ${DNS_PORT} -j ACCEPT`,
  ]);
}
