import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");

/** Status and body of a page, asked from inside the node; status 0 while nobody listens. */
async function get(node: PrivateNode, path: string): Promise<{ status: number; body: string }> {
  const asked = [
    "curl",
    "--silent",
    "--max-time",
    "5",
    "--write-out",
    "\n%{http_code}",
    `http://198.19.0.1:15090${path}`,
  ];
  const output = await node.exec("sh", "-c", '"$@" || true', "sh", ...asked);
  const cut = output.lastIndexOf("\n");
  return { status: Number(output.slice(cut + 1)), body: output.slice(0, cut) };
}

const unmet = (body: string): Record<string, string> =>
  Object.fromEntries(
    (JSON.parse(body) as { conditions: { name: string; ok: boolean; reason: string }[] }).conditions
      .filter(({ ok }) => !ok)
      .map(({ name, reason }) => [name, reason]),
  );

test("an agent is alive at once, ready when all is in place, and counts what it does", async () => {
  await using node = await PrivateNode.create();
  const { directory } = node;
  const at = (name: string) => join(directory, name);
  await node.addPod("web", "198.18.77.11");
  for (const name of ["cni/net.d", "cni/bin", "image"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("image/millrace"), "the plugin");
  node.manifest(
    "all",
    objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }),
    objects.pod("shop", "web", "198.18.77.11"),
  );
  node.configure({
    redirectMode: "scripted",
    plugins: [PLUGIN],
    backends: { scripted: { directory } },
    install: {
      enabled: true,
      cniBinDir: at("cni/bin"),
      cniConfDir: at("cni/net.d"),
      pluginSource: at("image/millrace"),
    },
  });
  await using agent = node.agent();
  await eventually(
    () => get(node, "/healthz"),
    ({ status }) => status === 200,
  );
  const waiting = await eventually(
    () => get(node, "/readyz"),
    ({ status, body }) => status === 503 && Object.keys(unmet(body)).join() === "cni-plugin",
  );
  expect(unmet(waiting.body)["cni-plugin"]).toMatch(/^waiting: /);

  writeFileSync(at("cni/net.d/10-net.conflist"), '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"}]}\n');
  const ready = await eventually(
    () => get(node, "/readyz"),
    ({ status }) => status === 200,
  );
  expect(JSON.parse(ready.body)).toMatchObject({ ready: true });

  const { body } = await eventually(
    () => get(node, "/metrics"),
    ({ body: text }) => text.includes("\nmillrace_pods_enrolled 1\n"),
  );
  expect(body).toContain('millrace_backend_info{mode="scripted",backend="scripted"');
  expect(body).toContain('millrace_reconcile_seconds_count{action="apply",result="success"} 1');
  expect(body).toContain('millrace_plugin_install_state{state="installed"} 1');
  expect(body).toMatch(/\nmillrace_eventlog_bytes [1-9]/);

  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
});

test("a port that somebody else has ends the agent, which names it", async () => {
  await using node = await PrivateNode.create();
  node.configure({
    redirectMode: "scripted",
    plugins: [PLUGIN],
    backends: { scripted: { directory: node.directory } },
  });
  await using other = node.spawn("socat", "-d", "-d", "TCP6-LISTEN:15090,ipv6only=0", "STDOUT");
  await other.logged(/listening on/);
  const { code, stderr } = await node.millrace(["agent"]);
  expect(stderr).toContain("another process has port 15090");
  expect(stderr).toContain("ERR_HTTP_PORT");
  expect(code).toBe(EXIT.conflict);
});
