import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES, serviceAddresses } from "./addresses.ts";
import { cniRequest } from "./cni.ts";
import { Lab } from "./lab.ts";
import type { LabHost } from "./lab-host.ts";
import type { LabPod } from "./lab-pod.ts";
import { NETNS_DIRECTORY } from "./namespace.ts";
import { labDirectory } from "./owner.ts";
import { podNetwork } from "./pod-network.ts";
import { processesIn, startTime } from "./process-table.ts";
import { mountsUnder, namespacesOf } from "./sweep.ts";

/** Everything that is left of a lab, by kind. */
function remains(prefix: string, inodes: ReadonlySet<number>): object {
  return {
    namespaces: namespacesOf(prefix),
    mounts: mountsUnder(labDirectory(prefix)),
    directory: existsSync(labDirectory(prefix)),
    owner: readdirSync("/run/millrace-lab").filter((name) => name.startsWith(prefix)),
    processes: processesIn(inodes),
  };
}

const NOTHING = { namespaces: [], mounts: [], directory: false, owner: [], processes: [] };
const inodesOf = (lab: Lab): Set<number> => new Set(lab.hosts.map(({ namespace }) => namespace.inode));

describe("a lab with pods on a bridge", () => {
  it("lets pods talk to each other as neighbours, and to the rest by the bridge", async () => {
    await using lab = await Lab.create({
      prefix: "mrbr",
      nodes: [{ pods: ["a", { name: "b" }, { name: "c", index: 300 }] }, { pods: ["d"] }],
      externals: ["x"],
      pods: "bridge",
      bridgeNetfilter: false,
    });
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => lab.pod(name)) as [LabPod, LabPod, LabPod, LabPod];
    const from = await a.endpoint();
    for (const to of [b, c, d, lab.external("x")]) {
      await (await to.endpoint()).listen(8080);
      for (const family of FAMILIES) {
        const outcome = await from.ask("report", { host: to.address(family), port: 8080 });
        expect(outcome).toMatchObject({ ok: true, value: { peer: a.address(family) } });
      }
    }
    const neighbours = await a.namespace.runChecked("ip", ["neigh", "show"]);
    expect(neighbours).toContain(`${b.address(4)} dev eth0`);
    expect(neighbours).toContain(`${b.address(6)} dev eth0`);
    expect(neighbours).not.toContain(c.address(4));
    expect(lab.node(1).deviceOf(a)).toBe("cni0");
    expect(await lab.node(1).namespace.sysctl("net.bridge.bridge-nf-call-iptables")).toBe("0");
  });
});

