import type { LabHost } from "../lab/lab-host.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { DNS_PROXY_PORT, DnsServer, WHO } from "../programs/dns-server.ts";
import type { Place } from "../programs/endpoint/protocol.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";

const DNS_PORT = 53;
/** A nameserver on the node itself, as NodeLocal DNSCache is, at an address of its own. */
const NODE_LOCAL = { 4: "198.18.99.53", 6: "2001:2:0:63::53" } as const;
/** Long enough for an answer to come, had the question gone anywhere. */
const PATIENCE_MS = 400;

export default defineBehaviour({
  id: "dns-capture",
  number: 19,
  title: "DNS goes to the proxy where it is to, and nowhere else",
  given:
    "unbound on the proxy's port 15053, on a host outside, on a pod of another node, on an address of the node and on a member; each tells its own name",
  when: "members ask by UDP and TCP: with capture off, on by annotation of the pod, on for the node, off by annotation; several nameservers at once from one socket; then without the proxy's DNS",
  outcome:
    "with capture the proxy answers, from the address and port that were asked; else whoever was asked; a member that serves DNS is reached like any other; without the proxy's DNS no question goes past it",
  async run(trial) {
    const { bed, family, temperature } = trial;
    await bed.node.namespace.ip(`addr add ${NODE_LOCAL[4]}/32 dev lo`, `addr add ${NODE_LOCAL[6]}/128 dev lo nodad`);
    await using stack = new AsyncDisposableStack();
    const serve = async (host: LabHost, port: number, name: string) =>
      stack.use(await DnsServer.start(host, port, name, bed.node.paths.root));
    try {
      const [proxy, outside] = await Promise.all([
        serve(bed.z, DNS_PROXY_PORT, "proxy"),
        serve(bed.ext, DNS_PORT, "ext"),
        serve(bed.s1, DNS_PORT, "s1"),
        serve(bed.node, DNS_PORT, "node"),
        serve(bed.m2, DNS_PORT, "m2"),
      ]);
      if (temperature === "cold") bed.lab.cool();
      await asked(trial, bed.m1, false);

      const annotation = family === 4 ? "millrace.dev/dns-capture" : "ambient.istio.io/dns-capture";
      bed.node.applyPod(bed.m1, { annotations: { [annotation]: "true" } });
      await untilCaptured(trial, bed.m1, true);
      await asked(trial, bed.m1, true);
      await asked(trial, bed.m2, false);
      await servedByMember(trial);

      bed.node.applyPod(bed.m1);
      await untilCaptured(trial, bed.m1, false);
      await bed.reconfigure({ dnsCapture: true });
      bed.node.applyPod(bed.m2, { annotations: { [annotation]: "false" } });
      await untilCaptured(trial, bed.m2, false);
      await asked(trial, bed.m1, true);
      await asked(trial, bed.m2, false);

      await proxy[Symbol.asyncDispose]();
      const before = outside.questions.length;
      await closed(trial);
      trial.expect.equal("questions that went past the proxy", outside.questions.length - before, 0);
    } finally {
      bed.node.applyPod(bed.m2);
      await bed.reconfigure({});
      await bed.node.namespace.ip(`addr del ${NODE_LOCAL[4]}/32 dev lo`, `addr del ${NODE_LOCAL[6]}/128 dev lo`);
    }
  },
});

const at = ({ family }: Trial, host: LabHost): Place => ({ host: host.address(family), port: DNS_PORT });

/** All nameservers a pod may have, with what each says of itself. */
const nameservers = (trial: Trial): (Place & { readonly name: string })[] => [
  { ...at(trial, trial.bed.ext), name: "ext" },
  { ...at(trial, trial.bed.s1), name: "s1" },
  { host: NODE_LOCAL[trial.family], port: DNS_PORT, name: "node" },
];

/** All nameservers at once by UDP, each by TCP: the proxy answers all, or each for itself. */
async function asked(trial: Trial, from: LabPod, captured: boolean): Promise<void> {
  const { expect, temperature } = trial;
  const client = await from.endpoint();
  const servers = nameservers(trial);
  const wanted = servers.map(({ host, port, name }) => ({ server: host, port, text: captured ? "proxy" : name }));
  const what = `${from.name} with capture ${captured ? "on" : "off"}`;
  const rounds = temperature === "cold" ? 1 : WARM_ROUNDS / 4;
  for (let round = 0; round < rounds; round++) {
    expect.equal(`${what} heard by UDP`, await client.ask("askDns", { servers, name: WHO }), wanted);
  }
  const byTcp = await Promise.all(
    servers.map(({ host, port }) => client.ask("askDnsByTcp", { host, port, name: WHO })),
  );
  const heard = byTcp.map((outcome) => expect.success(`${what} by TCP`, outcome));
  expect.equal(
    `${what} heard by TCP`,
    heard,
    wanted.map(({ text }) => text),
  );
}

/** A member's own DNS service, asked from a plain pod and from outside. */
async function servedByMember(trial: Trial): Promise<void> {
  const { bed, expect } = trial;
  const to = at(trial, bed.m2);
  for (const from of [bed.p1, bed.ext]) {
    const client = await from.endpoint();
    const heard = await client.ask("askDns", { servers: [to], name: WHO });
    expect.equal(`${from.name} heard the member by UDP`, heard, [{ server: to.host, port: to.port, text: "m2" }]);
    const byTcp = await client.ask("askDnsByTcp", { ...to, name: WHO });
    expect.equal(`${from.name} heard the member by TCP`, expect.success("by TCP", byTcp), "m2");
  }
}

async function untilCaptured(trial: Trial, pod: LabPod, captured: boolean): Promise<void> {
  const client = await pod.endpoint();
  const servers = [at(trial, trial.bed.ext)];
  const wanted = captured ? "proxy" : "ext";
  await eventually(trial.expect, `${pod.name}'s DNS ${captured ? "captured" : "left alone"}`, async () => {
    const [heard] = await client.ask("askDns", { servers, name: WHO, timeoutMs: PATIENCE_MS });
    return { holds: heard?.text === wanted, seen: heard };
  });
}

async function closed(trial: Trial): Promise<void> {
  const { bed, expect } = trial;
  const client = await bed.m1.endpoint();
  const server = at(trial, bed.ext);
  const [byUdp, byTcp] = await Promise.all([
    client.ask("askDns", { servers: [server], name: WHO, timeoutMs: PATIENCE_MS }),
    client.ask("askDnsByTcp", { ...server, name: WHO, timeoutMs: PATIENCE_MS }),
  ]);
  expect.equal("without the proxy's DNS, heard by UDP", byUdp[0]?.text, "");
  expect.failure("without the proxy's DNS, by TCP", byTcp);
}
