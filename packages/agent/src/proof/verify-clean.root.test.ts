import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";
import type { Verification } from "./verification.ts";

const LIST = '{ "cniVersion": "1.0.0", "name": "net", "plugins": [ { "type": "bridge" } ] }\n';
const WITH_ENTRY = LIST.replace(" ]", ', { "type": "millrace" } ]');

/** Leaves a socket behind, as an agent that is killed does. */
const BIND = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGTERM"))';
const SOCKET = `! ${process.execPath} -e '${BIND}'`;

/** A node with two pods, CNI directories, and the settings that a careful administrator makes. */
async function makeNode(settings: Readonly<Record<string, unknown>> = {}): Promise<PrivateNode> {
  const node = await PrivateNode.create(settings);
  for (const name of ["cni/net.d", "cni/bin", "image"]) mkdirSync(join(node.directory, name), { recursive: true });
  writeFileSync(join(node.directory, "image/millrace"), "the plugin");
  writeFileSync(join(node.directory, "cni/net.d/10-net.conflist"), LIST);
  await node.exec("sysctl", "-qw", "net.ipv4.conf.default.rp_filter=1", "net.ipv4.conf.all.rp_filter=1");
  await node.addPod("web", "198.18.77.11");
  await node.addPod("proxy", "198.18.77.20");
  return node;
}

interface Verified extends Verification {
  readonly code: number | null;
}

/** Programs of other tests of this machine are loaded, too: they are told as unclaimed. */
async function verify(node: PrivateNode, ...options: string[]): Promise<Verified> {
  const { code, stdout, stderr } = await node.millrace(["verify-clean", "--json", ...options], { timeoutMs: 120_000 });
  if (code !== EXIT.ok && code !== EXIT.notClean) throw new Error(`verify-clean ended with ${code}: ${stderr}`);
  const { unclaimed, ...rest } = JSON.parse(stdout) as Verification;
  return { ...rest, unclaimed: unclaimed.filter((what) => !what.startsWith("BPF program ")), code };
}