describe("a lab's life", () => {
  it("leaves nothing when it is disposed of", async () => {
    const lab = await Lab.create({ prefix: "mrlife", nodes: [{ pods: ["a"], proxies: ["z"] }], externals: ["x"] });
    const inodes = inodesOf(lab);
    await lab.pod("a").endpoint();
    const before = remains(lab.prefix, inodes) as { namespaces: string[]; mounts: string[]; processes: number[] };
    expect(before.namespaces).toHaveLength(5);
    expect(before.mounts).toEqual([lab.node(1).paths.bpffs]);
    expect(before.processes).toHaveLength(1);
    await lab[Symbol.asyncDispose]();
    expect(remains(lab.prefix, inodes)).toEqual(NOTHING);
  });

  it("removes what it made when it cannot be finished", async () => {
    const tooLong = "a-name-that-no-interface-can-have";
    await expect(Lab.create({ prefix: "mrhalf", nodes: [{ pods: ["a", tooLong] }] })).rejects.toMatchObject({
      code: "ERR_LAB_COMMAND",
    });
    expect(readdirSync(NETNS_DIRECTORY).filter((name) => name.startsWith("mrhalf"))).toEqual([]);
    expect(readdirSync("/run/millrace-lab").filter((name) => name.startsWith("mrhalf"))).toEqual([]);
  });

  /** Starts a process that makes a lab with a running program in it and then waits; returns the lab's prefix. */
  async function foreignLab(): Promise<{ child: ReturnType<typeof spawn>; prefix: string; inodes: Set<number> }> {
    const script = `
      const { Lab } = await import(${JSON.stringify(fileURLToPath(new URL("./lab.ts", import.meta.url)))});
      const lab = await Lab.create({ prefix: "mrdead", nodes: [{ pods: ["a"] }] });
      await lab.pod("a").endpoint();
      console.log(lab.prefix);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--conditions=source", "--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const prefix = line.toString().trim();
    const inodes = new Set(namespacesOf(prefix).map((name) => statSync(join(NETNS_DIRECTORY, name)).ino));
    return { child, prefix, inodes };
  }

  it("is swept after its owner was killed, and not before", async () => {
    const { child, prefix, inodes } = await foreignLab();
    expect(Lab.sweep()).not.toContain(prefix);
    expect(processesIn(inodes)).toHaveLength(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(namespacesOf(prefix)).not.toEqual([]);
    await using next = await Lab.create({ nodes: [{}] });
    expect(next.nodes).toHaveLength(1);
    expect(remains(prefix, inodes)).toEqual(NOTHING);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("is destroyed when its owner gets %s", async (signal) => {
    const { child, prefix, inodes } = await foreignLab();
    child.kill(signal);
    const [, endedBy] = (await once(child, "exit")) as [number | null, string | null];
    expect(endedBy).toBe(signal);
    expect(remains(prefix, inodes)).toEqual(NOTHING);
  });

  it("knows a process by its start as well as its pid", () => {
    expect(startTime(process.pid)).toMatch(/^\d+$/);
    expect(startTime(2 ** 22 + 1)).toBeUndefined();
  });
});

/** States of what was not configured, but learnt or tried (ip-neighbour(8)). */
const LEARNT = ["incomplete", "reachable", "stale", "delay", "probe", "failed"].flatMap((state) => ["nud", state]);

describe("plain traffic", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create({
      nodes: [{ pods: ["a", "b"] }, { pods: ["s"] }],
      externals: ["x", { name: "far", behindMtu: 1300 }],
    });
    const servers = await Promise.all(
      [lab.pod("b"), lab.pod("s"), lab.external("x"), lab.external("far")].map((host) => host.endpoint()),
    );
    await Promise.all(servers.flatMap((server) => [server.listen(8080), server.ask("listenUdp", { port: 8080 })]));
  });
  afterAll(async () => await lab[Symbol.asyncDispose]());

  const targets = ["b", "s", "x", "far"] as const;
  const host = (name: (typeof targets)[number]) => (name === "b" || name === "s" ? lab.pod(name) : lab.external(name));

  for (const family of FAMILIES) {
    it.each(targets)(`TCP, UDP and ICMP reach %s over IPv${family}`, async (name) => {
      const source = lab.pod("a");
      const target = { host: host(name).address(family), port: 8080 };
      const client = await source.endpoint();
      const seen = await client.ask("report", target);
      expect(seen).toMatchObject({ ok: true, value: { peer: source.address(family), local: target.host } });
      const uploaded = await client.ask("upload", { ...target, bytes: 1_000_000 });
      expect(uploaded).toMatchObject({ ok: true, value: { bytes: 1_000_000 } });
      if (uploaded.ok) expect(uploaded.value.sha256).toBe(uploaded.value.sentSha256);
      expect(await client.ask("download", { ...target, bytes: 300_000 })).toMatchObject({ ok: true });
      const datagrams = await client.ask("udp", { ...target, rounds: 3 });
      expect(datagrams).toMatchObject({ ok: true, value: { rounds: 3, peer: source.address(family) } });
      await source.namespace.runChecked("ping", ["-c", "1", "-W", "2", target.host]);
    });

    it(`once it is cooled nobody has a neighbour left until the next contact over IPv${family}`, async () => {
      const target = { host: host("s").address(family), port: 8080 };
      const client = await lab.pod("a").endpoint();
      const sides = [lab.pod("a"), lab.node(1), lab.node(2), lab.pod("s")];
      const known = ({ namespace }: LabHost) => namespace.runChecked("ip", [`-${family}`, "neigh", "show", ...LEARNT]);
      expect(await client.ask("report", target)).toMatchObject({ ok: true });
      for (const side of sides) expect(await known(side)).not.toBe("");
      lab.cool();
      for (const side of lab.hosts) expect(`${side.name}: ${await known(side)}`).toBe(`${side.name}: `);
      expect(await client.ask("report", target)).toMatchObject({ ok: true });
      for (const side of sides) expect(await known(side)).not.toBe("");
    });

    it(`a Service address leads to its endpoint, a pod's own included, over IPv${family}`, async () => {
      const node = lab.node(1);
      const vip = serviceAddresses(1);
      await node.services.add("s", { address: vip, port: 80, endpoint: lab.pod("s").addresses, endpointPort: 8080 });
      await node.services.add("b", { address: vip, port: 81, endpoint: lab.pod("b").addresses, endpointPort: 8080 });
      const from = async (name: string, port: number, timeoutMs = 5_000) =>
        (await lab.pod(name).endpoint()).ask("report", { host: vip[family], port, timeoutMs });
      expect(await from("a", 80)).toMatchObject({ ok: true, value: { peer: lab.pod("a").address(family) } });
      // Hidden behind the node, or the answer would stay in the pod.
      const hairpin = await from("b", 81);
      expect(hairpin.ok && hairpin.value.peer).not.toBe(lab.pod("b").address(family));
      expect(hairpin).toMatchObject({ ok: true, value: { local: lab.pod("b").address(family) } });
      await node.services.clear();
      expect(await from("a", 80, 500)).toMatchObject({ ok: false });
    });

    it(`a refused and a silent port are told apart over IPv${family}`, async () => {
      const client = await lab.pod("a").endpoint();
      const refused = await client.ask("report", { host: lab.pod("s").address(family), port: 9 });
      expect(refused).toMatchObject({ ok: false, failure: "ECONNREFUSED", connected: false });
      await lab
        .pod("s")
        .namespace.nft(
          "table inet mute {\nchain input {\ntype filter hook input priority 0\ntcp dport 10 drop\n}\n}\n",
        );
      const silent = await client.ask("report", { host: lab.pod("s").address(family), port: 10, timeoutMs: 300 });
      expect(silent).toMatchObject({ ok: false, failure: "TIMEOUT", connected: false });
    });
  }

  it("the narrow path is learnt by ICMP alone, each way", async () => {
    for (const family of FAMILIES) {
      const far = lab.external("far").address(family);
      const mtu = async (
        of: { namespace: { runChecked(file: string, args: string[]): Promise<string> } },
        to: string,
      ) => /mtu (\d+)/.exec(await of.namespace.runChecked("ip", ["route", "get", to]))?.[1];
      const client = await lab.pod("b").endpoint();
      await lab.pod("b").namespace.ip("route flush cache");
      expect(await client.ask("upload", { host: far, port: 8080, bytes: 500_000 })).toMatchObject({ ok: true });
      expect(await mtu(lab.pod("b"), far)).toBe("1300");
      const back = await lab.external("far").endpoint();
      expect(
        await back.ask("upload", { host: lab.pod("s").address(family), port: 8080, bytes: 500_000 }),
      ).toMatchObject({ ok: true });
      expect(await mtu(lab.external("far"), lab.pod("s").address(family))).toBe("1300");
    }
  });

  it("a pod can be taken away and made again at the same address", async () => {
    const node = lab.node(1);
    const old = await node.addPod({ name: "again" });
    await node.removePod("again");
    expect(() => node.pod("again")).toThrow(/no pod again/);
    const pod = await node.addPod({ name: "again", index: old.index, uid: old.uid });
    expect(pod.addresses).toEqual(old.addresses);
    expect(pod.namespace.inode).not.toBe(old.namespace.inode);
    expect(pod.createdAt.getTime()).toBeGreaterThan(old.createdAt.getTime());
    await (await pod.endpoint()).listen(8080);
    const client = await lab.pod("s").endpoint();
    expect(await client.ask("report", { host: pod.address(4), port: 8080 })).toMatchObject({ ok: true });
  });

  it("a CNI request carries the pod and throws what the agent answers", async () => {
    const path = join(lab.node(1).paths.sockets, "test-cni.sock");
    const requests: string[] = [];
    const server = createServer((socket) => {
      socket.on("data", (data) => {
        requests.push(data.toString());
        socket.end(`${JSON.stringify({ ok: false, code: 11, message: "later", details: "starting" })}\n`);
      });
    }).listen(path);
    try {
      const pod = lab.pod("a");
      await expect(cniRequest(path, "ADD", pod, podNetwork("routed", 1, 1500))).rejects.toMatchObject({
        code: "ERR_CNI_REQUEST",
      });
      expect(JSON.parse(requests.join(""))).toMatchObject({
        version: 1,
        command: "ADD",
        netns: pod.namespace.path,
        pod: { uid: pod.uid },
        prevResult: { interfaces: [{ name: "h-a" }, { name: "eth0", sandbox: pod.namespace.path }] },
      });
    } finally {
      server.close();
    }
  });

  it("manifests are whole YAML documents under visible names only", () => {
    const node = lab.node(1);
    node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
    node.applyPod(lab.pod("a"), { phase: "Succeeded" });
    expect(node.manifests.list()).toEqual(["namespace-demo.yaml", "pod-demo-a.yaml"]);
    expect(readdirSync(node.paths.manifests)).toHaveLength(2);
    expect(readFileSync(join(node.paths.manifests, "pod-demo-a.yaml"), "utf8")).toMatch(/phase: Succeeded/);
    node.deletePodObject(lab.pod("a"));
    expect(node.manifests.list()).toEqual(["namespace-demo.yaml"]);
  });
});
