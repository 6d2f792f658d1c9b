import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { type Status, statusSchema } from "../status/status-document.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const plugin = (name: string) => join(import.meta.dirname, "..", "..", "test", `${name}-backend.ts`);

/** A node with a member, and two backends that do as files say: `scripted` serves unless told otherwise. */
async function node(): Promise<{
  node: PrivateNode;
  use(redirectMode: string): void;
  tell(name: string, what?: string): void;
  at(name: string): string;
}> {
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
  await made.addPod("web", "198.18.77.11");
  made.manifest("namespaces", objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }));
  made.manifest("web", objects.pod("shop", "web", "198.18.77.11"));
  const tell = (name: string, what?: string) =>
    what === undefined ? rmSync(at(name), { force: true }) : writeFileSync(at(name), what);
  return { node: made, use, tell, at };
}

async function status(on: PrivateNode, isGood: (status: Status) => boolean): Promise<Status> {
  return eventually(
    async () => statusSchema.parse(JSON.parse((await on.millrace(["status", "--json"])).stdout)),
    isGood,
  );
}

const enrolled = ({ workloads, earlier }: Status) =>
  earlier.length === 0 && workloads.some(({ state }) => state === "enrolled");

/** An agent's run by the backend `scripted`, with `web` enrolled. */
async function serveOnce(on: PrivateNode): Promise<void> {
  await using agent = on.agent();
  await agent.logged(/agent is running/);
  await status(on, enrolled);
  await agent.stop("SIGKILL");
}

/** Without it nobody knows what the former backend was asked for: it is taken over as it is found. */
function loseLog(on: PrivateNode): void {
  on.settleLog();
  for (const file of ["", "-wal", "-shm"]) rmSync(`${on.log}${file}`, { force: true });
}

test("an agent died while it opened its redirection: the next one, by another backend, takes away what may be there", async () => {
  const { node: on, use, tell, at } = await node();
  await using _node = on;
  tell("scripted.open-waits", "");
  const noted = join(on.directory, "lib/journal/backends/scripted");
  {
    await using agent = on.agent();
    await eventually(
      async () => existsSync(noted),
      (isNoted) => isNoted,
    );
    await agent.stop("SIGKILL");
  }
  tell("scripted.open-waits");
  tell("scripted.kernel", "[]");
  use("other");
  await using agent = on.agent();
  await agent.logged(/redirection of an earlier run's backend removed backend=scripted/);
  expect(existsSync(at("scripted.kernel"))).toBe(false);
  expect(existsSync(noted)).toBe(false);
});

test("the mode was changed while no agent ran, and the log is lost: the former redirection goes once its members are taken over", async () => {
  const { node: on, use, tell, at } = await node();
  await using _node = on;
  await serveOnce(on);
  expect(readFileSync(at("scripted.kernel"), "utf8")).toContain("uid-web");

  loseLog(on);
  use("other");
  tell("other.apply-fails", "EBUSY");
  await using agent = on.agent();
  await agent.logged(/agent is running/);
  const waiting = await status(on, ({ earlier }) =>
    earlier.some(({ waitsFor }) => waitsFor[0]?.startsWith("workload") === true),
  );
  expect(waiting.earlier).toEqual([{ backend: "scripted", waitsFor: ["workload shop/web is not redirected yet"] }]);
  expect(waiting.agent).toMatchObject({
    backend: "other",
    selection: { reason: "named by redirectMode; not considered: ebpf, iptables, scripted" },
  });
  const shown = await on.millrace(["status"]);
  expect(shown.code).toBe(EXIT.unhealthy);
  expect(shown.stdout).toContain(
    "! redirection by scripted, of an earlier run, is still there: workload shop/web is not redirected yet\n",
  );
  expect(existsSync(at("scripted.kernel"))).toBe(true);

  tell("other.apply-fails");
  tell("scripted.uninstall-fails", "EBUSY");
  const failing = await status(on, ({ earlier }) => earlier[0]?.problem !== undefined);
  expect(failing.earlier).toEqual([
    { backend: "scripted", waitsFor: [], problem: "EBUSY: scripted: uninstall: told to by scripted.uninstall-fails" },
  ]);
  tell("scripted.uninstall-fails");
  expect(await status(on, enrolled)).toMatchObject({ earlier: [] });
  expect(agent.output).toMatch(/redirection of an earlier run's backend removed backend=scripted workloads=1/);
  expect(existsSync(at("scripted.kernel"))).toBe(false);
  expect(readFileSync(at("other.kernel"), "utf8")).toContain("uid-web");
  await agent.stop("SIGTERM");

  // It is remembered, so that the next one does not look for it again.
  await using again = on.agent();
  await again.logged(/agent is running/);
  expect((await status(on, enrolled)).earlier).toEqual([]);
  expect(again.output).not.toMatch(/earlier run's backend/);
});

test("an agent that is stopped before it could take over leaves both as they are, and the next one goes on taking over", async () => {
  const { node: on, use, tell, at } = await node();
  await using _node = on;
  await serveOnce(on);
  loseLog(on);
  use("other");
  tell("other.apply-fails", "EBUSY");
  await using agent = on.agent();
  await agent.logged(/stays until its members are taken over/);
  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
  expect(readFileSync(at("scripted.kernel"), "utf8")).toContain("uid-web");

  // Its log says what was asked for since, and nothing of what the former backend has: no switch could lead from there.
  await using again = on.agent();
  await again.logged(/stays until its members are taken over/);
  tell("other.apply-fails");
  expect(await status(on, enrolled)).toMatchObject({ agent: { backend: "other" }, earlier: [] });
  expect(existsSync(at("scripted.kernel"))).toBe(false);
});

test("a former redirection that cannot be taken away ends the start: nothing is laid over it", async () => {
  const { node: on, use, tell, at } = await node();
  await using _node = on;
  await serveOnce(on);
  use("other");
  tell("scripted.open-fails", "EPERM");
  const refused = await on.millrace(["agent"]);
  expect(refused.code).toBe(EXIT.notCapable);
  expect(refused.stderr).toMatch(
    /^error ERR_EARLIER_REDIRECTION: redirection did not start: an earlier run redirected by scripted, other is to serve now, and scripted cannot take its own away: .*told to by scripted\.open-fails\nhint {2}Members stay captured/,
  );
  expect(existsSync(at("other.kernel"))).toBe(false);
  const uninstall = await on.millrace(["uninstall"]);
  expect(uninstall.code).toBe(EXIT.unhealthy);
  expect(uninstall.stdout).toMatch(/^left +redirection of backend scripted: it cannot be opened: EPERM: /m);

  // And a plugin that is not there any more.
  on.configure({ redirectMode: "other", plugins: [plugin("other")], backends: { other: { directory: on.directory } } });
  const unknown = await on.millrace(["agent"]);
  expect(unknown.stderr).toContain("scripted cannot take its own away: its plugin is not loaded");
  expect((await on.millrace(["uninstall"])).stdout).toMatch(
    /^left +redirection of backend scripted: its plugin is not loaded/m,
  );

  use("other");
  tell("scripted.open-fails");
  const done = await on.millrace(["uninstall"]);
  expect(done.stdout).toMatch(/^removed redirection of workload uid-web \(198\.18\.77\.11\) \(backend scripted\)$/m);
  expect(done.code).toBe(EXIT.ok);
});
