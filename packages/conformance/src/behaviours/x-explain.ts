import { z } from "zod";
import { hostPort } from "../lab/addresses.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { DNS_PROXY_PORT, DnsServer, WHO } from "../programs/dns-server.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { recordsSince } from "../suite/contact.ts";
import { eventually } from "../suite/eventually.ts";
import { OTHER_PORT, SERVER_PORT } from "../suite/testbed.ts";

/** Long enough for a SYN and its first retransmission (1 s, RFC 6298 section 2). */
const PATIENCE_MS = 1_500;
const DNS_PORT = 53;
const exclusions = (trial: Trial): Record<string, string> => ({
  "millrace.dev/exclude-outbound-ports": String(OTHER_PORT),
  "millrace.dev/exclude-outbound-cidrs": `${trial.bed.s1.address(4)}/32,2001:2:0:2::/64`,
  "millrace.dev/exclude-inbound-ports": String(OTHER_PORT),
  "millrace.dev/exclude-inbound-cidrs": `${trial.bed.p1.address(4)},${trial.bed.p1.address(6)}`,
  "millrace.dev/dns-capture": "true",
});

/** Which of the proxy's frontends serves which port. */
const PORTS: Readonly<Record<string, number>> = { outbound: 15_001, inbound: 15_006, hbone: 15_008 };

const Explained = z.object({
  membership: z.string(),
  reason: z.string().optional(),
  unexplained: z.string().optional(),
  events: z.array(z.object({ seq: z.int(), type: z.string() })),
  explanation: z
    .object({
      fate: z.enum(["captured", "bypassed", "dropped", "untouched"]),
      to: z.object({ proxy: z.string(), port: z.int() }).optional(),
      steps: z.array(z.object({ object: z.string(), does: z.string() })).min(1),
      problems: z.array(z.string()),
    })
    .optional(),
});

export default defineBehaviour({
  id: "x-explain",
  title: "What `millrace explain` says of a connection is what becomes of its packets",
  given:
    "members, one of them with exclusions and DNS capture, a plain pod, a proxy that is Ready, then not, then dead",
  when: "each kind of connection is explained, and then made",
  outcome:
    "captured on the port that was named, passed, or stopped, as was said; a pod that is no member is said to be none, and why",
  temperatures: ["cold"],
  backends: { only: ["ebpf", "iptables"], because: "explaining is an optional part of the contract" },
  async run(trial) {
    const { bed, expect } = trial;
    const { m1, m2, p1, s1, ext, node, z: proxy } = bed;
    await tcp(trial, m1, ext, SERVER_PORT, "captured");
    await tcp(trial, m1, node, SERVER_PORT, "captured");
    await tcp(trial, ext, m1, SERVER_PORT, "captured");
    await tcp(trial, p1, m1, SERVER_PORT, "captured");
    await tcp(trial, m2, m1, SERVER_PORT, "captured");
    await tcp(trial, node, m1, SERVER_PORT, "bypassed");
    await tcp(trial, p1, ext, SERVER_PORT, "untouched");
    await tcp(trial, ext, p1, SERVER_PORT, "untouched");
    await dns(trial, "untouched");
    const plain = await explain(trial, p1, []);
    expect.equal("the plain pod is", plain.membership, "not-member");
    expect.equal("because", plain.reason, "namespace plain has no label istio.io/dataplane-mode=ambient");

    bed.node.applyPod(m1, { annotations: exclusions(trial) });
    try {
      await untilFate(trial, m1, ["--to", at(trial, ext, OTHER_PORT)], "bypassed");
      await tcp(trial, m1, ext, OTHER_PORT, "bypassed");
      await tcp(trial, m1, s1, SERVER_PORT, "bypassed");
      await tcp(trial, ext, m1, OTHER_PORT, "bypassed");
      await tcp(trial, p1, m1, SERVER_PORT, "bypassed");
      await tcp(trial, m1, m2, OTHER_PORT, "captured");
      await tcp(trial, m1, ext, SERVER_PORT, "captured");
      await dns(trial, "captured");

      bed.node.applyPod(proxy, { ready: false });
      await bed.agent.untilActive(undefined);
      await tcp(trial, m1, ext, SERVER_PORT, "dropped");
      await tcp(trial, ext, m1, SERVER_PORT, "dropped");
      await tcp(trial, m1, ext, OTHER_PORT, "bypassed");
      await tcp(trial, node, m1, SERVER_PORT, "bypassed");
      await dns(trial, "dropped");
    } finally {
      bed.node.applyPod(m1);
      bed.node.applyPod(proxy);
      await bed.agent.untilActive(proxy);
      await untilFate(trial, m1, ["--to", at(trial, ext, OTHER_PORT)], "captured");
    }

    await bed.proxy.program.kill();
    try {
      await tcp(trial, m1, ext, SERVER_PORT, "dropped");
      await tcp(trial, ext, m1, SERVER_PORT, "dropped");
    } finally {
      await bed.restartProxy();
    }
    await tcp(trial, m1, ext, SERVER_PORT, "captured");
  },
});