describe("leftovers of every kind, planted after the snapshot", () => {
  let node: PrivateNode;
  beforeAll(async () => {
    node = await makeNode();
    // Takes the snapshot, and is undone but for that.
    expect(await node.millrace(["install"])).toMatchObject({ code: EXIT.ok });
    for (const name of ["cni/bin/millrace", "lib/journal/cni-install", "run"]) {
      rmSync(at(name), { recursive: true });
    }
    writeFileSync(at("cni/net.d/10-net.conflist"), LIST);
    await node.exec(
      "sh",
      "-c",
      "ip link add other type veth peer name other2; ip link set other up; ip link set other2 up",
    );
  });
  afterAll(() => node[Symbol.asyncDispose]());

  const at = (name: string) => join(node.directory, name);
  const inPod = (command: string) => `nsenter --net=/run/netns/web ${command}`;
  const write = (name: string, text: string) => `mkdir -p $(dirname D/${name}) && printf '%s' '${text}' > D/${name}`;
  /** `D` in a command is the node's directory. */
  const run = (command: string) => node.exec("sh", "-ec", command.replaceAll("D/", `${node.directory}/`));

  const plants: [what: string, found: RegExp, plant: string, undo: string][] = [
    [
      "a rule",
      /^IPv4 rule 700: lookup 7 \(node; protocol 77\)$/,
      "ip rule add priority 700 lookup 7 protocol 77",
      "ip rule del priority 700",
    ],
    [
      "a rule of IPv6 in a pod",
      /^IPv6 rule 700: .*\/web; protocol 77\)$/,
      inPod("ip -6 rule add priority 700 lookup 7 protocol 77"),
      inPod("ip -6 rule del priority 700"),
    ],
    [
      "a rule that lost its protocol",
      /^IPv4 rule 61: lookup 15101 /,
      "ip rule add priority 61 lookup 15101",
      "ip rule del priority 61",
    ],
    [
      "a route",
      /^IPv4 route 198\.18\.9\.9\/32 table 254 /,
      "ip route add 198.18.9.9 dev other protocol 77",
      "ip route del 198.18.9.9",
    ],
    [
      "a route in a pod",
      /^IPv4 route local 0\.0\.0\.0\/0 table 15001 /,
      inPod("ip route add local default dev lo table 15001 protocol 77"),
      inPod("ip route flush table 15001"),
    ],
    [
      "a tunnel",
      /^vxlan link millrace-out /,
      "ip link add millrace-out type vxlan id 1 dstport 4444",
      "ip link del millrace-out",
    ],
    [
      "a renamed tunnel in a pod",
      /^vxlan link x .*Ethernet address 02:4d:52:00:02:02\)$/,
      inPod("ip link add x address 02:4d:52:00:02:02 type vxlan id 1 dstport 4444"),
      inPod("ip link del x"),
    ],
    ["a set", /^ipset millrace-to4 /, "ipset create millrace-to4 hash:ip", "ipset destroy millrace-to4"],
    [
      "a chain of iptables-nft",
      /^iptables-nft chain ip mangle MILLRACE-PREROUTING /,
      "iptables-nft -t mangle -N MILLRACE-PREROUTING",
      "iptables-nft -t mangle -X MILLRACE-PREROUTING",
    ],
    [
      "a chain of ip6tables-legacy",
      /^iptables-legacy IPv6 chain filter MILLRACE /,
      "ip6tables-legacy -N MILLRACE",
      "ip6tables-legacy -X MILLRACE",
    ],
    [
      "a table of nftables",
      /^nft table inet millrace /,
      "nft add table inet millrace",
      "nft delete table inet millrace",
    ],
    [
      "a table for DNS in a pod",
      /^nft table inet millrace_dns .*\/web/,
      inPod("nft add table inet millrace_dns"),
      inPod("nft delete table inet millrace_dns"),
    ],
    ["pins", /^pins millrace /, "mkdir D/bpf/millrace", "rmdir D/bpf/millrace"],
    [
      "a sysctl of the node",
      /^sysctl net\/ipv4\/conf\/h-web\/rp_filter is 2, it was 1 \(node\)$/,
      "sysctl -qw net.ipv4.conf.h-web.rp_filter=2",
      "sysctl -qw net.ipv4.conf.h-web.rp_filter=1",
    ],
    [
      "a sysctl of a pod",
      /^sysctl net\/ipv4\/conf\/eth0\/arp_ignore is 3, it was 0 \(network namespace \d+\)$/,
      inPod("sysctl -qw net.ipv4.conf.eth0.arp_ignore=3"),
      inPod("sysctl -qw net.ipv4.conf.eth0.arp_ignore=0"),
    ],
    [
      "a range of source ports",
      /^sysctl net\/ipv4\/ip_local_port_range is 32768 to 46883, it was 32768 to 60999 \(network namespace \d+\)$/,
      inPod("sysctl -qw 'net.ipv4.ip_local_port_range=32768 46883'"),
      inPod("sysctl -qw 'net.ipv4.ip_local_port_range=32768 60999'"),
    ],
    [
      "a qdisc",
      /^clsact qdisc of h-web without a filter \(node\): it had none$/,
      "tc qdisc add dev h-web clsact",
      "tc qdisc del dev h-web clsact",
    ],
    [
      "a CNI entry",
      /^entry in .*10-net\.conflist$/,
      write("cni/net.d/10-net.conflist", WITH_ENTRY),
      write("cni/net.d/10-net.conflist", LIST),
    ],
    [
      "a CNI list",
      /^list .*00-millrace\.conflist$/,
      write("cni/net.d/00-millrace.conflist", LIST),
      "rm D/cni/net.d/00-millrace.conflist",
    ],
    ["the CNI plugin", /^CNI plugin .*cni\/bin\/millrace$/, write("cni/bin/millrace", "any"), "rm D/cni/bin/millrace"],
    [
      "the ambient config",
      /^ambient config /,
      write("ambient/config.json", '{"ztunnelReady":true,"redirectMode":"ebpf"}'),
      "rm -r D/ambient",
    ],
    ["an empty directory", /^directory .*\/run: it is empty/, "mkdir D/run", "rmdir D/run"],
    ["a lock", /^lock .*agent\.lock$/, write("run/agent.lock", "17"), "rm -r D/run"],
    ["a socket", /^socket .*run\/cni\.sock$/, `mkdir -p D/run; ${SOCKET} D/run/cni.sock`, "rm D/run/cni.sock"],
    [
      "a half-written file",
      /^half-written file .*\.tmp$/,
      write("cni/net.d/.millrace-0123456789abcdef.tmp", "half"),
      "rm D/cni/net.d/.millrace-0123456789abcdef.tmp",
    ],
    ["the installer's state", /^state of the installation /, write("run/install.json", "{}"), "rm D/run/install.json"],
    [
      "a note of the journal",
      /^journal .*backends\/ebpf$/,
      write("lib/journal/backends/ebpf", "x"),
      "rm -r D/lib/journal/backends",
    ],
  ];

  /** It would not be empty beside the others. */
  const ALONE = "an empty directory";

  test("are found, each once, when all are there", async () => {
    const together = plants.filter(([what]) => what !== ALONE);
    for (const [, , plant] of together) await run(plant);
    const { code, left } = await verify(node);
    const wrong = together.filter(([, found]) => left.filter((what) => found.test(what)).length !== 1);
    expect({ code, wrong: wrong.map(([what]) => what), left }).toMatchObject({ code: EXIT.notClean, wrong: [] });
    expect(left).toHaveLength(together.length);
    for (const [, , , undo] of together.toReversed()) await run(undo);
  }, 180_000);

  test("one is enough", async () => {
    const [, found, plant, undo] = plants.find(([what]) => what === ALONE) as (typeof plants)[number];
    await run(plant);
    expect(await verify(node)).toMatchObject({ code: EXIT.notClean, left: [expect.stringMatching(found)] });
    await run(undo);
    expect(await verify(node)).toMatchObject({ code: EXIT.ok, left: [] });
  }, 120_000);

  test("and what others did meanwhile is not ours", async () => {
    await node.addPod("young", "198.18.77.30");
    await run("ip rule add priority 9 lookup 9; ip route add 198.18.9.9 dev other; ipset create mill hash:ip");
    await run(
      "tc qdisc add dev h-proxy clsact; tc filter add dev h-proxy ingress bpf bytecode '1,6 0 0 0' classid 1:1",
    );
    await run("sysctl -qw net.ipv4.conf.h-proxy.rp_filter=0; iptables-nft -N MILLSTREAM; nft add table inet mine");
    await run(write("cni/net.d/10-net.conflist", LIST.replace("bridge", "ptp")));
    const verified = await verify(node, "--strict");
    expect(verified).toMatchObject({ left: [], unclaimed: [], unseen: [] });
    expect(verified.others).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^device h-young veth .* is new \(node\)$/),
        "rule 9: lookup 9 is new (node)",
        "set mill is new (node)",
        "table inet mine is new (node)",
        expect.stringMatching(/^network namespace \d+ is new$/),
      ]),
    );
    // As we would leave it, on something that nobody has noted: it may have been us.
    await run("tc qdisc add dev h-young clsact; sysctl -qw net.ipv4.conf.h-young.rp_filter=2");
    expect(await verify(node)).toMatchObject({
      code: EXIT.ok,
      left: [],
      unclaimed: [
        expect.stringContaining("h-young/rp_filter is 2"),
        expect.stringContaining("clsact qdisc of h-young"),
      ],
    });
    expect((await verify(node, "--strict")).code).toBe(EXIT.notClean);
  }, 120_000);
});

