import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { type Status, statusSchema } from "../status/status-document.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const plugin = (name: string) => join(import.meta.dirname, "..", "..", "test", `${name}-backend.ts`);

/** A node with two members, and two backends that do as files say: `scripted` serves. */
async function node() {
  const made = await PrivateNode.create();
  const { directory } = made;
  const at = (name: string) => join(directory, name);
  const use = (redirectMode: string) =>
    made.configure({
      redirectMode,
      plugins: [plugin("scripted"), plugin("other")],
      backends: { scripted: { directory }, other: { directory } },
    });
  use("scripted");
  made.manifest("namespaces", objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }));
  for (const [index, name] of ["web", "db"].entries()) {
    await made.addPod(name, `198.18.77.1${index + 1}`);
    made.manifest(name, objects.pod("shop", name, `198.18.77.1${index + 1}`));
  }
  const tell = (name: string, what?: string) =>
    what === undefined ? rmSync(at(name), { force: true }) : writeFileSync(at(name), what);
  /** Names of the pods that a backend redirects. */
  const has = (backend: string): string[] => {
    const text = existsSync(at(`${backend}.kernel`)) ? readFileSync(at(`${backend}.kernel`), "utf8") : "[]";
    return (JSON.parse(text) as [string, { name: string }][]).map(([, { name }]) => name).sort();
  };
  return { node: made, use, tell, has };
}

async function status(on: PrivateNode, isGood: (status: Status) => boolean): Promise<Status> {
  return eventually(
    async () => statusSchema.parse(JSON.parse((await on.millrace(["status", "--json"])).stdout)),
    isGood,
  );
}

const enrolled = ({ workloads }: Status) => workloads.filter(({ state }) => state === "enrolled").length === 2;
const servedBy = (backend: string) => (found: Status) =>
  enrolled(found) && found.agent.backend === backend && found.switch?.state !== "under way";

async function running(on: PrivateNode) {
  const agent = on.agent();
  await agent.logged(/agent is running/);
  return agent;
}

test("a running node is moved from one backend to the other, and back", async () => {
  const { node: on, has } = await node();
  await using _node = on;
  await using agent = await running(on);
  await status(on, servedBy("scripted"));

  const planned = await on.millrace(["switch", "other", "--dry-run"]);
  expect(planned.code, planned.stderr).toBe(EXIT.ok);
  expect(planned.stdout).toContain("would: shop/web: other joins scripted\n");
  expect(planned.stdout).toContain("would: shop/web: other alone, scripted lets go\n");
  expect(planned.stdout.trimEnd().split("\n").at(-1)).toBe("would: the node's proxies: other alone, scripted lets go");
  expect(has("other")).toEqual([]);

  const switched = await on.millrace(["switch", "other"]);
  expect(switched.code, switched.stderr).toBe(EXIT.ok);
  expect(switched.stdout).toMatch(/^scripted -> other: always\n(.*\n)*done\n$/);
  expect([has("scripted"), has("other")]).toEqual([[], ["db", "web"]]);
  expect((await status(on, servedBy("other"))).agent.redirectMode).toBe("scripted");

  const again = await on.millrace(["switch", "other"]);
  expect(again.stdout).toContain("nothing to do");
  expect((await on.millrace(["switch", "scripted"])).code).toBe(EXIT.ok);
  await status(on, servedBy("scripted"));
  expect([has("scripted"), has("other")]).toEqual([["db", "web"], []]);
  await agent.stop("SIGTERM");
  expect((await on.millrace(["replay"])).code).toBe(EXIT.ok);
}, 180_000);

test("what a switch has come to stays for the next agent, until the configuration names another mode", async () => {
  const { node: on, use, has } = await node();
  await using _node = on;
  {
    await using agent = await running(on);
    await status(on, servedBy("scripted"));
    expect((await on.millrace(["switch", "other"])).code).toBe(EXIT.ok);
    await agent.stop("SIGKILL");
  }
  {
    await using agent = await running(on);
    await status(on, servedBy("other"));
    expect(has("other")).toEqual(["db", "web"]);
    await agent.stop("SIGTERM");
  }
  use("other");
  {
    await using agent = await running(on);
    await status(on, servedBy("other"));
    await agent.stop("SIGTERM");
  }
});

