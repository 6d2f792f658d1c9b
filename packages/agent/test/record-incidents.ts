import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../src/testing/eventually.ts";
import { objects, PrivateNode, type RunningAgent } from "../src/testing/private-node.ts";

/**
 * Records incidents for `test/incidents` by running the real agent on nodes of their own, as root:
 * `node --conditions=source packages/agent/test/record-incidents.ts [NAME…]`. What it records is an incident anew, with other times and
 * interface numbers: for decisions that changed on purpose there is `millrace replay --accept`.
 */

const TARGET = join(import.meta.dirname, "..", "..", "..", "test", "incidents");
const MEMBER = { "istio.io/dataplane-mode": "ambient" };
const PROXY = { app: "ztunnel" };

/** A node with a namespace of the mesh, a member and a proxy. */
async function populated(settings: object = {}): Promise<PrivateNode> {
  const node = await PrivateNode.create(settings);
  await node.addPod("web", "198.18.77.11");
  await node.addPod("proxy-1", "198.18.77.20");
  node.manifest("namespaces", objects.namespace("shop", MEMBER), objects.namespace("istio-system"));
  node.manifest("web", objects.pod("shop", "web", "198.18.77.11"));
  node.manifest("proxy-1", objects.pod("istio-system", "proxy-1", "198.18.77.20", PROXY));
  return node;
}

async function untilLogged(node: PrivateNode, text: RegExp): Promise<void> {
  await eventually(
    () => node.millrace(["log"]),
    ({ stdout }) => text.test(stdout),
  );
}

async function running(node: PrivateNode): Promise<RunningAgent> {
  const agent = node.agent();
  await agent.logged(/agent is running/, 120_000);
  return agent;
}

/** The log as it is at the end, or of an agent that is gone. */
async function record(node: PrivateNode, name: string): Promise<void> {
  const { code, stdout, stderr } = await node.millrace(["log", "export"]);
  if (code !== 0) throw new Error(`${name}: ${stderr}`);
  writeFileSync(join(TARGET, `${name}.jsonl`), stdout);
  console.log(`${name}: ${stdout.trimEnd().split("\n").length - 1} events`);
}

const incidents: Readonly<Record<string, () => Promise<void>>> = {
  /** A newer proxy takes over, the old one drains and goes. */
  async "proxy-replaced"() {
    await using node = await populated();
    await using agent = await running(node);
    await untilLogged(node, /applied .*use-proxies/);
    await untilLogged(node, /applied .*uid-web apply/);
    await node.addPod("proxy-2", "198.18.77.21");
    const newer = objects.pod("istio-system", "proxy-2", "198.18.77.21", PROXY);
    node.manifest("proxy-2", { ...newer, metadata: { ...newer.metadata, creationTimestamp: "2026-01-01T00:10:00Z" } });
    await untilLogged(node, /active istio-system\/proxy-2 draining istio-system\/proxy-1/);
    rmSync(join(node.manifests, "proxy-1.yaml"));
    await node.exec("ip", "link", "del", "h-proxy-1");
    await untilLogged(node, /active istio-system\/proxy-2 because/);
    await agent.stop("SIGTERM");
    await record(node, "proxy-replaced");
  },

  /** Killed in the middle of things; a pod goes and another one comes while nobody looks; the next agent adopts. */
  async "killed-and-adopted"() {
    await using node = await populated();
    {
      await using agent = await running(node);
      await untilLogged(node, /applied .*uid-web apply/);
      await agent.stop("SIGKILL");
    }
    rmSync(join(node.manifests, "web.yaml"));
    await node.exec("ip", "link", "del", "h-web");
    await node.addPod("api", "198.18.77.11");
    node.manifest("api", objects.pod("shop", "api", "198.18.77.11"));
    await using agent = await running(node);
    await untilLogged(node, /applied .*uid-api apply/);
    await untilLogged(node, /removed .*uid-web remove/);
    await agent.stop("SIGTERM");
    await record(node, "killed-and-adopted");
  },

  /** Somebody takes a rule away in the proxy's network namespace; found at the next look, and put back. */
  async "drift-mended"() {
    await using node = await populated();
    await using agent = await running(node);
    await untilLogged(node, /applied .*use-proxies/);
    await node.exec("nsenter", "--net=/run/netns/proxy-1", "ip", "rule", "del", "iif", "eth0");
    await untilLogged(node, /drift\.mended/);
    await agent.stop("SIGTERM");
    await record(node, "drift-mended");
  },

  /** A backend that cannot for a while: failures, retries with their delays, and success. */
  async "backend-without-room"() {
    await using node = await populated();
    const { directory } = node;
    const told = join(directory, "scripted.apply-fails");
    node.configure({
      redirectMode: "scripted",
      plugins: [join(import.meta.dirname, "scripted-backend.ts")],
      backends: { scripted: { directory } },
    });
    writeFileSync(told, "ENOSPC");
    await using agent = await running(node);
    await untilLogged(node, /attempt 4 after/);
    rmSync(told);
    await untilLogged(node, /applied .*uid-web apply/);
    await agent.stop("SIGTERM");
    await record(node, "backend-without-room");
  },

  /** An agent that starts while the API server is away goes on with what its log knows. */
  async "api-server-away"() {
    await using node = await populated();
    {
      await using agent = await running(node);
      await untilLogged(node, /applied .*uid-web apply/);
      await agent.stop("SIGTERM");
    }
    const kubeconfig = join(node.directory, "kubeconfig");
    const access = {
      clusters: [{ name: "c", cluster: { server: "https://198.18.0.1:6443" } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    writeFileSync(kubeconfig, JSON.stringify(access));
    node.configure({ manifests: { enabled: false }, kubernetes: { enabled: true, kubeconfig } });
    await using agent = await running(node);
    await untilLogged(node, /watch\.lost +watch\/kubernetes-pods/);
    await untilLogged(node, /watch\.lost[\s\S]*applied .*uid-web apply/);
    await agent.stop("SIGTERM");
    await record(node, "api-server-away");
  },

  /** The log's disk is full for a while: what happened meanwhile is written late, and that it was. */
  async "disk-full"() {
    await using node = await populated();
    node.logs.withoutLog = "it is on a disk of its own";
    const disk = join(node.directory, "disk");
    await node.exec("mkdir", disk);
    await node.exec("mount", "-t", "tmpfs", "-o", "size=512k", "millrace-test", disk);
    node.configure({ eventLog: { path: join(disk, "events.db") } });
    await using agent = await running(node);
    await untilLogged(node, /applied .*uid-web apply/);
    await node.exec("sh", "-c", `dd if=/dev/zero of=${disk}/ballast bs=1k 2>/dev/null; true`);
    for (let index = 0; !/event log cannot be written/.test(agent.output); index++) {
      if (index > 200) throw new Error("the disk was not full after all");
      // Something happens all the time, until there is no room to write it.
      node.manifest("other", objects.pod("istio-system", `other-${index}`, "198.18.77.99"));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await node.addPod("late", "198.18.77.12");
    node.manifest("late", objects.pod("shop", "late", "198.18.77.12"));
    await eventually(
      () => node.millrace(["status"]),
      ({ stdout }) => /shop\/late .*enrolled/.test(stdout),
    );
    await node.exec("rm", join(disk, "ballast"));
    await untilLogged(node, /log\.gap/);
    await agent.stop("SIGTERM");
    await record(node, "disk-full");
  },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(incidents);
for (const name of wanted) {
  const incident = incidents[name];
  if (incident === undefined) throw new Error(`no incident ${name}; there are ${Object.keys(incidents).join(", ")}`);
  await incident();
}