describe.each([
  { backends: { ebpf: { attach: "tcx" } }, redirectMode: "ebpf" },
  { backends: { ebpf: { attach: "clsact" } }, redirectMode: "ebpf" },
  { backends: { iptables: { flavour: "nft" } }, redirectMode: "iptables" },
  { backends: { iptables: { flavour: "legacy" } }, redirectMode: "iptables" },
])("$redirectMode $backends", (settings) => {
  let node: PrivateNode;
  beforeAll(async () => {
    node = await makeNode(settings);
    const labels = { "istio.io/dataplane-mode": "ambient" };
    node.manifest("namespaces", objects.namespace("shop", labels), objects.namespace("istio-system"));
    node.manifest("web", objects.pod("shop", "web", "198.18.77.11"));
    node.manifest("proxy", objects.pod("istio-system", "proxy", "198.18.77.20", { app: "ztunnel" }));
  });
  afterAll(() => node[Symbol.asyncDispose]());

  async function enrol(): Promise<void> {
    await using agent = node.agent();
    await eventually(
      () => node.millrace(["status"]),
      ({ code }) => code === EXIT.ok,
    );
    expect(await node.millrace(["verify-clean"])).toMatchObject({
      code: EXIT.conflict,
      stderr: expect.stringContaining("ERR_AGENT_RUNNING"),
    });
    await agent.stop("SIGKILL");
  }

  test("is found whole, also by marks alone, and an uninstall is proven", async () => {
    await enrol();
    const found = await verify(node);
    expect(found.code).toBe(EXIT.notClean);
    expect(found.comparedWith).toMatchObject({ kernel: { late: false }, files: {} });
    // Whatever notes there are: they may be lost.
    node.settleLog();
    rmSync(join(node.directory, "lib"), { recursive: true });
    const marked = found.left.filter((what) => !/^(journal|sysctl|directory) /.test(what));
    expect((await verify(node)).left).toEqual(expect.arrayContaining(marked));
    await enrol();
    const uninstalled = await node.millrace(["uninstall", "--verify", "--purge", "--json"], { timeoutMs: 120_000 });
    const { verification } = JSON.parse(uninstalled.stdout) as { verification: Verification };
    expect(verification.left).toEqual([]);
    expect(verification.unseen).toEqual([]);
    expect(uninstalled.code).toBe(EXIT.ok);
    for (const name of ["run", "lib"]) expect(existsSync(join(node.directory, name)), name).toBe(false);
    expect(await verify(node)).toMatchObject({ code: EXIT.ok, left: [] });
  }, 240_000);
});

