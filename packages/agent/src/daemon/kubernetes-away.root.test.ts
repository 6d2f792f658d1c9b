import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { statusSchema } from "../status/status-document.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");

/** ADD as the CNI plugin sends it, for a pod that `node.addPod` has made; resolves to the reply. */
async function add(node: PrivateNode, namespace: string, name: string, address: string): Promise<unknown> {
  const netns = `/run/netns/${name}`;
  const request = {
    version: 1,
    command: "ADD",
    containerId: `c-${name}`,
    netns,
    ifName: "eth0",
    pod: { namespace, name, uid: `uid-${name}` },
    prevResult: {
      cniVersion: "1.0.0",
      interfaces: [{ name: `h-${name}` }, { name: "eth0", sandbox: netns }],
      ips: [{ address: `${address}/32`, interface: 1 }],
    },
  };
  const socket = connect(join(node.directory, "run/cni.sock"));
  socket.end(`${JSON.stringify(request)}\n`);
  return JSON.parse(await text(socket));
}

test("an agent that starts while the API server is away goes on with what its log knows, and answers the CNI plugin", async () => {
  await using node = await PrivateNode.create();
  const { directory } = node;
  const scripted = { redirectMode: "scripted", plugins: [PLUGIN], backends: { scripted: { directory } } };
  for (const [name, address] of [
    ["web", "198.18.77.11"],
    ["outside", "198.18.77.12"],
    ["unheard", "198.18.77.13"],
  ] as const) {
    await node.addPod(name, address);
  }
  node.configure(scripted);
  node.manifest(
    "all",
    objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }),
    objects.namespace("plain"),
    objects.pod("shop", "web", "198.18.77.11"),
  );
  {
    await using agent = node.agent();
    await eventually(
      () => node.millrace(["status"]),
      ({ stdout }) => stdout.includes("enrolled"),
    );
    expect(await agent.stop("SIGTERM")).toMatchObject({ code: EXIT.ok });
  }

  const kubeconfig = join(directory, "kubeconfig");
  const access = {
    clusters: [{ name: "c", cluster: { server: "https://198.18.0.1:6443" } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(kubeconfig, JSON.stringify(access));
  node.configure({
    ...scripted,
    manifests: { enabled: false },
    kubernetes: { enabled: true, kubeconfig },
    cni: { deadlineSeconds: 2 },
  });
  await using agent = node.agent();
  await agent.logged(/agent is running/);
  await agent.logged(/watch is lost.*kubernetes-pods/);

  expect(await add(node, "plain", "outside", "198.18.77.12")).toEqual({ ok: true });
  expect(await add(node, "shop", "web", "198.18.77.11")).toEqual({ ok: true });
  expect(await add(node, "shop", "unheard", "198.18.77.13")).toMatchObject({
    ok: false,
    code: 11,
    details: "the pod has not been seen",
  });

  const { stdout } = await node.millrace(["status", "--json"]);
  const status = statusSchema.parse(JSON.parse(stdout));
  expect(status.watches.map(({ name, state }) => `${name} ${state}`)).toEqual([
    "kubernetes-namespaces lost",
    "kubernetes-node lost",
    "kubernetes-pods lost",
  ]);
  expect(status.watches[0]?.reason).toContain("the API server https://198.18.0.1:6443 cannot be reached");
  expect(status.workloads.find(({ name }) => name === "web")).toMatchObject({ state: "enrolled" });
  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
});
