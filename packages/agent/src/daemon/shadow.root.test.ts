import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { type ShadowDocument, shadowSchema } from "../shadow/shadow-document.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

/** A busy machine takes its time to start an agent. */
const SLOW_MS = 90_000;
const ADDRESS = "198.18.77.11";

async function node(settings: object): Promise<PrivateNode> {
  const made = await PrivateNode.create({ failurePolicy: "closed", ...settings });
  made.manifest("namespaces", objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }));
  await made.addPod("web", ADDRESS);
  made.manifest("web", objects.pod("shop", "web", ADDRESS));
  return made;
}

async function shadow(on: PrivateNode, isGood: (found: ShadowDocument) => boolean): Promise<ShadowDocument> {
  return eventually(
    async () => shadowSchema.parse(JSON.parse((await on.millrace(["shadow", "--json"])).stdout)),
    isGood,
    SLOW_MS,
  );
}

const follows = ({ since, workloads }: ShadowDocument) =>
  since !== undefined && workloads[0]?.isEnrolled === true && workloads[0].counts !== undefined;

/** One SYN, which nothing answers: the node has no proxy, so that it goes nowhere. */
const knock = (on: PrivateNode) =>
  on
    .exec("nsenter", "--net=/run/netns/web", "timeout", "0.7", "bash", "-c", "true < /dev/tcp/198.19.0.9/80")
    .catch(() => "");

test.each(["tcx", "clsact"] as const)(
  "beside what serves a shadow counts, by %s, and leaves no event",
  async (attach) => {
    await using on = await node({ redirectMode: "ebpf", shadow: "ebpf", backends: { ebpf: { attach } } });
    await using agent = on.agent();
    await agent.logged(/the shadow counts what it would capture/, SLOW_MS);
    await shadow(on, follows);
    await on.exec("ip", "route", "add", "198.19.0.9/32", "dev", "lo");
    await knock(on);
    const counted = await shadow(on, ({ workloads }) => (workloads[0]?.counts?.length ?? 0) > 0);
    expect(counted).toMatchObject({ shadow: "ebpf", active: "ebpf", refused: [], differences: [] });
    expect(counted.workloads[0]).toMatchObject({ namespace: "shop", name: "web", problems: [] });
    expect(counted.workloads[0]?.counts).toEqual([
      { direction: "outbound", verdict: "dropped_no_proxy", fate: "dropped", connections: 1, packets: 1 },
    ]);
    const text = await on.millrace(["shadow", "--plan"]);
    expect(text.code, text.stderr).toBe(EXIT.ok);
    expect(text.stdout).toContain(`${attach} h-web ingress: app_outbound`);
    expect(text.stdout).toMatch(/^shop\/web +outbound +dropped +dropped_no_proxy +1 +1$/m);
    const status = JSON.parse((await on.millrace(["status", "--observe", "--json"])).stdout);
    expect(status.workloads).toMatchObject([{ state: "enrolled", foreign: [] }]);
    expect((await on.millrace(["log", "--jsonl"])).stdout).not.toContain("shadow");

    await agent.stop("SIGKILL");
    const dirty = await on.millrace(["verify-clean"]);
    expect(dirty.code).toBe(EXIT.notClean);
    expect(dirty.stdout).toMatch(/program shadow_outbound/);
    expect(dirty.stdout).toMatch(/millrace-shadow/);

    on.configure({ redirectMode: "ebpf", backends: { ebpf: { attach } } });
    await using next = on.agent();
    await next.logged(/removed what an earlier run's shadow left/, SLOW_MS);
    const off = await shadow(on, ({ shadow: setting }) => setting === "off");
    expect(off.workloads).toEqual([]);
    await next.stop("SIGTERM");
    const after = await on.millrace(["verify-clean"]);
    expect(after.stdout).not.toMatch(/shadow/);
    on.configure({ redirectMode: "ebpf", shadow: "ebpf", backends: { ebpf: { attach } } });
    await using third = on.agent();
    await third.logged(/the shadow counts what it would capture/, SLOW_MS);
    await shadow(on, follows);
    await third.stop("SIGKILL");
    const removed = await on.millrace(["uninstall", "--verify", "--purge"]);
    expect(removed.code, removed.stdout).toBe(EXIT.ok);
    expect(removed.stdout).toMatch(/shadow of workload uid-web/);
  },
  180_000,
);

test("a plan of iptables beside eBPF, and a switch that is only told", async () => {
  await using on = await node({ redirectMode: "ebpf", shadow: "iptables" });
  await using agent = on.agent();
  await agent.logged(/agent is running/, SLOW_MS);
  const planned = await shadow(on, ({ workloads }) => workloads[0]?.isEnrolled === true);
  expect(planned.since).toBeUndefined();
  expect(planned.problem).toBeUndefined();
  expect(planned.workloads[0]?.objects.join("\n")).toMatch(
    new RegExp(`^ipset add millrace-from4 ${ADDRESS},h-web `, "m"),
  );
  expect(planned.shared.join("\n")).toMatch(/^IPv4 iptables-(nft|legacy) -A MILLRACE-/m);

  const dry = await on.millrace(["switch", "iptables", "--dry-run"]);
  expect(dry.code, dry.stderr).toBe(EXIT.ok);
  expect(dry.stdout).toMatch(/^would write: \d+ objects for shop\/web$/m);
  expect(dry.stdout).toContain("would: shop/web: iptables joins ebpf\n");

  await on.exec("ip", "rule", "add", "priority", "63", "fwmark", "0x1", "lookup", "4242");
  const clashing = await on.millrace(["switch", "iptables", "--dry-run"]);
  expect(clashing.code).toBe(EXIT.notCapable);
  expect(clashing.stdout).toMatch(/^lacks: clashes: /m);
  expect(clashing.stderr).toContain("ERR_NO_CAPABLE_BACKEND");
  await on.exec("ip", "rule", "del", "priority", "63");
  expect((await on.millrace(["status"])).stdout).not.toMatch(/switch/);
  await agent.stop("SIGTERM");
}, 400_000);
