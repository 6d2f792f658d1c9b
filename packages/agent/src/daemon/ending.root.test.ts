import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { eventually } from "../testing/eventually.ts";
import { NodeApi } from "../testing/node-api.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");
const DAEMON_SET = "/apis/apps/v1/namespaces/millrace-system/daemonsets/millrace-agent";
const LIST = '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"}]}\n';

/** A node with one member in a cluster that has the agent's DaemonSet, and the CNI directories of its runtime. */
async function clusterNode(
  keepPlugin = false,
): Promise<{ node: PrivateNode; api: NodeApi; at: (name: string) => string }> {
  const made = await PrivateNode.create();
  const api = await NodeApi.start(made);
  const at = (name: string) => join(made.directory, name);
  for (const name of ["cni/net.d", "cni/bin", "image"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("image/millrace"), "the plugin");
  writeFileSync(at("cni/net.d/10-net.conflist"), LIST);
  await made.addPod("web", "198.18.77.11");
  const daemonSet = { namespace: "millrace-system", name: "millrace-agent" };
  await api.put(DAEMON_SET, { metadata: daemonSet, spec: { template: { spec: {} } } });
  await api.put("/api/v1/nodes/n1", { metadata: { name: "n1" }, spec: {}, status: { addresses: [] } });
  await api.put("/api/v1/namespaces/shop", objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }));
  await api.put("/api/v1/namespaces/shop/pods/web", objects.pod("shop", "web", "198.18.77.11"));
  made.configure({
    redirectMode: "scripted",
    plugins: [PLUGIN],
    backends: { scripted: { directory: made.directory } },
    manifests: { enabled: false },
    kubernetes: { enabled: true, kubeconfig: api.kubeconfig, daemonSet: "millrace-system/millrace-agent" },
    install: {
      enabled: true,
      cniBinDir: at("cni/bin"),
      cniConfDir: at("cni/net.d"),
      pluginSource: at("image/millrace"),
      keepPlugin,
    },
  });
  return { node: made, api, at };
}

const captured = (at: (name: string) => string): string[] =>
  existsSync(at("scripted.kernel"))
    ? (JSON.parse(readFileSync(at("scripted.kernel"), "utf8")) as [string][]).map(([uid]) => uid)
    : [];

test("an agent that is replaced leaves everything; one that is uninstalled takes everything with it", async () => {
  const made = await clusterNode();
  await using node = made.node;
  await using api = made.api;
  const { at } = made;
  const list = at("cni/net.d/10-net.conflist");
  const all = async () => ({ captured: captured(at), entry: readFileSync(list, "utf8").includes('"millrace"') });
  const complete = { captured: ["uid-web"], entry: true };
  {
    await using agent = node.agent();
    expect(await eventually(all, (now) => now.entry && now.captured.length === 1)).toEqual(complete);
    expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
    expect(agent.output).toMatch(/agent is stopping, redirection stays.*wants this node/);
  }
  expect(await all()).toEqual(complete);

  await using agent = node.agent();
  await agent.logged(/agent is running/);
  await agent.logged(/the CNI plugin is installed/);
  await api.delete(DAEMON_SET);
  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
  expect(agent.output).toMatch(/agent is stopping for good.*is gone/);
  expect(agent.output).toMatch(/everything of Millrace was removed/);
  expect(captured(at)).toEqual([]);
  expect(readFileSync(list, "utf8")).toBe(LIST);
  for (const name of ["cni/bin/millrace", "run", "lib/journal", "ambient"])
    expect(existsSync(at(name)), name).toBe(false);
  // The event log stays, for whoever wants to know what happened.
  expect(existsSync(at("lib/events.db"))).toBe(true);
});

test("an agent that is uninstalled while it cannot even open a redirection takes away what earlier ones left", async () => {
  const made = await clusterNode(true);
  await using node = made.node;
  await using api = made.api;
  const { at } = made;
  {
    await using agent = node.agent();
    await agent.logged(/the CNI plugin is installed/);
    await eventually(
      async () => captured(at),
      ({ length }) => length === 1,
    );
    await agent.stop("SIGKILL");
  }
  writeFileSync(at("scripted.open-fails"), "EBUSY");
  await using agent = node.agent();
  await agent.logged(/redirection cannot be opened/);
  await api.delete(DAEMON_SET);
  rmSync(at("scripted.open-fails"));
  await agent.stop("SIGTERM");
  expect(agent.output).toMatch(/everything of Millrace was removed/);
  expect(captured(at)).toEqual([]);
  expect(readFileSync(at("cni/net.d/10-net.conflist"), "utf8")).toBe(LIST);
  // CRI-O ends pods by it; nobody begins any by it, for the entry is gone.
  expect(existsSync(at("cni/bin/millrace"))).toBe(true);
});