test("an uninstall removes rules and routes that nobody knows of, in a pod too", async () => {
  await using node = await makeNode();
  const inPod = ["nsenter", "--net=/run/netns/web", "ip"];
  await node.exec(...inPod, "rule", "add", "priority", "700", "lookup", "15001", "protocol", "77");
  await node.exec(...inPod, "-6", "route", "add", "local", "default", "dev", "lo", "table", "15001", "protocol", "77");
  expect((await verify(node)).left).toHaveLength(2);
  const uninstalled = await node.millrace(["uninstall", "--verify"], { timeoutMs: 120_000 });
  expect(uninstalled).toMatchObject({ code: EXIT.ok, stdout: expect.stringMatching(/^removed IPv4 rule 700: /m) });
  expect(await node.exec(...inPod, "rule", "show")).not.toContain("15001");
}, 120_000);

test("an uninstall that leaves something ends with status 1 and keeps what it would be compared with", async () => {
  await using node = await makeNode();
  expect(await node.millrace(["install"])).toMatchObject({ code: EXIT.ok });
  await node.exec("tc", "qdisc", "add", "dev", "h-web", "clsact");
  const uninstalled = await node.millrace(["uninstall", "--verify", "--purge"], { timeoutMs: 120_000 });
  expect(uninstalled).toMatchObject({ code: EXIT.notClean, stdout: expect.stringMatching(/^left +clsact qdisc/m) });
  expect(await verify(node)).toMatchObject({ code: EXIT.notClean, left: [expect.stringContaining("clsact qdisc")] });
  await node.exec("tc", "qdisc", "del", "dev", "h-web", "clsact");
  expect(await node.millrace(["uninstall", "--verify", "--purge"], { timeoutMs: 120_000 })).toMatchObject({
    code: EXIT.ok,
  });
  expect(existsSync(join(node.directory, "lib"))).toBe(false);
}, 240_000);