type Fate = NonNullable<z.output<typeof Explained>["explanation"]>["fate"];

const at = ({ family }: Trial, host: LabHost, port: number): string => hostPort(host.address(family), port);

async function explain({ bed, expect }: Trial, pod: LabPod, flow: readonly string[]) {
  const name = `${pod.kubernetesNamespace}/${pod.name}`;
  const { status, stdout, stderr } = await bed.agent.millrace("explain", name, ...flow, "--json");
  if (status !== 0) expect.fail(`millrace explain ${name} ${flow.join(" ")}: ${stderr}`);
  const explained = Explained.parse(JSON.parse(stdout));
  expect.that(
    `events of ${name}`,
    explained.events.length > 0,
    explained.events.map(({ seq }) => seq),
  );
  return explained;
}

/** Explains a connection at the end that is a pod, the client's first, makes it, and compares. */
async function tcp(trial: Trial, from: LabHost, to: LabHost, port: number, wanted: Fate): Promise<void> {
  const { bed, expect, family } = trial;
  const what = `${from.name} → ${to.name} port ${port}`;
  for (const [pod, flow] of ends(trial, from, to, port)) {
    const { explanation, unexplained } = await explain(trial, pod, flow);
    if (explanation === undefined) return expect.fail(`${what} at ${pod.name}: ${unexplained}`);
    expect.equal(`${what} at ${pod.name}`, explanation.fate, wanted);
    expect.equal(`${what}: what is missing`, explanation.problems, []);
    expect.note(`${what}: decided by`, explanation.steps.at(-1));
    const client = await from.endpoint();
    const since = bed.proxy.mark();
    const made = await client.ask("report", { host: to.address(family), port, timeoutMs: PATIENCE_MS });
    if (wanted === "dropped") {
      expect.failure(what, made);
      continue;
    }
    expect.success(what, made);
    const records = await recordsSince(trial, since, wanted === "captured" ? 1 : 0);
    const ports = records.map(({ frontend }) => PORTS[frontend]);
    expect.equal(`${what}: ports of the proxy`, ports, explanation.to === undefined ? [] : [explanation.to.port]);
  }
}

/** The ends that are pods of this node, as `millrace explain` is asked about them. */
function ends(trial: Trial, from: LabHost, to: LabHost, port: number): [LabPod, string[]][] {
  const { bed } = trial;
  const pods = [bed.m1, bed.m2, bed.p1];
  return pods.flatMap((pod): [LabPod, string[]][] => [
    ...(pod === from ? [[pod, ["--to", at(trial, to, port)]] as [LabPod, string[]]] : []),
    ...(pod === to ? [[pod, ["--from", at(trial, from, port)]] as [LabPod, string[]]] : []),
  ]);
}

/** A question to a nameserver outside: the proxy answers it, or the nameserver, or nobody. */
async function dns(trial: Trial, wanted: Fate): Promise<void> {
  const { bed, expect, family } = trial;
  const flow = ["--to", at(trial, bed.ext, DNS_PORT), "--udp"];
  const { explanation } = await explain(trial, bed.m1, flow);
  expect.equal("a question of m1 to ext", explanation?.fate, wanted);
  expect.equal("goes to port", explanation?.to?.port, wanted === "captured" ? DNS_PROXY_PORT : undefined);
  await using stack = new AsyncDisposableStack();
  const serve = async (host: LabHost, port: number, name: string) =>
    stack.use(await DnsServer.start(host, port, name, bed.node.paths.root));
  await Promise.all([serve(bed.z, DNS_PROXY_PORT, "proxy"), serve(bed.ext, DNS_PORT, "ext")]);
  const client = await bed.m1.endpoint();
  const servers = [{ host: bed.ext.address(family), port: DNS_PORT }];
  const [heard] = await client.ask("askDns", { servers, name: WHO, timeoutMs: PATIENCE_MS });
  const answers: Readonly<Record<Fate, string>> = { captured: "proxy", dropped: "", bypassed: "ext", untouched: "ext" };
  expect.equal("is answered by", heard?.text, answers[wanted]);
}

async function untilFate(trial: Trial, pod: LabPod, flow: readonly string[], wanted: Fate): Promise<void> {
  await eventually(trial.expect, `${pod.name} ${flow.join(" ")} ${wanted}`, async () => {
    const { explanation } = await explain(trial, pod, flow);
    return { holds: explanation?.fate === wanted, seen: explanation?.fate };
  });
}