test("the mode was changed while no agent ran: the next one begins with the backend that served, and switches", async () => {
  const { node: on, use, has } = await node();
  await using _node = on;
  {
    await using agent = await running(on);
    await status(on, servedBy("scripted"));
    await agent.stop("SIGKILL");
  }
  use("other");
  {
    await using agent = await running(on);
    const found = await status(on, servedBy("other"));
    expect(found.agent).toMatchObject({ redirectMode: "other", backend: "other" });
    expect([has("scripted"), has("other")]).toEqual([[], ["db", "web"]]);
    expect(agent.output).toMatch(/redirection withdrawn backend=scripted/);
    await agent.stop("SIGTERM");
  }
  await using agent = await running(on);
  await status(on, servedBy("other"));
  expect(agent.output).not.toMatch(/withdrawn|earlier run/);
});

test("the mode is changed while an agent runs, and it is told to read its configuration: it switches", async () => {
  const { node: on, use, has } = await node();
  await using _node = on;
  await using agent = await running(on);
  await status(on, servedBy("scripted"));
  use("other");
  agent.signal("SIGHUP");
  const found = await status(on, servedBy("other"));
  expect(found.agent.redirectMode).toBe("other");
  expect([has("scripted"), has("other")]).toEqual([[], ["db", "web"]]);
  use("no-such-backend");
  agent.signal("SIGHUP");
  await agent.logged(
    /the configured redirectMode could not be put to use, what serves stays.*ERR_REDIRECT_MODE_UNKNOWN/,
  );
  expect(has("other")).toEqual(["db", "web"]);
});

test("an agent that dies half way: the next one brings the switch to its end", async () => {
  const { node: on, tell, has } = await node();
  await using _node = on;
  {
    await using agent = await running(on);
    await status(on, servedBy("scripted"));
    tell("other.apply-waits", "yes");
    expect((await on.millrace(["switch", "other", "--no-wait"])).code).toBe(EXIT.ok);
    await status(on, ({ switch: under }) => under?.state === "under way" && under.remaining === 2);
    await agent.stop("SIGKILL");
  }
  expect([has("scripted"), has("other")]).toEqual([["db", "web"], []]);
  tell("other.apply-waits");
  await using agent = await running(on);
  await status(on, servedBy("other"));
  expect([has("scripted"), has("other")]).toEqual([[], ["db", "web"]]);
  await agent.stop("SIGTERM");
});

test("a step that fails turns the switch: everything is back, and the reason is told", async () => {
  const { node: on, tell, has } = await node();
  await using _node = on;
  await using _agent = await running(on);
  await status(on, servedBy("scripted"));
  tell("other.apply-fails", "EBUSY");
  const failed = await on.millrace(["switch", "other"]);
  expect(failed.code).toBe(EXIT.unhealthy);
  expect(failed.stderr).toMatch(/^error ERR_SWITCH_FAILED: switch to other: shop\/(web|db): EBUSY: /m);
  await status(on, servedBy("scripted"));
  expect([has("scripted"), has("other")]).toEqual([["db", "web"], []]);
});

test("single pods are moved alone, and come back", async () => {
  const { node: on, has } = await node();
  await using _node = on;
  await using _agent = await running(on);
  await status(on, servedBy("scripted"));
  expect((await on.millrace(["switch", "other", "--pod", "shop/web"])).code).toBe(EXIT.ok);
  await status(on, enrolled);
  expect([has("scripted"), has("other")]).toEqual([["db"], ["web"]]);
  const unknown = await on.millrace(["switch", "other", "--pod", "shop/nobody"]);
  expect(unknown.code).toBe(EXIT.conflict);
  expect(unknown.stderr).toContain("the switch was refused: shop/nobody is no member on this node");
  expect((await on.millrace(["switch", "scripted"])).code).toBe(EXIT.ok);
  expect([has("scripted"), has("other")]).toEqual([["db", "web"], []]);
});

test("a backend that is unknown or cannot serve here is refused before anything moves", async () => {
  const { node: on, tell, has } = await node();
  await using _node = on;
  await using _agent = await running(on);
  await status(on, servedBy("scripted"));
  expect((await on.millrace(["switch", "othr"])).stderr).toMatch(/ERR_REDIRECT_MODE_UNKNOWN: .*other/);
  tell("other.incapable", "no such hook");
  expect((await on.millrace(["switch", "other", "--dry-run"])).stderr).toMatch(
    /ERR_NO_CAPABLE_BACKEND: .*no such hook/,
  );
  expect(has("other")).toEqual([]);
});
